package tokenstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/flight"
	"github.com/restconn/restconn/internal/wait"
)

const (
	// reserve is the end of a lease that is kept for saving: no exchange goes on in it. It is at most a sixth.
	reserve = 5 * time.Second
	// slack is how much of a lease may be gone before the exchange begins. It is at most a third.
	slack = 10 * time.Second
	// parting is how long a save may take at least, even if the lease seems to be over: the backend knows better.
	parting = time.Second

	firstPoll = 5 * time.Millisecond
	maxPoll   = 100 * time.Millisecond
	firstSave = 10 * time.Millisecond
	maxSave   = time.Second

	// spread is among how many versions the first one of a record is chosen.
	spread = 1 << 20
)

var errSlow = errors.New("the store is too slow: too much of the lease had passed before the exchange could begin")

type exchange = func(ctx context.Context, cur auth.Record) (auth.Record, error)

// Update implements [auth.TokenStore].
func (s *leased) Update(ctx context.Context, key auth.Key, seen uint64, fn exchange) (auth.Record, error) {
	if err := s.ready(ctx); err != nil {
		return auth.Record{}, storeError("lease", err)
	}
	h := &holder{leased: s, key: key, owner: rand.Text()}
	defer h.release(ctx)
	cur, err := h.acquire(ctx, seen)
	if err != nil {
		return auth.Record{}, storeError("lease", err)
	}
	if cur.Version != seen {
		return cur, nil
	}
	if err := h.mark(ctx, cur); err != nil {
		return auth.Record{}, storeError("mark", err)
	}
	return h.exchange(ctx, cur, fn)
}

// holder is one attempt to hold the lease of a key.
type holder struct {
	*leased

	key   auth.Key
	owner string
	held  bool      // or it is not known
	sure  bool      // it is held
	began time.Time // the lease ended here plus its length, at the latest
}

// ends is when the lease ends, and workEnds when the exchange has to be over.
func (h *holder) ends() time.Time     { return h.began.Add(h.lease) }
func (h *holder) workEnds() time.Time { return h.ends().Add(-h.reserve()) }

// latest is when the exchange has to have begun.
func (h *holder) latest() time.Time { return h.began.Add(min(slack, h.lease/3)) }

// reserve is also how long one call to the backend may take, when it can be made again.
func (h *holder) reserve() time.Duration { return min(reserve, h.lease/6) }

// acquire waits for the lease, or for a version that is not seen.
func (h *holder) acquire(ctx context.Context, seen uint64) (auth.Record, error) {
	poll := firstPoll
	for {
		h.began = time.Now()
		callCtx, cancel := context.WithDeadline(ctx, h.latest()) // a lease that comes later is of no use
		rec, held, err := h.backend.Acquire(callCtx, h.key, h.owner, h.lease)
		cancel()
		h.held, h.sure = held || err != nil, held
		if err != nil || held || rec.Version != seen {
			return rec, err
		}
		if err := wait.For(ctx, jitter(poll)); err != nil {
			return rec, err
		}
		poll = min(2*poll, maxPoll)
	}
}

// mark says in the record that an exchange begins. If it cannot, or too late, the record is as it was.
func (h *holder) mark(ctx context.Context, cur auth.Record) error {
	markCtx, cancel := context.WithDeadline(ctx, h.latest())
	defer cancel()
	marked := cur
	marked.InFlight = true
	err := h.backend.Save(markCtx, h.key, h.owner, cur.Version, marked)
	switch {
	case err != nil:
	case ctx.Err() != nil:
		err = wait.Ended(ctx)
	case time.Now().After(h.latest()):
		err = errSlow
	}
	if err != nil && !errors.Is(err, ErrLeaseLost) {
		h.settle(ctx, cur)
	}
	return err
}

// exchange calls fn, and saves what came of it.
func (h *holder) exchange(ctx context.Context, cur auth.Record, fn exchange) (auth.Record, error) {
	workCtx, cancel := context.WithDeadline(ctx, h.workEnds())
	defer cancel()
	next, failure := fn(workCtx, own(cur))
	if failure != nil {
		cur.RetryAt, cur.InFlight = writable(next.RetryAt), next.InFlight
		h.settle(ctx, cur)
		return cur, failure
	}
	next = own(auth.Record{Version: nextVersion(cur.Version), Data: next.Data})

	// What was obtained must not be lost because the caller has left.
	until := h.ends()
	if last := time.Now().Add(parting); last.After(until) {
		until = last
	}
	saveCtx, cancelSave := context.WithDeadline(context.WithoutCancel(ctx), until)
	defer cancelSave()
	return next, storeError("save", h.save(saveCtx, cur.Version, next))
}

// writable returns t, or the last time that RFC 3339 can write if t is after it: a store could not save the record.
func writable(t time.Time) time.Time {
	if last := time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC); t.After(last) {
		return last
	}
	return t
}

// settle saves that no exchange is under way any more. If that fails the mark stays, and the next holder knows less.
func (h *holder) settle(ctx context.Context, rec auth.Record) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.reserve())
	defer cancel()
	_ = h.save(ctx, rec.Version, rec)
}

// save tries until ctx ends.
func (h *holder) save(ctx context.Context, seen uint64, rec auth.Record) error {
	pause := firstSave
	for tries := 0; ; tries++ {
		err := h.try(ctx, seen, rec)
		switch {
		case err == nil || final(err):
			return err
		case errors.Is(err, ErrLeaseLost):
			// The try before may have worked although it seemed to fail.
			if tries > 0 && h.landed(ctx, rec) {
				return nil
			}
			return err
		case wait.For(ctx, jitter(pause)) != nil:
			return err
		}
		pause = min(2*pause, maxSave)
	}
}

// final reports whether a save would fail the same way again.
func final(err error) bool {
	for _, e := range []error{ErrTooLarge, ErrPermissions, ErrNotDirectory, ErrLockUnsupported, ErrNewerFormat} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// try saves once. A call that hangs is given up while there is time for another, and one that panics is as good as one
// that fails: the token is still there.
func (h *holder) try(ctx context.Context, seen uint64, rec auth.Record) error {
	ctx, cancel := context.WithTimeout(ctx, max(h.reserve()/2, firstSave))
	defer cancel()
	_, err := flight.Catch(func() (struct{}, error) {
		return struct{}{}, h.backend.Save(ctx, h.key, h.owner, seen, rec)
	})
	return err
}

// landed reports whether rec is what is stored.
func (h *holder) landed(ctx context.Context, rec auth.Record) bool {
	stored, err := h.backend.Load(ctx, h.key)
	return err == nil && stored.Version == rec.Version && bytes.Equal(stored.Data, rec.Data)
}

// release gives the lease back. If that fails it ends by itself. Nobody waits long for a store that did not even say
// whether there is one.
func (h *holder) release(ctx context.Context) {
	if !h.held {
		return
	}
	limit := h.reserve()
	if !h.sure {
		limit = min(limit, parting)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	_ = h.backend.Release(ctx, h.key, h.owner)
}

// nextVersion returns the version after v. The first is a time, so that a record that was deleted and made anew has
// none of its old ones, and it is spread over a second because clocks stand still or step back. It is below 2^53,
// which every database and every JSON parser can hold.
func nextVersion(v uint64) uint64 {
	if v != 0 {
		return v + 1
	}
	return uint64(max(1, time.Now().UnixMicro())) + mathrand.Uint64N(spread) //nolint:gosec // not negative, no secret
}

// jitter returns a time between half of d and d.
func jitter(d time.Duration) time.Duration {
	return d/2 + mathrand.N(d/2) //nolint:gosec // it spreads load
}
