package connection

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/hashicorp/go-retryablehttp"

	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/internal/sendonce"
)

// retryStage owns the attempts of a call and the waits between them. The loop is retryablehttp's; what is sent, what
// counts as a failure, how long to wait and what is returned is decided here.
type retryStage struct{ next http.RoundTripper }

func (s retryStage) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req)
	if x == nil {
		return nil, errContext
	}
	if x.retry.Max == 0 {
		return s.next.RoundTrip(req)
	}
	l := &retryLoop{exchange: x, next: s.next, request: req, delays: x.retry.Wait.start()}
	if !x.repeatable(req) {
		l.request = req.WithContext(httptrace.WithClientTrace(req.Context(), l.reach.trace()))
	}
	return l.run()
}

// retryLoop is the state of one call. To retryablehttp it is a transport that succeeds every time with an empty
// answer, so that the real response never goes through the redirect handling, the draining and the error texts of
// other layers.
type retryLoop struct {
	exchange *Exchange
	next     http.RoundTripper
	request  *http.Request
	delays   backoff.BackOff
	reach    reach

	response *http.Response
	err      error
	made     int // attempts
	wait     time.Duration
	waiting  bool
	failed   bool // the policy would have the last outcome retried

	client  retryablehttp.Client
	carrier http.Client
	stub    http.Response
}

// What retryablehttp believes that it sends.
var (
	carrierURL    = &url.URL{Scheme: "http", Host: "attempt"} //nolint:gochecknoglobals // never changed
	carrierHeader = http.Header{}                             //nolint:gochecknoglobals // never changed
)

func (l *retryLoop) run() (*http.Response, error) {
	l.exchange.history = slices.Grow(l.exchange.history, min(l.exchange.retry.Max, fewAttempts)+1)
	l.carrier.Transport = l
	l.stub = http.Response{StatusCode: http.StatusOK, Body: http.NoBody}
	l.client = retryablehttp.Client{
		HTTPClient:   &l.carrier,
		RetryMax:     l.exchange.retry.Max,
		CheckRetry:   l.again,
		Backoff:      func(time.Duration, time.Duration, int, *http.Response) time.Duration { return l.wait },
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	carrier := (&http.Request{Method: http.MethodGet, URL: carrierURL, Header: carrierHeader}).
		WithContext(l.request.Context())
	_, _ = l.client.Do(&retryablehttp.Request{Request: carrier})
	if l.waiting { // the context ended before the wait did
		l.response, l.err = nil, l.exchange.explain(l.request.Context().Err())
	}
	l.settle()
	if l.err != nil && (l.waiting || len(l.exchange.history) > 1 || l.last().Stopped != "") {
		return nil, &RetryError{History: l.exchange.History(), Err: l.err}
	}
	return l.response, l.err
}

// fewAttempts is how many retries a history has room for from the beginning.
const fewAttempts = 3

// last returns the last attempt.
func (l *retryLoop) last() *Attempt { return &l.exchange.history[len(l.exchange.history)-1] }

// RoundTrip makes one attempt.
func (l *retryLoop) RoundTrip(*http.Request) (*http.Response, error) {
	l.waiting = false
	l.reach.reset()
	began := time.Now()
	l.response, l.err = l.next.RoundTrip(l.request)
	a := Attempt{Err: l.err, Duration: time.Since(began)}
	if l.err == nil {
		a.Status = l.response.StatusCode
	}
	if te, ok := errors.AsType[*TransportError](l.err); ok && l.reach.missed(te) {
		te.Unsent = true
	}
	l.exchange.history = append(l.exchange.history, a)
	l.made++
	return &l.stub, nil
}

// again decides whether there is another attempt, and after which wait. It hides the errors from retryablehttp.
//
//nolint:nilerr // see above
func (l *retryLoop) again(ctx context.Context, _ *http.Response, _ error) (bool, error) {
	last := l.last()
	l.failed = l.worthwhile()
	if !l.failed || l.made > l.exchange.retry.Max || ctx.Err() != nil {
		return false, nil
	}
	wait, stopped := l.nextWait(ctx)
	if stopped == "" {
		stopped = l.forbidden()
	}
	if stopped != "" {
		last.Stopped = stopped
		return false, nil
	}
	if l.err == nil {
		l.exchange.attempt.hasten(timeToDiscard)
		discard(l.response)
	}
	l.exchange.attempt.end() // its limit does not go on in the wait
	l.wait, l.waiting = wait, true
	last.Wait = wait
	return true, nil
}

// forbidden says why the request may not be sent again; "" if it may, and then the budget has paid for it.
func (l *retryLoop) forbidden() string {
	switch {
	case l.mayRepeat() && l.budget().take(l.exchange.conn, l.request.URL):
		return ""
	case l.mayRepeat():
		return "the retry budget of " + redact.Printable(l.request.URL.Host) + " is used up"
	case l.exchange.call.BodyOnce:
		return "its body can be read only once"
	}
	return "a " + l.request.Method + " is repeated only with an Idempotency-Key, or by the request's own Retry"
}

func (l *retryLoop) budget() *budget { return l.exchange.conn.config.budget }

// settle gives back to the budget what the outcome of the call is worth. A retry that was not made is not paid for.
func (l *retryLoop) settle() {
	tokens := 0
	switch b := l.budget(); {
	case b == nil:
		return
	case l.waiting, l.succeeded() && l.made > 1:
		tokens = b.Cost
	case l.succeeded():
		tokens = b.Refund
	}
	l.budget().give(l.exchange.conn, l.request.URL, tokens)
}

// succeeded reports whether the call has ended with an answer of a host that is well.
func (l *retryLoop) succeeded() bool {
	if l.err != nil || l.failed || l.response == nil {
		return false
	}
	switch status := l.response.StatusCode; status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	default:
		return status < http.StatusInternalServerError
	}
}

// worthwhile reports whether the outcome of the attempt calls for another.
func (l *retryLoop) worthwhile() bool {
	if l.err != nil && final(l.err) {
		return false
	}
	return l.exchange.retry.On.accepts(Outcome{Request: l.request, Response: l.response, Err: l.err, Attempt: l.made})
}

// mayRepeat reports whether the request may be sent again.
func (l *retryLoop) mayRepeat() bool {
	return l.exchange.repeatable(l.request) || !l.exchange.call.BodyOnce && l.err != nil && l.reach.missed(l.err)
}

// nextWait returns how long to wait, or what that would be too long for.
func (l *retryLoop) nextWait(ctx context.Context) (wait time.Duration, stopped string) {
	policy := l.exchange.retry
	wait = max(0, l.delays.NextBackOff())
	if l.err == nil {
		asked, by := policy.asked(l.response)
		if asked > policy.MaxRetryAfter {
			return 0, fmt.Sprintf("%s asks for %v, and MaxRetryAfter is %v", by, asked, policy.MaxRetryAfter)
		}
		wait = max(wait, asked)
	}
	if total := l.exchange.total; total != nil && time.Until(total.ends) <= wait {
		return 0, fmt.Sprintf("a wait of %v would outlast the total timeout", wait)
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
		return 0, fmt.Sprintf("a wait of %v would outlast the deadline of the context", wait)
	}
	return wait, ""
}

// reach tells whether an attempt got as far as a connection. It trusts evidence only: the failure to dial itself, or
// a transport that reports its connections and has reported none.
type reach struct{ asked, got atomic.Bool }

func (r *reach) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { r.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { r.got.Store(true) },
	}
}

func (r *reach) reset() {
	r.asked.Store(false)
	r.got.Store(false)
}

// missed reports whether the server has certainly not seen the request.
func (r *reach) missed(err error) bool {
	if as[*sendonce.UnprocessedError](err) || as[*dialError](err) && errors.Is(err, errDials) {
		return true
	}
	if r.got.Load() {
		stream, ok := errors.AsType[refusedStream](err)
		return ok && stream.Code == errCodeRefusedStream
	}
	if r.asked.Load() {
		return true
	}
	te, ok := errors.AsType[*TransportError](err)
	return ok && te.Unsent
}

// refusedStream has the shape that the HTTP/2 errors of net/http convert themselves to (RFC 9113, section 8.7: a
// refused stream was not processed).
type refusedStream struct { //nolint:errname // named for what it says
	StreamID uint32
	Code     uint32
	Cause    error
}

const errCodeRefusedStream = 7

func (e refusedStream) Error() string { return "the HTTP/2 stream was refused" }
