package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// lostGrant remembers a record whose grant is lost, so that it is not tried again.
type lostGrant struct {
	version uint64
	err     error
}

// shared gets another token where several may share it: one that another process has obtained, or a new one.
func (r *renewal) shared(ctx context.Context, cur *held) (*held, error) {
	for range joins {
		rec, err := r.m.store.Load(ctx, r.key)
		if err != nil {
			return r.alone(ctx, cur, err)
		}
		h, err := r.find(rec, cur)
		if h != nil || err != nil {
			return h, err
		}
		h, err = r.update(ctx, cur, rec)
		if err != nil || h != nil && h != cur && (h.serves(r.want, time.Now()) || h.unsaved) {
			return h, err
		}
	}
	return nil, fmt.Errorf("%w: others renew it faster than it can be read", ErrNoToken)
}

// find returns the token of rec if it is another one than cur and serves, or why there is no use in trying.
func (r *renewal) find(rec Record, cur *held) (*held, error) {
	if rec.Version == 0 {
		if h := r.seeded(cur); h != nil && r.why != forced && h.serves(r.want, time.Now()) {
			return h, nil
		}
	}
	if rec.Version != 0 && (cur == nil || rec.Version != cur.version) {
		t, err := decodeToken(rec.Data)
		if err != nil {
			return nil, err
		}
		h := r.hold(t, rec.Version)
		if r.why != forced && h.serves(r.want, time.Now()) {
			r.tell(Event{Kind: EventAdopted, Expiry: t.Expiry})
			return h, nil
		}
	}
	if r.why == forced {
		return nil, nil //nolint:nilnil // nothing found, and nothing against an exchange
	}
	if err := r.givenUp(rec.Version); err != nil {
		return nil, err
	}
	if time.Now().Before(rec.RetryAt) && time.Until(rec.RetryAt) <= maxBackoff {
		return nil, &RenewalError{Err: errElsewhere, RetryAt: rec.RetryAt}
	}
	return nil, nil //nolint:nilnil // nothing found, and nothing against an exchange
}

// update makes an exchange under the lease of the store.
func (r *renewal) update(ctx context.Context, cur *held, rec Record) (*held, error) {
	var got *Token
	out, err := r.m.store.Update(ctx, r.key, rec.Version, func(ctx context.Context, live Record) (Record, error) {
		next, t, err := r.underLease(ctx, cur, live)
		got = t
		return next, err
	})
	switch {
	case got != nil && err == nil:
		r.tell(Event{Kind: EventRenewed, Expiry: got.Expiry})
		return r.hold(got, out.Version), nil
	case got != nil:
		r.tell(Event{Kind: EventRenewed, Expiry: got.Expiry})
		return r.keepUnsaved(got, rec.Version, err), nil
	case err != nil:
		if _, ok := errors.AsType[*StoreError](err); ok {
			r.tell(Event{Kind: EventStoreFailed, Err: err})
		}
		r.giveUp(rec.Version, err)
		return nil, err
	}
	h, err := r.find(out, cur) // somebody else was faster
	if h == nil && err == nil {
		h = cur
	}
	return h, err
}

// underLease makes the exchange from what the record holds.
func (r *renewal) underLease(ctx context.Context, cur *held, live Record) (Record, *Token, error) {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < r.m.limit {
		return live, nil, &StoreError{Op: "lease", Err: errors.New("what is left of it is shorter than an exchange may take")}
	}
	if live.InFlight {
		r.tell(Event{Kind: EventUnfinished})
	}
	prev, err := r.fromRecord(cur, live)
	if err != nil {
		return live, nil, err
	}
	t, err := r.obtain(ctx, prev, live.InFlight)
	if err != nil {
		failure := r.failed(ctx, err)
		if e, ok := errors.AsType[*RenewalError](failure); ok {
			live.RetryAt = e.RetryAt
		}
		live.InFlight = !permanent(err)
		return live, nil, failure
	}
	data, err := encodeToken(t, live.Data)
	return Record{Data: data}, t, err
}

// lostError says what became of a grant that the server does not know any more.
func lostError(err error, unfinished bool) error {
	why := "it has expired or was revoked"
	if unfinished {
		why = "an exchange before this one was not finished, and seems to have used it up"
	}
	return fmt.Errorf("%w: the grant is lost, %s: %w", ErrLoginRequired, why, err)
}

// fromRecord returns the token that an exchange is made from: that of the record, unless ours is newer.
func (r *renewal) fromRecord(cur *held, live Record) (*Token, error) {
	switch {
	case cur != nil && cur.unsaved && cur.version == live.Version:
		return cur.token, nil
	case live.Version != 0:
		return decodeToken(live.Data)
	case cur != nil && cur.version != 0:
		return nil, nil //nolint:nilnil // the record was deleted, and with it what we knew
	default:
		return r.previous(cur), nil
	}
}

// giveUp remembers that the grant of that version is lost, if err says so.
func (r *renewal) giveUp(version uint64, err error) {
	if !errors.Is(err, ErrLoginRequired) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost = lostGrant{version: version, err: err}
}

// givenUp returns why the grant of that version is lost, and nil if it is not.
func (r *renewal) givenUp(version uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.why == forced || r.lost.version != version {
		return nil
	}
	return r.lost.err
}

// alone goes on without the store, which failed, unless that could use up what others need.
func (r *renewal) alone(ctx context.Context, cur *held, failure error) (*held, error) {
	r.tell(Event{Kind: EventStoreFailed, Err: failure})
	prev := r.previous(cur)
	if oneTime(r.caller.grant, prev) {
		return nil, failure
	}
	t, err := r.obtain(ctx, prev, false)
	if err != nil {
		return nil, err
	}
	r.tell(Event{Kind: EventRenewed, Expiry: t.Expiry})
	var version uint64
	if cur != nil {
		version = cur.version
	}
	return r.keepUnsaved(t, version, failure), nil
}
