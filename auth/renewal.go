package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/restconn/restconn/internal/flight"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/internal/wait"
	"github.com/restconn/restconn/secrets"
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
	if errors.Is(e.Err, ErrLoginRequired) { // only the store is looked at then
		return text
	}
	return text + "; next try from " + e.RetryAt.Add(time.Second-1).UTC().Truncate(time.Second).Format(time.RFC3339)
}

// Unwrap returns what the grant said.
func (e *RenewalError) Unwrap() error { return e.Err }

var (
	// errPhaseOver is the cause of work that was ended because nobody needs it any more.
	errPhaseOver = errors.New("the connection was closed meanwhile")

	// errReplaced is the outcome of an exchange whose token was not needed in the end.
	errReplaced = errors.New("the token was set or forgotten meanwhile")

	// errRefused is the outcome of an exchange that was not to be made, for reasons of the caller who has started it.
	errRefused = errors.New("the exchange was not to be made")

	errEnded = fmt.Errorf("%w: what came had ended already; look at the clocks, and at the time zone of its expiry",
		ErrNoToken)
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
	// lookAgain is how often the store is looked at for what a user has to bring.
	lookAgain = time.Second

	firstRetry = 200 * time.Millisecond
	maxRetry   = 5 * time.Second
)

// renewal is one exchange under way.
type renewal struct {
	*keeper

	caller caller
	want   Want
	why    reason
	phase  *phase
	stop   func() bool // of what ends the exchange with the phase; it works once
	safe   bool        // it has been called in time
	seen   int         // how many edits there were when it began
	told   bool        // what it fails with has been told before
	got    *Token      // what the exchange has brought
	flaw   error       // why it cannot be used; only its refresh token is kept then
	kept   error       // why the store could not save it
}

// renewal returns the function that a flight runs.
func (k *keeper) renewal(c caller, want Want, why reason) func(context.Context) (*held, error) {
	return func(ctx context.Context) (*held, error) {
		s, err := k.m.renewals.begin()
		if err != nil {
			return nil, err
		}
		defer k.m.renewals.leave(s)
		if c.gone() {
			return nil, errPhaseOver
		}
		// Whoever happened to ask first: what he is must not decide whose token all others get.
		ctx, cancel := context.WithCancelCause(WithSubject(ctx, k.key.Subject))
		defer cancel(nil)
		stop := context.AfterFunc(s.over, func() { cancel(errPhaseOver) })
		defer stop()
		r := &renewal{keeper: k, caller: c, want: want, why: why, phase: s, stop: stop}
		h, err := r.run(ctx)
		if err == nil && h.unsaved {
			r.save(ctx)
		}
		return h, err
	}
}

// run makes the exchange if it is still needed.
func (r *renewal) run(ctx context.Context) (*held, error) {
	r.mu.Lock()
	cur := r.current.Load()
	r.seen = r.edits
	r.mu.Unlock()
	now := time.Now()
	if r.why != forced && cur.serves(r.want, now) && (r.why == onDemand || cur.fresh(now)) {
		return cur, nil
	}
	if r.why != forced && r.refused(now) != nil {
		return nil, errRefused // each caller learns his own reason when he asks again
	}
	r.exchanging.Store(true)
	defer r.exchanging.Store(false)
	next, err := r.exchange(ctx, cur)
	if err != nil {
		return nil, r.failed(ctx, err)
	}
	if next != cur && !r.accept(next, r.seen, cur.rejected(r.want) && r.got != nil) {
		r.revokeUnneeded(ctx)
		return nil, errReplaced
	}
	if r.flaw != nil {
		return nil, r.failed(ctx, r.flaw)
	}
	r.announce(ctx, next)
	if r.got != nil && !next.serves(Want{}, time.Now()) {
		return nil, r.failed(ctx, errEnded)
	}
	return next, nil
}

// announce tells what the exchange has brought, when it is in use: a watcher that hangs keeps nobody from it.
func (r *renewal) announce(ctx context.Context, h *held) {
	if r.got == nil {
		return
	}
	r.log(ctx, r.caller, slog.LevelDebug, "token renewed", slog.Time("expiry", h.token.Expiry))
	r.tell(Event{Kind: EventRenewed, Expiry: h.token.Expiry})
	if h.unsaved {
		r.tell(Event{Kind: EventUnsaved, Expiry: h.token.Expiry, Err: r.kept})
	}
}

// revokeUnneeded revokes a token that came while the manager was to forget it. One that came while another was set is
// left to its end: the server may take both for one grant, and end the new login with it.
func (r *renewal) revokeUnneeded(ctx context.Context) {
	if revoker, ok := r.caller.grant.(Revoker); ok && r.got != nil && r.current.Load() == nil {
		_ = caught(func() error { return revoker.Revoke(ctx, r.got) }) // nobody is there to be told
	}
}

// refused tells why no exchange is made now, if the one before it failed.
func (k *keeper) refused(now time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failure != nil && now.Before(k.failure.RetryAt) {
		return k.failure
	}
	return nil
}

// throttled tells why no exchange is made now for a caller whose token was rejected. Another token that the store may
// have is his all the same.
func (k *keeper) throttled(cur *held, want Want, now time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !cur.rejected(want) || k.forced.IsZero() || now.Sub(k.forced) >= cur.pause() {
		return nil
	}
	return fmt.Errorf("%w: it was renewed %v ago because another was",
		ErrNotRenewable, now.Sub(k.forced).Round(time.Second))
}

// pause is the time between two renewals because of rejections.
func (h *held) pause() time.Duration {
	if h.lifetime > 0 {
		return min(rejectionPause, h.lifetime)
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
	if r.throttled(cur, r.want, time.Now()) != nil {
		return nil, errRefused
	}
	if r.isNobodys(cur, Record{}) {
		r.told = true
		return nil, errNobody
	}
	if err := r.obtain(ctx, r.previous(cur), false); err != nil {
		r.giveUp(0, err)
		return nil, err
	}
	return r.renewed(0), nil
}

// renewed returns what the exchange has brought as a token in use.
func (r *renewal) renewed(version uint64) *held {
	h := r.hold(r.got, version)
	h.ours = true
	return h
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
func (r *renewal) obtain(ctx context.Context, prev *Token, unfinished bool) error {
	once := oneTime(r.caller.grant, prev)
	if once && !r.protect() {
		return errPhaseOver
	}
	ctx, cancel := context.WithTimeout(ctx, r.m.limit)
	defer cancel()
	pause := firstRetry
	for left := r.m.retries; ; left-- {
		t, err := flight.Catch(func() (*Token, error) { return r.caller.grant.Obtain(ctx, prev) })
		if err == nil {
			err = r.check(t)
		}
		if err == nil || t != nil && t.Refresh.Reveal() != "" {
			r.got, r.flaw = r.complete(t, err), err
			return nil
		}
		if once && errors.Is(err, ErrInvalidGrant) {
			return lostError(err, unfinished)
		}
		if left <= 0 || once || !r.caller.grant.Traits().Retryable || permanent(err) || errors.Is(err, flight.ErrPanic) {
			return err
		}
		delay := max(pause/2+rand.N(pause/2), retryAfter(err)) //nolint:gosec // it spreads load
		if wait.For(ctx, delay) != nil {
			return err
		}
		pause = min(2*pause, maxRetry)
	}
}

// protect keeps the end of the phase from ending the exchange. It reports whether that came in time.
func (r *renewal) protect() bool {
	r.safe = r.safe || r.stop()
	return r.safe
}

// check tells whether t can be used. What has control characters could never be sent, and would be kept all the same.
func (*renewal) check(t *Token) error {
	switch {
	case t == nil || t.Value.Reveal() == "":
		return fmt.Errorf("%w: %w", ErrNoToken, errNoText)
	case len(t.Value.Reveal()) > maxCredential || strings.ContainsFunc(t.Value.Reveal(), isControl):
		return fmt.Errorf("%w: the token has a control character, or more than 64 KiB", ErrMalformed)
	default:
		return nil
	}
}

// complete returns t with what the manager adds to it. Of one with a flaw, only what renews it is left.
func (r *renewal) complete(t *Token, flaw error) *Token {
	own := *t
	if flaw != nil {
		own.Value, own.Expiry = secrets.Value{}, time.Time{}
	}
	if own.Obtained.IsZero() {
		own.Obtained = time.Now()
	}
	if own.Expiry.IsZero() && r.m.lifetime > 0 {
		own.Expiry = own.Obtained.Add(r.m.lifetime)
	}
	if latest := time.Now().Add(forever); own.Expiry.After(latest) { // a store may not be able to write the year
		own.Expiry = latest
	}
	return &own
}

// failed takes note of a failure, and returns it with the time of the next try.
func (r *renewal) failed(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*RenewalError](err); ok {
		r.adoptRetryAt(e)
		return err
	}
	if errors.Is(context.Cause(ctx), errPhaseOver) {
		return errPhaseOver
	}
	if errors.Is(err, errRefused) {
		return err
	}
	e := r.postpone(err)
	switch {
	case e == nil:
		return errReplaced
	case r.told:
		return e
	}
	kind, level, text := EventFailed, slog.LevelWarn, "token renewal failed"
	if errors.Is(err, ErrLoginRequired) {
		kind, level, text = EventLost, slog.LevelError, "token lost: a new login is required"
	}
	r.tell(Event{Kind: kind, Err: err, RetryAt: e.RetryAt})
	r.log(ctx, r.caller, level, text,
		slog.String("error", redact.Line(err.Error())), slog.Time("retry_at", e.RetryAt))
	return e
}

// log writes a record about the token to the logger of a connection.
func (k *keeper) log(ctx context.Context, c caller, level slog.Level, text string, attrs ...slog.Attr) {
	if k.key.Connection != "" {
		attrs = append(attrs, slog.String("kept_as", k.key.Connection))
	}
	if k.key.Subject != "" {
		attrs = append(attrs, slog.String("subject", k.key.Subject))
	}
	attrs = append(attrs, slog.String("connection", c.connection))
	c.logger.LogAttrs(ctx, level, text, attrs...) //nolint:sloglint // each caller has a constant
}

// logThrottled says why the caller gets the answer that rejected his token.
func (k *keeper) logThrottled(ctx context.Context, c caller, err error) {
	k.log(ctx, c, slog.LevelInfo, "rejected token not renewed", slog.String("error", err.Error()))
}

// adoptRetryAt keeps to the time of the next try that another process has set. The store is looked at before that,
// since it may get a token by other ways.
func (r *renewal) adoptRetryAt(e *RenewalError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Err != errElsewhere || r.edits != r.seen { //nolint:errorlint // it is that very error
		return
	}
	own := *e
	if soon := time.Now().Add(lookAgain); own.RetryAt.After(soon) {
		own.RetryAt = soon
	}
	r.failure = &own
	r.due.Store(int64(own.RetryAt.Sub(r.m.start)))
}

// postpone sets the time of the next try, unless the token was set or forgotten meanwhile.
func (r *renewal) postpone(err error) *RenewalError {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.edits != r.seen {
		return nil
	}
	r.failures++
	pause := backoff(r.failures, err)
	if r.m.store != nil && errors.Is(err, ErrLoginRequired) {
		pause = lookAgain // for the token of a login elsewhere; the grant is not asked
	}
	e := &RenewalError{Err: err, RetryAt: time.Now().Add(pause)}
	r.failure = e
	r.due.Store(int64(e.RetryAt.Sub(r.m.start)))
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
