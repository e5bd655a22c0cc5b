package connection

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// attemptStage gives every attempt a request of its own and a time limit.
type attemptStage struct{ next http.RoundTripper }

func (s attemptStage) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req)
	x.attempt.end()
	x.sent++
	a, err := x.newAttempt(req)
	if err != nil {
		return nil, err
	}
	x.attempt = a
	resp, err := s.next.RoundTrip(&a.request)
	if err != nil {
		err = x.explain(err)
		a.end()
		return nil, err
	}
	return resp, nil
}

// attempt is one attempt of an exchange: a request that is private to it, and its limit.
type attempt struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	idle    atomic.Bool // the idle limit rules, not the attempt limit
	ended   bool
	limits  Timeouts
	request http.Request
	url     url.URL
}

func (x *Exchange) newAttempt(req *http.Request) (*attempt, error) {
	a := &attempt{limits: x.limits, url: *req.URL}
	a.ctx, a.cancel = context.WithCancelCause(req.Context())
	a.request = *req.WithContext(a.ctx)
	a.request.URL = &a.url
	a.request.Header, x.bare = maps.Clone(req.Header), req.Header
	a.timer = time.AfterFunc(a.limits.Attempt, a.expire)
	if a.limits.Attempt == NoTimeout {
		a.timer.Stop()
	}
	if err := x.openBody(a, req); err != nil {
		a.end()
		return nil, err
	}
	return a, nil
}

// expire ends an attempt that took too long.
func (a *attempt) expire() {
	if a.idle.Load() {
		a.cancel(&TimeoutError{Phase: PhaseIdle, Limit: a.limits.Idle})
		return
	}
	a.cancel(&TimeoutError{Phase: PhaseAttempt, Limit: a.limits.Attempt})
}

// restart starts one of the two limits of the attempt anew; the other one rules no longer.
func (a *attempt) restart(idle bool) {
	d := a.limits.Attempt
	if idle {
		d = a.limits.Idle
	}
	a.idle.Store(idle)
	if d == NoTimeout || a.ctx.Err() != nil {
		a.timer.Stop()
		return
	}
	a.timer.Reset(d)
}

// end frees what the attempt holds. It is idempotent, and a nil attempt has nothing to free.
func (a *attempt) end() {
	if a == nil || a.ended {
		return
	}
	a.ended = true
	a.timer.Stop()
	a.cancel(nil)
}

// limit cancels a context with a *TimeoutError when its time has passed. A nil limit never does.
type limit struct {
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

func startLimit(ctx context.Context, phase Phase, d time.Duration) (context.Context, *limit) {
	ctx, cancel := context.WithCancelCause(ctx)
	expire := func() { cancel(&TimeoutError{Phase: phase, Limit: d}) }
	return ctx, &limit{cancel: cancel, timer: time.AfterFunc(d, expire)}
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
