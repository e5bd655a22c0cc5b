package auth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/secrets"
)

// countingStore counts how often it is read.
type countingStore struct {
	auth.TokenStore

	loads atomic.Int64
}

func (s *countingStore) Load(ctx context.Context, key auth.Key) (auth.Record, error) {
	s.loads.Add(1)
	return s.TokenStore.Load(ctx, key)
}

func TestManagerFleet(t *testing.T) {
	t.Parallel()
	bubble(t, "E11 a renewal that somebody else made meanwhile is one", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour, latency: latency}, tokenstore.NewMemory()
		var all sync.WaitGroup
		for range 16 {
			m := manage(t, s, auth.KeepIn(store, "x"), first())
			all.Go(func() {
				for range 5 {
					if _, err := m.Renew(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		s.well(t, s.grants)
	})
	bubble(t, "E12 a login elsewhere heals within seconds, and the grant is not asked meanwhile", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour, latency: latency}, tokenstore.NewMemory()
		m := manage(t, s, auth.KeepIn(store, "x"), auth.Seed(auth.Token{Refresh: secrets.Static("r9")}))
		refuse(t, m, auth.Want{}, auth.ErrLoginRequired)
		asked := s.refusals
		for range 10 {
			time.Sleep(6 * time.Second)
			refuse(t, m, auth.Want{}, auth.ErrLoginRequired)
		}
		if s.refusals != asked {
			t.Errorf("the dead grant was tried %d times more", s.refusals-asked)
		}
		other := manage(t, s, auth.KeepIn(store, "x"))
		login := &auth.Token{Value: secrets.Static("new"), Expiry: time.Now().Add(time.Hour)}
		if err := other.Set(t.Context(), login); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		expect(t, m, "new")
	})
	bubble(t, "E2 the store is not read again before the time that another process has set", func(t *testing.T) {
		down := &counter{fail: func(int64) error { return errors.New("down") }}
		store := &countingStore{TokenStore: tokenstore.NewMemory()}
		refuse(t, manage(t, down, auth.KeepIn(store, "x")), auth.Want{}, nil)
		m := manage(t, down, auth.KeepIn(store, "x"))
		before := store.loads.Load()
		for range 100 {
			refuse(t, m, auth.Want{}, nil)
		}
		if n := store.loads.Load() - before; n != 1 {
			t.Errorf("it was read %d times", n)
		}
	})
	bubble(t, "E5 a token that somebody else has is not held back because one was rejected lately", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour, latency: latency}, tokenstore.NewMemory()
		a, b := manage(t, s, auth.KeepIn(store, "x"), first()), manage(t, s, auth.KeepIn(store, "x"))
		expect(t, a, "a1")
		for n := range 3 {
			if _, err := b.Renew(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := ask(t, a, not(fmt.Sprintf("a%d", n+1))); got != fmt.Sprintf("a%d", n+2) {
				t.Errorf("got %s", got)
			}
		}
		s.well(t, 4)
		if got := ask(t, a, not("a4")); got != "a5" { // the first exchange of its own because of a rejection
			t.Errorf("got %s", got)
		}
		refuse(t, a, not("a5"), auth.ErrNotRenewable)
		s.well(t, 5)
	})
	bubble(t, "E12 one of many processes learns that a grant is lost, and all heed it", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour, latency: latency}, tokenstore.NewMemory()
		var all sync.WaitGroup
		for range 8 {
			m := manage(t, s, auth.KeepIn(store, "x"), auth.Seed(auth.Token{Refresh: secrets.Static("r9")}))
			all.Go(func() {
				for range 8 {
					if _, err := m.Token(t.Context(), auth.Want{}); err == nil {
						t.Error("there is a token")
					}
					time.Sleep(5 * time.Second)
				}
			})
		}
		all.Wait()
		if s.refusals != 1 {
			t.Errorf("the dead refresh token was sent %d times within 40 s", s.refusals)
		}
	})
	bubble(t, "E12 a login heals all processes within seconds, those too that only heard of the loss", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour, latency: latency}, tokenstore.NewMemory()
		lost := auth.Seed(auth.Token{Refresh: secrets.Static("r9")})
		a, b := manage(t, s, auth.KeepIn(store, "x"), lost), manage(t, s, auth.KeepIn(store, "x"), lost)
		refuse(t, a, auth.Want{}, auth.ErrLoginRequired)
		refuse(t, b, auth.Want{}, nil)
		if err := a.Set(t.Context(), s.login()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		expect(t, b, fmt.Sprintf("a%d", s.current))
		if s.refusals != 1 {
			t.Errorf("the dead refresh token was sent %d times", s.refusals)
		}
	})
}

// flawed is a server that takes the refresh token and gives another, and beside it a token that cannot be used.
type flawed struct {
	strict

	flaw  error
	value string
}

func (f *flawed) Obtain(ctx context.Context, prev *auth.Token) (*auth.Token, error) {
	t, err := f.strict.Obtain(ctx, prev)
	if err == nil && f.value != "" {
		t.Value = secrets.Static(f.value)
	}
	if err == nil {
		err = f.flaw
	}
	return t, err
}

func TestManagerFlaws(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flaw  error
		value string
	}{
		"E13 the scopes are wrong":        {flaw: auth.ErrClientRejected},
		"F4 there is a line break in it":  {value: "a\r\nX-Evil: 1"},
		"F4 it is a page of a hundred kB": {value: strings.Repeat("x", 100<<10)},
	} {
		for _, shared := range []bool{false, true} {
			bubble(t, fmt.Sprintf("%s, shared %t: the new refresh token is kept", name, shared), func(t *testing.T) {
				g := &flawed{strict: strict{lifetime: time.Hour, latency: latency}, flaw: c.flaw, value: c.value}
				var events journal
				opts := []auth.ManageOption{first(), events.watch()}
				if shared {
					opts = append(opts, auth.KeepIn(tokenstore.NewMemory(), "x"))
				}
				m := manage(t, g, opts...)
				refuse(t, m, auth.Want{}, c.flaw)
				events.happened(t, auth.EventFailed)
				time.Sleep(time.Minute)
				g.flaw, g.value = nil, ""
				expect(t, m, "a2")
				g.well(t, 2)
			})
		}
	}
}

func TestManagerNobody(t *testing.T) {
	t.Parallel()
	bubble(t, "E17 a call without a subject has no token", func(t *testing.T) {
		g := &counter{lifetime: time.Hour}
		m := manage(t, g, auth.PerSubject())
		refuse(t, m, auth.Want{}, auth.ErrNoSubject)
		if _, err := m.Renew(t.Context()); !errors.Is(err, auth.ErrNoSubject) {
			t.Errorf("Renew: %v", err)
		}
		if err := m.Set(t.Context(), token("x")); !errors.Is(err, auth.ErrNoSubject) {
			t.Errorf("Set: %v", err)
		}
		if err := m.Forget(t.Context()); !errors.Is(err, auth.ErrNoSubject) {
			t.Errorf("Forget: %v", err)
		}
		g.called(t, 0)
	})
}
