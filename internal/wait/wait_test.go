package wait

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestFor(t *testing.T) {
	t.Parallel()
	cause := errors.New("enough")
	for name, c := range map[string]struct {
		ctx  func(ctx context.Context) context.Context
		took time.Duration
		want []error
	}{
		"to its end": {func(ctx context.Context) context.Context { return ctx }, time.Minute, nil},
		"not at all where the deadline is nearer": {func(ctx context.Context) context.Context {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			t.Cleanup(cancel)
			return ctx
		}, 0, []error{context.DeadlineExceeded}},
		"until the context ends": {func(ctx context.Context) context.Context {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(time.Second, func() { cancel(cause) })
			return ctx
		}, time.Second, []error{context.Canceled, cause}},
		"not at all where it has ended": {func(ctx context.Context) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx
		}, 0, []error{context.Canceled}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := For(c.ctx(t.Context()), time.Minute)
				if took := time.Since(began); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
				if (err == nil) != (c.want == nil) {
					t.Errorf("error %v", err)
				}
				for _, want := range c.want {
					if !errors.Is(err, want) {
						t.Errorf("error %v, want %v", err, want)
					}
				}
			})
		})
	}
}
