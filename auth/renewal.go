package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/restconn/restconn/internal/flight"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/internal/wait"
)

// RenewalError says that there is no token because an exchange failed, and that the next one is not made before
// RetryAt. Until then all who need another token get this error. It holds no secret.
type RenewalError struct {
	// Err is what the grant said.
	Err error
	// RetryAt is when the next exchange may be tried.
	RetryAt time.Time
}

// Error implements error.
func (e *RenewalError) Error() string {
	text := "no token"
	if e.Err != nil {
		text = e.Err.Error()
	}
	return text + "; next try from " + e.RetryAt.UTC().Format(time.RFC3339)
}

// Unwrap returns what the grant said.
func (e *RenewalError) Unwrap() error { return e.Err }

var (
	// errShiftOver is the cause of work that was ended because nobody needs it any more.
	errShiftOver = errors.New("the connection was closed meanwhile")

	// errReplaced is the outcome of an exchange whose token was not needed in the end.
	errReplaced = errors.New("the token was set or forgotten meanwhile")

	errElsewhere = errors.New("the last exchange, by another process, failed")
	errNoText    = errors.New("the grant answered without a token")
)

// reason is why an exchange is made.
type reason uint8

const (
	onDemand reason = iota // there is no token that is wanted
	early                  // in the background, in time
	forced                 // somebody has asked for it
)

const (
	firstRetry = 200 * time.Millisecond
	maxRetry   = 5 * time.Second
)

// renewal is one exchange under way.
type renewal struct {
	*keeper

	caller  caller
	want    Want
	why     reason
	over    context.Context //nolint:containedctx // it is the shift in which the exchange is made
	protect func() bool     // from now on, the end of the shift does not end the exchange
}

// renewal returns the function that a flight runs.
func (k *keeper) renewal(c caller, want Want, why reason) func(context.Context) (*held, error) {
	return func(ctx context.Context) (*held, error) {
		over, done, err := k.m.crew.begin()
		if err != nil {
			return nil, err
		}
		defer done()
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		stop := context.AfterFunc(over, func() { cancel(errShiftOver) })
		defer stop()
		r := &renewal{keeper: k, caller: c, want: want, why: why, over: over, protect: stop}
		return r.run(ctx)
	}
}

// run makes the exchange if it is still needed.
func (r *renewal) run(ctx context.Context) (*held, error) {
	cur := r.current.Load()
	now := time.Now()
	if r.why != forced && cur.serves(r.want, now) && (r.why == onDemand || cur.fresh(now)) {
		return cur, nil
	}
	if err := r.refused(cur, now); err != nil {
		return nil, err
	}
	next, err := r.exchange(ctx, cur)
	if err != nil {
		return nil, r.failed(ctx, err)
	}
	if next != cur && !r.accept(cur, next, cur.rejected(r.want)) {
		return nil, errReplaced
	}
	if next.unsaved {
		r.save(ctx)
	}
	return next, nil
}

// refused tells why no exchange is made now.
func (r *renewal) refused(cur *held, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.why == forced:
		return nil
	case r.failure != nil && now.Before(r.failure.RetryAt):
		return r.failure
	case cur.rejected(r.want) && !r.forced.IsZero() && now.Sub(r.forced) < r.pause(cur):
		return fmt.Errorf("%w: it was renewed %v ago because another was",
			ErrNotRenewable, now.Sub(r.forced).Round(time.Second))
	default:
		return nil
	}
}

// pause is the time between two renewals because of rejections.
func (r *renewal) pause(cur *held) time.Duration {
	if cur.lifetime > 0 {
		return min(rejectionPause, cur.lifetime)
	}
	return rejectionPause
}

// exchange gets another token: from the seed, the store, or the grant.
func (r *renewal) exchange(ctx context.Context, cur *held) (*held, error) {
	if r.m.store != nil {
		return r.shared(ctx, cur)
	}
	if h := r.seeded(cur); h != nil && r.why != forced && h.serves(r.want, time.Now()) {
		return h, nil
	}
	if err := r.givenUp(0); err != nil {
		return nil, err
	}
	t, err := r.obtain(ctx, r.previous(cur), false)
	if err != nil {
		r.giveUp(0, err)
		return nil, err
	}
	r.tell(Event{Kind: EventRenewed, Expiry: t.Expiry})
	return r.hold(t, 0), nil
}

// seeded returns the seed as a token in use, if it is what there is.
func (r *renewal) seeded(cur *held) *held {
	r.mu.Lock()
	defer r.mu.Unlock()
	if cur != nil || r.forgot || r.m.seed == nil || r.key.Subject != "" {
		return nil
	}
	return r.hold(r.m.seed, 0)
}

// previous returns the token that is to be replaced; nil if there is none.
func (r *renewal) previous(cur *held) *Token {
	if cur != nil {
		return cur.token
	}
	if h := r.seeded(cur); h != nil {
		return h.token
	}
	return nil
}

// obtain calls the grant, under its limit. unfinished says that the exchange before this one may have used prev up.
func (r *renewal) obtain(ctx context.Context, prev *Token, unfinished bool) (*Token, error) {
	once := oneTime(r.caller.grant, prev)
	if once {
		r.protect()
	}
	ctx, cancel := context.WithTimeout(ctx, r.m.limit)
	defer cancel()
	pause := firstRetry
	for left := r.m.retries; ; left-- {
		t, err := flight.Catch(func() (*Token, error) { return r.caller.grant.Obtain(ctx, prev) })
		if err == nil {
			return r.check(t)
		}
		if once && errors.Is(err, ErrInvalidGrant) {
			return nil, lostError(err, unfinished)
		}
		if left <= 0 || once || !r.caller.grant.Traits().Retryable || permanent(err) || errors.Is(err, flight.ErrPanic) {
			return nil, err
		}
		delay := max(pause/2+rand.N(pause/2), retryAfter(err)) //nolint:gosec // it spreads load
		if wait.For(ctx, delay) != nil {
			return nil, err
		}
		pause = min(2*pause, maxRetry)
	}
}

// check returns t with what the manager adds to it.
func (r *renewal) check(t *Token) (*Token, error) {
	if t == nil || t.Value.Reveal() == "" {
		return nil, fmt.Errorf("%w: %w", ErrNoToken, errNoText)
	}
	own := *t
	if own.Obtained.IsZero() {
		own.Obtained = time.Now()
	}
	if own.Expiry.IsZero() && r.m.lifetime > 0 {
		own.Expiry = own.Obtained.Add(r.m.lifetime)
	}
	return &own, nil
}

// failed takes note of a failure, and returns it with the time of the next try.
func (r *renewal) failed(ctx context.Context, err error) error {
	if _, ok := errors.AsType[*RenewalError](err); ok {
		return err
	}
	if errors.Is(context.Cause(ctx), errShiftOver) {
		return errShiftOver
	}
	r.mu.Lock()
	r.failures++
	e := &RenewalError{Err: err, RetryAt: time.Now().Add(backoff(r.failures, err))}
	r.failure = e
	r.mu.Unlock()
	r.due.Store(int64(e.RetryAt.Sub(r.m.start)))

	kind := EventFailed
	if errors.Is(err, ErrLoginRequired) {
		kind = EventLost
	}
	r.tell(Event{Kind: kind, Err: err, RetryAt: e.RetryAt})
	r.caller.logger.LogAttrs(ctx, slog.LevelWarn, "token renewal failed",
		slog.String("error", redact.Line(err.Error())), slog.Time("retry_at", e.RetryAt))
	return e
}

// backoff is the time until the next try after so many failures.
func backoff(failures int, err error) time.Duration {
	d := maxBackoff
	if !permanent(err) && failures < 7 { //nolint:mnd // 2^6 s is more than a minute
		d = min(firstBackoff<<(failures-1), maxBackoff)
	}
	d = d*3/4 + rand.N(d/4+1) //nolint:gosec // it spreads load
	return max(d, min(retryAfter(err), maxBackoff))
}

// permanent reports whether another try would bring the same.
func permanent(err error) bool {
	return errors.Is(err, ErrInvalidGrant) || errors.Is(err, ErrClientRejected) || errors.Is(err, ErrLoginRequired)
}

// oneTime reports whether an exchange uses up what it is made with.
func oneTime(g Grant, prev *Token) bool {
	return g.Traits().OneTime || prev != nil && prev.Refresh.Reveal() != ""
}

// retryAfter returns how long the server wants its clients to wait, if err has a RetryDelay method that says so.
func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[interface {
		error
		RetryDelay() time.Duration
	}](err); ok {
		return e.RetryDelay()
	}
	return 0
}
