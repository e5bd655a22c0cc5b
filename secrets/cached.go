package secrets

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/restconn/restconn/internal/flight"
)

// fetchLimit bounds one fetch of [Cached].
const fetchLimit = 30 * time.Second

// Cached returns the Provider that keeps what p answered for ttl, counted from the moment of the answer. By the end
// of ttl at the latest, a rotated secret is seen. Nothing is fetched ahead of time.
//
// Concurrent callers share one fetch. The fetch belongs to none of them: its context has the values of the one that
// started it and a limit of 30 s of its own, and goes on when they have left. A caller leaves as soon as its own ctx
// ends. An error is told to all that wait for it and is not kept; a panic of p is such an error. A nil p and a ttl
// that is not positive are [ErrInvalid].
func Cached(p Provider, ttl time.Duration) Provider { return &cached{provider: p, ttl: ttl} }

type cached struct {
	provider Provider
	ttl      time.Duration
	flight   flight.Group[struct{}, Value]

	mu    sync.Mutex // guards what is below
	value Value
	until time.Time // zero before the first answer
}

// Secret implements [Provider].
func (c *cached) Secret(ctx context.Context) (Value, error) {
	if err := c.fault(); err != nil {
		return Value{}, err
	}
	if v, ok := c.load(); ok {
		return v, nil
	}
	v, err := c.flight.Do(ctx, struct{}{}, fetchLimit, c.fetch)
	return v, wrap(c.String(), err)
}

// fetch asks the provider. It looks into the cache once more, because the fetch before it may have ended after the
// caller looked.
func (c *cached) fetch(ctx context.Context) (Value, error) {
	if v, ok := c.load(); ok {
		return v, nil
	}
	v, err := c.provider.Secret(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = &Error{Ref: c.String(), Err: fmt.Errorf("no answer within %v: %w", fetchLimit, err)}
		}
		return Value{}, err
	}
	c.store(v)
	return v, nil
}

func (c *cached) load() (Value, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value, before(time.Now(), c.until)
}

func (c *cached) store(v Value) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value, c.until = v, time.Now().Add(c.ttl)
}

// before reports whether now is before t by both clocks. The monotonic one stands still while the machine sleeps, and
// the wall clock can be set back.
func before(now, t time.Time) bool { return now.Before(t) && now.Round(0).Before(t.Round(0)) }

// Validate implements [Validator].
func (c *cached) Validate() error {
	if err := c.fault(); err != nil {
		return err
	}
	return Validate(c.provider)
}

// fault returns what is wrong with c itself.
func (c *cached) fault() error {
	switch {
	case c.provider == nil:
		return &Error{Ref: c.String(), Err: invalid("the provider is nil")}
	case c.ttl <= 0:
		return &Error{Ref: c.String(), Err: invalid("the time to live is not positive")}
	}
	return nil
}

// String returns the reference, such as "cached(env:API_PASS)".
func (c *cached) String() string { return "cached(" + reference(c.provider) + ")" }
