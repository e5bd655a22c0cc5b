package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/secrets"
)

var theKey = auth.Key{Connection: "x"}

// flaky is a store whose parts fail while they have an error.
type flaky struct {
	auth.TokenStore

	mu           sync.Mutex
	load, update error
	save         error // of what is to be saved after an exchange
}

// newFlaky returns a flaky store over an own store in memory.
func newFlaky() *flaky { return &flaky{TokenStore: tokenstore.NewMemory()} }

func (f *flaky) set(load, update, save error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.load, f.update, f.save = load, update, save
}

func (f *flaky) errs() (load, update, save error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.load, f.update, f.save
}

func (f *flaky) Load(ctx context.Context, key auth.Key) (auth.Record, error) {
	if failure, _, _ := f.errs(); failure != nil { //nolint:gocritic // these are settings
		return auth.Record{}, &auth.StoreError{Op: "load", Err: failure}
	}
	return f.TokenStore.Load(ctx, key)
}

func (f *flaky) Update(
	ctx context.Context, key auth.Key, seen uint64, fn func(context.Context, auth.Record) (auth.Record, error),
) (auth.Record, error) {
	_, failure, unsaved := f.errs()
	switch {
	case failure != nil:
		return auth.Record{}, &auth.StoreError{Op: "lease", Err: failure}
	case unsaved == nil:
		return f.TokenStore.Update(ctx, key, seen, fn)
	}
	var next auth.Record
	called := false
	out, err := f.TokenStore.Update(ctx, key, seen, func(ctx context.Context, cur auth.Record) (auth.Record, error) {
		called = true
		var err error
		next, err = fn(ctx, cur)
		if err == nil {
			err = unsaved
			cur.InFlight = true
		}
		return cur, err
	})
	if called && errors.Is(err, unsaved) {
		return next, &auth.StoreError{Op: "save", Err: unsaved}
	}
	return out, err
}

func TestManagerReplicas(t *testing.T) {
	t.Parallel()
	for name, lifetime := range map[string]time.Duration{"of an hour": time.Hour, "of 5 s": 5 * time.Second} {
		bubble(t, "E11 8 replicas with 20 goroutines each, and tokens "+name, func(t *testing.T) {
			s, store := &strict{lifetime: lifetime, latency: latency}, tokenstore.NewMemory()
			var fleet []*auth.Manager
			for range 8 {
				fleet = append(fleet, manage(t, s, auth.KeepIn(store, "x"), first()))
			}
			end := time.Now().Add(20 * lifetime)
			var all sync.WaitGroup
			for _, m := range fleet {
				for range 20 {
					all.Go(func() {
						for time.Now().Before(end) {
							if got, err := m.Token(t.Context(), auth.Want{}); err != nil || !time.Now().Before(got.Expiry) {
								t.Error(err)
							}
							time.Sleep(rand.N(lifetime / 4))
						}
					})
				}
			}
			all.Wait()
			if n := s.grants; n < 20 || n > 34 {
				t.Errorf("%d grants in 20 lifetimes", n)
			}
			s.well(t, s.grants)
		})
	}
	bubble(t, "E11 E5 8 replicas see the same rejection", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour, latency: latency}, tokenstore.NewMemory()
		var fleet []*auth.Manager
		for range 8 {
			fleet = append(fleet, manage(t, s, auth.KeepIn(store, "x"), first()))
			expect(t, fleet[len(fleet)-1], "a1")
		}
		var all sync.WaitGroup
		for _, m := range fleet {
			all.Go(func() {
				for _, a := range crowd(t.Context(), m, 20, not("a1")) {
					if a.text != "a2" {
						t.Errorf("%s, %v", a.text, a.err)
					}
				}
			})
		}
		all.Wait()
		s.well(t, 2)
	})
	bubble(t, "E2 the time of the next try is shared", func(t *testing.T) {
		g := &counter{fail: func(int64) error { return busyError(40 * time.Second) }}
		store := tokenstore.NewMemory()
		a, b := manage(t, g, auth.KeepIn(store, "x")), manage(t, g, auth.KeepIn(store, "x"))
		refuse(t, a, auth.Want{}, nil)
		err := refusal(t, b, auth.Want{}, nil)
		if e, ok := errors.AsType[*auth.RenewalError](err); !ok || time.Until(e.RetryAt) != 40*time.Second {
			t.Errorf("error %v", err)
		}
		time.Sleep(39 * time.Second)
		refuse(t, b, auth.Want{}, nil)
		g.called(t, 1)
		time.Sleep(time.Second)
		refuse(t, b, auth.Want{}, nil)
		g.called(t, 2)
	})
	bubble(t, "E16 the holder of the lease is dead", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour}, tokenstore.NewMemory()
		m := manage(t, s, auth.KeepIn(store, "x"), first())
		dead := make(chan struct{})
		var gone sync.WaitGroup
		gone.Go(func() {
			_, _ = store.Update(context.Background(), theKey, 0, func(context.Context, auth.Record) (auth.Record, error) {
				<-dead
				return auth.Record{}, errors.New("dead")
			})
		})
		synctest.Wait()
		var events journal
		for _, a := range crowd(t.Context(), m, 10, auth.Want{}) {
			if a.text != "a1" || a.took > 46*time.Second {
				t.Errorf("%s, %v after %v", a.text, a.err, a.took)
			}
		}
		events.happened(t)
		close(dead)
		gone.Wait()
		s.well(t, 1)
	})
	bubble(t, "E15 an exchange that nobody finished is told", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour}, tokenstore.NewMemory()
		expect(t, manage(t, s, auth.KeepIn(store, "x"), first()), "a1")
		rec, _ := store.Load(t.Context(), theKey)
		_, _ = store.Update(t.Context(), theKey, rec.Version, func(_ context.Context, cur auth.Record) (auth.Record, error) {
			cur.InFlight = true // as a process that died then leaves it
			return cur, errors.New("dead")
		})
		s.revoke()
		var events journal
		m := manage(t, s, auth.KeepIn(store, "x"), events.watch())
		time.Sleep(2 * time.Hour)
		err := refusal(t, m, auth.Want{}, auth.ErrLoginRequired)
		if !errors.Is(err, auth.ErrInvalidGrant) || !strings.Contains(err.Error(), "was not finished") {
			t.Error(err)
		}
		events.happened(t, auth.EventUnfinished, auth.EventLost)
	})
}

func TestManagerInvalidGrant(t *testing.T) {
	t.Parallel()
	bubble(t, "E12 S51 nothing is deleted, nothing is tried again, and another process heals it", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour}, tokenstore.NewMemory()
		a := manage(t, s, auth.KeepIn(store, "x"), first())
		b := manage(t, s, auth.KeepIn(store, "x"))
		expect(t, a, "a1")
		s.revoke()
		before, _ := stored(t, store, theKey)
		time.Sleep(2 * time.Hour)
		for range 60 {
			refuse(t, a, auth.Want{}, auth.ErrLoginRequired)
			time.Sleep(10 * time.Second)
		}
		if after, _ := stored(t, store, theKey); after != before || s.refusals != 1 {
			t.Errorf("the store has %v, and had %v; the server was asked %d times", after, before, s.refusals)
		}
		if err := b.Set(t.Context(), s.login()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		expect(t, a, "a1001")
		time.Sleep(2 * time.Hour)
		expect(t, a, "a1002")
	})
	bubble(t, "E12 there is a newer record by then", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour}, tokenstore.NewMemory()
		g := &revoker{Grant: s, misbehave: s.revoke}
		a := manage(t, g, auth.KeepIn(store, "x"), first())
		b := manage(t, g, auth.KeepIn(store, "x"))
		expect(t, a, "a1")
		time.Sleep(2 * time.Hour)
		s.latency = time.Second
		waiting := make(chan []answer)
		go func() { waiting <- crowd(t.Context(), a, 10, auth.Want{}) }()
		synctest.Wait()
		if err := b.Forget(t.Context()); err != nil { // a user signs out, and in again
			t.Fatal(err)
		}
		if err := b.Set(t.Context(), s.login()); err != nil {
			t.Fatal(err)
		}
		s.revoke() // for the exchange that is under way
		for _, x := range <-waiting {
			if x.text != "a1001" {
				t.Errorf("%s, %v", x.text, x.err)
			}
		}
	})
	bubble(t, "E12 a record that another process deletes", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour}, tokenstore.NewMemory()
		a := manage(t, s, auth.KeepIn(store, "x"), first())
		expect(t, a, "a1")
		if err := store.Delete(t.Context(), theKey); err != nil {
			t.Fatal(err)
		}
		expect(t, a, "a1")
		time.Sleep(2 * time.Hour)
		refuse(t, a, auth.Want{}, auth.ErrLoginRequired)
		s.well(t, 1)
	})
	bubble(t, "S51 other failures lose nothing", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour}, tokenstore.NewMemory()
		var failure error
		g := auth.GrantFunc(func(ctx context.Context, prev *auth.Token) (*auth.Token, error) {
			if failure != nil {
				return nil, failure
			}
			return s.Obtain(ctx, prev)
		})
		m := manage(t, g, auth.KeepIn(store, "x"), first())
		expect(t, m, "a1")
		for i, err := range []error{
			errors.New("status 500"), busyError(time.Second), context.DeadlineExceeded, auth.ErrClientRejected, auth.ErrNoToken,
		} {
			time.Sleep(2 * time.Hour)
			failure = err
			refuse(t, m, auth.Want{}, err)
			if tok, _ := stored(t, store, theKey); tok.Refresh != s.refresh() {
				t.Errorf("the store has %v", tok)
			}
			failure = nil
			time.Sleep(time.Minute)
			expect(t, m, fmt.Sprintf("a%d", i+2))
		}
		s.well(t, 6)
	})
}

func TestManagerStoreFaults(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	bubble(t, "M1 a store that cannot be read, and a grant that uses up", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour}, newFlaky()
		var events journal
		m := manage(t, s, auth.KeepIn(store, "x"), first(), events.watch())
		store.set(down, down, nil)
		err := refusal(t, m, auth.Want{}, down)
		if e, ok := errors.AsType[*auth.StoreError](err); !ok || e.Op != "load" || errors.Is(err, auth.ErrLoginRequired) {
			t.Errorf("error %v", err)
		}
		s.well(t, 0)
		events.happened(t, auth.EventStoreFailed, auth.EventFailed)
		store.set(nil, nil, nil)
		time.Sleep(time.Second)
		expect(t, m, "a1")
		store.set(down, down, nil)
		time.Sleep(59 * time.Minute)
		expect(t, m, "a1") // as long as it is good
	})
	bubble(t, "M1 a store that cannot be read after a restart is not a missing login", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour}, newFlaky()
		expect(t, manage(t, s, auth.KeepIn(store, "x"), first()), "a1")
		m := manage(t, s, auth.KeepIn(store, "x"))
		store.set(down, nil, nil)
		if err := refusal(t, m, auth.Want{}, down); errors.Is(err, auth.ErrLoginRequired) {
			t.Errorf("error %v", err)
		}
		store.set(nil, nil, nil)
		time.Sleep(time.Second)
		expect(t, m, "a1")
	})
	for name, errs := range map[string][3]error{
		"M1 cannot be read": {down, down, nil}, "M5 cannot be written": {nil, down, nil},
		"M6 loses what is saved": {nil, nil, down},
	} {
		bubble(t, name+", and a grant that uses up nothing", func(t *testing.T) {
			g, store := &counter{lifetime: time.Hour}, newFlaky()
			var events journal
			m := manage(t, g, auth.KeepIn(store, "x"), events.watch())
			store.set(errs[0], errs[1], errs[2])
			for _, a := range crowd(t.Context(), m, 10, auth.Want{}) {
				if a.text != "t1" {
					t.Errorf("%s, %v", a.text, a.err)
				}
			}
			if events.count(auth.EventUnsaved) != 1 {
				t.Errorf("events %q", events.kinds())
			}
			time.Sleep(10 * time.Minute)
			expect(t, m, "t1")
			store.set(nil, nil, nil)
			time.Sleep(2 * time.Minute)
			if tok, _ := stored(t, store, theKey); tok.Value != "t1" || events.count(auth.EventSaved) != 1 {
				t.Errorf("the store has %v; events %q", tok, events.kinds())
			}
			g.called(t, 1)
		})
	}
	bubble(t, "M1 what was obtained without the store is not given up for what has ended", func(t *testing.T) {
		g, store := &counter{lifetime: time.Hour}, newFlaky()
		expect(t, manage(t, g, auth.KeepIn(store, "x")), "t1")
		time.Sleep(2 * time.Hour)
		m := manage(t, g, auth.KeepIn(store, "x"))
		store.set(down, down, nil)
		expect(t, m, "t2")
		store.set(nil, nil, nil)
		time.Sleep(5 * time.Minute)
		expect(t, m, "t2")
		if tok, _ := stored(t, store, theKey); tok.Value != "t2" {
			t.Errorf("the store has %v", tok)
		}
		g.called(t, 2)
	})
	bubble(t, "M1 a store that does not answer", func(t *testing.T) {
		g := &counter{lifetime: time.Hour}
		m := manage(t, g, auth.KeepIn(mute{tokenstore.NewMemory()}, "x"))
		for _, a := range crowd(t.Context(), m, 10, auth.Want{}) {
			if a.text != "t1" || a.took > 10*time.Second {
				t.Errorf("%s, %v after %v", a.text, a.err, a.took)
			}
		}
	})
	bubble(t, "M5 M6 a rotated token that cannot be saved is used, renewed, and saved later", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour}, newFlaky()
		var events journal
		m := manage(t, s, auth.KeepIn(store, "x"), first(), events.watch())
		expect(t, m, "a1")
		store.set(nil, nil, down)
		time.Sleep(2 * time.Hour)
		expect(t, m, "a2")
		time.Sleep(2 * time.Hour)
		expect(t, m, "a3")
		store.set(nil, nil, nil)
		time.Sleep(2 * time.Minute)
		if tok, _ := stored(t, store, theKey); tok.Refresh != "r3" || events.count(auth.EventSaved) != 1 {
			t.Errorf("the store has %v; events %q", tok, events.kinds())
		}
		s.well(t, 3)
	})
	bubble(t, "M6 an old token is not saved over a newer one", func(t *testing.T) {
		// Saving waits for the lease of a renewal that cannot save what it has got. It must not save what it came
		// with.
		s, store := &strict{lifetime: time.Hour}, newFlaky()
		m := manage(t, s, auth.KeepIn(store, "x"), first())
		expect(t, m, "a1")
		store.set(nil, nil, down)
		if _, err := m.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.latency = 20 * time.Second
		time.AfterFunc(time.Second/2, func() { store.set(nil, nil, nil) }) // too late for a3, and in time for a2
		if _, err := m.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if tok, _ := stored(t, store, theKey); tok.Refresh != "r3" {
			t.Errorf("the store has %v", tok)
		}
		expect(t, m, "a3")
		s.latency = 0
		time.Sleep(2 * time.Hour)
		expect(t, m, "a4")
		s.well(t, 4)
	})
	bubble(t, "M6 Close tries once more, and tells what is lost", func(t *testing.T) {
		for _, healed := range []bool{true, false} {
			s, store := &strict{lifetime: time.Hour}, newFlaky()
			m := auth.Manage(s, auth.KeepIn(store, "x"), first())
			store.set(nil, nil, down)
			expect(t, m, "a1")
			time.Sleep(10 * time.Minute)
			if healed {
				store.set(nil, nil, nil)
			}
			err := m.Close()
			_, ok := errors.AsType[*auth.StoreError](err)
			tok, _ := stored(t, store, theKey)
			if healed && (err != nil || tok.Refresh != "r1") || !healed && !ok {
				t.Errorf("healed %t: error %v, and the store has %v", healed, err, tok)
			}
			refuse(t, m, auth.Want{}, auth.ErrClosed)
		}
	})
	bubble(t, "M6 Close saves what the last connection could not", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour}, newFlaky()
		m := auth.Manage(s, auth.KeepIn(store, "x"), first())
		b, err := m.BindSource(auth.Host{})
		if err != nil {
			t.Fatal(err)
		}
		store.set(nil, nil, down)
		expect(t, b, "a1")
		_ = b.(io.Closer).Close()
		store.set(nil, nil, nil)
		err = m.Close()
		if tok, _ := stored(t, store, theKey); err != nil || tok.Refresh != "r1" {
			t.Errorf("error %v, and the store has %v", err, tok)
		}
	})
	for name, data := range map[string]string{
		"M2 an empty record": "", "M2 zeros": "\x00\x00\x00\x00", "M2 half a record": `{"format":1,"access_tok`,
		"M2 a bare token": `"secret-canary"`, "M2 another program's": `{"access_token":"secret-canary"}`,
		"M12 a newer format": `{"format":2,"access_token":"secret-canary","refresh_token":"r0"}`, "M2 a list": `[1]`,
	} {
		bubble(t, name, func(t *testing.T) {
			store := tokenstore.NewMemory()
			write(t, store, theKey, data)
			s, g := &strict{lifetime: time.Hour}, &counter{lifetime: time.Hour}
			for _, m := range []*auth.Manager{
				manage(t, s, auth.KeepIn(store, "x"), first()), manage(t, g, auth.KeepIn(store, "x")),
			} {
				err := refusal(t, m, auth.Want{}, nil)
				e, ok := errors.AsType[*auth.StoreError](err)
				if !ok || e.Op != "decode" || strings.Contains(err.Error(), "canary") {
					t.Errorf("error %v", err)
				}
				if _, err := m.Renew(t.Context()); err == nil {
					t.Error("Renew did not mind")
				}
			}
			time.Sleep(5 * time.Minute)
			if rec, _ := store.Load(t.Context(), theKey); string(rec.Data) != data {
				t.Errorf("the record is now %q", rec.Data)
			}
			s.well(t, 0)
			g.called(t, 0)
		})
	}
	bubble(t, "M12 members that another version wrote stay", func(t *testing.T) {
		store := tokenstore.NewMemory()
		write(t, store, theKey, `{"format":1,"refresh_token":"r0","later":{"a":[1,2]},"scopes":["old"]}`)
		m := manage(t, &strict{lifetime: time.Hour}, auth.KeepIn(store, "x"))
		expect(t, m, "a1")
		rec, _ := store.Load(t.Context(), theKey)
		var got map[string]any
		if err := json.Unmarshal(rec.Data, &got); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got["later"]) != "map[a:[1 2]]" || got["refresh_token"] != "r1" || got["scopes"] != nil {
			t.Errorf("the record is %s", rec.Data)
		}
	})
	bubble(t, "M10 all of a token comes back", func(t *testing.T) {
		store := tokenstore.NewMemory()
		now := time.Now()
		full := &auth.Token{
			Value: secrets.Static("v"), Refresh: secrets.Static("r"), Expiry: now.Add(time.Hour), Obtained: now,
			RenewableFrom: now.Add(time.Minute), Scopes: []string{"a", "b"},
			Extra: map[string]secrets.Value{"host": secrets.Static("h")},
		}
		if err := manage(t, &counter{}, auth.KeepIn(store, "x")).Set(t.Context(), full); err != nil {
			t.Fatal(err)
		}
		got, err := manage(t, &counter{}, auth.KeepIn(store, "x")).Token(t.Context(), auth.Want{})
		if err != nil || got.Value.Reveal() != "v" || got.Refresh.Reveal() != "r" || !got.Expiry.Equal(full.Expiry) ||
			!got.Obtained.Equal(now) || !got.RenewableFrom.Equal(full.RenewableFrom) || len(got.Scopes) != 2 ||
			got.Extra["host"].Reveal() != "h" {
			t.Errorf("%+v, %v", got, err)
		}
	})
	bubble(t, "E17 two configurations never meet", func(t *testing.T) {
		store := tokenstore.NewMemory()
		one := manage(t, &counter{traits: auth.Traits{Config: "one"}}, auth.KeepIn(store, "x"))
		two := &counter{traits: auth.Traits{Config: "two"}}
		expect(t, one, "t1")
		expect(t, one, "t1")
		expect(t, manage(t, two, auth.KeepIn(store, "x")), "t1")
		expect(t, manage(t, two, auth.KeepIn(store, "y")), "t2")
		two.called(t, 2)
	})
}

// mute is a store that answers nothing until the caller leaves.
type mute struct{ auth.TokenStore }

func (mute) Load(ctx context.Context, _ auth.Key) (auth.Record, error) {
	<-ctx.Done()
	return auth.Record{}, ctx.Err()
}

func TestManagerClose(t *testing.T) {
	t.Parallel()
	bubble(t, "E18 Close waits for an exchange that uses up, and its token is saved", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour, latency: 10 * time.Second}, tokenstore.NewMemory()
		m := auth.Manage(s, auth.KeepIn(store, "x"), first())
		waiting := make(chan []answer)
		go func() { waiting <- crowd(t.Context(), m, 10, auth.Want{}) }()
		time.Sleep(time.Second)
		began := time.Now()
		if err := m.Close(); err != nil || time.Since(began) != 9*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		<-waiting
		refuse(t, m, auth.Want{}, auth.ErrClosed)
		if tok, _ := stored(t, store, theKey); tok.Refresh != "r1" {
			t.Errorf("the store has %v", tok)
		}
		s.well(t, 1)
	})
	bubble(t, "E18 Close ends an exchange that uses up nothing", func(t *testing.T) {
		g := &counter{latency: 10 * time.Second}
		m := auth.Manage(g)
		waiting := make(chan []answer)
		go func() { waiting <- crowd(t.Context(), m, 10, auth.Want{}) }()
		time.Sleep(time.Second)
		began := time.Now()
		if err := m.Close(); err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		for _, a := range <-waiting {
			if !errors.Is(a.err, auth.ErrClosed) || a.took != time.Second {
				t.Errorf("%v after %v", a.err, a.took)
			}
		}
	})
	bubble(t, "E18 Close beside all else", func(t *testing.T) {
		for range 50 {
			s, store := &strict{lifetime: time.Second, latency: time.Millisecond}, tokenstore.NewMemory()
			m := auth.Manage(&revoker{Grant: s}, auth.KeepIn(store, "x"), first())
			var all sync.WaitGroup
			for i := range 40 {
				all.Go(func() {
					time.Sleep(rand.N(5 * time.Second))
					switch i % 8 {
					case 0:
						_ = m.Close()
					case 1:
						_, _ = m.Renew(t.Context())
					case 2:
						_ = m.Set(t.Context(), s.login())
					case 3:
						_ = m.Forget(t.Context())
					default:
						_, _ = m.Token(t.Context(), auth.Want{})
					}
				})
			}
			all.Wait()
			if err := m.Close(); err != nil {
				t.Error(err)
			}
			refuse(t, m, auth.Want{}, auth.ErrClosed)
		}
	})
}
