package oauth2flow_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

// revoking is a client of s that can revoke.
func revoking(s *connectiontest.Server) client {
	return clientOf(s, func(c *client) { c.RevocationURL = s.URL + "/revoke" })
}

func TestS53BusyRevocation(t *testing.T) {
	t.Parallel()
	busy := func(after string) connectiontest.Reply {
		return connectiontest.Status(503).Header("Retry-After", after)
	}
	well := connectiontest.Status(200)
	for _, c := range []struct {
		name    string
		replies []http.Handler
		limit   time.Duration // of the context; 0 for none
		calls   int
		took    time.Duration
		delay   time.Duration // of the error; -1 if there is none
	}{
		{"S53 it is asked once more when it says", []http.Handler{busy("9"), well}, 0, 2, 9 * time.Second, -1},
		{"S53 it is asked no third time", []http.Handler{busy("9"), busy("8")}, 0, 2, 9 * time.Second, 8 * time.Second},
		{"S53 half a minute is heeded", []http.Handler{busy("30"), well}, 0, 2, 30 * time.Second, -1},
		{"S53 more is not waited for", []http.Handler{busy("31")}, 0, 1, 0, 31 * time.Second},
		{"S53 the context is over sooner", []http.Handler{busy("9")}, 9 * time.Second, 1, 0, 9 * time.Second},
		{"S53 a 503 that asks for nothing", []http.Handler{connectiontest.Status(503)}, 0, 1, 0, 0},
		{"S53 a 429", []http.Handler{connectiontest.Status(429).Header("Retry-After", "9")}, 0, 1, 0, 9 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, c.replies...)
				ctx := t.Context()
				if c.limit > 0 {
					bounded, cancel := context.WithTimeout(ctx, c.limit)
					defer cancel()
					ctx = bounded
				}
				began := time.Now()
				err := oauth2flow.Revoke(ctx, revoking(s), secrets.Static("t0"), "refresh_token")
				equal(t, "time", time.Since(began), c.took)
				const want = "client_id=cid&client_secret=csec&token=t0&token_type_hint=refresh_token"
				for _, req := range sent(t, s, c.calls) {
					equal(t, "body", string(req.Body), want)
				}
				if c.delay < 0 {
					equal(t, "error", err, error(nil))
					return
				}
				equal(t, "delay", as[*oauth2flow.Error](t, err).RetryAfter, c.delay)
				equal(t, "the deadline is the reason", errors.Is(err, context.DeadlineExceeded), c.limit > 0)
			})
		})
	}
	t.Run("S53 a caller who leaves meanwhile", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := serve(t, busy("9"))
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			began := time.Now()
			err := oauth2flow.Revoke(ctx, revoking(s), secrets.Static("t0"), "")
			is(t, err, context.Canceled)
			equal(t, "status", as[*oauth2flow.Error](t, err).Status, 503)
			equal(t, "time", time.Since(began), time.Second)
			sent(t, s, 1)
		})
	})
}

// What the server says to the revocation, and whether it says anything, the token is not kept here.
func TestS53Forget(t *testing.T) {
	t.Parallel()
	well, silent := connectiontest.Status(200), connectiontest.Status(200).Delay(time.Hour)
	busy := connectiontest.Status(503).Header("Retry-After", "20")
	for _, c := range []struct {
		name    string
		replies []http.Handler
		limit   time.Duration
		want    []string // the tokens that the server was told, in their order
		fails   bool
	}{
		{"S53 the refresh token goes first", []http.Handler{well}, time.Hour, []string{"r0", "t0"}, false},
		{"S53 a server that refuses", []http.Handler{connectiontest.Status(400)}, time.Hour, []string{"r0", "t0"}, true},
		{"S53 a server that is busy", []http.Handler{busy, well}, time.Hour, []string{"r0", "r0", "t0"}, false},
		{"S53 a server that stays busy", []http.Handler{busy}, time.Hour, []string{"r0", "r0", "t0", "t0"}, true},
		{"S53 a server that cuts", []http.Handler{connectiontest.Cut()}, time.Hour, []string{"r0", "t0"}, true},
		{"S53 a server that says nothing", []http.Handler{silent}, 10 * time.Second, []string{"r0"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, store := serve(t, c.replies...), &dutiful{TokenStore: tokenstore.NewMemory()}
				m := auth.Manage(oauth2flow.Refresh(revoking(s), nil), auth.KeepIn(store, "x"))
				defer m.Close() //nolint:errcheck // there is nothing to lose
				if err := m.Set(t.Context(), prev("r0")); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), c.limit)
				defer cancel()
				err := m.Forget(ctx)
				synctest.Wait() // what the caller has left goes on
				equal(t, "there is an error", err != nil, c.fails)
				var told []string
				for _, req := range s.Requests() {
					told = append(told, string(req.Body)[len("client_id=cid&client_secret=csec&token="):][:2])
				}
				equal(t, "told", told, c.want)
				equal(t, "deleted", store.deleted, 1)
				if _, err := m.Token(t.Context(), auth.Want{}); !errors.Is(err, auth.ErrLoginRequired) {
					t.Errorf("error is %v, want ErrLoginRequired", err)
				}
			})
		})
	}
}

// dutiful is a store that does nothing for a caller whose context has ended.
type dutiful struct {
	auth.TokenStore

	deleted int
}

func (s *dutiful) Delete(ctx context.Context, key auth.Key) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.deleted++
	return s.TokenStore.Delete(ctx, key)
}

// No call about a token follows a redirect: it would carry the token, and the secret of the client, elsewhere.
func TestS18QuestionsAboutTokens(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(context.Context, client) error{
		"S18 revocation": func(ctx context.Context, c client) error {
			return oauth2flow.Revoke(ctx, c, secrets.Static("t0"), "")
		},
		"S18 introspection": func(ctx context.Context, c client) error {
			_, err := oauth2flow.Introspect(ctx, c, secrets.Static("t0"), "")
			return err
		},
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			for _, to := range []string{"https://auth.example.test/other", "https://evil.test/"} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					s := serve(t, connectiontest.Status(status).Header("Location", to))
					evil := s.Network().Serve("https://evil.test", connectiontest.Status(200))
					c := revoking(s)
					c.IntrospectionURL = s.URL + "/introspect"
					is(t, ask(t.Context(), c), oauth2flow.ErrRedirect)
					sent(t, s, 1)
					equal(t, "connections elsewhere", evil.Conns(), 0)
				})
			}
		}
	}
}
