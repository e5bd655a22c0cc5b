package auth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/secrets"
)

// forEachStore runs f in memory and with a store.
func forEachStore(t *testing.T, name string, f func(t *testing.T, opts ...auth.ManageOption)) {
	t.Helper()
	bubble(t, name, func(t *testing.T) { f(t) })
	bubble(t, name+", in a store", func(t *testing.T) { f(t, auth.KeepIn(tokenstore.NewMemory(), "x")) })
}

func TestManagerRejection(t *testing.T) {
	t.Parallel()
	forEachStore(t, "E5 whoever says it, a token is renewed once", func(t *testing.T, opts ...auth.ManageOption) {
		g := &counter{lifetime: time.Hour, latency: latency}
		m := manage(t, g, opts...)
		expect(t, m, "t1")
		for _, a := range crowd(t.Context(), m, 500, not("t1")) {
			if a.err != nil || a.text != "t2" || a.took != latency {
				t.Errorf("%s, %v after %v", a.text, a.err, a.took)
			}
		}
		g.called(t, 2)
		for _, a := range crowd(t.Context(), m, 500, not("t1")) { // the late ones
			if a.err != nil || a.text != "t2" || a.took != 0 {
				t.Errorf("%s, %v after %v", a.text, a.err, a.took)
			}
		}
		g.called(t, 2)
	})
	forEachStore(t, "E5 E6 a service that rejects all burns one in 30 s", func(t *testing.T, opts ...auth.ManageOption) {
		g := &counter{lifetime: time.Hour}
		m := manage(t, g, opts...)
		last := ask(t, m, auth.Want{})
		began, refused := time.Now(), 0
		for time.Since(began) < 10*time.Minute {
			got, err := m.Token(t.Context(), not(last))
			if err == nil {
				last = got.Value.Reveal()
			} else {
				refused++
				refuse(t, m, not(last), auth.ErrNotRenewable)
				expect(t, m, last) // who has not seen it rejected gets it
			}
			time.Sleep(time.Second)
		}
		if n := g.calls.Load(); n != 1+20 || refused == 0 {
			t.Errorf("%d exchanges, %d refusals", n, refused)
		}
	})
	forEachStore(t, "E5 a service that rejects all, and tokens of 5 s", func(t *testing.T, opts ...auth.ManageOption) {
		g := &counter{lifetime: 5 * time.Second}
		m := manage(t, g, opts...)
		last := ask(t, m, auth.Want{})
		for range 600 {
			if got, err := m.Token(t.Context(), not(last)); err == nil {
				last = got.Value.Reveal()
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := g.calls.Load(); n > 1+15 {
			t.Errorf("%d exchanges in a minute", n)
		}
	})
	forEachStore(t, "E6 a grant that has no other token", func(t *testing.T, opts ...auth.ManageOption) {
		calls := 0
		g := auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) {
			calls++
			tok := token("always")
			tok.Expiry = time.Now().Add(time.Hour)
			return tok, nil
		})
		m := manage(t, g, opts...)
		expect(t, m, "always")
		for range 10 {
			refuse(t, m, not("always"), auth.ErrNotRenewable)
		}
		if calls != 2 {
			t.Errorf("%d exchanges", calls)
		}
		expect(t, m, "always")
	})
	forEachStore(t, "E6 the first token is the one that is not wanted", func(t *testing.T, opts ...auth.ManageOption) {
		m := manage(t, &counter{lifetime: time.Hour}, opts...)
		if got := ask(t, m, not("t1")); got != "t2" {
			t.Errorf("token %s", got)
		}
	})
	forEachStore(t, "E5 a rejection while the grant fails", func(t *testing.T, opts ...auth.ManageOption) {
		g := &counter{lifetime: time.Hour, fail: func(n int64) error {
			if n == 2 {
				return errors.New("no")
			}
			return nil
		}}
		m := manage(t, g, opts...)
		expect(t, m, "t1")
		for range 10 {
			err := refusal(t, m, not("t1"), nil)
			if err.Error() == "" {
				t.Error(err)
			}
		}
		g.called(t, 2)
		expect(t, m, "t1")
		time.Sleep(time.Second)
		if got := ask(t, m, not("t1")); got != "t3" {
			t.Errorf("token %s", got)
		}
	})
	forEachStore(t, "E5 a rejection while a renewal in the background is under way",
		func(t *testing.T, opts ...auth.ManageOption) {
			g := &counter{lifetime: time.Hour}
			m := manage(t, g, opts...)
			expect(t, m, "t1")
			g.latency = time.Second
			time.Sleep(50 * time.Minute)
			expect(t, m, "t1")
			if got := ask(t, m, not("t1")); got != "t2" {
				t.Errorf("token %s", got)
			}
			g.called(t, 2)
		})
}

func TestManagerMinTTL(t *testing.T) {
	t.Parallel()
	forEachStore(t, "N MinTTL renews what ends too soon", func(t *testing.T, opts ...auth.ManageOption) {
		g := &counter{lifetime: time.Hour}
		m := manage(t, g, opts...)
		expect(t, m, "t1")
		time.Sleep(35 * time.Minute)
		if got := ask(t, m, auth.Want{MinTTL: 20 * time.Minute}); got != "t1" {
			t.Errorf("token %s", got)
		}
		for _, a := range crowd(t.Context(), m, 100, auth.Want{MinTTL: 30 * time.Minute}) {
			if a.text != "t2" {
				t.Errorf("token %s, %v", a.text, a.err)
			}
		}
		g.called(t, 2)
	})
	forEachStore(t, "N MinTTL longer than any lifetime costs one exchange", func(t *testing.T, opts ...auth.ManageOption) {
		g := &counter{lifetime: time.Hour}
		m := manage(t, g, opts...)
		for range 10 {
			refuse(t, m, auth.Want{MinTTL: 2 * time.Hour}, auth.ErrNoToken)
		}
		g.called(t, 1)
		expect(t, m, "t1")
	})
	forEachStore(t, "N MinTTL longer than what is left of the seed", func(t *testing.T, opts ...auth.ManageOption) {
		g := &counter{lifetime: time.Hour}
		seed := auth.Token{Value: secrets.Static("seed"), Expiry: time.Now().Add(5 * time.Minute)}
		m := manage(t, g, append(opts, auth.Seed(seed))...)
		expect(t, m, "seed")
		if got := ask(t, m, auth.Want{MinTTL: 30 * time.Minute}); got != "t1" {
			t.Errorf("token %s", got)
		}
	})
}
