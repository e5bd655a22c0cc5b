package auth_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/secrets"
)

// ages is longer than anything here may take.
const ages = 100 * time.Hour

// taken returns a backend whose lease somebody holds who does not go on, and what ends it.
func taken() (backend *shelf, release func()) {
	s := &shelf{owner: "stopped", ends: time.Now().Add(ages)}
	return s, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.owner = ""
	}
}

// stuck is a backend one method of which hangs until its context ends.
type stuck struct {
	tokenstore.Backend

	acquire bool
	save    int // from this call on; 0 for none
	saves   int
}

func (s *stuck) Acquire(
	ctx context.Context, key auth.Key, owner string, ttl time.Duration,
) (rec auth.Record, held bool, err error) {
	if s.acquire {
		<-ctx.Done()
		return auth.Record{}, false, ctx.Err()
	}
	return s.Backend.Acquire(ctx, key, owner, ttl)
}

func (s *stuck) Save(ctx context.Context, key auth.Key, owner string, seen uint64, rec auth.Record) error {
	s.saves++
	if s.save > 0 && s.saves >= s.save {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.Backend.Save(ctx, key, owner, seen, rec)
}

// deaf is a store that answers nothing, and does not heed its context either.
type deaf struct {
	auth.TokenStore

	until chan struct{}
}

func (d deaf) Load(context.Context, auth.Key) (auth.Record, error) {
	<-d.until
	return auth.Record{}, errInjected
}

// lose closes a manager that has what could not be saved.
func lose(t *testing.T, m *auth.Manager) {
	t.Helper()
	if err := m.Close(); err == nil {
		t.Error("Close did not tell")
	}
}

func TestManagerHangingStore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		backend func() tokenstore.Backend
		within  time.Duration
	}{
		"E16 a lease that a stopped process holds": {
			func() tokenstore.Backend { s, _ := taken(); return s }, time.Minute,
		},
		"M1 a store that can be read, and gives no answer to who wants the lease": {
			func() tokenstore.Backend { return &stuck{Backend: &shelf{}, acquire: true} }, 15 * time.Second,
		},
		"M5 a store that can be read, and gives no answer to who writes": {
			func() tokenstore.Backend { return &stuck{Backend: &shelf{}, save: 1} }, 20 * time.Second,
		},
	} {
		bubble(t, name+", and a grant that uses up nothing", func(t *testing.T) {
			g := &counter{lifetime: time.Hour, latency: 20 * time.Second}
			m := auth.Manage(g, auth.KeepIn(tokenstore.Leased(c.backend()), "x"))
			for _, a := range crowd(t.Context(), m, 10, auth.Want{}) {
				if a.text != "t1" || a.took > c.within+g.latency {
					t.Errorf("%s, %v after %v", a.text, a.err, a.took)
				}
			}
			g.called(t, 1)
			lose(t, m)
		})
		bubble(t, name+", and a grant that uses up", func(t *testing.T) {
			s := &strict{lifetime: time.Hour}
			m := manage(t, s, auth.KeepIn(tokenstore.Leased(c.backend()), "x"), first())
			began := time.Now()
			err := refusal(t, m, auth.Want{}, nil)
			if _, ok := errors.AsType[*auth.StoreError](err); !ok || time.Since(began) > c.within {
				t.Errorf("%v after %v", err, time.Since(began))
			}
			s.well(t, 0)
		})
	}
}

func TestManagerHangingEdits(t *testing.T) {
	t.Parallel()
	for name, closing := range map[string]func(m *auth.Manager, b auth.TokenSource) error{
		"the manager":    func(m *auth.Manager, _ auth.TokenSource) error { return m.Close() },
		"its connection": func(_ *auth.Manager, b auth.TokenSource) error { return b.(io.Closer).Close() },
	} {
		bubble(t, "E18 Set waits for the lease, and "+name+" is closed", func(t *testing.T) {
			backend, release := taken()
			m := manage(t, &counter{}, auth.KeepIn(tokenstore.Leased(backend), "x"))
			b, err := m.BindSource(auth.Host{})
			if err != nil {
				t.Fatal(err)
			}
			set := make(chan error, 1)
			go func() { set <- m.Set(context.WithoutCancel(t.Context()), token("set")) }()
			time.Sleep(time.Second)
			time.AfterFunc(time.Minute, release)
			began := time.Now()
			if err := closing(m, b); err != nil || time.Since(began) > time.Second {
				t.Errorf("%v after %v", err, time.Since(began))
			}
			err = <-set
			if name == "the manager" && !errors.Is(err, auth.ErrClosed) || name != "the manager" && err != nil {
				t.Errorf("Set: %v", err)
			}
		})
	}
	for name, store := range map[string]func(until chan struct{}) auth.TokenStore{
		"is marked": func(chan struct{}) auth.TokenStore { return tokenstore.Leased(&stuck{Backend: &shelf{}, save: 1}) },
		"is saved":  func(chan struct{}) auth.TokenStore { return tokenstore.Leased(&stuck{Backend: &shelf{}, save: 2}) },
		"is read":   func(until chan struct{}) auth.TokenStore { return deaf{tokenstore.NewMemory(), until} },
	} {
		bubble(t, "E7 Set and Forget leave in time while the record "+name, func(t *testing.T) {
			until := make(chan struct{})
			m := manage(t, &counter{}, auth.KeepIn(store(until), "x"))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			err := m.Set(ctx, token("set"))
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second {
				t.Errorf("Set: %v after %v", err, time.Since(began))
			}
			if err := m.Forget(ctx); err == nil || time.Since(began) > time.Second {
				t.Errorf("Forget: %v after %v", err, time.Since(began))
			}
			close(until)
		})
	}
	forEachStore(t, "E18 a Set beside a Forget is not forgotten", func(t *testing.T, opts ...auth.ManageOption) {
		s := &strict{lifetime: time.Hour}
		g := &revoker{Grant: s, misbehave: func() { time.Sleep(10 * time.Second) }}
		m := manage(t, g, append(opts, first())...)
		expect(t, m, "a1")
		forgotten := make(chan error, 1)
		go func() { forgotten <- m.Forget(t.Context()) }()
		time.Sleep(time.Second)
		if err := errors.Join(m.Set(t.Context(), s.login()), <-forgotten); err != nil {
			t.Fatal(err)
		}
		expect(t, m, "a1001")
		time.Sleep(2 * time.Hour)
		expect(t, m, "a1002")
		g.saw(t, "r1")
	})
	bubble(t, "E18 Forget revokes what was renewed beside it", func(t *testing.T) {
		s := &strict{lifetime: time.Hour}
		g := &revoker{Grant: s, misbehave: func() { time.Sleep(10 * time.Second) }}
		m := manage(t, g, auth.KeepIn(tokenstore.NewMemory(), "x"), first())
		expect(t, m, "a1")
		time.AfterFunc(time.Second, func() { _, _ = m.Renew(context.WithoutCancel(t.Context())) })
		if err := m.Forget(t.Context()); err != nil {
			t.Error(err)
		}
		g.saw(t, "r1", "r2")
		refuse(t, m, auth.Want{}, auth.ErrLoginRequired)
	})
}

func TestManagerKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	bubble(t, "M2 a token is kept whose times no JSON can hold", func(t *testing.T) {
		store := tokenstore.NewMemory()
		far := time.Date(30_000, time.January, 1, 0, 0, 0, 0, time.FixedZone("far", -30*60*60))
		m := manage(t, auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) {
			return &auth.Token{
				Value: secrets.Static("a"), Refresh: secrets.Static("r"), RenewableFrom: far,
				Obtained: time.Date(-5, time.January, 1, 0, 0, 0, 0, time.UTC),
				Expiry:   time.Now().In(far.Location()).Add(time.Hour),
			}, nil
		}), auth.KeepIn(store, "x"))
		expect(t, m, "a")
		if tok, _ := stored(t, store, theKey); tok.Refresh != "r" {
			t.Errorf("the store has %v", tok)
		}
		if err := m.Set(t.Context(), &auth.Token{Value: secrets.Static("b"), Expiry: far}); err != nil {
			t.Error(err)
		}
		expect(t, manage(t, &counter{}, auth.KeepIn(store, "x")), "b")
	})
	forEachStore(t, "N a watcher that ends its goroutine loses no token", func(t *testing.T, opts ...auth.ManageOption) {
		s := &strict{lifetime: time.Hour}
		m := manage(t, s, append(opts, first(), auth.Watch(func(auth.Event) { runtime.Goexit() }))...)
		_, _ = m.Token(t.Context(), auth.Want{})
		expect(t, m, "a1")
		s.well(t, 1)
	})
	forEachStore(t, "N a watcher that hangs keeps no token from others", func(t *testing.T, opts ...auth.ManageOption) {
		s := &strict{lifetime: time.Hour}
		m := manage(t, s, append(opts, first(), auth.Watch(func(auth.Event) { time.Sleep(ages) }))...)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = m.Token(ctx, auth.Want{})
		expect(t, m, "a1")
		s.well(t, 1)
	})
	bubble(t, "M7 a slow watcher does not cut short an exchange that uses up", func(t *testing.T) {
		s := &strict{lifetime: time.Hour, latency: 25 * time.Second}
		backend := &shelf{rec: auth.Record{InFlight: true}}
		pause := 20 * time.Second
		m := manage(t, s, auth.KeepIn(tokenstore.Leased(backend), "x"), first(), auth.Watch(func(e auth.Event) {
			if e.Kind == auth.EventUnfinished {
				time.Sleep(pause)
			}
		}))
		refuse(t, m, auth.Want{}, nil)
		if s.most != 0 {
			t.Error("the server was asked")
		}
		pause = 0
		time.Sleep(time.Minute)
		expect(t, m, "a1")
		s.well(t, 1)
	})
	bubble(t, "M1 a record that was deleted does not bring back the seed", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour}, newFlaky()
		m := manage(t, s, auth.KeepIn(store, "x"), first())
		expect(t, m, "a1")
		store.set(nil, nil, errInjected)
		if _, err := m.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		store.set(nil, nil, nil)
		if err := store.Delete(t.Context(), theKey); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		refuse(t, m, auth.Want{}, auth.ErrLoginRequired)
		s.well(t, 2)
	})
	bubble(t, "E6 a server that hands out one token until it ends is not asked all the time", func(t *testing.T) {
		born, calls := time.Now(), 0
		m := manage(t, auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) {
			calls++
			tok := token("t1")
			tok.Obtained, tok.Expiry = born, born.Add(time.Hour)
			if time.Since(born) > 58*time.Minute {
				tok = token("t2")
			}
			return tok, nil
		}))
		for time.Since(born) < 2*time.Hour {
			_ = ask(t, m, auth.Want{})
			time.Sleep(time.Second / 4)
		}
		expect(t, m, "t2")
		if calls < 10 || calls > 40 {
			t.Errorf("%d exchanges", calls)
		}
	})
}

func TestManagerForgottenSubjects(t *testing.T) {
	t.Parallel()
	bubble(t, "M6 a subject whose token is being renewed is not forgotten", func(t *testing.T) {
		s, backend := &strict{lifetime: time.Hour, latency: 10 * time.Second}, newFlaky()
		m := auth.Manage(only{s, "ann"}, auth.PerSubject(), auth.KeepIn(backend, "x"))
		ann := auth.WithSubject(t.Context(), "ann")
		if err := m.Set(ann, &auth.Token{Refresh: secrets.Static("r0")}); err != nil {
			t.Fatal(err)
		}
		backend.set(nil, nil, errInjected)
		go func() { _, _ = m.Token(ann, auth.Want{}) }()
		time.Sleep(time.Second)
		for i := range 40_000 {
			_, _ = m.Token(auth.WithSubject(t.Context(), strconv.Itoa(i)), auth.Want{})
		}
		time.Sleep(20 * time.Second)
		if got, err := m.Token(ann, auth.Want{}); err != nil || got.Value.Reveal() != "a1" {
			t.Errorf("%v, %v", got, err)
		}
		lose(t, m)
		s.well(t, 1)
	})
}

// only is a grant that serves one subject.
type only struct {
	auth.Grant

	subject string
}

func (o only) Obtain(ctx context.Context, prev *auth.Token) (*auth.Token, error) {
	if auth.Subject(ctx) != o.subject {
		return nil, errInjected
	}
	return o.Grant.Obtain(ctx, prev)
}

func TestManagerFleetOfFailures(t *testing.T) {
	t.Parallel()
	bubble(t, "E2 of many processes, one learns that the server fails, and all heed it", func(t *testing.T) {
		store := tokenstore.NewMemory()
		g := &counter{lifetime: time.Hour, latency: time.Second, fail: func(n int64) error {
			if n <= 2 {
				return errInjected
			}
			return nil
		}}
		var all sync.WaitGroup
		for range 20 {
			m := manage(t, g, auth.KeepIn(store, "x"))
			all.Go(func() { refuse(t, m, auth.Want{}, nil) })
		}
		all.Wait()
		g.called(t, 1)
		forced := manage(t, g, auth.KeepIn(store, "x"))
		if _, err := forced.Renew(t.Context()); !errors.Is(err, errInjected) {
			t.Errorf("Renew: %v", err)
		}
		g.called(t, 2)
	})
}
