package auth_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/secrets"
)

const (
	latency = 200 * time.Millisecond
	grace   = 50 * time.Millisecond
)

func TestManagerRenewsOnceForAll(t *testing.T) {
	t.Parallel()
	for name, expiries := range map[string]int{"in memory": 100, "in a store": 20} {
		bubble(t, fmt.Sprintf("T1 E1 1,000 goroutines and %d expiries %s", expiries, name), func(t *testing.T) {
			g := &counter{lifetime: time.Hour, latency: latency}
			var opts []auth.ManageOption
			if name == "in a store" {
				opts = append(opts, auth.KeepIn(tokenstore.NewMemory(), "x"))
			}
			m := manage(t, g, opts...)
			var all []answer
			for i := range expiries {
				answers := crowd(t.Context(), m, 1000, auth.Want{})
				for _, a := range answers {
					if want := fmt.Sprintf("t%d", i+1); a.err != nil || a.text != want {
						t.Fatalf("%s, %v, want %s", a.text, a.err, want)
					}
				}
				all = append(all, answers...)
				time.Sleep(2 * time.Hour)
			}
			g.called(t, int64(expiries))
			if p := percentile(all, 99); p > latency+grace {
				t.Errorf("the p99 of waiting is %v", p)
			}
		})
	}
	bubble(t, "T1 arrivals at random", func(t *testing.T) {
		g := &counter{lifetime: time.Hour, latency: latency}
		m := manage(t, g)
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				for range 20 {
					time.Sleep(rand.N(3 * time.Hour))
					if _, err := m.Token(t.Context(), auth.Want{}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if n := g.calls.Load(); n > 70 { // an hour each, and nothing but that
			t.Errorf("%d exchanges in 60 hours", n)
		}
	})
}

// With a grant that fails, there is one try for each step of the backoff, however many wait.
func TestManagerBackoff(t *testing.T) {
	t.Parallel()
	bubble(t, "T2 E2 1,000 goroutines and a failing grant", func(t *testing.T) {
		failing := errors.New("no")
		g := &counter{latency: latency, fail: func(int64) error { return failing }}
		m := manage(t, g)
		for i, seconds := range []int{1, 2, 4, 8, 16, 32, 60, 60, 60} {
			step := time.Duration(seconds) * time.Second
			var retryAt time.Time
			for _, a := range crowd(t.Context(), m, 1000, auth.Want{}) {
				e, ok := errors.AsType[*auth.RenewalError](a.err)
				if !ok || !errors.Is(a.err, failing) || a.took > latency+100*time.Millisecond {
					t.Fatalf("%v after %v", a.err, a.took)
				}
				retryAt = e.RetryAt
			}
			g.called(t, int64(i+1))
			if d := time.Until(retryAt); d < step*3/4-grace || d > step+grace {
				t.Errorf("step %d is %v, want %v and up to a quarter less", i, d, step)
			}
			time.Sleep(time.Until(retryAt) - time.Millisecond) // all the way, callers come and nobody tries
			for _, a := range crowd(t.Context(), m, 100, auth.Want{}) {
				if !errors.Is(a.err, failing) || a.took != 0 {
					t.Errorf("%v after %v", a.err, a.took)
				}
			}
			g.called(t, int64(i+1))
			time.Sleep(time.Millisecond)
		}
	})
	bubble(t, "E2 the backoff begins anew after a success", func(t *testing.T) {
		g := &counter{lifetime: time.Minute, fail: func(n int64) error {
			if n != 4 {
				return errors.New("no")
			}
			return nil
		}}
		m := manage(t, g)
		for range 3 {
			refuse(t, m, auth.Want{}, nil)
			time.Sleep(time.Minute)
		}
		expect(t, m, "t4")
		time.Sleep(2 * time.Minute)
		err := refusal(t, m, auth.Want{}, nil)
		if e, ok := errors.AsType[*auth.RenewalError](err); !ok || time.Until(e.RetryAt) > time.Second {
			t.Errorf("the first step is %v", err)
		}
	})
	for name, c := range map[string]struct {
		err      error
		min, max time.Duration
	}{
		"Retry-After is a floor":                 {busyError(20 * time.Second), 20 * time.Second, 20 * time.Second},
		"Retry-After that is short":              {busyError(time.Millisecond), 750 * time.Millisecond, time.Second},
		"Retry-After of an hour counts a minute": {busyError(time.Hour), time.Minute, time.Minute},
		"Retry-After below zero":                 {busyError(-time.Hour), 750 * time.Millisecond, time.Second},
		"Retry-After inside another error": {
			fmt.Errorf("a: %w", busyError(9*time.Second)), 9 * time.Second, 9 * time.Second,
		},
		"a client that is rejected waits a minute": {auth.ErrClientRejected, 45 * time.Second, time.Minute},
		"an invalid grant waits a minute":          {auth.ErrInvalidGrant, 45 * time.Second, time.Minute},
	} {
		bubble(t, "E2 "+name, func(t *testing.T) {
			m := manage(t, &counter{fail: func(int64) error { return c.err }})
			err := refusal(t, m, auth.Want{}, c.err)
			e, ok := errors.AsType[*auth.RenewalError](err)
			if !ok || time.Until(e.RetryAt) < c.min || time.Until(e.RetryAt) > c.max {
				t.Errorf("%v, want %v to %v from now", err, c.min, c.max)
			}
		})
	}
}

// busyError is an error that says how long to wait.
type busyError time.Duration

func (busyError) Error() string               { return "busy" }
func (r busyError) RetryDelay() time.Duration { return time.Duration(r) }

func TestManagerWaiters(t *testing.T) {
	t.Parallel()
	bubble(t, "T3 E3 a waiter leaves when its own time is over", func(t *testing.T) {
		g := &counter{lifetime: time.Hour, latency: 2 * time.Second}
		m := manage(t, g)
		others := make(chan []answer)
		go func() { others <- crowd(t.Context(), m, 100, auth.Want{}) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		for _, a := range crowd(ctx, m, 100, auth.Want{}) {
			if !errors.Is(a.err, context.DeadlineExceeded) || a.took != 100*time.Millisecond {
				t.Errorf("%v after %v", a.err, a.took)
			}
		}
		for _, a := range <-others {
			if a.err != nil || a.text != "t1" || a.took != 2*time.Second {
				t.Errorf("%s, %v after %v", a.text, a.err, a.took)
			}
		}
		g.called(t, 1)
	})
	bubble(t, "E4 T3 a leader that leaves wastes nothing", func(t *testing.T) {
		g := &counter{lifetime: time.Hour, latency: 2 * time.Second}
		m := manage(t, g)
		ctx, cancel := context.WithCancel(t.Context())
		led := make(chan []answer)
		go func() { led <- crowd(ctx, m, 1, auth.Want{}) }()
		synctest.Wait()
		followers := make(chan []answer)
		go func() { followers <- crowd(t.Context(), m, 10, auth.Want{}) }()
		time.Sleep(time.Second)
		cancel()
		if a := (<-led)[0]; !errors.Is(a.err, context.Canceled) || a.took != time.Second {
			t.Errorf("the leader: %v after %v", a.err, a.took)
		}
		for _, a := range <-followers {
			if a.err != nil || a.took != 2*time.Second {
				t.Errorf("a follower: %v after %v", a.err, a.took)
			}
		}
		g.called(t, 1)
	})
	bubble(t, "E4 T3 the token of a leader who left alone is kept", func(t *testing.T) {
		g := &counter{lifetime: time.Hour, latency: 2 * time.Second}
		m := manage(t, g)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := m.Token(ctx, auth.Want{})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		expect(t, m, "t1")
		g.called(t, 1)
	})
	bubble(t, "E3 a caller whose context has ended starts nothing, and gets what there is", func(t *testing.T) {
		g := &counter{lifetime: time.Hour}
		m := manage(t, g)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := m.Token(ctx, auth.Want{}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		g.called(t, 0)
		expect(t, m, "t1")
		if _, err := m.Token(ctx, auth.Want{}); err != nil {
			t.Error(err)
		}
	})
	bubble(t, "E3 an exchange that never ends has a limit", func(t *testing.T) {
		g := &counter{latency: 24 * time.Hour}
		m := manage(t, g, auth.RenewalLimit(7*time.Second))
		for _, a := range crowd(t.Context(), m, 10, auth.Want{}) {
			if !errors.Is(a.err, context.DeadlineExceeded) || a.took != 7*time.Second {
				t.Errorf("%v after %v", a.err, a.took)
			}
		}
	})
}

// A grant that does not return as it should harms nobody but those who wait for it.
func TestManagerUnrulyGrant(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-canary"
	for name, misbehave := range map[string]func(){
		"panics":                     func() { panic(secret) },
		"panics with an error":       func() { panic(errors.New(secret)) },
		"panics with nil":            func() { panic(nil) }, //nolint:govet // that is the case
		"divides by zero":            func() { var zero int; _ = 1 / zero },
		"calls Goexit":               runtime.Goexit,
		"calls Goexit while it ends": func() { defer runtime.Goexit(); panic(secret) },
	} {
		for where, opts := range map[string]func() []auth.ManageOption{
			"in memory": func() []auth.ManageOption { return nil },
			"in a store": func() []auth.ManageOption {
				return []auth.ManageOption{auth.KeepIn(tokenstore.NewMemory(), "x")}
			},
		} {
			bubble(t, "T5 E7 a grant that "+name+" "+where, func(t *testing.T) {
				var bad atomic.Bool
				bad.Store(true)
				g := auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) {
					time.Sleep(latency)
					if bad.Load() {
						misbehave()
					}
					return token("good"), nil
				})
				m := manage(t, g, append(opts(), auth.Retries(3))...)
				for range 3 {
					for _, a := range crowd(t.Context(), m, 200, auth.Want{}) {
						if a.err == nil || strings.Contains(a.err.Error(), secret) || a.took > latency {
							t.Errorf("%v after %v", a.err, a.took)
						}
					}
					time.Sleep(time.Minute)
				}
				bad.Store(false)
				expect(t, m, "good")
			})
		}
	}
	for name, answer := range map[string]*auth.Token{
		"nil":               nil,
		"an empty token":    {},
		"a refresh token":   {Refresh: secrets.Static("r")},
		"an expired nobody": {Expiry: time.Unix(1, 0)},
	} {
		bubble(t, "E7 a grant that answers with "+name, func(t *testing.T) {
			g := auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) { return answer, nil })
			refuse(t, manage(t, g), auth.Want{}, auth.ErrNoToken)
		})
	}
}
