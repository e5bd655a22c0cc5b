// Device signs a user in on a device without a browser, such as a television: it shows a URL and a code, the user types
// the code on another device, and this one goes on as soon as the user has allowed it.
//
// The authorization server and the API are in server.go, in-process on loopback addresses. Log in there as ann, with
// the password ann. With -demo, or where there is no terminal, a robot plays the user.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

// Film is what the API answers.
type Film struct {
	Title string `json:"title"`
	For   string `json:"for"`
}

// userFunc plays the user on the other device, if that is no person.
type userFunc = func(ctx context.Context, login *oauth2flow.DeviceLogin) error

func main() {
	demo := flag.Bool("demo", false, "let a robot play the user")
	flag.Parse()
	person := func(context.Context, *oauth2flow.DeviceLogin) error { return nil }
	if *demo || !isTerminal(os.Stdout) {
		person = robot(os.Stdout)
	} else {
		fmt.Println("log in as", user, "with the password", password)
	}
	if err := run(context.Background(), os.Stdout, person); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, person userFunc) (err error) {
	service := start()
	defer service.close()

	// The metadata of the server tell its endpoints. What has none gets them by hand: Client.TokenURL, and the URL that
	// NewDeviceCode takes.
	provider, err := oidc.DiscoverOAuth(ctx, service.issuer())
	if err != nil {
		return err
	}
	client, err := provider.Client(oauth2flow.Client{ID: clientID, Scopes: []string{scope}}) // it has no secret
	if err != nil {
		return err
	}
	device := oauth2flow.NewDeviceCode(client, provider.DeviceURL)
	tokens := auth.Manage(device) // with auth.KeepIn, the device stays signed in when it is switched off
	defer func() { err = errors.Join(err, tokens.Close()) }()
	conn, err := connection.New(service.api.URL, connection.WithAuth(auth.Bearer(tokens)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()

	film, err := request.Do[Film](ctx, request.Get(conn, "/tonight"))
	if errors.Is(err, auth.ErrLoginRequired) {
		if err := signIn(ctx, out, device, tokens, person); err != nil {
			return err
		}
		film, err = request.Do[Film](ctx, request.Get(conn, "/tonight"))
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "tonight, for %s: %s\n", film.For, film.Title)
	return tokens.Forget(ctx)
}

// signIn shows the user what to do, waits until it is done, and keeps the token.
func signIn(
	ctx context.Context, out io.Writer, device *oauth2flow.DeviceCode, tokens *auth.Manager, person userFunc,
) error {
	login, err := device.Begin(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "on another device, open %s\nand enter %s\n", login.VerificationURI, login.UserCode)
	if err := person(ctx, login); err != nil {
		return err
	}
	token, err := device.Wait(ctx, login) // it ends when the code does, at login.Expires
	if err != nil {
		return err
	}
	return tokens.Set(ctx, token)
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
