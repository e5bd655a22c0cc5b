// Clientcredentials calls an API with tokens that the library gets by itself, by the client credentials grant of OAuth
// 2.0: one token for many requests, another one when the API rejects it, and an error that says what is wrong when the
// client is refused. The authorization server and the API are in server.go, in-process on a loopback address; what they
// read and answer is printed, with the secrets redacted.
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
	"github.com/restconn/restconn/examples/internal/wire"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// Order is what the API answers.
type Order struct {
	ID string `json:"id"`
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	log := wire.New(out, []string{"Authorization"},
		[]string{"grant_type", "scope", "token_type", "expires_in", "id", "error", "error_description"})
	service, server := start(log)
	defer server.Close()

	client := oauth2flow.Client{
		ID:       clientID,
		Secret:   secrets.Static(clientSecret), // a program of yours has secrets.Env or secrets.File here
		Auth:     oauth2flow.InHeader(),        // as the service documents it: nothing is tried out
		TokenURL: server.URL + "/token",
		Scopes:   []string{scope},
	}
	// One manager for all who use these credentials: it may serve several connections, so that it is closed on its own.
	tokens := auth.Manage(oauth2flow.ClientCredentials(client), auth.Watch(func(e auth.Event) {
		log.Printf("  * the token was %s", e.Kind)
	}))
	defer func() { err = errors.Join(err, tokens.Close()) }()
	conn, err := connection.New(server.URL, connection.WithAuth(auth.Bearer(tokens)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()

	log.Printf("three requests, one token:")
	for _, id := range []string{"1", "2", "3"} {
		if err := show(ctx, log, conn, id); err != nil {
			return err
		}
	}
	log.Printf("the token is revoked, and nobody tells the client:")
	service.revoke()
	if err := show(ctx, log, conn, "4"); err != nil {
		return err
	}
	log.Printf("token calls: %d", service.tokenCalls())

	log.Printf("a client whose secret is wrong:")
	client.Secret = secrets.Static("not-the-secret")
	return refused(ctx, log, conn, client)
}

// show asks for an order. Nothing about tokens is to be done here.
func show(ctx context.Context, log *wire.Log, conn *connection.Connection, id string) error {
	order, err := request.Do[Order](ctx, request.Get(conn, "/orders/{id}").Path("id", id))
	if err != nil {
		return err
	}
	log.Printf("  order %s", order.ID)
	return nil
}

// refused sends a request on behalf of a client that the authorization server refuses, and tells what can be known.
func refused(
	ctx context.Context, log *wire.Log, conn *connection.Connection, client oauth2flow.Client,
) (err error) {
	tokens := auth.Manage(oauth2flow.ClientCredentials(client))
	defer func() { err = errors.Join(err, tokens.Close()) }()
	failure := request.Get(conn, "/orders/{id}").Path("id", "5").Auth(auth.Bearer(tokens)).Exec(ctx)

	answer, ok := errors.AsType[*oauth2flow.Error](failure)
	if !ok || !errors.Is(failure, auth.ErrClientRejected) {
		return fmt.Errorf("another error than expected: %w", failure) // it may pass: try again later
	}
	// This one does not pass: somebody has to look at the settings. What the server said is safe to show.
	log.Printf("status %d, code %s: %s", answer.Status, answer.Code, answer.Description)
	return nil
}
