package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/restconn/restconn/secrets"
)

// counter is a provider that takes a second and answers with the number of the call, or with what fail says.
type counter struct {
	calls atomic.Int64
	fail  func(call int64) error
}

func (c *counter) Secret(ctx context.Context) (secrets.Value, error) {
	n := c.calls.Add(1)
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return secrets.Value{}, ctx.Err()
	}
	if c.fail != nil {
		if err := c.fail(n); err != nil {
			return secrets.Value{}, err
		}
	}
	return secrets.Static(fmt.Sprintf("%s-%d", canary, n)), nil
}

const ref = "cached(*secrets_test.counter)"

// askAll asks p n times at once.
func askAll(ctx context.Context, p secrets.Provider, n int, kinds ...error) map[answer]int {
	answers := make(chan answer)
	for range n {
		go func() {
			a, _ := ask(ctx, p, kinds...)
			answers <- a
		}()
	}
	counts := make(map[answer]int)
	for range n {
		counts[<-answers]++
	}
	return counts
}

func TestCachedKeepsForTTL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := secrets.Cached(&counter{}, time.Minute)
		waits := []time.Duration{0, time.Minute - 1, 1, time.Hour}
		got := make([]string, 0, len(waits))
		for _, wait := range waits {
			time.Sleep(wait)
			a, err := ask(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, a.Text)
		}
		want := []string{canary + "-1", canary + "-1", canary + "-2", canary + "-3"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		checkHidden(t, "full cache", p, fmt.Sprintf("%v %+v %#v", p, p, p))
	})
}

func TestCachedSharesOneFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got := askAll(t.Context(), secrets.Cached(&counter{}, time.Minute), 100)
		if diff := cmp.Diff(map[answer]int{{Text: canary + "-1"}: 100}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestCachedSharesAFailureAndForgetsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		errSealed := errors.New("the vault is sealed")
		p := secrets.Cached(&counter{fail: func(n int64) error {
			if n == 1 {
				return errSealed
			}
			return nil
		}}, time.Minute)
		got := []map[answer]int{askAll(t.Context(), p, 10, errSealed), askAll(t.Context(), p, 10)}
		want := []map[answer]int{{{Is: errSealed}: 10}, {{Text: canary + "-2"}: 10}}
		if diff := cmp.Diff(want, got, cmpopts.EquateErrors()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestCachedCallerLeavesAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		source := &counter{}
		p := secrets.Cached(source, time.Minute)
		hasty, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		others := make(chan map[answer]int)
		go func() {
			time.Sleep(10 * time.Millisecond) // the hasty one starts the fetch
			others <- askAll(t.Context(), p, 5)
		}()
		_, err := p.Secret(hasty)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("error %v after %v, want %v after 100ms", err, time.Since(start), context.DeadlineExceeded)
		}
		checkError(t, err, ref)
		if diff := cmp.Diff(map[answer]int{{Text: canary + "-1"}: 5}, <-others); diff != "" {
			t.Errorf("the others (-want +got):\n%s", diff)
		}
		if n := source.calls.Load(); n != 1 {
			t.Errorf("%d fetches, want 1", n)
		}
	})
}

// lateContext lets something happen between the look into the cache and the start of a fetch.
type lateContext struct {
	context.Context

	between func()
}

func (c lateContext) Err() error {
	c.between()
	return c.Context.Err()
}

func TestCachedDoesNotFetchAgainForALateCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := secrets.Cached(&counter{}, time.Minute)
		fill := sync.OnceFunc(func() { _, _ = p.Secret(t.Context()) })
		got, err := ask(lateContext{t.Context(), fill}, p)
		if diff := cmp.Diff(answer{Text: canary + "-1"}, got); diff != "" {
			t.Errorf("error %v (-want +got):\n%s", err, diff)
		}
	})
}

func TestCachedLimitsAFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := secrets.Cached(secrets.Func(func(ctx context.Context) (secrets.Value, error) {
			<-ctx.Done()
			return secrets.Value{}, ctx.Err()
		}), time.Minute).Secret(t.Context())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 30*time.Second {
			t.Errorf("error %v after %v, want %v after 30s", err, time.Since(start), context.DeadlineExceeded)
		}
		checkError(t, err, "cached(func)")
		if !strings.Contains(err.Error(), "30s") {
			t.Errorf("no limit in %q", err)
		}
	})
}

func TestCachedPanic(t *testing.T) {
	t.Parallel()
	for name, crash := range map[string]func(){
		"G6 panic": func() { panic(canary) },
		"goexit":   runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				p := secrets.Cached(secrets.Func(func(context.Context) (secrets.Value, error) {
					calls++
					if calls == 1 {
						crash()
					}
					return secrets.Static(canary), nil
				}), time.Minute)
				_, err := p.Secret(t.Context())
				if err == nil {
					t.Fatal("no error")
				}
				checkError(t, err, "cached(func)")
				got, err := ask(t.Context(), p)
				if diff := cmp.Diff(answer{Text: canary}, got, cmpopts.EquateErrors()); diff != "" {
					t.Errorf("after it: error %v (-want +got):\n%s", err, diff)
				}
			})
		})
	}
}
