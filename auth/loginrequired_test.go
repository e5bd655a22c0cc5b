package auth_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// signedIn is a grant that a login begins, and that renews nothing.
type signedIn struct{ calls int }

func (g *signedIn) Obtain(context.Context, *auth.Token) (*auth.Token, error) {
	g.calls++
	return nil, auth.ErrLoginRequired
}

func (*signedIn) Traits() auth.Traits { return auth.Traits{Interactive: true, Config: "signed in"} }

// wantLogin wants the error that a login of that user is required, with the grant that begins it.
func wantLogin(t *testing.T, err error, g auth.Grant, subject string) {
	t.Helper()
	login, ok := errors.AsType[*auth.LoginRequiredError](err)
	switch {
	case !ok || !errors.Is(err, auth.ErrLoginRequired):
		t.Errorf("error is %v, want a LoginRequiredError", err)
	case login.Key != auth.Key{Connection: "x", Subject: subject, Config: "signed in"}:
		t.Errorf("key is %v", login.Key)
	case login.Grant != g:
		t.Errorf("grant is %v", login.Grant)
	}
}

func TestLoginRequired(t *testing.T) {
	t.Parallel()
	bubble(t, "S46 a login of ann is hers alone, on one connection", func(t *testing.T) {
		g, store := &signedIn{}, tokenstore.NewMemory()
		m := manage(t, g, auth.KeepIn(store, "x"), auth.PerSubject())
		elsewhere := manage(t, g, auth.KeepIn(store, "x"), auth.PerSubject())
		srv := connectiontest.NewServer(t, connectiontest.Status(204))
		conn := connect(t, srv, connection.WithAuth(auth.Bearer(m)))
		ann, bob := auth.WithSubject(t.Context(), "ann"), auth.WithSubject(t.Context(), "bob")
		send := func(ctx context.Context) error { return request.Get(conn, "/x").Exec(ctx) }
		login := func(m *auth.Manager, ctx context.Context, text string) {
			t.Helper()
			if err := m.Set(ctx, &auth.Token{Value: secrets.Static(text), Expiry: time.Now().Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
		}

		for who, ctx := range map[string]context.Context{"ann": ann, "bob": bob} {
			_, err := m.Token(ctx, auth.Want{})
			wantLogin(t, err, g, who)
			_, err = m.Renew(ctx)
			wantLogin(t, err, g, who)
			_, err = m.Extras(ctx)
			wantLogin(t, err, g, who)
			err = send(ctx)
			wantLogin(t, err, g, who)
			if !errors.Is(err, request.StageAuth) {
				t.Errorf("error is %v, want one of StageAuth", err)
			}
		}
		login(m, ann, "of-ann")
		for range 3 { // hers is cached by now
			if err := send(ann); err != nil {
				t.Error(err)
			}
			wantLogin(t, send(bob), g, "bob")
			time.Sleep(10 * time.Second)
		}
		login(elsewhere, bob, "of-bob") // in another process
		time.Sleep(time.Minute)
		for _, ctx := range []context.Context{bob, ann} {
			if err := send(ctx); err != nil {
				t.Error(err)
			}
		}
		if err := send(t.Context()); !errors.Is(err, auth.ErrNoSubject) {
			t.Errorf("error is %v, want ErrNoSubject", err)
		}
		if err := m.Forget(ann); err != nil {
			t.Error(err)
		}
		wantLogin(t, send(ann), g, "ann")
		if err := send(bob); err != nil {
			t.Error(err)
		}
		var got []string
		for _, req := range srv.Requests() {
			got = append(got, req.Header.Get("Authorization"))
		}
		want := []string{"Bearer of-ann", "Bearer of-ann", "Bearer of-ann", "Bearer of-bob", "Bearer of-ann", "Bearer of-bob"}
		if len(got) != len(want) {
			t.Fatalf("sent %q, want %q", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("request %d had %q, want %q", i, got[i], want[i])
			}
		}
	})
}

// Somebody who has never logged in, or has logged out, is no failure: nobody is told, and the log has nothing.
func TestNobodyIsLoggedIn(t *testing.T) {
	t.Parallel()
	required := func(t *testing.T, err error) {
		t.Helper()
		if e, ok := errors.AsType[*auth.LoginRequiredError](err); !ok || e.Key.Subject != "ann" || e.Grant == nil {
			t.Errorf("error is %v, want a LoginRequiredError", err)
		}
	}
	asks := func(t *testing.T, m *auth.Manager, conn *connection.Connection, events *journal) {
		t.Helper()
		ann := auth.WithSubject(t.Context(), "ann")
		for range 3 {
			_, err := m.Token(ann, auth.Want{})
			required(t, err)
			_, err = m.Renew(ann)
			required(t, err)
			_, err = m.Extras(ann)
			required(t, err)
			err = request.Get(conn, "/x").Exec(ann)
			required(t, err)
			want := "GET https://api.example.test/x: auth: manager: a login is required: nobody is logged in"
			if err == nil || err.Error() != want {
				t.Errorf("error is %q, want %q", err, want)
			}
			time.Sleep(time.Minute)
		}
		events.happened(t)
	}
	open := func(t *testing.T, m *auth.Manager) (*connection.Connection, *bytes.Buffer) {
		t.Helper()
		records := new(bytes.Buffer)
		logger := slog.New(slog.NewTextHandler(records, &slog.HandlerOptions{Level: slog.LevelDebug}))
		srv := connectiontest.NewServer(t, connectiontest.Status(204))
		return connect(t, srv, bearer(m), connection.WithLogger(logger)), records
	}
	for name, option := range map[string]func() auth.ManageOption{
		"":               func() auth.ManageOption { return auth.Retries(0) },
		", with a store": func() auth.ManageOption { return auth.KeepIn(tokenstore.NewMemory(), "x") },
	} {
		bubble(t, "N never"+name, func(t *testing.T) {
			g, events := &renewing{}, new(journal)
			m := manage(t, g, option(), auth.PerSubject(), events.watch())
			conn, records := open(t, m)
			asks(t, m, conn, events)
			if records.Len() != 0 {
				t.Errorf("the log has %s", records)
			}
			if g.calls != 0 {
				t.Errorf("%d exchanges", g.calls)
			}
		})
		bubble(t, "N not any more"+name, func(t *testing.T) {
			g, events := &renewing{}, new(journal)
			m := manage(t, g, option(), auth.PerSubject(), events.watch())
			conn, records := open(t, m)
			login(auth.WithSubject(t.Context(), "ann"), t, m, "t1")
			if err := m.Forget(auth.WithSubject(t.Context(), "ann")); err != nil {
				t.Fatal(err)
			}
			asks(t, m, conn, events)
			if records.Len() != 0 {
				t.Errorf("the log has %s", records)
			}
		})
		bubble(t, "S51 a login that is lost is told once, and in the log"+name, func(t *testing.T) {
			g, events := &renewing{}, new(journal)
			m := manage(t, g, option(), auth.PerSubject(), events.watch())
			conn, records := open(t, m)
			ann := auth.WithSubject(t.Context(), "ann")
			login(ann, t, m, "t1")
			time.Sleep(2 * time.Hour)
			for range 3 {
				required(t, request.Get(conn, "/x").Exec(ann))
				time.Sleep(time.Minute)
			}
			events.happened(t, auth.EventLost)
			if n := strings.Count(records.String(), "level=ERROR"); n != 1 {
				t.Errorf("%d records of an error: %s", n, records)
			}
		})
	}
}

func TestManagerExtras(t *testing.T) {
	t.Parallel()
	g := auth.GrantFunc(func(ctx context.Context, _ *auth.Token) (*auth.Token, error) {
		return &auth.Token{
			Value: secrets.Static("t"), Extra: map[string]secrets.Value{"host": secrets.Static(auth.Subject(ctx) + ".test")},
		}, nil
	})
	m := manage(t, g, auth.PerSubject())
	for _, who := range []string{"ann", "bob"} {
		for range 2 {
			got, err := m.Extras(auth.WithSubject(t.Context(), who))
			if err != nil || len(got) != 1 || got["host"] != who+".test" {
				t.Errorf("%s has %v, and the error %v", who, got, err)
			}
			got["host"] = "changed" // it is the caller's
		}
	}
	if _, err := m.Extras(t.Context()); !errors.Is(err, auth.ErrNoSubject) {
		t.Errorf("error is %v, want ErrNoSubject", err)
	}
}

// renewing is a grant whose refresh tokens the server does not know any more.
type renewing struct{ signedIn }

func (g *renewing) Obtain(_ context.Context, prev *auth.Token) (*auth.Token, error) {
	g.calls++
	if prev == nil || prev.Refresh.Reveal() == "" {
		return nil, auth.ErrLoginRequired
	}
	return nil, auth.ErrInvalidGrant
}

func (*renewing) Traits() auth.Traits {
	return auth.Traits{Interactive: true, OneTime: true, Config: "signed in"}
}

// Whoever asks second, in another process or after a restart, learns what the first one did.
func TestLoginRequiredElsewhere(t *testing.T) {
	t.Parallel()
	both := func(t *testing.T, g auth.Grant) (one, two *auth.Manager, store auth.TokenStore) {
		t.Helper()
		store = tokenstore.NewMemory()
		return manage(t, g, auth.KeepIn(store, "x"), auth.PerSubject()),
			manage(t, g, auth.KeepIn(store, "x"), auth.PerSubject()), store
	}
	bubble(t, "nobody has logged in: no exchange, and nothing in the store", func(t *testing.T) {
		g := new(renewing)
		one, two, store := both(t, g)
		bob := auth.WithSubject(t.Context(), "bob")
		for _, m := range []*auth.Manager{one, two, one} {
			_, err := m.Token(bob, auth.Want{})
			wantLogin(t, err, g, "bob")
		}
		rec, err := store.Load(bob, auth.Key{Connection: "x", Subject: "bob", Config: "signed in"})
		if err != nil || rec.Version != 0 || rec.InFlight || !rec.RetryAt.IsZero() || g.calls != 0 {
			t.Errorf("record %v, error %v, %d exchanges", rec, err, g.calls)
		}
		if err := one.Set(bob, &auth.Token{Value: secrets.Static("t1"), Expiry: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // a browser is sent on to the other process
		if _, err := two.Token(bob, auth.Want{}); err != nil {
			t.Error(err)
		}
	})
	bubble(t, "S51 the grant is lost: one exchange, and the others learn of it", func(t *testing.T) {
		g := new(renewing)
		one, two, _ := both(t, g)
		bob := auth.WithSubject(t.Context(), "bob")
		over := &auth.Token{
			Value: secrets.Static("t1"), Refresh: secrets.Static("r1"), Expiry: time.Now().Add(-time.Second),
		}
		if err := one.Set(bob, over); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			for _, m := range []*auth.Manager{one, two} {
				_, err := m.Token(bob, auth.Want{})
				wantLogin(t, err, g, "bob")
			}
			time.Sleep(2 * time.Minute)
		}
		if g.calls != 1 {
			t.Errorf("%d exchanges, want 1", g.calls)
		}
		over.Expiry = time.Now().Add(time.Hour)
		if err := two.Set(bob, over); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, err := one.Token(bob, auth.Want{}); err != nil {
			t.Error(err)
		}
	})
}
