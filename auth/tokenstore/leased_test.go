package tokenstore_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
)

var (
	errFault    = errors.New("the network is down")
	errExchange = errors.New("the exchange failed")
)

// faulty is a Backend with faults. It counts its calls from 1.
type faulty struct {
	tokenstore.Backend

	mu    sync.Mutex
	calls []string
	fault func(ctx context.Context, n int, op string) outcome
}

// outcome is what a call fails with, before or after it did what it is for.
type outcome struct{ before, after error }

func newFaulty() *faulty {
	return &faulty{Backend: tokenstore.NewMemoryBackend()}
}

// call makes a call with what the script says. A call that fails after was made all the same.
func (f *faulty) call(ctx context.Context, op string, do func() error) error {
	f.mu.Lock()
	f.calls = append(f.calls, op)
	n := len(f.calls)
	f.mu.Unlock()
	var o outcome
	if f.fault != nil {
		o = f.fault(ctx, n, op)
	}
	if o.before != nil {
		return o.before
	}
	return errors.Join(do(), o.after)
}

func (f *faulty) Load(ctx context.Context, key auth.Key) (rec auth.Record, err error) {
	err = f.call(ctx, "load", func() error { rec, err = f.Backend.Load(ctx, key); return err })
	return rec, err
}

func (f *faulty) Acquire(
	ctx context.Context, key auth.Key, owner string, ttl time.Duration,
) (rec auth.Record, held bool, err error) {
	err = f.call(ctx, "acquire", func() error { rec, held, err = f.Backend.Acquire(ctx, key, owner, ttl); return err })
	return rec, held && err == nil, err
}

func (f *faulty) Save(ctx context.Context, key auth.Key, owner string, seen uint64, rec auth.Record) error {
	return f.call(ctx, "save", func() error { return f.Backend.Save(ctx, key, owner, seen, rec) })
}

func (f *faulty) Release(ctx context.Context, key auth.Key, owner string) error {
	return f.call(ctx, "release", func() error { return f.Backend.Release(ctx, key, owner) })
}

func (f *faulty) Delete(ctx context.Context, key auth.Key) error {
	return f.call(ctx, "delete", func() error { return f.Backend.Delete(ctx, key) })
}

// free fails unless the lease can be had at once.
func (f *faulty) free(t *testing.T) auth.Record {
	t.Helper()
	rec, held, err := f.Backend.Acquire(t.Context(), theKey, "the test", time.Second)
	if err != nil || !held {
		t.Errorf("the lease is not free: %v", err)
	}
	return rec
}

// seed saves a token, with no fault.
func (f *faulty) seed(t *testing.T) auth.Record {
	t.Helper()
	rec, err := tokenstore.Leased(f.Backend).Update(t.Context(), theKey, 0, give("old"))
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func TestLeasedCalls(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		f := newFaulty()
		rec := f.seed(t)
		if _, err := tokenstore.Leased(f).Update(t.Context(), theKey, rec.Version, give("new")); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"acquire", "save", "save", "release"}, f.calls); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// TestLeasedT16 lets each call fail in turn, once or from then on, before or after it did what it is for.
func TestLeasedT16(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 8; n++ {
		for _, lasting := range []bool{false, true} {
			for _, after := range []bool{false, true} {
				for _, failing := range []bool{false, true} {
					name := fmt.Sprintf("T16 call %d, lasting %v, after %v, exchange fails %v", n, lasting, after, failing)
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						bubble(t, func(t *testing.T) { failAt(t, n, lasting, after, failing) })
					})
				}
			}
		}
	}
}

func failAt(t *testing.T, n int, lasting, after, failing bool) {
	t.Helper()
	f := newFaulty()
	old := f.seed(t)
	f.fault = func(_ context.Context, call int, _ string) outcome {
		if call != n && (!lasting || call < n) {
			return outcome{}
		}
		if after {
			return outcome{after: errFault}
		}
		return outcome{before: errFault}
	}
	exchanges := 0
	began := time.Now()
	rec, err := tokenstore.Leased(f).Update(t.Context(), theKey, old.Version,
		func(context.Context, auth.Record) (auth.Record, error) {
			exchanges++
			if failing {
				return auth.Record{}, errExchange
			}
			return auth.Record{Data: []byte("new")}, nil
		})
	if took := time.Since(began); took > tokenstore.DefaultLease+10*time.Second {
		t.Errorf("it took %v", took)
	}
	if exchanges > 1 {
		t.Errorf("%d exchanges", exchanges)
	}
	stored, loadErr := f.Backend.Load(t.Context(), theKey)
	if loadErr != nil {
		t.Fatal(loadErr)
	}
	switch {
	case exchanges == 0:
		wantStoreError(t, err, errFault)
		if rec.Version != 0 || stored.Version != old.Version || stored.InFlight && !lasting {
			t.Errorf("there was no exchange; the answer is version %d; stored is %+v", rec.Version, stored)
		}
	case failing:
		if !errors.Is(err, errExchange) || string(rec.Data) != "old" || stored.InFlight && !lasting {
			t.Errorf("the exchange failed; error %v, stored is %+v", err, stored)
		}
	case string(rec.Data) != "new":
		t.Errorf("the new token is lost: %q, %v", rec.Data, err)
	case err == nil:
		if diff := cmp.Diff(rec, stored); diff != "" {
			t.Errorf("Update succeeded; stored is (-answer +stored):\n%s", diff)
		}
	default:
		wantStoreError(t, err, errFault)
		if string(stored.Data) == "old" && !stored.InFlight || !lasting {
			t.Errorf("a token was not saved; stored is %+v", stored)
		}
	}
	if !lasting && f.calls[len(f.calls)-1] == "release" && n < len(f.calls) {
		f.free(t)
	}
}

func wantStoreError(t *testing.T, err, cause error) {
	t.Helper()
	if _, ok := errors.AsType[*auth.StoreError](err); !ok || !errors.Is(err, cause) {
		t.Errorf("error %T %v, want an *auth.StoreError of %v", err, err, cause)
	}
}

// TestLeasedM6 lets saving fail for a part of the lease, and for all of it.
func TestLeasedM6(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		down time.Duration
		want error
	}{
		"M6 it recovers within the lease": {40 * time.Second, nil},
		"M6 it does not":                  {time.Hour, errFault},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				f := newFaulty()
				old := f.seed(t)
				until := time.Now().Add(c.down)
				f.fault = func(_ context.Context, n int, op string) outcome {
					if op == "save" && n > 2 && time.Now().Before(until) {
						return outcome{before: errFault}
					}
					return outcome{}
				}
				ctx, cancel := context.WithCancel(t.Context())
				rec, err := tokenstore.Leased(f).Update(ctx, theKey, old.Version,
					func(context.Context, auth.Record) (auth.Record, error) {
						cancel()
						return auth.Record{Data: []byte("new")}, nil
					})
				if !errors.Is(err, c.want) || string(rec.Data) != "new" {
					t.Errorf("Update returned %q, %v, want error %v", rec.Data, err, c.want)
				}
				if stored, err := f.Backend.Load(t.Context(), theKey); (string(stored.Data) == "new") != (c.want == nil) {
					t.Errorf("stored is %q, %v", stored.Data, err)
				}
				f.free(t)
			})
		})
	}
}

func TestLeasedM6HangingSave(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		f := newFaulty()
		old := f.seed(t)
		f.fault = func(ctx context.Context, n int, _ string) outcome {
			if n == 3 {
				<-ctx.Done()
				return outcome{before: ctx.Err()}
			}
			return outcome{}
		}
		rec, err := tokenstore.Leased(f).Update(t.Context(), theKey, old.Version, give("new"))
		if stored, _ := f.Backend.Load(t.Context(), theKey); err != nil || !cmp.Equal(rec, stored) {
			t.Errorf("error %v; stored is %q", err, stored.Data)
		}
	})
}

// TestLeasedM7 takes the lease away while the exchange is made: what another saved meanwhile stays (M8).
func TestLeasedM7(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{
		"M7 M8 the exchange succeeds": nil,
		"M7 M8 the exchange fails":    errExchange,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				f := newFaulty()
				old := f.seed(t)
				var other auth.Record
				_, err := tokenstore.Leased(f).Update(t.Context(), theKey, old.Version,
					func(ctx context.Context, _ auth.Record) (auth.Record, error) {
						<-ctx.Done() // and beyond
						time.Sleep(10 * time.Second)
						var err error
						other, err = tokenstore.Leased(f.Backend).Update(t.Context(), theKey, old.Version, give("other"))
						if err != nil {
							t.Error(err)
						}
						return auth.Record{Data: []byte("late"), InFlight: true}, failure
					})
				if failure == nil {
					wantStoreError(t, err, tokenstore.ErrLeaseLost)
				} else if !errors.Is(err, failure) {
					t.Errorf("error %v, want %v", err, failure)
				}
				stored, err := f.Backend.Load(t.Context(), theKey)
				if diff := cmp.Diff(other, stored); diff != "" || err != nil {
					t.Errorf("stored is not what the other saved (-want +got):\n%s %v", diff, err)
				}
			})
		})
	}
}

func TestLeasedDeadlines(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		for _, lease := range []time.Duration{time.Second, 6 * time.Second, tokenstore.DefaultLease} {
			began := time.Now()
			_, err := tokenstore.NewMemory(tokenstore.Lease(lease)).Update(t.Context(), theKey, 0,
				func(ctx context.Context, _ auth.Record) (auth.Record, error) {
					<-ctx.Done()
					return auth.Record{}, ctx.Err()
				})
			want := lease - min(5*time.Second, lease/6)
			if took := time.Since(began); took != want || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a lease of %v: the exchange had %v, want %v: %v", lease, took, want, err)
			}
		}
	})
}

// TestLeasedSlowStore does not begin an exchange that it could not save in time.
func TestLeasedSlowStore(t *testing.T) {
	t.Parallel()
	for _, slow := range []string{"acquire", "save"} {
		t.Run(slow, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				f := newFaulty()
				old := f.seed(t)
				f.fault = func(_ context.Context, n int, op string) outcome {
					if op == slow && n <= 2 {
						time.Sleep(11 * time.Second)
					}
					return outcome{}
				}
				_, err := tokenstore.Leased(f).Update(t.Context(), theKey, old.Version,
					func(context.Context, auth.Record) (auth.Record, error) {
						t.Error("the exchange was begun")
						return auth.Record{}, nil
					})
				if e, ok := errors.AsType[*auth.StoreError](err); !ok || !strings.Contains(e.Error(), "too slow") {
					t.Errorf("error %v", err)
				}
				if rec := f.free(t); rec.InFlight {
					t.Error("the mark stayed")
				}
			})
		})
	}
}

// TestLeasedLeave ends ctx at each call: there is no exchange, no mark, and no lease left behind.
func TestLeasedLeave(t *testing.T) {
	t.Parallel()
	for n := range 3 {
		t.Run(fmt.Sprint("at call ", n), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				f := newFaulty()
				old := f.seed(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				f.fault = func(_ context.Context, call int, _ string) outcome {
					if call == n {
						cancel()
						return outcome{after: context.Canceled} // it is not known what happened
					}
					return outcome{}
				}
				if n == 0 {
					cancel()
				}
				_, err := tokenstore.Leased(f).Update(ctx, theKey, old.Version,
					func(context.Context, auth.Record) (auth.Record, error) {
						t.Error("the exchange was begun")
						return auth.Record{}, nil
					})
				wantStoreError(t, err, context.Canceled)
				if rec := f.free(t); rec.InFlight {
					t.Error("the mark stayed")
				}
			})
		})
	}
}

func TestLeasedCrash(t *testing.T) {
	t.Parallel()
	for name, crash := range map[string]func(){
		"panic":  func() { panic("on purpose") },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				f := newFaulty()
				old := f.seed(t)
				var wg sync.WaitGroup
				wg.Go(func() {
					defer func() { _ = recover() }()
					_, _ = tokenstore.Leased(f).Update(t.Context(), theKey, old.Version,
						func(context.Context, auth.Record) (auth.Record, error) {
							crash()
							return auth.Record{}, nil
						})
				})
				wg.Wait()
				if rec := f.free(t); !rec.InFlight || string(rec.Data) != "old" {
					t.Errorf("stored is %q, InFlight %v", rec.Data, rec.InFlight)
				}
			})
		})
	}
}

func TestLeasedTooLarge(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		f := newFaulty()
		old := f.seed(t)
		f.fault = func(_ context.Context, n int, _ string) outcome {
			if n == 3 {
				return outcome{before: fmt.Errorf("%w: no more than 1 byte", tokenstore.ErrTooLarge)}
			}
			return outcome{}
		}
		_, err := tokenstore.Leased(f).Update(t.Context(), theKey, old.Version, give("new"))
		wantStoreError(t, err, tokenstore.ErrTooLarge)
		if n := len(f.calls); n != 4 {
			t.Errorf("%d calls: %v", n, f.calls)
		}
	})
}

// TestMemoryReuse makes records anew while the clock stands still.
func TestMemoryReuse(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := tokenstore.NewMemory()
		var used []uint64
		for range 10 {
			rec := put(t, s, theKey, "x")
			if slices.Contains(used, rec.Version) || rec.Version >= 1<<53 {
				t.Errorf("version %d after %v", rec.Version, used)
			}
			used = append(used, rec.Version)
			if err := s.Delete(t.Context(), theKey); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestMemoryKeepsRetryAt(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := tokenstore.NewMemory()
		later := time.Now().Add(time.Hour)
		_, _ = s.Update(t.Context(), theKey, 0, func(context.Context, auth.Record) (auth.Record, error) {
			return auth.Record{RetryAt: later}, errExchange
		})
		rec, err := s.Load(t.Context(), theKey)
		if diff := cmp.Diff(auth.Record{RetryAt: later}, rec, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("(-want +got):\n%s %v", diff, err)
		}
	})
}

func TestLeasedValidate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		store auth.TokenStore
		want  []string
	}{
		"memory": {tokenstore.NewMemory(), nil},
		"all at once": {
			tokenstore.Leased(nil, nil, tokenstore.Lease(time.Millisecond)),
			[]string{"option is nil", "backend is nil", "shorter than a second"},
		},
		"no path":  {tokenstore.NewFile(""), []string{"path is empty"}},
		"NUL":      {tokenstore.NewFile("a\x00b"), []string{"NUL"}},
		"no store": {tokenstore.Sealed(nil), []string{"store to seal is nil", "no key"}},
		"inner":    {tokenstore.Sealed(tokenstore.NewFile(""), keyOne, nil), []string{"provider is nil", "path is empty"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.store.(auth.Validator).Validate()
			if (err == nil) != (c.want == nil) {
				t.Errorf("error %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(fmt.Sprint(err), want) {
					t.Errorf("no %q in %v", want, err)
				}
			}
			if err == nil {
				return
			}
			_, loaded := c.store.Load(t.Context(), theKey)
			_, updated := c.store.Update(t.Context(), theKey, 0, give("x"))
			for _, err := range []error{loaded, updated, c.store.Delete(t.Context(), theKey)} {
				if _, ok := errors.AsType[*auth.StoreError](err); !ok {
					t.Errorf("error %v, want an *auth.StoreError", err)
				}
			}
		})
	}
}
