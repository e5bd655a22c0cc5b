// Tenants is one connection for users of several companies, where the service tells with the login where a user's API
// is: the token comes with a host, and the browser with the id of the company. Both are placeholders of the base URL,
// and what fills them in is asked per call, for the user whom the context names. A host that is not the service's gets
// no call.
//
// The service is in server.go, in-process on loopback addresses, and robots play the users.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

// Invoices is what the API answers.
type Invoices struct {
	Company string `json:"company"`
	Open    int    `json:"open"`
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	service := start(out)
	defer service.close()
	issuer := service.issuer()

	code := oauth2flow.NewAuthorizationCode(
		oauth2flow.Client{ID: clientID, TokenURL: issuer + "/token", Scopes: []string{scope}},
		oauth2flow.Authorization{
			URL: issuer + "/authorize", Issuer: issuer, RequireIssuer: true,
			// Of the token answer, everything is kept; of what the browser brings, what is named here. The user can have
			// changed the latter: it says where to ask, and the API says whether it answers.
			Keep: []string{"realmId"},
		},
	)
	tokens := auth.Manage(code, auth.PerSubject())
	defer func() { err = errors.Join(err, tokens.Close()) }()
	conn, err := connection.New("https://{instance_url}/v1/companies/{realmId}",
		connection.WithBaseParams(tokens.Extras),
		connection.WithBaseHosts("*.example.com"),
		connection.WithAuth(auth.Bearer(tokens)),
		service.network(), service.trust(), // a service in the field needs neither
	)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()

	names := []string{"ann", "bob", "eve"}
	for _, name := range names {
		token, err := code.Loopback(auth.WithSubject(ctx, name), oauth2flow.Loopback{Open: robot(name), Path: callbackPath})
		if err != nil {
			return err
		}
		if err := tokens.Set(auth.WithSubject(ctx, name), token); err != nil {
			return err
		}
	}
	for _, name := range names {
		fmt.Fprintf(out, "%s:\n", name)
		err := show(auth.WithSubject(ctx, name), out, conn)
		if foreign, ok := errors.AsType[*connection.OriginError](err); ok {
			fmt.Fprintln(out, "  no call to", foreign.Origin)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// show makes a call for the user of the context.
func show(ctx context.Context, out io.Writer, conn *connection.Connection) error {
	invoices, err := request.Do[Invoices](ctx, request.Get(conn, "/invoices"))
	if err == nil {
		fmt.Fprintf(out, "  %s has %d open invoices\n", invoices.Company, invoices.Open)
	}
	return err
}
