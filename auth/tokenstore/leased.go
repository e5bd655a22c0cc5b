package tokenstore

import (
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/wait"
)

const (
	// DefaultLease is how long a lease lasts unless [Lease] says otherwise: the 30 s that an exchange may take, and
	// 15 s for what is before and after it.
	DefaultLease = 45 * time.Second

	// reserve is the end of a lease that is kept for saving: no exchange goes on in it. It is at most a sixth.
	reserve = 5 * time.Second

	firstPoll = 5 * time.Millisecond
	maxPoll   = 100 * time.Millisecond
	firstSave = 10 * time.Millisecond
	maxSave   = time.Second
)

// Option is an option of [Leased], and of the stores that are made with it.
type Option interface{ apply(*leased) }

// Lease sets how long a lease lasts, [DefaultLease] unless it is given. A process that dies while it renews a token
// holds up the others for so long. It has to be 15 s longer than the longest renewal (see [auth.RenewalLimit]).
func Lease(d time.Duration) Option { return leaseOption(d) }

type leaseOption time.Duration

func (o leaseOption) apply(s *leased) { s.lease = time.Duration(o) }

// Leased makes an [auth.TokenStore] of a backend. A nil backend, and a lease of less than a second, is reported by its
// Validate, which [auth.Manager.Validate] calls.
func Leased(b Backend, opts ...Option) auth.TokenStore {
	s := &leased{backend: b, lease: DefaultLease}
	for _, opt := range opts {
		if opt == nil {
			s.fault = errors.New("an option is nil")
			continue
		}
		opt.apply(s)
	}
	return s
}

type leased struct {
	backend Backend
	lease   time.Duration
	fault   error
}

// Validate implements [auth.Validator].
func (s *leased) Validate() error {
	switch {
	case s.fault != nil:
		return s.fault
	case s.backend == nil:
		return errors.New("the backend is nil")
	case s.lease < time.Second:
		return errors.New("the lease is shorter than a second")
	}
	if v, ok := s.backend.(auth.Validator); ok {
		return v.Validate()
	}
	return nil
}

// Lease implements [auth.Leaser].
func (s *leased) Lease() time.Duration { return s.lease }

// Load implements [auth.TokenStore].
func (s *leased) Load(ctx context.Context, key auth.Key) (auth.Record, error) {
	rec, err := s.backend.Load(ctx, key)
	return rec, storeError("load", err)
}

// Delete implements [auth.TokenStore].
func (s *leased) Delete(ctx context.Context, key auth.Key) error {
	return storeError("delete", s.backend.Delete(ctx, key))
}

// Update implements [auth.TokenStore].
func (s *leased) Update(
	ctx context.Context, key auth.Key, seen uint64,
	fn func(ctx context.Context, cur auth.Record) (auth.Record, error),
) (auth.Record, error) {
	h := &holder{leased: s, key: key, owner: rand.Text()}
	cur, err := h.acquire(ctx, seen)
	if err != nil {
		return auth.Record{}, storeError("lease", err)
	}
	defer h.release(ctx)
	if cur.Version != seen {
		return cur, nil
	}
	return h.update(ctx, cur, fn)
}

// holder is one attempt to hold the lease of a key.
type holder struct {
	*leased

	key   auth.Key
	owner string
	held  bool
	ends  time.Time // of the lease, at the latest
}

// acquire waits for the lease, or for a version that is not seen.
func (h *holder) acquire(ctx context.Context, seen uint64) (auth.Record, error) {
	poll := firstPoll
	for {
		began := time.Now()
		rec, held, err := h.backend.Acquire(ctx, h.key, h.owner, h.lease)
		if held {
			h.held, h.ends = true, began.Add(h.lease)
		}
		if err != nil || held || rec.Version != seen {
			return rec, err
		}
		if err := wait.For(ctx, jitter(poll)); err != nil {
			return rec, err
		}
		poll = min(2*poll, maxPoll)
	}
}

// update makes the exchange under the lease.
func (h *holder) update(
	ctx context.Context, cur auth.Record, fn func(ctx context.Context, cur auth.Record) (auth.Record, error),
) (auth.Record, error) {
	leaseCtx, cancelLease := context.WithDeadline(ctx, h.ends)
	defer cancelLease()
	marked := cur
	marked.InFlight = true
	if err := h.backend.Save(leaseCtx, h.key, h.owner, cur.Version, marked); err != nil {
		return cur, storeError("save", err)
	}
	workCtx, cancelWork := context.WithDeadline(leaseCtx, h.ends.Add(-min(reserve, h.lease/6)))
	defer cancelWork()
	next, failure := fn(workCtx, cur)

	// What was obtained must not be lost because the caller has left.
	saveCtx, cancelSave := context.WithDeadline(context.WithoutCancel(ctx), h.ends)
	defer cancelSave()
	if failure != nil {
		cur.RetryAt, cur.InFlight = next.RetryAt, next.InFlight
		_ = h.backend.Save(saveCtx, h.key, h.owner, cur.Version, cur) // the mark stays: the next holder only knows less
		return cur, failure
	}
	next = auth.Record{Version: nextVersion(cur.Version), Data: next.Data}
	return next, storeError("save", h.save(saveCtx, cur.Version, next))
}

// save tries until the lease ends.
func (h *holder) save(ctx context.Context, seen uint64, rec auth.Record) error {
	pause := firstSave
	for {
		err := h.backend.Save(ctx, h.key, h.owner, seen, rec)
		if err == nil || errors.Is(err, ErrLeaseLost) || wait.For(ctx, jitter(pause)) != nil {
			return err
		}
		pause = min(2*pause, maxSave)
	}
}

// release gives the lease back. If that fails it ends by itself.
func (h *holder) release(ctx context.Context) {
	if !h.held {
		return
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), h.ends)
	defer cancel()
	_ = h.backend.Release(ctx, h.key, h.owner)
}

// nextVersion returns the version after v. The first is a time, so that a record that was deleted and made anew has
// none of its old ones.
func nextVersion(v uint64) uint64 {
	if v == 0 {
		return uint64(max(1, time.Now().UnixMilli()))
	}
	return v + 1
}

// jitter returns a time between half of d and d.
func jitter(d time.Duration) time.Duration {
	return d/2 + mathrand.N(d/2) //nolint:gosec // it spreads load
}

func storeError(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*auth.StoreError](err); ok {
		return err
	}
	return &auth.StoreError{Op: op, Err: err}
}
