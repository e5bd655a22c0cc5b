package conformance_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

const (
	aDay       = 24 * time.Hour
	longLife   = 60 * aDay
	longWindow = 10 * aDay
)

// longLived is a login at s that exchanges a short-lived token at once, and renews the long-lived one by itself.
func longLived(s *connectiontest.Server) auth.Grant {
	return login.New(login.Config{
		BaseURL:  s.URL,
		Endpoint: auth.Endpoint{Client: &http.Client{Transport: s.Network().Transport()}},
		Secrets:  map[string]secrets.Provider{"secret": secrets.Static("csec")},
		Start: auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) {
			return &auth.Token{Value: secrets.Static("short1")}, nil
		}),
		Steps: []login.Step{{Method: http.MethodGet, Path: "/access_token", Query: login.Fields(
			"access_token", "{{token}}", "client_secret", "{{secret}}", "grant_type", "ig_exchange_token")}},
		Renew: []login.Step{{Method: http.MethodGet, Path: "/refresh_access_token", Query: login.Fields(
			"access_token", "{{token}}", "grant_type", "ig_refresh_token")}},
		Token: "body.access_token", Expiry: "body.expires_in", MinAge: aDay,
	})
}

// longToken is the answer with a long-lived token.
func longToken(text string) http.Handler {
	return connectiontest.JSON(200, map[string]any{"access_token": text, "expires_in": int(longLife.Seconds())})
}

// keptTokens records the tokens that a store was given.
type keptTokens struct {
	auth.TokenStore

	mu   sync.Mutex
	data []string
}

func (k *keptTokens) Update(ctx context.Context, key auth.Key, seen uint64,
	fn func(ctx context.Context, cur auth.Record) (auth.Record, error),
) (auth.Record, error) {
	return k.TokenStore.Update(ctx, key, seen, func(ctx context.Context, cur auth.Record) (auth.Record, error) {
		rec, err := fn(ctx, cur)
		k.mu.Lock()
		defer k.mu.Unlock()
		k.data = append(k.data, string(rec.Data))
		return rec, err
	})
}

// useLong opens a connection with a token of the store, and sends GET /x.
func (r *Row) useLong(s *connectiontest.Server, store auth.TokenStore) *connection.Connection {
	r.Helper()
	manager := auth.Manage(longLived(s), auth.KeepIn(store, "ig"), auth.RenewBefore(longWindow))
	r.Cleanup(func() { _ = manager.Close() })
	conn := r.open(s, connection.WithAuth(auth.Bearer(manager)))
	r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
	return conn
}

func TestElasticioLongLived(t *testing.T) {
	t.Parallel()
	timed(t, "E-26 the short-lived token is exchanged at once, and used for nothing else", func(r *Row) {
		s := r.loginService(longToken("long1"))
		store := &keptTokens{TokenStore: tokenstore.NewMemory()}
		r.useLong(s, store)
		sent := r.Sent(s, 2)
		r.Line(sent[0], "GET /access_token?access_token=short1&client_secret=csec&grant_type=ig_exchange_token HTTP/1.1")
		r.Line(sent[1], "Authorization: Bearer long1")
		r.Without(sent[1], "short1")
		r.Hides("store", strings.Join(store.data, "\n"), "short1")
	})
	timed(t, "E-27 the long-lived token is there after a restart", func(r *Row) {
		s := r.loginService(longToken("long1"))
		store := tokenstore.NewMemory()
		r.useLong(s, store)
		r.Sent(s, 2)
		r.useLong(s, store) // a new manager, as in a new process
		r.Line(r.Sent(s, 3)[2], "Authorization: Bearer long1")
	})
	timed(t, "E-28 the token is renewed by itself, when it is near its end", func(r *Row) {
		s := r.loginService(longToken("long1"), longToken("long2"))
		conn := r.useLong(s, tokenstore.NewMemory())
		time.Sleep(longLife - longWindow - time.Hour)
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		r.Line(r.Sent(s, 3)[2], "Authorization: Bearer long1")
		time.Sleep(2 * time.Hour)
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		time.Sleep(time.Minute) // the renewal may go on behind the call
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		renewals := requestsTo(s, "/refresh_access_token")
		r.Equal("renewals", len(renewals), 1)
		r.Line(renewals[0], "GET /refresh_access_token?access_token=long1&grant_type=ig_refresh_token HTTP/1.1")
		calls := requestsTo(s, "/v1/x")
		r.Line(calls[len(calls)-1], "Authorization: Bearer long2")
	})
	row(t, "E-28 the token tells from when the server renews it", func(r *Row) {
		bubble(r, func(r *Row) {
			token, err := longLived(r.loginService(longToken("long1"))).Obtain(r.ctx(), nil)
			r.NoError(err)
			r.Equal("age", time.Until(token.RenewableFrom), aDay)
			r.Equal("lifetime", time.Until(token.Expiry), longLife)
		})
	})
	timed(t, "E-28 it is not renewed before it has the age that the server asks for", func(r *Row) {
		life := int((30 * time.Hour).Seconds())
		short := connectiontest.JSON(200, map[string]any{"access_token": "long1", "expires_in": life})
		s := r.loginService(short, longToken("long2"))
		conn := r.useLong(s, tokenstore.NewMemory())
		time.Sleep(aDay - time.Minute) // 80 % of its life
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		time.Sleep(time.Second)
		r.Equal("renewals", len(requestsTo(s, "/refresh_access_token")), 0)
		time.Sleep(2 * time.Minute)
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		time.Sleep(time.Second)
		r.Equal("renewals", len(requestsTo(s, "/refresh_access_token")), 1)
	})
	timed(t, "E-29 a renewal that fails is tried again, and the token is used meanwhile", func(r *Row) {
		s := r.loginService(longToken("long1"), connectiontest.Status(500), longToken("long2"))
		conn := r.useLong(s, tokenstore.NewMemory())
		time.Sleep(longLife - longWindow + time.Minute)
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		time.Sleep(time.Second) // the renewal may go on behind the call
		calls := requestsTo(s, "/v1/x")
		r.Line(calls[len(calls)-1], "Authorization: Bearer long1")
		r.Equal("renewals", len(requestsTo(s, "/refresh_access_token")), 1)
		time.Sleep(aDay)
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		time.Sleep(time.Second)
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		calls = requestsTo(s, "/v1/x")
		r.Line(calls[len(calls)-1], "Authorization: Bearer long2")
		r.Equal("renewals", len(requestsTo(s, "/refresh_access_token")), 2)
	})
}

// requestsTo returns the requests of that path.
func requestsTo(s *connectiontest.Server, path string) []connectiontest.Request {
	var all []connectiontest.Request
	for _, req := range s.Requests() {
		if target, _, _ := strings.Cut(req.Target, "?"); target == path {
			all = append(all, req)
		}
	}
	return all
}
