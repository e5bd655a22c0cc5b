package connection

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// attemptStage gives every attempt a request of its own and a time limit.
type attemptStage struct{ next http.RoundTripper }

func (s attemptStage) RoundTrip(req *http.Request) (*http.Response, error) {
	return s.send(exchangeOf(req), req)
}

// send makes an attempt at req; nil stands for the request of the call, as it is.
func (s attemptStage) send(x *Exchange, req *http.Request) (*http.Response, error) {
	if x.busy.Swap(true) {
		return nil, errBusy
	}
	defer x.busy.Store(false)
	x.attempt.end()
	x.made++
	a, err := x.newAttempt(req)
	if err != nil {
		return nil, err
	}
	resp, err := s.next.RoundTrip(&a.request)
	if err == nil && resp.StatusCode == http.StatusRequestTimeout && x.maySendOnceMore(a, req, resp) {
		resp, err = s.sendOnceMore(x, a, req, resp)
	}
	if err != nil {
		err = x.explain(err)
		a.end()
		return nil, err
	}
	closeUpgraded(resp)
	return resp, nil
}

// closeUpgraded closes a connection that is to speak another protocol from here on (RFC 9110, section 15.2.2). A read
// of it would wait for bytes that never come, and no context would end that.
func closeUpgraded(resp *http.Response) {
	if resp.StatusCode == http.StatusSwitchingProtocols && resp.Body != nil {
		_ = resp.Body.Close()
		resp.Body = http.NoBody
	}
}

// outgoing is a request with its URL, so that the two cost one allocation.
type outgoing struct {
	request http.Request
	url     url.URL
}

// attempt is one attempt of an exchange: a request that is private to it, and its limit. The methods are safe for
// concurrent use: the transport may still be reading the request body when the answer is there, and a body may be
// closed while it is read.
type attempt struct {
	ctx    context.Context //nolint:containedctx // an attempt is what its context bounds
	cancel context.CancelCauseFunc
	limits *Timeouts
	outgoing

	mu     sync.Mutex
	timer  *time.Timer
	idle   bool // the idle limit rules, not the attempt limit
	stream bool // the attempt limit never rules again
	wanted bool // somebody waits for the next byte of the stream
	held   bool // no limit rules: the attempt waits for its rate limit
	done   bool
}

func (x *Exchange) newAttempt(req *http.Request) (*attempt, error) {
	a := &x.first // most calls need no other
	if x.made > 1 {
		a = new(attempt)
	}
	a.limits = &x.limits
	x.attempt = a
	if req == nil {
		a.ctx, a.cancel = context.WithCancelCause((*exchangeContext)(x))
	} else {
		a.ctx, a.cancel = context.WithCancelCause(req.Context())
	}
	x.live.Store(a)
	x.fill(a, &a.outgoing, req)
	a.start()
	if err := x.openBody(a, &a.request); err != nil {
		err = x.explain(err)
		a.end()
		return nil, err
	}
	return a, nil
}

// fill makes the request that an attempt begins with out of req; nil stands for the request of the call.
func (x *Exchange) fill(a *attempt, out *outgoing, req *http.Request) {
	if x.hop = req; req == nil {
		out.request = x.newRequest(a.ctx)
		out.request.Header = x.header()
	} else {
		out.request = *req.WithContext(a.ctx)
		out.request.Header = maps.Clone(req.Header)
	}
	out.url = *out.request.URL
	out.request.URL = &out.url
}

// start starts the attempt limit.
func (a *attempt) start() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.timer = time.AfterFunc(a.limits.Attempt, a.expire)
	if a.limits.Attempt == NoTimeout {
		a.timer.Stop()
	}
}

// expire ends an attempt that took too long.
func (a *attempt) expire() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.idle {
		a.cancel(&TimeoutError{Phase: PhaseIdle, Limit: a.limits.Idle})
		return
	}
	a.cancel(&TimeoutError{Phase: PhaseAttempt, Limit: a.limits.Attempt})
}

// restart starts one of the two limits of the attempt anew; the other one rules no longer.
func (a *attempt) restart(idle bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done {
		return
	}
	a.idle = idle || a.stream
	d := a.limits.Attempt
	if a.idle {
		d = a.limits.Idle
	}
	if d == NoTimeout || a.held || a.ctx.Err() != nil {
		a.timer.Stop()
		return
	}
	a.timer.Reset(d)
}

// upload starts the idle limit anew while a long body is being sent, and the attempt limit when that has ended. On a
// stream it does so only while somebody waits: without that, nothing is late.
func (a *attempt) upload(more bool) {
	a.mu.Lock()
	quiet := a.stream && !a.wanted
	a.mu.Unlock()
	if !quiet {
		a.restart(more)
	}
}

// hasten gives an attempt whose response is not wanted one more moment.
func (a *attempt) hasten(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.done {
		a.timer.Reset(d)
	}
}

// open makes the attempt that of a stream: from now on the idle limit rules, while somebody reads.
func (a *attempt) open() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stream, a.idle = true, true
	a.timer.Stop()
}

// await starts the idle limit: somebody waits for the next byte of the stream.
func (a *attempt) await() {
	a.mu.Lock()
	a.wanted = true
	a.mu.Unlock()
	a.restart(true)
}

// pause stops the limit until the next await.
func (a *attempt) pause() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wanted = false
	a.timer.Stop()
}

// hold stops the limit of the attempt until resume: nobody outside is late.
func (a *attempt) hold() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held = true
	a.timer.Stop()
}

// resume starts the limit that ruled before hold anew.
func (a *attempt) resume() {
	a.mu.Lock()
	a.held = false
	idle := a.idle
	a.mu.Unlock()
	a.restart(idle)
}

// ended reports whether end was called.
func (a *attempt) ended() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.done
}

// end frees what the attempt holds. It is idempotent, and a nil attempt has nothing to free.
func (a *attempt) end() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done = true
	a.timer.Stop()
	a.cancel(nil)
}

// limit cancels a context with a *TimeoutError when its time has passed. A nil limit never does.
type limit struct {
	cancel context.CancelCauseFunc
	timer  *time.Timer
	ends   time.Time
}

func startLimit(ctx context.Context, phase Phase, d time.Duration) (context.Context, *limit) {
	ctx, cancel := context.WithCancelCause(ctx)
	expire := func() { cancel(&TimeoutError{Phase: phase, Limit: d}) }
	return ctx, &limit{cancel: cancel, timer: time.AfterFunc(d, expire), ends: time.Now().Add(d)}
}

// lift lets the context live on without the limit.
func (l *limit) lift() {
	if l != nil {
		l.timer.Stop()
	}
}

// stop ends the limit and its context.
func (l *limit) stop() {
	if l != nil {
		l.timer.Stop()
		l.cancel(nil)
	}
}
