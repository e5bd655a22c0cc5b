package authtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/authtest"
	"github.com/restconn/restconn/auth/tokenstore"
)

type exchange = func(context.Context, auth.Record) (auth.Record, error)

// altered is a store that works, but for what is set.
type altered struct {
	auth.TokenStore

	key    func(auth.Key) auth.Key
	load   func(auth.Record, error) (auth.Record, error)
	update func(s auth.TokenStore, ctx context.Context, key auth.Key, seen uint64, fn exchange) (auth.Record, error)
	remove func(s auth.TokenStore, ctx context.Context, key auth.Key) error
}

func (s *altered) Load(ctx context.Context, key auth.Key) (auth.Record, error) {
	if s.key != nil {
		key = s.key(key)
	}
	rec, err := s.TokenStore.Load(ctx, key)
	if s.load != nil {
		return s.load(rec, err)
	}
	return rec, err
}

func (s *altered) Update(ctx context.Context, key auth.Key, seen uint64, fn exchange) (auth.Record, error) {
	if s.key != nil {
		key = s.key(key)
	}
	if s.update != nil {
		return s.update(s.TokenStore, ctx, key, seen, fn)
	}
	return s.TokenStore.Update(ctx, key, seen, fn)
}

func (s *altered) Delete(ctx context.Context, key auth.Key) error {
	if s.key != nil {
		key = s.key(key)
	}
	if s.remove != nil {
		return s.remove(s.TokenStore, ctx, key)
	}
	return s.TokenStore.Delete(ctx, key)
}

// toy is a store of its own: a lock that is held during the exchange. It breaks what is set, and more.
type toy struct {
	noLock bool // nobody is kept out

	mu      sync.Mutex
	busy    map[auth.Key]chan struct{}
	records map[auth.Key]auth.Record
}

func (s *toy) Load(_ context.Context, key auth.Key) (auth.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records[key], nil
}

func (s *toy) set(key auth.Key, rec auth.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[key] = rec
}

func (s *toy) lock(ctx context.Context, key auth.Key) (func(), error) {
	if s.noLock {
		return func() {}, nil
	}
	s.mu.Lock()
	busy := s.busy[key]
	if busy == nil {
		busy = make(chan struct{}, 1)
		s.busy[key] = busy
	}
	s.mu.Unlock()
	select {
	case busy <- struct{}{}:
		return func() { <-busy }, nil
	case <-ctx.Done():
		return nil, &auth.StoreError{Op: "lease", Err: ctx.Err()}
	}
}

func (s *toy) Update(ctx context.Context, key auth.Key, seen uint64, fn exchange) (auth.Record, error) {
	unlock, err := s.lock(ctx, key)
	if err != nil {
		return auth.Record{}, err
	}
	cur, _ := s.Load(ctx, key)
	if cur.Version != seen {
		unlock()
		return cur, nil
	}
	marked := cur
	marked.InFlight = true
	s.set(key, marked)
	next, err := fn(ctx, cur)
	if err != nil {
		cur.RetryAt, cur.InFlight = next.RetryAt, next.InFlight
		s.set(key, cur)
		unlock()
		return cur, err
	}
	next = auth.Record{Version: cur.Version + 1, Data: next.Data}
	s.set(key, next)
	unlock()
	return next, nil
}

func (s *toy) Delete(_ context.Context, key auth.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, key)
	return nil
}

func newToy(noLock bool) *toy {
	return &toy{noLock: noLock, busy: make(map[auth.Key]chan struct{}), records: make(map[auth.Key]auth.Record)}
}

func newMemory() auth.TokenStore { return tokenstore.NewMemory(tokenstore.Lease(time.Second)) }

// storeConfig is that of a store whose handles are all the same.
func storeConfig(s auth.TokenStore) authtest.StoreConfig {
	return authtest.StoreConfig{New: func() (auth.TokenStore, error) { return s, nil }, Lease: time.Second}
}

// locked is a store that keeps others out by a lock for as long as fn runs.
func locked() authtest.StoreConfig { return storeConfig(newToy(false)) }

// alter returns the configuration of a memory store with a fault.
func alter(s altered) func() authtest.StoreConfig {
	return func() authtest.StoreConfig {
		s.TokenStore = newMemory()
		return storeConfig(&s)
	}
}

// dataAs returns a store that keeps another Data.
func dataAs(change func([]byte) []byte) func() authtest.StoreConfig {
	return alter(altered{update: func(
		s auth.TokenStore, ctx context.Context, key auth.Key, seen uint64, fn exchange,
	) (auth.Record, error) {
		return s.Update(ctx, key, seen, func(ctx context.Context, cur auth.Record) (auth.Record, error) {
			rec, err := fn(ctx, cur)
			rec.Data = change(rec.Data)
			return rec, err
		})
	}})
}

// keyAs returns a store that uses another key.
func keyAs(change func(auth.Key) auth.Key) func() authtest.StoreConfig {
	return alter(altered{key: change})
}

// loadAs returns a store whose Load answers something else.
func loadAs(change func(*auth.Record)) func() authtest.StoreConfig {
	return alter(altered{load: func(rec auth.Record, err error) (auth.Record, error) {
		change(&rec)
		return rec, err
	}})
}

// failing has a store whose every call fails with err.
func failing(err error) func() authtest.StoreConfig {
	return func() authtest.StoreConfig {
		cfg := storeConfig(newMemory())
		cfg.Failing = append(cfg.Failing, func() (auth.TokenStore, error) {
			return &altered{
				TokenStore: newMemory(),
				load:       func(auth.Record, error) (auth.Record, error) { return auth.Record{}, err },
				update: func(_ auth.TokenStore, ctx context.Context, _ auth.Key, _ uint64, fn exchange) (auth.Record, error) {
					rec, _ := fn(ctx, auth.Record{})
					if e, ok := errors.AsType[*auth.StoreError](err); ok && e.Op == "leak" {
						return rec, &auth.StoreError{Op: "save", Err: fmt.Errorf("cannot save %x", rec.Data)}
					}
					return rec, err
				},
				remove: func(auth.TokenStore, context.Context, auth.Key) error { return err },
			}, nil
		})
		return cfg
	}
}

func TestRunStore(t *testing.T) {
	t.Parallel()
	s := newMemory()
	authtest.RunStore(t, authtest.StoreConfig{
		New:     func() (auth.TokenStore, error) { return s, nil },
		Failing: []func() (auth.TokenStore, error){func() (auth.TokenStore, error) { return tokenstore.Leased(nil), nil }},
	})
}

func TestCheckStoreFindsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		if err := authtest.CheckStore(t.Context(), storeConfig(newMemory())); err != nil {
			t.Error(err)
		}
		if err := authtest.CheckStore(t.Context(), alter(altered{})()); err != nil {
			t.Error(err)
		}
		if err := authtest.CheckStore(t.Context(), failing(&auth.StoreError{Op: "load"})()); err != nil {
			t.Error(err)
		}
	})
}

func TestCheckStoreFindsFaults(t *testing.T) {
	t.Parallel()
	all := []string{"config", "validate", "empty", "exclusion"} // among others
	for name, c := range map[string]struct {
		cfg  func() authtest.StoreConfig
		want []string // checks, among others
	}{
		"no New": {func() authtest.StoreConfig { return authtest.StoreConfig{} }, all},
		"New fails": {func() authtest.StoreConfig {
			return authtest.StoreConfig{New: func() (auth.TokenStore, error) { return nil, errors.ErrUnsupported }}
		}, all},
		"New returns nil": {func() authtest.StoreConfig { return storeConfig(nil) }, all},
		"a long lease": {func() authtest.StoreConfig {
			cfg := storeConfig(tokenstore.NewMemory())
			cfg.Lease = 0
			return cfg
		}, all},
		"no lease": {func() authtest.StoreConfig {
			cfg := storeConfig(newToy(false))
			cfg.Lease = 0
			return cfg
		}, all},
		"invalid": {func() authtest.StoreConfig {
			return storeConfig(tokenstore.Leased(nil))
		}, []string{"validate", "empty", "first"}},
		"handles do not share": {func() authtest.StoreConfig {
			return authtest.StoreConfig{New: func() (auth.TokenStore, error) { return newMemory(), nil }}
		}, []string{"first", "versions", "seen", "mark", "delete", "keys", "exclusion"}},
		"something where nothing is": {loadAs(func(rec *auth.Record) {
			rec.Version = max(rec.Version, 1)
		}), []string{"empty", "delete"}},
		"an error where nothing is": {alter(altered{load: func(rec auth.Record, err error) (auth.Record, error) {
			if err == nil && rec.Version == 0 {
				err = &auth.StoreError{Op: "load"}
			}
			return rec, err
		}}), []string{"empty"}},

		"fn is called twice": {alter(altered{update: func(
			s auth.TokenStore, ctx context.Context, key auth.Key, seen uint64, fn exchange,
		) (auth.Record, error) {
			return s.Update(ctx, key, seen, func(ctx context.Context, cur auth.Record) (auth.Record, error) {
				if ctx.Err() == nil {
					_, _ = fn(ctx, cur)
				}
				return fn(ctx, cur)
			})
		}}), []string{"failure", "exclusion"}},
		"seen is not compared": {alter(altered{update: func(
			s auth.TokenStore, ctx context.Context, key auth.Key, _ uint64, fn exchange,
		) (auth.Record, error) {
			rec, err := s.Load(ctx, key)
			if err != nil {
				return rec, err
			}
			return s.Update(ctx, key, rec.Version, fn)
		}}), []string{"seen", "delete"}},
		"who saw another version waits": {locked, []string{"seen"}},
		"the mark is not seen": {loadAs(func(rec *auth.Record) {
			rec.InFlight = false
		}), []string{"failure", "mark", "crash"}},
		"RetryAt is lost": {loadAs(func(rec *auth.Record) { rec.RetryAt = time.Time{} }), []string{"failure"}},
		"RetryAt needs a token": {loadAs(func(rec *auth.Record) {
			if rec.Version == 0 {
				rec.RetryAt = time.Time{}
			}
		}), []string{"failure"}},
		"Data of a failure is saved": {alter(altered{update: func(
			s auth.TokenStore, ctx context.Context, key auth.Key, seen uint64, fn exchange,
		) (auth.Record, error) {
			var failure error
			rec, err := s.Update(ctx, key, seen, func(ctx context.Context, cur auth.Record) (rec auth.Record, _ error) {
				rec, failure = fn(ctx, cur)
				return rec, nil
			})
			return rec, errors.Join(failure, err)
		}}), []string{"failure"}},
		"the error of fn is lost": {alter(altered{update: func(
			s auth.TokenStore, ctx context.Context, key auth.Key, seen uint64, fn exchange,
		) (auth.Record, error) {
			rec, err := s.Update(ctx, key, seen, fn)
			if _, ok := errors.AsType[*auth.StoreError](err); !ok {
				err = nil
			}
			return rec, err
		}}), []string{"failure"}},

		"a crash keeps the lease":        {locked, []string{"crash"}},
		"a lease that never ends":        {locked, []string{"abandoned"}},
		"fn has no deadline":             {locked, []string{"deadline"}},
		"versions begin anew":            {locked, []string{"reuse"}},
		"Data is shared":                 {locked, []string{"copied"}},
		"an Update saves after a Delete": {locked, []string{"in flight"}},
		"no lease is taken": {func() authtest.StoreConfig {
			return storeConfig(newToy(true))
		}, []string{"abandoned", "wait", "exclusion", "cancel"}},
		"the deadline is beyond the lease": {alter(altered{update: func(
			s auth.TokenStore, ctx context.Context, key auth.Key, seen uint64, fn exchange,
		) (auth.Record, error) {
			return s.Update(ctx, key, seen, func(ctx context.Context, cur auth.Record) (auth.Record, error) {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
				defer cancel()
				return fn(ctx, cur)
			})
		}}), []string{"deadline", "abandoned"}},
		"nothing is saved for who left": {alter(altered{update: func(
			s auth.TokenStore, ctx context.Context, key auth.Key, seen uint64, fn exchange,
		) (auth.Record, error) {
			return s.Update(ctx, key, seen, func(work context.Context, cur auth.Record) (auth.Record, error) {
				rec, err := fn(work, cur)
				return rec, errors.Join(err, ctx.Err())
			})
		}}), []string{"leave"}},
		"ctx is not heeded": {alter(altered{update: func(
			s auth.TokenStore, ctx context.Context, key auth.Key, seen uint64, fn exchange,
		) (auth.Record, error) {
			return s.Update(context.WithoutCancel(ctx), key, seen, fn)
		}}), []string{"wait", "cancel"}},
		"errors of ctx are bare": {alter(altered{update: func(
			s auth.TokenStore, ctx context.Context, key auth.Key, seen uint64, fn exchange,
		) (auth.Record, error) {
			rec, err := s.Update(ctx, key, seen, fn)
			if e, ok := errors.AsType[*auth.StoreError](err); ok && e.Op == "lease" {
				err = e.Err
			}
			return rec, err
		}}), []string{"wait", "cancel"}},
		"a lost lease is overruled": {alter(altered{update: func(
			s auth.TokenStore, ctx context.Context, key auth.Key, seen uint64, fn exchange,
		) (auth.Record, error) {
			rec, err := s.Update(ctx, key, seen, fn)
			if errors.Is(err, tokenstore.ErrLeaseLost) {
				now, _ := s.Load(ctx, key)
				return s.Update(ctx, key, now.Version, func(context.Context, auth.Record) (auth.Record, error) {
					return rec, nil
				})
			}
			return rec, err
		}}), []string{"abandoned", "in flight"}},

		"Delete does nothing": {alter(altered{remove: func(auth.TokenStore, context.Context, auth.Key) error {
			return nil
		}}), []string{"in flight", "delete", "keys"}},
		"Delete of nothing fails": {alter(altered{remove: func(s auth.TokenStore, ctx context.Context, key auth.Key) error {
			if rec, err := s.Load(ctx, key); err == nil && rec.Version == 0 {
				return &auth.StoreError{Op: "delete", Err: errors.ErrUnsupported}
			}
			return s.Delete(ctx, key)
		}}), []string{"delete"}},

		"parts of keys run together": {keyAs(func(k auth.Key) auth.Key {
			return auth.Key{Connection: k.Connection + k.Config + k.Subject}
		}), []string{"keys"}},
		"parts of keys are joined with a colon": {keyAs(func(k auth.Key) auth.Key {
			return auth.Key{Connection: k.Connection + ":" + k.Config + ":" + k.Subject}
		}), []string{"keys"}},
		"keys without case": {keyAs(func(k auth.Key) auth.Key {
			k.Subject = strings.ToLower(k.Subject)
			return k
		}), []string{"keys"}},
		"keys without space at the end": {keyAs(func(k auth.Key) auth.Key {
			k.Subject = strings.TrimRight(k.Subject, " ")
			return k
		}), []string{"keys"}},
		"keys are cut": {keyAs(func(k auth.Key) auth.Key {
			k.Subject = k.Subject[:min(len(k.Subject), 255)]
			return k
		}), []string{"keys"}},
		"one part is forgotten": {keyAs(func(k auth.Key) auth.Key {
			k.Config = ""
			return k
		}), []string{"keys"}},

		"Data is text":    {dataAs(func(b []byte) []byte { return bytes.ToValidUTF8(b, nil) }), []string{"data"}},
		"Data is trimmed": {dataAs(bytes.TrimSpace), []string{"data"}},
		"Data is cut":     {dataAs(func(b []byte) []byte { return b[:min(len(b), 32<<10)] }), []string{"data"}},
		"Data ends at NUL": {dataAs(func(b []byte) []byte {
			b, _, _ = bytes.Cut(b, []byte{0})
			return b
		}), []string{"data"}},
		"Data is torn": {loadAs(func(rec *auth.Record) {
			if len(rec.Data) > 5000 && len(rec.Data) < 10_000 {
				rec.Data = rec.Data[:5000]
			}
		}), []string{"torn"}},

		"errors are bare":     {failing(errors.ErrUnsupported), []string{"errors"}},
		"there are no errors": {failing(nil), []string{"errors"}},
		"errors hold Data":    {failing(&auth.StoreError{Op: "leak"}), []string{"errors"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				got := names(authtest.CheckStore(t.Context(), c.cfg()))
				for _, want := range c.want {
					if !slices.Contains(got, want) {
						t.Errorf("check %q did not fail; those that did are %q", want, got)
					}
				}
			})
		})
	}
}

// TestCheckStoreFindsOnly checks that a fault is reported by its own check alone.
func TestCheckStoreFindsOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  func() authtest.StoreConfig
		want []string
	}{
		"keys": {keyAs(func(k auth.Key) auth.Key {
			k.Subject = strings.ToLower(k.Subject)
			return k
		}), []string{"keys"}},
		"leave": {alter(altered{update: func(
			s auth.TokenStore, ctx context.Context, key auth.Key, seen uint64, fn exchange,
		) (auth.Record, error) {
			return s.Update(ctx, key, seen, func(work context.Context, cur auth.Record) (auth.Record, error) {
				rec, err := fn(work, cur)
				return rec, errors.Join(err, ctx.Err())
			})
		}}), []string{"leave"}},
		"errors": {failing(errors.ErrUnsupported), []string{"errors"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				err := authtest.CheckStore(t.Context(), c.cfg())
				if diff := cmp.Diff(c.want, names(err)); diff != "" {
					t.Errorf("failed checks (-want +got):\n%s\n%v", diff, err)
				}
			})
		})
	}
}

// TestCheckStoreHangs has a store that never returns: the suite does.
func TestCheckStoreHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		cfg := alter(altered{load: func(auth.Record, error) (auth.Record, error) {
			<-release
			return auth.Record{}, errors.ErrUnsupported
		}})()
		err := authtest.CheckStore(t.Context(), cfg)
		if !slices.Contains(names(err), "empty") || !strings.Contains(err.Error(), "did not return") {
			t.Errorf("error %v", err)
		}
		close(release)
	})
}

func ExampleCheckStore() {
	store := tokenstore.NewMemory(tokenstore.Lease(time.Second))
	careless := &altered{TokenStore: store, key: func(k auth.Key) auth.Key {
		return auth.Key{Connection: k.Connection, Config: k.Config} // whose token it is does not matter, or does it?
	}}
	err := authtest.CheckStore(context.Background(), authtest.StoreConfig{
		New:   func() (auth.TokenStore, error) { return careless, nil },
		Lease: time.Second,
	})
	if e, ok := errors.AsType[*authtest.CheckError](err); ok {
		fmt.Println(e.Check)
	}
	// Output: keys
}

// openHandle counts the handles that are open.
type openHandle struct {
	auth.TokenStore

	open *atomic.Int64
}

func (h openHandle) Close() error {
	time.Sleep(time.Second)
	h.open.Add(-1)
	return nil
}

func TestCheckStoreClosesBeforeItReturns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := tokenstore.NewMemory(tokenstore.Lease(3 * time.Second))
		var open atomic.Int64
		err := authtest.CheckStore(t.Context(), authtest.StoreConfig{
			Lease: 3 * time.Second,
			New: func() (auth.TokenStore, error) {
				open.Add(1)
				return openHandle{store, &open}, nil
			},
		})
		if n := open.Load(); err != nil || n != 0 {
			t.Errorf("%d handles are open, %v", n, err)
		}
	})
}
