package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/restconn/restconn/internal/flight"
)

const (
	firstBackoff = time.Second
	maxBackoff   = time.Minute

	// rejectionPause is the time between two renewals that were made because a token was rejected, unless tokens live
	// shorter than that.
	rejectionPause = 30 * time.Second

	// joins is how often a caller waits for an exchange that somebody else has started for other reasons.
	joins = 3
)

// keeper keeps the token of one subject.
type keeper struct {
	m       *Manager
	key     Key
	asked   time.Time // the last time, if there is no store; guarded by the lock of m
	current atomic.Pointer[held]
	due     atomic.Int64 // when the next renewal in the background may begin, in nanoseconds since m.start
	flights flight.Group[struct{}, *held]
	looks   flight.Group[struct{}, struct{}]
	looked  time.Time // when the last of the looks at the store ended; theirs alone

	exchanging atomic.Bool // an exchange is under way: nothing is saved beside it
	telling    sync.Mutex
	editing    chan struct{} // has room for one: for Set or Forget

	mu       sync.Mutex
	edits    int           // how often the token was set or forgotten
	failure  *RenewalError // the last one, until an exchange succeeds
	failures int           // in a row
	forced   time.Time     // the last renewal that was made because of a rejection
	lost     lostGrant
	forgot   bool // the seed is not to be used any more
	saving   bool // somebody tries to save what could not be saved
}

// held is a token in use. It does not change.
type held struct {
	window

	token   *Token
	version uint64 // of the record that it is in, or that it was made from
	unsaved bool   // the store has not got it
	ours    bool   // an exchange of this manager brought it
	guessed bool   // nobody knows when it was issued, so it may have lived for longer than it seems

	since        time.Time     // when it was held
	checkedUntil *atomic.Int64 // until when, in nanoseconds since then, fresh need not be asked
}

// glance is how long the wall clock is not looked at again. Reading both clocks takes twice as long as reading the
// monotonic one, and that is most of what it takes to get a token.
const glance = time.Second

// fresh reports whether nothing is to be done about the token.
func (h *held) fresh(now time.Time) bool { return !h.soft.passed(now) }

// looksFresh is fresh, but notices only within a second that the wall clock has jumped.
func (h *held) looksFresh() bool {
	if int64(time.Since(h.since)) < h.checkedUntil.Load() {
		return true
	}
	now := time.Now()
	if !h.fresh(now) {
		return false
	}
	h.checkedUntil.Store(int64(min(now.Add(glance).Sub(h.since), h.soft.mono.Sub(h.since))))
	return true
}

// serves reports whether the token is one that is wanted. There may be none.
func (h *held) serves(want Want, now time.Time) bool {
	return h != nil && h.token.Value.Reveal() != "" && !h.hard.passed(now) && !h.rejected(want) &&
		(want.MinTTL <= 0 || h.lifetime == 0 || !h.hard.passed(now.Add(want.MinTTL)))
}

// rejected reports whether the token is the one that is not wanted.
func (h *held) rejected(want Want) bool {
	not := want.Not.Reveal()
	return h != nil && not != "" && h.token.Value.Reveal() == not
}

// tooShort reports whether another token, too, would end too soon, so that there is no use in an exchange.
func (h *held) tooShort(want Want, now time.Time) bool {
	if h == nil || h.lifetime == 0 || want.MinTTL <= 0 || h.hard.passed(now) || h.rejected(want) {
		return false
	}
	return h.lifetime < want.MinTTL && !h.guessed || h.ours && now.Sub(h.since) < rejectionPause
}

// cached returns the token if it is fresh and just any is wanted. It takes no lock.
func (k *keeper) cached(want Want) *Token {
	h := k.current.Load()
	if h == nil || want.MinTTL > 0 || !h.looksFresh() || h.rejected(want) {
		return nil
	}
	return h.token
}

// token returns a token that is wanted, and waits for it if it has to.
func (k *keeper) token(ctx context.Context, c caller, want Want) (*Token, error) {
	for range joins {
		now := time.Now()
		h := k.current.Load()
		if h.serves(want, now) {
			if !h.fresh(now) {
				k.renewSoon(ctx, c, now)
			}
			return h.token, nil
		}
		if h.tooShort(want, now) {
			return nil, fail("manager", fmt.Errorf("%w: tokens live for %v here, and one that lives for %v is wanted",
				ErrNoToken, h.lifetime.Round(time.Second), want.MinTTL))
		}
		if err := k.refused(now); err != nil {
			return nil, fail("manager", err)
		}
		h, err := k.join(ctx, c, want, onDemand)
		switch {
		case another(err) && c.gone():
			return nil, fail("manager", ErrClosed)
		case errors.Is(err, errRefused):
			if err := k.throttled(k.current.Load(), want, time.Now()); err != nil {
				k.logThrottled(ctx, c, err)
				return nil, fail("manager", err)
			}
		case err != nil && !another(err):
			return nil, fail("manager", err)
		}
		if h.serves(want, time.Now()) {
			return h.token, nil
		}
	}
	if k.current.Load().rejected(want) {
		return nil, fail("manager", ErrNotRenewable)
	}
	return nil, fail("manager", errEnded)
}

// renewNow makes an exchange and returns what it brings.
func (k *keeper) renewNow(ctx context.Context, c caller) (*Token, error) {
	before := k.current.Load()
	for range joins {
		h, err := k.join(ctx, c, Want{}, forced)
		if err != nil && !another(err) {
			return nil, fail("manager", err)
		}
		if h != nil && (before == nil || h.token != before.token) {
			return h.token, nil
		}
	}
	return nil, fail("manager", ErrNoToken)
}

// renewSoon starts a renewal in the background, unless it is too early for one.
func (k *keeper) renewSoon(ctx context.Context, c caller, now time.Time) {
	since := int64(now.Sub(k.m.start))
	due := k.due.Load()
	if since < due || !k.due.CompareAndSwap(due, since+int64(firstBackoff)) {
		return
	}
	k.flights.Start(ctx, struct{}{}, k.flightLimit(), k.renewal(c, Want{}, early))
}

// join waits for the exchange that is under way, or starts one.
func (k *keeper) join(ctx context.Context, c caller, want Want, why reason) (*held, error) {
	return k.flights.Do(ctx, struct{}{}, k.flightLimit(), k.renewal(c, want, why))
}

// flightLimit is how long a renewal may take: it may have to wait for the end of a lease whose holder is dead, and
// has time for an exchange of its own after that.
func (k *keeper) flightLimit() time.Duration {
	lease := k.m.limit + leaseSlack
	if l, ok := k.m.store.(Leaser); ok {
		lease = max(lease, l.Lease())
	}
	return lease + k.m.limit + leaseSlack
}

// another reports whether err only says that the exchange that a caller has joined was not meant for him.
func another(err error) bool {
	return errors.Is(err, errPhaseOver) || errors.Is(err, errReplaced) || errors.Is(err, errRefused)
}

// accept makes h the token in use, unless one was set or forgotten since there were so many edits. rejected says that
// the last one was.
func (k *keeper) accept(h *held, edits int, rejected bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.edits != edits {
		return false
	}
	now, failures, renewal := time.Now(), k.failures, k.current.Load() != nil
	k.replace(h)
	switch {
	case !h.serves(Want{}, now):
		k.failures = failures
	case h.ours && renewal && !h.fresh(now): // the server hands out the same token until shortly before its end
		left := h.hard.mono.Sub(now)
		k.due.Store(int64(now.Add(min(max(left/4, firstBackoff), maxBackoff)).Sub(k.m.start))) //nolint:mnd // a few tries
	}
	if rejected {
		k.forced = now
	}
	return true
}

// replace makes h the token in use. The caller has the lock.
func (k *keeper) replace(h *held) {
	k.failure, k.failures, k.lost = nil, 0, lostGrant{}
	k.current.Store(h)
	k.due.Store(0)
}

// hold returns t as a token in use.
func (k *keeper) hold(t *Token, version uint64) *held {
	now := time.Now()
	guessed := t.Obtained.IsZero()
	if guessed || t.Obtained.After(now) {
		own := *t
		own.Obtained = now
		t = &own
	}
	h := &held{token: t, version: version, guessed: guessed, since: now, checkedUntil: new(atomic.Int64)}
	h.window = newWindow(t, now, k.m.before)
	if t.Value.Reveal() == "" { // there is only a refresh token
		h.window = window{soft: at(now, now), hard: at(now, now)}
	}
	return h
}

// tell tells the watchers.
func (k *keeper) tell(e Event) {
	e.Key = k.key
	k.telling.Lock()
	defer k.telling.Unlock()
	for _, watch := range k.m.watchers {
		_, _ = flight.Catch(func() (struct{}, error) { watch(e); return struct{}{}, nil })
	}
}

// close drops the token. It returns an error if the token is lost with it.
func (k *keeper) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.current.Load()
	k.replace(nil)
	if h != nil && h.unsaved {
		return &StoreError{Op: "save", Err: errors.New("a token that was not saved is lost")}
	}
	return nil
}

func (k *keeper) holdsUnsaved() bool {
	h := k.current.Load()
	return h != nil && h.unsaved
}

// idle reports whether nothing is lost if the keeper is: nobody renews, and the store has the token, or there is none
// of any use. The caller has the lock of the manager.
func (k *keeper) idle(now time.Time) bool {
	h := k.current.Load()
	switch {
	case k.exchanging.Load() || len(k.editing) > 0:
		return false
	case k.m.store != nil:
		return h == nil || !h.unsaved
	case now.Sub(k.asked) < maxBackoff: // somebody may be about to set one, or to get one
		return false
	default:
		return h == nil || h.hard.passed(now) && h.token.Refresh.Reveal() == ""
	}
}
