package flight_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/restconn/restconn/internal/flight"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type (
	group  = flight.Group[string, int64]
	ctxKey struct{}
)

// slow is a function that takes a second, and returns the number of the call.
func slow(calls *atomic.Int64) func(context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) {
		n := calls.Add(1)
		select {
		case <-time.After(time.Second):
			return n, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func TestDoShares(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g group
		var calls atomic.Int64
		got := make(map[string]map[int64]int)
		results := make(chan func())
		for _, key := range []string{"a", "a", "a", "b", "b"} {
			go func() {
				n, err := g.Do(t.Context(), key, time.Minute, slow(&calls))
				results <- func() {
					if got[key] == nil {
						got[key] = make(map[int64]int)
					}
					got[key][n]++
					if err != nil {
						t.Error(err)
					}
				}
			}()
		}
		for range 5 {
			(<-results)()
		}
		if calls.Load() != 2 || len(got["a"]) != 1 || len(got["b"]) != 1 || cmp.Equal(got["a"], got["b"]) {
			t.Errorf("%d calls, answers %v, want one call and one answer for each key", calls.Load(), got)
		}
		if n, err := g.Do(t.Context(), "a", time.Minute, slow(&calls)); n != 3 || err != nil {
			t.Errorf("after it: got %d, %v, want another call", n, err)
		}
	})
}

func TestDoLeavesTheCallToOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g group
		var calls atomic.Int64
		hasty, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := g.Do(hasty, "a", time.Minute, slow(&calls)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the hasty one: error %v, want %v", err, context.DeadlineExceeded)
		}
		start := time.Now()
		n, err := g.Do(t.Context(), "a", time.Minute, slow(&calls))
		if n != 1 || err != nil || time.Since(start) != 999*time.Millisecond {
			t.Errorf("the other: got %d, %v after %v, want 1 after 999ms", n, err, time.Since(start))
		}
	})
}

func TestDoStartsNothingForADeadCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g group
		var calls atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := g.Do(ctx, "a", time.Minute, slow(&calls))
		synctest.Wait()
		if !errors.Is(err, context.Canceled) || calls.Load() != 0 {
			t.Errorf("error %v and %d calls, want %v and none", err, calls.Load(), context.Canceled)
		}
	})
}

func TestDoContextOfTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g flight.Group[struct{}, any]
		ctx := context.WithValue(t.Context(), ctxKey{}, "trace")
		start := time.Now()
		got, err := g.Do(ctx, struct{}{}, 30*time.Second, func(ctx context.Context) (any, error) {
			<-ctx.Done()
			return ctx.Value(ctxKey{}), ctx.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 30*time.Second {
			t.Errorf("error %v after %v, want %v after 30s", err, time.Since(start), context.DeadlineExceeded)
		}
		if diff := cmp.Diff(any("trace"), got); diff != "" {
			t.Errorf("value (-want +got):\n%s", diff)
		}
	})
}

func TestDoPanic(t *testing.T) {
	t.Parallel()
	var none []int
	for _, tt := range []struct {
		name  string
		crash func()
		want  []string
	}{
		{"G6 value is not shown", func() { panic("hunter2") }, []string{"flight_test.TestDoPanic", "line", "string"}},
		{"runtime error", func() { none[7] = 1 }, []string{"flight_test.TestDoPanic", "index out of range"}},
		{"goexit", runtime.Goexit, []string{"Goexit"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var g group
				errs := make(chan error)
				for range 3 {
					go func() {
						_, err := g.Do(t.Context(), "a", time.Minute, func(context.Context) (int64, error) {
							time.Sleep(time.Second)
							tt.crash()
							return 1, nil
						})
						errs <- err
					}()
				}
				for range 3 {
					checkPanic(t, <-errs, tt.want)
				}
				var calls atomic.Int64
				if n, err := g.Do(t.Context(), "a", time.Minute, slow(&calls)); n != 1 || err != nil {
					t.Errorf("after it: got %d, %v", n, err)
				}
			})
		})
	}
}

func checkPanic(t *testing.T, err error, want []string) {
	t.Helper()
	if !errors.Is(err, flight.ErrPanic) {
		t.Fatalf("error %v, want %v", err, flight.ErrPanic)
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("no %q in %q", part, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the value of the panic is in %q", err)
	}
}
