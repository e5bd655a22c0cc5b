package conformance_test

import (
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// bound is a connection with the tokens of a manager, which is closed when the row ends.
func (r *Row) bound(
	s *connectiontest.Server, g auth.Grant, opts ...auth.ManageOption,
) (*connection.Connection, *auth.Manager) {
	r.Helper()
	m := auth.Manage(g, opts...)
	r.Cleanup(func() { _ = m.Close() })
	return r.open(s, connection.WithAuth(auth.Bearer(m))), m
}

// together sends GET /x from n goroutines at once.
func (r *Row) together(conn *connection.Connection, n int) {
	r.Helper()
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if err := request.Get(conn, "/x").Exec(r.ctx()); err != nil {
				r.Error(err)
			}
		})
	}
	all.Wait()
}

func TestPrismaticRefresh(t *testing.T) {
	t.Parallel()
	const call = "client_id=cid&client_secret=csec&grant_type=refresh_token&refresh_token="
	first := func() auth.Token {
		return auth.Token{
			Value: secrets.Static("t0"), Refresh: secrets.Static("r1"), Expiry: time.Now().Add(time.Minute),
		}
	}
	slow := func(members map[string]any) http.Handler { return answered(members).Delay(time.Second) }
	timed(t, "P-21 an expired token is refreshed once for 20 goroutines, and the new refresh token is kept", func(r *Row) {
		api := r.serve()
		idp := r.issue(api, slow(map[string]any{"access_token": "t1", "expires_in": 60, "refresh_token": "r2"}))
		store, g := tokenstore.NewMemory(), oauth2flow.Refresh(oauthClient(), nil)
		conn, _ := r.bound(api, g, auth.Seed(first()), auth.KeepIn(store, "api"))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		r.Line(r.Sent(api, 1)[0], "Authorization: Bearer t0")
		r.Sent(idp, 0)
		time.Sleep(61 * time.Second)
		r.together(conn, 20)
		for _, req := range r.Sent(api, 21)[1:] {
			r.Line(req, "Authorization: Bearer t1")
		}
		r.tokenForm(r.Sent(idp, 1)[0], call+"r1")

		record, err := store.Load(r.ctx(), auth.Key{Connection: "api", Config: g.Traits().Config})
		r.NoError(err)
		var kept map[string]any
		r.NoError(json.Unmarshal(record.Data, &kept))
		r.Equal("refresh token in the store", kept["refresh_token"], any("r2"))
	})
	timed(t, "P-21 the next process sends the refresh token that the last has kept", func(r *Row) {
		api := r.serve()
		idp := r.issue(api, answered(map[string]any{"access_token": "t1", "expires_in": 60, "refresh_token": "r2"}))
		store, g := tokenstore.NewMemory(), oauth2flow.Refresh(oauthClient(), secrets.Static("r1"))
		for range 2 {
			conn, m := r.bound(api, g, auth.KeepIn(store, "api"))
			r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
			r.NoError(m.Close())
			time.Sleep(61 * time.Second)
		}
		calls := r.Sent(idp, 2)
		r.tokenForm(calls[0], call+"r1")
		r.tokenForm(calls[1], call+"r2")
	})
	timed(t, "P-21 an answer without a refresh token keeps the old one", func(r *Row) {
		api := r.serve()
		idp := r.issue(api, answered(map[string]any{"access_token": "t1", "expires_in": 60}),
			answered(map[string]any{"access_token": "t2", "expires_in": 60}))
		conn, _ := r.bound(api, oauth2flow.Refresh(oauthClient(), nil), auth.Seed(first()))
		for range 2 {
			time.Sleep(61 * time.Second)
			r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		}
		for _, req := range r.Sent(idp, 2) {
			r.tokenForm(req, call+"r1")
		}
		r.Line(r.Sent(api, 2)[1], "Authorization: Bearer t2")
	})
	timed(t, "P-21 a rejected token is refreshed once for 20 goroutines", func(r *Row) {
		api := connectiontest.NewServer(r, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			status := 200
			if req.Header.Get("Authorization") == "Bearer t0" {
				status = 401
			}
			connectiontest.Status(status).ServeHTTP(w, req)
		}))
		idp := r.issue(api, slow(map[string]any{"access_token": "t1", "expires_in": 60, "refresh_token": "r2"}))
		conn, _ := r.bound(api, oauth2flow.Refresh(oauthClient(), nil), auth.Seed(first()))
		r.together(conn, 20)
		r.Sent(api, 40)
		r.tokenForm(r.Sent(idp, 1)[0], call+"r1")
	})
}

func TestPrismaticNoUser(t *testing.T) {
	t.Parallel()
	row(t, "P-27 ann and bob share one token call", func(r *Row) {
		api := r.serve()
		idp := r.issue(api)
		conn, _ := r.bound(api, oauth2flow.ClientCredentials(oauthClient()))
		for _, subject := range []string{"ann", "bob"} {
			r.NoError(request.Get(conn, "/x").Exec(auth.WithSubject(r.ctx(), subject)))
		}
		for _, req := range r.Sent(api, 2) {
			r.Line(req, "Authorization: Bearer t1")
		}
		r.Without(r.Sent(idp, 1)[0], "ann", "bob")
	})
}
