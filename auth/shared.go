package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/restconn/restconn/internal/flight"
)

// loadLimit is how long reading a record may take.
const loadLimit = 5 * time.Second

var (
	// errMoved says that the store has another record than the one that an exchange was made from.
	errMoved = errors.New("the record was replaced meanwhile")

	// errNobody says that a user has not logged in, or has logged out, and errLostElsewhere that another process has
	// found the grant to be lost.
	errNobody        = fmt.Errorf("%w: nobody is logged in", ErrLoginRequired)
	errLostElsewhere = fmt.Errorf("%w: the grant is lost, as another exchange has found", ErrLoginRequired)

	// errLeaseWait is the cause of the end of a wait for the lease.
	errLeaseWait = errors.New("somebody else has held it for too long")
)

// never is the time of the next try where only a user can help. Stores can write it.
var never = time.Date(9000, time.January, 1, 0, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // never changed

// lostGrant remembers a record whose grant is lost, so that it is not tried again.
type lostGrant struct {
	version uint64
	err     error
}

// shared gets another token where several may share it: one that another process has obtained, or a new one.
func (r *renewal) shared(ctx context.Context, cur *held) (*held, error) {
	for range joins {
		rec, err := r.load(ctx)
		if err != nil {
			var version uint64
			if cur != nil {
				version = cur.version
			}
			return r.alone(ctx, r.previous(cur), version, err)
		}
		h, err := r.find(rec, cur)
		if h != nil || err != nil {
			return h, err
		}
		if r.why != forced && r.throttled(cur, r.want, time.Now()) != nil {
			return nil, errRefused
		}
		if r.isNobodys(cur, rec) { // there is nothing to try, and nothing that the others should wait for
			r.told = true
			return nil, errNobody
		}
		h, err = r.update(ctx, cur, rec)
		switch {
		case errors.Is(err, errMoved):
		case err != nil || r.got != nil || h != nil && h != cur && h.serves(r.want, time.Now()):
			return h, err
		}
	}
	return nil, fmt.Errorf("%w: others renew it faster than it can be read", ErrNoToken)
}

// load reads the record. A store that does not answer is not waited for as long as an exchange is.
func (k *keeper) load(ctx context.Context) (Record, error) {
	ctx, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	return flight.Catch(func() (Record, error) { return k.m.store.Load(ctx, k.key) })
}

// find returns the token of rec if it is another one than cur and serves, or why there is no use in trying.
func (r *renewal) find(rec Record, cur *held) (*held, error) {
	if rec.Version == 0 {
		if h := r.seeded(cur); h != nil && r.why != forced && h.serves(r.want, time.Now()) {
			return h, nil
		}
	}
	if r.why == forced {
		return nil, nil //nolint:nilnil // nothing found, and nothing against an exchange
	}
	if h, err := r.adopt(rec, cur); h != nil || err != nil {
		return h, err
	}
	if err := r.givenUp(rec.Version); err != nil {
		return nil, err
	}
	return nil, r.failedElsewhere(rec)
}

// isNobodys reports whether it takes a user to get a token, because there is none that could be renewed.
func (r *renewal) isNobodys(cur *held, rec Record) bool {
	if !r.caller.grant.Traits().Interactive {
		return false
	}
	prev, err := r.fromRecord(cur, rec)
	return prev == nil && err == nil
}

// failedElsewhere returns an error if it is too early for another try after one of another process.
func (r *renewal) failedElsewhere(rec Record) error {
	if r.why != forced && r.caller.grant.Traits().Interactive && !rec.RetryAt.Before(never) {
		return errLostElsewhere
	}
	if left := time.Until(rec.RetryAt); r.why == forced || left <= 0 || left > maxBackoff {
		return nil
	}
	return &RenewalError{Err: errElsewhere, RetryAt: rec.RetryAt}
}

// adopt returns the token of rec if it is another one than cur and serves.
func (r *renewal) adopt(rec Record, cur *held) (*held, error) {
	if rec.Version == 0 || cur != nil && rec.Version == cur.version {
		return nil, nil //nolint:nilnil // there is none
	}
	t, err := decodeToken(rec.Data)
	if err != nil {
		return nil, err
	}
	h := r.hold(t, rec.Version)
	if !h.serves(r.want, time.Now()) {
		return nil, nil //nolint:nilnil // there is none
	}
	r.tell(Event{Kind: EventAdopted, Expiry: t.Expiry})
	return h, nil
}

// update makes an exchange under the lease of the store.
func (r *renewal) update(ctx context.Context, cur *held, rec Record) (*held, error) {
	called := false
	waitCtx, end := context.WithCancelCause(ctx)
	defer end(nil)
	patience := time.AfterFunc(r.patience(ctx), func() { end(errLeaseWait) })
	defer patience.Stop()
	out, err := flight.Catch(func() (Record, error) {
		return r.m.store.Update(waitCtx, r.key, rec.Version, func(ctx context.Context, live Record) (Record, error) {
			if !patience.Stop() {
				return live, &StoreError{Op: "lease", Err: errLeaseWait}
			}
			called = true
			return r.underLease(ctx, cur, live)
		})
	})
	switch {
	case r.got != nil && err == nil:
		return r.renewed(out.Version), nil
	case r.got != nil:
		return r.keepUnsaved(rec.Version, err), nil
	case err != nil && !called:
		prev, unreadable := r.fromRecord(cur, rec)
		if unreadable != nil {
			return nil, unreadable
		}
		return r.alone(ctx, prev, rec.Version, err)
	case err != nil:
		if _, ok := errors.AsType[*StoreError](err); ok {
			r.storeFailed(ctx, err)
		}
		r.giveUp(rec.Version, err)
		return nil, err
	}
	h, err := r.adopt(out, cur) // somebody else was faster
	if h == nil && err == nil {
		h, err = r.find(out, cur)
	}
	if h == nil && err == nil {
		h = cur
	}
	return h, err
}

// patience is how long the lease is waited for: as long as that leaves the time of an exchange, with it or without.
func (r *renewal) patience(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return r.flightLimit()
	}
	return time.Until(end) - r.m.limit - loadLimit
}

// underLease makes the exchange from what the record holds.
func (r *renewal) underLease(ctx context.Context, cur *held, live Record) (Record, error) {
	if err := r.failedElsewhere(live); err != nil { // while the lease was waited for
		return live, err
	}
	if live.InFlight {
		r.tell(Event{Kind: EventUnfinished})
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) < r.m.limit { // the watchers may have taken their time
		return live, &StoreError{Op: "lease", Err: errors.New("what is left of it is shorter than an exchange may take")}
	}
	prev, err := r.fromRecord(cur, live)
	if err != nil {
		return live, err
	}
	if err := r.obtain(ctx, prev, live.InFlight); err != nil {
		return r.noteFailure(ctx, live, err)
	}
	data, err := encodeToken(r.got, live.Data)
	return Record{Data: data}, err
}

// noteFailure returns the record as the others have to see it after a failed exchange.
func (r *renewal) noteFailure(ctx context.Context, live Record, err error) (Record, error) {
	if permanent(err) && r.moved(ctx, live.Version) {
		return live, errMoved
	}
	failure := r.failed(ctx, err)
	e, hasTime := errors.AsType[*RenewalError](failure)
	isLost := errors.Is(err, ErrLoginRequired)
	switch {
	case isLost && r.caller.grant.Traits().Interactive:
		live.RetryAt = never
	case isLost: // the others need not learn it one after the other
		live.RetryAt = time.Now().Add(maxBackoff)
	case hasTime:
		live.RetryAt = e.RetryAt
	}
	live.InFlight = !permanent(err)
	return live, failure
}

// moved reports whether the store has another record by now, as after a login that did not wait for the lease.
func (r *renewal) moved(ctx context.Context, version uint64) bool {
	rec, err := r.load(ctx)
	return err == nil && rec.Version != version
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
	if e, ok := errors.AsType[*RenewalError](err); ok {
		err = e.Err // there will be another time of the next try
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
	r.told = r.lost.err != nil
	return r.lost.err
}

// alone goes on without the store, which failed, unless that could use up what others need.
func (r *renewal) alone(ctx context.Context, prev *Token, version uint64, failure error) (*held, error) {
	r.storeFailed(ctx, failure)
	traits := r.caller.grant.Traits()
	if ctx.Err() != nil || oneTime(r.caller.grant, prev) || traits.Interactive && prev == nil {
		return nil, failure
	}
	err := r.obtain(ctx, prev, false)
	switch {
	case err == nil:
		return r.keepUnsaved(version, failure), nil
	case prev == nil && errors.Is(err, ErrLoginRequired): // there may be one that could not be read
		return nil, failure
	default:
		return nil, err
	}
}

// storeFailed tells that the store did, unless this is only because the work was ended.
func (k *keeper) storeFailed(ctx context.Context, err error) {
	if !errors.Is(context.Cause(ctx), errPhaseOver) {
		k.tell(Event{Kind: EventStoreFailed, Err: err})
	}
}
