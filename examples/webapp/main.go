// Webapp is a web application whose users connect their accounts at another service. They sign in there, and each sees
// nobody else's data: one connection and one manager serve all of them, and the context of a request says for whom it
// is. Who does what needs more than was allowed is sent there again. Disconnecting an account revokes its token.
//
// The authorization server and the API of the other service are in server.go, in-process on loopback addresses; ann and
// bob have their names for passwords there. The URL of the application is printed, and it runs until it is interrupted.
// With -demo, two robots use it, and it ends.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/secrets"
)

func main() {
	demo := flag.Bool("demo", false, "let two robots use it, and end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	use := waitForEnd
	if *demo {
		use = robots
	}
	err := run(ctx, os.Stdout, use)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// useFunc uses the application at a URL.
type useFunc func(ctx context.Context, out io.Writer, site string, s *service) error

// waitForEnd lets people use it.
func waitForEnd(ctx context.Context, out io.Writer, site string, _ *service) error {
	fmt.Fprintln(out, "open", site)
	<-ctx.Done()
	return nil
}

func run(ctx context.Context, out io.Writer, use useFunc) (err error) {
	service := start()
	defer service.close()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	site := "http://" + listener.Addr().String()

	code := oauth2flow.NewAuthorizationCode(
		oauth2flow.Client{
			ID: clientID, Secret: secrets.Static(clientSecret), // a program of yours has secrets.Env or secrets.File here
			TokenURL: service.issuer() + "/token", RevocationURL: service.issuer() + "/revoke", Scopes: []string{scopeRead},
		},
		oauth2flow.Authorization{
			URL: service.issuer() + "/authorize", RedirectURI: site + callbackPath,
			Issuer: service.issuer(), RequireIssuer: true,
		},
	)
	tokens := auth.Manage(code, auth.PerSubject()) // with auth.KeepIn, users stay connected when the program ends
	defer func() { err = errors.Join(err, tokens.Close()) }()
	conn, err := connection.New(service.api.URL, connection.WithAuth(auth.Bearer(tokens)))
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, conn.Close()) }()

	app := &app{conn: conn, tokens: tokens}
	login := oauth2flow.NewWebLogin(code, oauth2flow.Web{
		Tokens: tokens, Subject: app.user, Options: app.missing, BeginPath: "/connect", SignOutPath: "/disconnect",
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", app.home)
	mux.HandleFunc("POST /session", app.begin)
	mux.HandleFunc("POST /notes", app.add)
	mux.Handle("/connect", login)
	mux.Handle(callbackPath, login)
	mux.Handle("/disconnect", login)

	// Other sites cannot post forms here on behalf of whoever looks at them.
	server := &http.Server{Handler: http.NewCrossOriginProtection().Handler(mux), ReadTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	err = use(ctx, out, site, service)
	err = errors.Join(err, server.Close())
	if failure := <-ended; !errors.Is(failure, http.ErrServerClosed) {
		err = errors.Join(err, failure)
	}
	return err
}
