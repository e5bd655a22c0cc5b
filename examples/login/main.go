// Login calls an API that has a login of its own, no OAuth: a session that two requests open, and that a renewal token
// renews; and then the cookies of a web page's login. What differs from service to service is data: which requests are
// sent, and where in the answers the session is. The service is in server.go, in-process on a loopback address; what it
// reads and answers is printed, with the secrets redacted.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/examples/internal/wire"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// Reports is what the API answers.
type Reports struct {
	Reports int `json:"reports"`
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	log := wire.New(out, []string{"X-Session", "Cookie"},
		[]string{"region", "user", "ttl_ms", "ok", "reports", "error"})
	service, server := start(log)
	defer server.Close()

	watch := auth.Watch(func(e auth.Event) {
		if e.Expiry.IsZero() {
			log.Printf("  * %s, nobody knows for how long", e.Kind)
			return
		}
		log.Printf("  * %s, for %v", e.Kind, time.Until(e.Expiry).Round(time.Minute))
	})
	log.Printf("a session that two requests open:")
	sessions := auth.Manage(login.New(sessionLogin(server.URL)), watch)
	inHeader := auth.Bearer(sessions, auth.InHeader("X-Session"), auth.NoPrefix())
	if err := use(ctx, log, service, server.URL, sessions, inHeader); err != nil {
		return err
	}
	log.Printf("the cookie of a web page:")
	cookies := auth.Manage(login.New(cookieLogin(server.URL)), watch)
	return use(ctx, log, service, server.URL, cookies, login.SendCookies(cookies))
}

// sessionLogin describes a login in two steps. The second one is sent with what the first one answered.
func sessionLogin(url string) login.Config {
	return login.Config{
		BaseURL: url,
		Params:  map[string]string{"tenant": tenant, "user": user},
		Secrets: map[string]secrets.Provider{"password": secrets.Static(password)}, // yours is an Env or a File
		Steps: []login.Step{{
			Method: http.MethodGet,
			Path:   "/tenants/{{tenant}}",
			Save:   map[string]string{"region": "body.region", "challenge": "body.challenge"},
		}, {
			Path: "/{{region}}/sessions",
			JSON: map[string]any{
				"challenge":   "{{challenge}}",
				"credentials": map[string]string{"user": "{{user}}", "password": "{{password}}"},
			},
		}},
		Renew: []login.Step{{ // if the service refuses it, Steps are sent again
			Path: "/renewal",
			JSON: map[string]string{"renewal": "{{refresh}}"},
		}},
		Token:      "body.result.session.id",
		Refresh:    "body.result.renewal",
		Expiry:     "body.result.session.ttl_ms",
		ExpiryForm: login.ExpiryMilliseconds, // the number alone could as well be seconds
	}
}

// cookieLogin describes a login by a form, after which a cookie is the session.
func cookieLogin(url string) login.Config {
	return login.Config{
		BaseURL:      url,
		Secrets:      map[string]secrets.Provider{"password": secrets.Static(password)},
		Steps:        []login.Step{{Path: "/login", Form: login.Fields("user", user, "password", "{{password}}")}},
		Cookies:      []string{"SID"}, // other cookies are not sent
		NeverExpires: true,            // the service does not tell: a session is used until it is rejected
	}
}

// use sends requests, while the service ends sessions as it likes. Whatever the login is, that is nothing to do here.
func use(
	ctx context.Context, log *wire.Log, service *service, url string, tokens *auth.Manager, how auth.Authenticator,
) (err error) {
	defer func() { err = errors.Join(err, tokens.Close()) }()
	conn, err := connection.New(url, connection.WithAuth(how))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()

	for range 2 {
		if err := show(ctx, log, conn); err != nil {
			return err
		}
	}
	log.Printf("it is ended:")
	service.endSessions()
	if err := show(ctx, log, conn); err != nil {
		return err
	}
	log.Printf("the service has forgotten everything, and a new one is wanted before it is needed:")
	service.forget()
	if _, err := tokens.Renew(ctx); err != nil {
		return err
	}
	return show(ctx, log, conn)
}

func show(ctx context.Context, log *wire.Log, conn *connection.Connection) error {
	list, err := request.Do[Reports](ctx, request.Get(conn, "/reports"))
	if err != nil {
		return err
	}
	log.Printf("  %d reports", list.Reports)
	return nil
}
