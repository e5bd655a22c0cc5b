package conformance_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/request"
)

func TestElasticioTokenExpiresIn(t *testing.T) {
	t.Parallel()
	const (
		lifetime = 18000 * time.Second
		margin   = 30 * time.Second // by which a token is given up before its end
	)
	// used sends GET /x at once and after each pause, and returns how many tokens were fetched, and the last one used.
	used := func(r *Row, members map[string]any, pauses ...time.Duration) (calls int, last string) {
		r.Helper()
		api := r.serve()
		second := map[string]any{"access_token": "t2"}
		idp := r.issue(api, answered(members), answered(second))
		conn, _ := r.bound(api, oauth2flow.ClientCredentials(oauthClient()),
			auth.DefaultLifetime(lifetime), auth.RenewBefore(margin))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		for _, d := range pauses {
			time.Sleep(d)
			r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		}
		synctest.Wait() // a renewal may go on behind the last call
		sent := r.Sent(api, 1+len(pauses))
		return len(idp.Requests()), sent[len(pauses)].Header.Get("Authorization")
	}
	silent := map[string]any{"access_token": "t1"}
	timed(t, "E-46 a token whose answer tells no lifetime is used for the one that is configured", func(r *Row) {
		calls, last := used(r, silent, lifetime-margin-time.Second)
		r.Equal("token calls", calls, 1)
		r.Equal("Authorization", last, "Bearer t1")
	})
	timed(t, "E-46 and is fetched anew afterwards", func(r *Row) {
		calls, last := used(r, silent, lifetime-margin-time.Second, margin+2*time.Second)
		r.Equal("token calls", calls, 2)
		r.Equal("Authorization", last, "Bearer t2")
	})
	timed(t, "E-46 the lifetime in the answer wins", func(r *Row) {
		calls, last := used(r, map[string]any{"access_token": "t1", "expires_in": 60}, 61*time.Second)
		r.Equal("token calls", calls, 2)
		r.Equal("Authorization", last, "Bearer t2")
	})
}
