package auth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// A token is in the query only where that was asked for, and goes nowhere with a redirect, wherever it is.
func TestTokenPlaces(t *testing.T) {
	t.Parallel()
	const canary = "canary-0123456789"
	for _, c := range []struct {
		name    string
		options []auth.BearerOption
		place   string // what the service receives
	}{
		{"S48 S49 in the header, by default", nil, "Authorization: Bearer " + canary},
		{"S48 S49 in a header of its own", []auth.BearerOption{auth.InHeader("X-Token")}, "X-Token: Bearer " + canary},
		{"S48 S49 in a cookie", []auth.BearerOption{auth.InCookie("session")}, "Cookie: session=" + canary},
		{"S49 S48 in the query, on request", []auth.BearerOption{auth.InQuery("token")}, "GET /start?token=" + canary},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			srv := n.Serve("https://api.example.test",
				connectiontest.Status(302).Header("Location", "https://files.example.test/x"))
			foreign := n.Serve("https://files.example.test", connectiontest.Status(204))
			conn, err := connection.New(srv.URL, n.Option(),
				connection.WithAuth(auth.Bearer(auth.Static(secrets.Static(canary)), c.options...)))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close() //nolint:errcheck // there is nothing in it
			if err := request.New(conn, http.MethodGet, "/start").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			raw := srv.Requests()[0].Raw
			if !strings.Contains(raw, c.place) || strings.Count(raw, canary) != 1 {
				t.Errorf("the service received %q, want %q alone", raw, c.place)
			}
			if got := foreign.Requests(); len(got) != 1 || strings.Contains(got[0].Raw, canary) {
				t.Errorf("the other origin received %v", got)
			}
		})
	}
}
