// Package flight merges concurrent calls for one thing into one, of which every caller may take leave.
//
// It is not golang.org/x/sync/singleflight, because callers here wait with a context: DoChan, which that takes, ends
// the process when the function panics, and never answers when the function calls [runtime.Goexit].
package flight

import (
	"context"
	"sync"
	"time"
)

// Group runs one call at a time for each key. The zero Group is ready. It is safe for concurrent use, and must not be
// copied after the first use.
type Group[K comparable, V any] struct {
	mu    sync.Mutex
	calls map[K]*call[V]
}

// call is a run of a function. value and err are written before done is closed, and read after.
type call[V any] struct {
	done  chan struct{}
	value V
	err   error
}

// Do waits for the call that is under way for key, or starts one of fn, and returns its outcome, which all callers
// that wait for it share. Nothing is kept: who comes after the outcome starts another call.
//
// The call belongs to no caller. Its context has the values of the ctx that started it, ends after limit, and
// outlives ctx; fn must heed it, since nothing else ends the call. A caller whose own ctx ends leaves at once with
// ctx.Err(), and starts nothing if it came with such a ctx. A panic of fn becomes an error that is [ErrPanic].
func (g *Group[K, V]) Do(
	ctx context.Context, key K, limit time.Duration, fn func(context.Context) (V, error),
) (V, error) {
	var zero V
	if err := ctx.Err(); err != nil {
		return zero, err
	}
	c := g.join(ctx, key, limit, fn)
	select {
	case <-c.done:
		return c.value, c.err
	case <-ctx.Done():
		return zero, ctx.Err()
	}
}

// Start starts a call as [Group.Do] does, unless one is under way for key, and does not wait for it.
func (g *Group[K, V]) Start(
	ctx context.Context, key K, limit time.Duration, fn func(context.Context) (V, error),
) {
	g.join(ctx, key, limit, fn)
}

// join returns the call for key, and starts it if there is none.
func (g *Group[K, V]) join(
	ctx context.Context, key K, limit time.Duration, fn func(context.Context) (V, error),
) *call[V] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c, ok := g.calls[key]; ok {
		return c
	}
	c := &call[V]{done: make(chan struct{})}
	if g.calls == nil {
		g.calls = make(map[K]*call[V])
	}
	g.calls[key] = c
	go func() {
		defer close(c.done)
		defer g.forget(key)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		c.run(ctx, fn)
	}()
	return c
}

func (g *Group[K, V]) forget(key K) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.calls, key)
}

// run calls fn. The error that stands before fn returns is the one that stays if it never does.
func (c *call[V]) run(ctx context.Context, fn func(context.Context) (V, error)) {
	c.err = errGoexit
	c.value, c.err = Catch(func() (V, error) { return fn(ctx) })
}

// Catch calls fn and returns its outcome. A panic becomes an error that is [ErrPanic].
func Catch[V any](fn func() (V, error)) (value V, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicError(r)
		}
	}()
	return fn()
}
