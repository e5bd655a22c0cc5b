package auth_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/secrets"
)

// perSubject is a grant whose tokens tell whose they are.
type perSubject struct {
	mu    sync.Mutex
	calls map[string]int
	fail  map[string]error
}

func (g *perSubject) Obtain(ctx context.Context, _ *auth.Token) (*auth.Token, error) {
	subject := auth.Subject(ctx)
	g.mu.Lock()
	if g.calls == nil {
		g.calls = make(map[string]int)
	}
	g.calls[subject]++
	n, err := g.calls[subject], g.fail[subject]
	g.mu.Unlock()
	time.Sleep(latency)
	if err != nil {
		return nil, err
	}
	tok := token(fmt.Sprintf("%s%d", subject, n))
	tok.Expiry = time.Now().Add(time.Hour)
	return tok, nil
}

func (*perSubject) Traits() auth.Traits { return auth.Traits{} }

func (g *perSubject) called(subject string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.calls[subject]
}

func TestManagerPerSubject(t *testing.T) {
	t.Parallel()
	forEachStore(t, "E17 what is ann's never is bob's", func(t *testing.T, opts ...auth.ManageOption) {
		g := &perSubject{}
		m := manage(t, g, append(opts, auth.PerSubject())...)
		var all sync.WaitGroup
		for range 500 {
			subject := []string{"ann", "bob", ""}[rand.N(3)]
			all.Go(func() {
				ctx := auth.WithSubject(t.Context(), subject)
				for range 20 {
					var want auth.Want
					if rand.N(10) == 0 {
						want = not(subject + "1")
					}
					got, err := m.Token(ctx, want)
					if err == nil && strings.TrimRight(got.Value.Reveal(), "0123456789") != subject {
						t.Errorf("%s got another's token", subject)
					}
					time.Sleep(rand.N(time.Hour))
				}
			})
		}
		all.Wait()
	})
	forEachStore(t, "E17 the failure of one is not another's", func(t *testing.T, opts ...auth.ManageOption) {
		g := &perSubject{fail: map[string]error{"ann": errors.New("not ann")}}
		m := manage(t, g, append(opts, auth.PerSubject())...)
		ann, bob := auth.WithSubject(t.Context(), "ann"), auth.WithSubject(t.Context(), "bob")
		for range 3 {
			if _, err := m.Token(ann, auth.Want{}); err == nil {
				t.Error("ann has a token")
			}
			if got, err := m.Token(bob, auth.Want{}); err != nil || got.Value.Reveal() != "bob1" {
				t.Error(err)
			}
		}
		if err := m.Forget(bob); err != nil {
			t.Error(err)
		}
		if err := m.Set(ann, token("set")); err != nil {
			t.Error(err)
		}
		if got, err := m.Token(ann, auth.Want{}); err != nil || got.Value.Reveal() != "set" {
			t.Error(err)
		}
		if got, err := m.Renew(bob); err != nil || got.Value.Reveal() != "bob2" {
			t.Error(err)
		}
	})
	forEachStore(t, "E17 without PerSubject the grant does not see who happened to ask",
		func(t *testing.T, opts ...auth.ManageOption) {
			g := &perSubject{}
			m := manage(t, g, opts...)
			for _, subject := range []string{"ann", "bob"} {
				got, err := m.Token(auth.WithSubject(t.Context(), subject), auth.Want{})
				if err != nil || got.Value.Reveal() != "1" {
					t.Errorf("%s got a token of somebody's: %v", subject, err)
				}
			}
		})
	bubble(t, "N more subjects than are kept, in memory", func(t *testing.T) {
		g := &perSubject{}
		m := manage(t, g, auth.PerSubject())
		everybody(t, m, 10_500)
		everybody(t, m, 10_500)
		if g.called("u0") != 1 || g.called("u10499") != 1 {
			t.Error("some were forgotten")
		}
	})
	bubble(t, "N more subjects than are kept, in a store", func(t *testing.T) {
		g := &perSubject{}
		m := manage(t, g, auth.PerSubject(), auth.KeepIn(tokenstore.NewMemory(), "x"))
		everybody(t, m, 10_500)
		everybody(t, m, 10_500)
		for i := range 10_500 {
			if n := g.called(fmt.Sprintf("u%d", i)); n != 1 {
				t.Fatalf("%d exchanges for u%d", n, i)
			}
		}
	})
}

// everybody asks for the tokens of so many.
func everybody(t *testing.T, m *auth.Manager, n int) {
	t.Helper()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			subject := fmt.Sprintf("u%d", i)
			got, err := m.Token(auth.WithSubject(t.Context(), subject), auth.Want{})
			if err != nil || got.Value.Reveal() != subject+"1" {
				t.Errorf("%s: %v", subject, err)
			}
		})
	}
	all.Wait()
}

// No error, event or description that a manager makes has a secret in it.
func TestManagerSecrets(t *testing.T) {
	t.Parallel()
	const access, refresh, extra = "canary-access", "canary-refresh", "canary-extra"
	full := func() *auth.Token {
		return &auth.Token{
			Value: secrets.Static(access), Refresh: secrets.Static(refresh), Expiry: time.Now().Add(time.Hour),
			Extra: map[string]secrets.Value{"e": secrets.Static(extra)},
		}
	}
	for name, failure := range map[string]error{
		"no failure": nil, "invalid grant": auth.ErrInvalidGrant, "client rejected": auth.ErrClientRejected,
		"login required": auth.ErrLoginRequired, "any": errors.New("no"), "panic": errInjected,
	} {
		for where, store := range map[string]func() *flaky{"memory": func() *flaky { return nil }, "a store": newFlaky} {
			bubble(t, "S47 "+name+" in "+where, func(t *testing.T) {
				fails := false
				g := &revoker{err: errors.New("no"), Grant: auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) {
					switch {
					case !fails:
						return full(), nil
					case failure == errInjected: //nolint:errorlint // it is that very value
						panic(access + refresh)
					}
					return full(), failure
				})}
				var events journal
				opts := []auth.ManageOption{auth.Seed(*full()), events.watch()}
				shop := store()
				if shop != nil {
					opts = append(opts, auth.KeepIn(shop, "x"))
				}
				m := auth.Manage(g, opts...)
				texts := []string{fmt.Sprintf("%v %+v %#v", m, m, m), fmt.Sprint(opts), fmt.Sprintf("%#v", opts)}
				try := func(err error) {
					if err != nil {
						texts = append(texts, err.Error(), fmt.Sprintf("%+v %#v", err, err))
					}
				}
				token := func(want auth.Want) {
					got, err := m.Token(t.Context(), want)
					texts = append(texts, fmt.Sprintf("%v %+v %#v", got, got, got))
					try(err)
				}
				token(auth.Want{})
				fails = failure != nil
				for i := range 3 {
					token(not(access))
					token(auth.Want{MinTTL: 24 * time.Hour})
					_, err := m.Renew(t.Context())
					try(err)
					time.Sleep(2 * time.Hour)
					token(auth.Want{})
					if shop != nil {
						down := errors.New("down")
						shop.set([]error{nil, down, nil}[i], []error{down, down, nil}[i], down)
					}
				}
				try(m.Set(t.Context(), full()))
				try(m.Forget(t.Context()))
				try(m.Close())
				token(auth.Want{})
				for _, e := range events.events {
					texts = append(texts, fmt.Sprintf("%v %+v %#v", e, e, e))
				}
				for _, text := range texts {
					if strings.Contains(text, "canary") {
						t.Errorf("it says %s", text)
					}
				}
				if len(texts) < 10 {
					t.Errorf("only %d texts", len(texts))
				}
			})
		}
	}
}
