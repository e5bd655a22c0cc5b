package auth_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// Nobody waits for a token that is in constant use, however short it lives.
func TestManagerConstantUse(t *testing.T) {
	t.Parallel()
	bubble(t, "E9 a token of 5 s under 1,000 goroutines", func(t *testing.T) {
		g := &counter{lifetime: 5 * time.Second, latency: latency}
		m := manage(t, g)
		expect(t, m, "t1")
		end := time.Now().Add(time.Minute)
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				for time.Now().Before(end) {
					began := time.Now()
					got, err := m.Token(t.Context(), auth.Want{})
					if err != nil || time.Since(began) != 0 || !time.Now().Before(got.Expiry) {
						t.Errorf("%v after %v", err, time.Since(began))
						return
					}
					time.Sleep(250 * time.Millisecond)
				}
			})
		}
		all.Wait()
		if n := g.calls.Load(); n < 12 || n > 20 { // each is used for 3.25 to 4.2 s
			t.Errorf("%d exchanges in a minute", n)
		}
	})
	for name, lifetime := range map[string]time.Duration{
		"1 s": time.Second, "10 s": 10 * time.Second, "1 h": time.Hour, "60 days": 60 * 24 * time.Hour,
		"10 years": 10 * 365 * 24 * time.Hour,
	} {
		bubble(t, "E9 a lifetime of "+name, func(t *testing.T) {
			g := &counter{lifetime: lifetime, latency: 10 * time.Millisecond}
			m := manage(t, g)
			const steps = 200
			for i := range steps {
				began := time.Now()
				got := ask(t, m, auth.Want{})
				if waited := time.Since(began); waited != 0 && i > 0 {
					t.Errorf("waited %v for %s", waited, got)
				}
				time.Sleep(lifetime / 20)
			}
			if n := g.calls.Load(); n < steps/20 || n > steps/12 {
				t.Errorf("%d exchanges in 10 lifetimes", n)
			}
		})
		bubble(t, "E9 rare use of a lifetime of "+name, func(t *testing.T) {
			g := &counter{lifetime: lifetime}
			m := manage(t, g)
			for range 3 {
				first := ask(t, m, auth.Want{})
				time.Sleep(lifetime - min(30*time.Second, lifetime/10) - time.Nanosecond)
				expect(t, m, first) // in the last moment, and is renewed in the background
				synctest.Wait()
				if got := ask(t, m, auth.Want{}); got == first {
					t.Errorf("%s was not renewed", got)
				}
				time.Sleep(2 * lifetime)
			}
			g.called(t, 6)
		})
	}
}

func TestManagerWindow(t *testing.T) {
	t.Parallel()
	bubble(t, "E9 an unknown lifetime", func(t *testing.T) {
		g := &counter{}
		m := manage(t, g)
		for range 100 {
			expect(t, m, "t1")
			time.Sleep(30 * 24 * time.Hour)
		}
		if got := ask(t, m, auth.Want{MinTTL: 24 * time.Hour}); got != "t1" {
			t.Error("an unknown expiry does not count as short")
		}
		g.called(t, 1)
	})
	bubble(t, "E9 DefaultLifetime", func(t *testing.T) {
		g := &counter{}
		m := manage(t, g, auth.DefaultLifetime(time.Hour))
		expect(t, m, "t1")
		time.Sleep(2 * time.Hour)
		expect(t, m, "t2")
		g.lifetime = 10 * time.Hour // what the server tells counts
		time.Sleep(2 * time.Hour)
		expect(t, m, "t3")
		time.Sleep(5 * time.Hour)
		expect(t, m, "t3")
	})
	bubble(t, "E9 a token that has ended when it comes costs one exchange for each step of the backoff",
		func(t *testing.T) {
			g := &counter{lifetime: -time.Hour}
			m := manage(t, g)
			for range 600 {
				refuse(t, m, auth.Want{}, auth.ErrNoToken)
				time.Sleep(time.Second)
			}
			if n := g.calls.Load(); n > 25 {
				t.Errorf("%d exchanges in 10 minutes", n)
			}
			g.lifetime = time.Hour
			time.Sleep(time.Minute)
			ask(t, m, auth.Want{})
		})
	bubble(t, "E9 an expiry of the year 9999", func(t *testing.T) {
		g := &counter{}
		never := token("seed")
		never.Expiry = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)
		m := manage(t, g, auth.Seed(*never))
		for range 10 {
			expect(t, m, "seed")
			time.Sleep(365 * 24 * time.Hour)
		}
		g.called(t, 0)
	})
	for name, c := range map[string]struct {
		before   time.Duration
		from, to float64 // minutes
	}{
		"RenewBefore": {10 * time.Minute, 50, 50},
		"RenewBefore that is as long as it lives": {time.Hour, 39, 45},
		"RenewBefore that is longer":              {2 * time.Hour, 39, 45},
		"the default":                             {0, 39, 45},
	} {
		bubble(t, "E10 "+name, func(t *testing.T) {
			g := &counter{lifetime: time.Hour}
			var opts []auth.ManageOption
			if c.before > 0 {
				opts = append(opts, auth.RenewBefore(c.before))
			}
			m := manage(t, g, opts...)
			began := time.Now()
			expect(t, m, "t1")
			for g.calls.Load() == 1 {
				time.Sleep(time.Second)
				ask(t, m, auth.Want{})
				synctest.Wait()
			}
			took := time.Since(began).Minutes()
			if took < c.from-0.1 || took > c.to+0.1 {
				t.Errorf("it was renewed after %v minutes", took)
			}
		})
	}
	bubble(t, "E9 RenewableFrom puts the renewal off", func(t *testing.T) {
		calls := 0
		g := auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) {
			calls++
			tok := token("t")
			tok.Expiry, tok.RenewableFrom = time.Now().Add(time.Hour), time.Now().Add(55*time.Minute)
			return tok, nil
		})
		m := manage(t, g)
		ask(t, m, auth.Want{})
		for i := range 54 {
			time.Sleep(time.Minute)
			ask(t, m, auth.Want{})
			synctest.Wait()
			if calls != 1 {
				t.Fatalf("%d exchanges after %d minutes", calls, i+1)
			}
		}
		time.Sleep(2 * time.Minute)
		ask(t, m, auth.Want{})
		synctest.Wait()
		if calls != 2 {
			t.Errorf("%d exchanges", calls)
		}
	})
	bubble(t, "E19 what the wall clock of the server says does not matter", func(t *testing.T) {
		// A lifetime is counted from when the token came; a token that came in the future came now.
		calls := 0
		g := auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) {
			calls++
			tok := token("t")
			tok.Obtained, tok.Expiry = time.Now().Add(time.Hour), time.Now().Add(time.Hour)
			return tok, nil
		})
		m := manage(t, g)
		ask(t, m, auth.Want{})
		time.Sleep(30 * time.Minute)
		ask(t, m, auth.Want{})
		synctest.Wait()
		if calls != 1 {
			t.Errorf("%d exchanges", calls)
		}
	})
}

// A fleet that got its tokens in one second does not renew them in one.
func TestManagerJitter(t *testing.T) {
	t.Parallel()
	bubble(t, "E10 a fleet of 200", func(t *testing.T) {
		fleet := make([]*auth.Manager, 200)
		grants := make([]*counter, len(fleet))
		renewed := make([]time.Duration, len(fleet))
		for i := range fleet {
			grants[i] = &counter{lifetime: time.Hour}
			fleet[i] = manage(t, grants[i])
			expect(t, fleet[i], "t1")
		}
		began := time.Now()
		for range 60 {
			time.Sleep(time.Minute)
			for i, m := range fleet {
				if renewed[i] == 0 {
					ask(t, m, auth.Want{})
				}
			}
			synctest.Wait()
			for i, g := range grants {
				if renewed[i] == 0 && g.calls.Load() > 1 {
					renewed[i] = time.Since(began)
				}
			}
		}
		perMinute := map[time.Duration]int{}
		for _, r := range renewed {
			perMinute[r]++
		}
		if slices.Min(renewed) < 39*time.Minute || slices.Max(renewed) > 46*time.Minute || len(perMinute) < 6 {
			t.Errorf("from %v to %v: %v", slices.Min(renewed), slices.Max(renewed), perMinute)
		}
		for minute, n := range perMinute {
			if n > 80 {
				t.Errorf("%d renewed after %v", n, minute)
			}
		}
	})
}

// A renewal in the background that fails disturbs nobody while the token is good.
func TestManagerEarlyFailure(t *testing.T) {
	t.Parallel()
	bubble(t, "E8 the token that is good is used, and the tries are few", func(t *testing.T) {
		failing := errors.New("no")
		g := &counter{lifetime: time.Hour, fail: func(n int64) error {
			if n == 1 || n > 20 {
				return nil
			}
			return failing
		}}
		var events journal
		m := manage(t, g, events.watch())
		expect(t, m, "t1")
		began := time.Now()
		for time.Since(began) < 59*time.Minute {
			for _, a := range crowd(t.Context(), m, 10, auth.Want{}) {
				if a.err != nil || a.took != 0 {
					t.Fatalf("%v after %v", a.err, a.took)
				}
			}
			time.Sleep(time.Second)
		}
		if n := g.calls.Load(); n < 15 || n > 21 {
			t.Errorf("%d exchanges", n)
		}
		if n := events.count(auth.EventFailed); n != int(min(g.calls.Load()-1, 19)) {
			t.Errorf("%d events", n)
		}
	})
	bubble(t, "E8 a token that ends while its renewal fails", func(t *testing.T) {
		down := true
		g := &counter{lifetime: time.Hour, fail: func(n int64) error {
			if n > 1 && down {
				return errors.New("no")
			}
			return nil
		}}
		m := manage(t, g)
		expect(t, m, "t1")
		time.Sleep(59 * time.Minute)
		expect(t, m, "t1")
		time.Sleep(40 * time.Second)
		refuse(t, m, auth.Want{}, nil)
		down = false
		time.Sleep(time.Minute)
		ask(t, m, auth.Want{})
	})
	bubble(t, "E8 a background renewal that hangs is one, and has a limit", func(t *testing.T) {
		g := &counter{lifetime: time.Hour}
		m := manage(t, g)
		expect(t, m, "t1")
		g.latency = 10 * time.Hour
		for range 600 {
			time.Sleep(6 * time.Second)
			if time.Duration(g.calls.Load()) > 40 {
				break
			}
			_, _ = m.Token(t.Context(), auth.Want{})
		}
		if n := g.calls.Load(); n > 30 { // each takes 30 s, and a while lies between them
			t.Errorf("%d exchanges in an hour", n)
		}
	})
	bubble(t, "E8 Retries repeats at once, but no refresh token", func(t *testing.T) {
		for _, refresh := range []string{"", "r"} {
			var calls int
			g := auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) {
				calls++
				if calls < 3 {
					return nil, errors.New("busy")
				}
				return token("t"), nil
			})
			m := manage(t, g, auth.Retries(5), auth.Seed(auth.Token{
				Value: secrets.Static("seed"), Refresh: secrets.Static(refresh), Expiry: time.Now().Add(-time.Hour),
			}))
			_, err := m.Token(t.Context(), auth.Want{})
			if refresh == "" && (err != nil || calls != 3) || refresh != "" && (err == nil || calls != 1) {
				t.Errorf("E14 refresh token %q: %d calls, %v", refresh, calls, err)
			}
		}
	})
}
