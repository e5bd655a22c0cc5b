package connection

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/internal/wait"
)

// Exchange is one call on its way through the pipeline, and what came of it.
type Exchange struct {
	// Response is the answer; nil if there is none. Its Request may be nil before Stream.
	Response *http.Response

	conn    *Connection
	call    Call
	ctx     context.Context //nolint:containedctx // an exchange is one call, and its requests have it as their context
	body    responseBody
	auth    *authState
	retry   *Retry
	limits  Timeouts
	total   *limit
	attempt *attempt
	live    atomic.Pointer[attempt] // attempt, for those who dial in the background
	first   attempt
	hop     *http.Request // the hop under way, as it was before authentication
	query   string        // of the hop under way, as it was after authentication; "" if there was none
	placed  *placedBody   // the body that call middleware sees
	lent    io.ReadCloser // the last body that a middleware has put on the request
	history []Attempt
	made    int32        // attempts
	busy    atomic.Bool  // an attempt is under way
	hopBusy atomic.Bool  // a hop is under way
	dials   atomic.Int32 // of the hop under way
	opened  bool         // the body was opened
	vouched bool         // the retry policy was set on the request: it applies whatever the method
}

// String returns the method and what may be shown of the URL.
func (x *Exchange) String() string { return x.call.String() }

// Format writes String for every verb: an Exchange holds the credentials of its request.
func (x *Exchange) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, x.String()) }

// exchangeContext is the context of the requests of an exchange. It is the Exchange itself, so that it costs nothing.
type exchangeContext Exchange

func (c *exchangeContext) Deadline() (time.Time, bool) { return c.ctx.Deadline() }
func (c *exchangeContext) Done() <-chan struct{}       { return c.ctx.Done() }
func (c *exchangeContext) Err() error                  { return c.ctx.Err() }

// String keeps fmt from printing what the call is made of, as it does with contexts that wrap this one.
func (c *exchangeContext) String() string { return "restconn." + (*Exchange)(c).call.Method }

// Format writes String for every verb.
func (c *exchangeContext) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

func (c *exchangeContext) Value(key any) any {
	switch key.(type) {
	case exchangeKey:
		return (*Exchange)(c)
	case foreignKey: // set above this context, or not at all
		return nil
	}
	return c.ctx.Value(key)
}

type exchangeKey struct{}

// exchangeOf returns the exchange that the request belongs to; nil for a request whose context was replaced.
func exchangeOf(req *http.Request) *Exchange {
	x, _ := req.Context().Value(exchangeKey{}).(*Exchange)
	return x
}

// Send sends a call through the pipeline. The Exchange is never nil. On success its Response is set, and the caller
// closes the Exchange. A response of any status is a success.
//
// Errors are [*OptionError], [*OriginError], [*BaseError], [ErrInsecure], [ErrClosed], [*RedirectError],
// [*TimeoutError], [*RetryError], [*RateLimitError], [*TransportError], *auth.Error, [ErrNotReplayable], what the
// request body could not be opened for, and the cause of the context's end.
func (c *Connection) Send(ctx context.Context, call Call) (*Exchange, error) {
	x := &Exchange{conn: c, call: call, ctx: ctx}
	ok := false
	defer func() {
		if !ok { // also after a panic in a middleware or an authenticator
			x.refused()
			x.Close()
		}
	}()
	err := x.prepare()
	if err == nil {
		err = x.run()
	}
	ok = err == nil
	return x, err
}

// refused closes a body that is not to be sent and can be opened only once: nobody else will.
func (x *Exchange) refused() {
	if x.placed != nil && !x.placed.taken {
		_ = x.placed.Close()
	}
	if x.call.BodyOnce && x.call.Body != nil && !x.opened {
		if body, err := x.call.Body(); err == nil && body != nil {
			_ = body.Close()
		}
	}
}

// prepare works out the policy of the call and builds its request.
func (x *Exchange) prepare() error {
	switch {
	case x.ctx == nil:
		return errNoContext
	case x.conn.base == nil:
		return errUnmade
	case x.conn.closed():
		return ErrClosed
	}
	conn, err := x.conn.Resolve(x.ctx)
	if err != nil {
		return err
	}
	x.conn = conn
	cfg := &conn.config
	x.limits, x.retry, x.auth = cfg.timeouts, &cfg.retry, &conn.auth
	if err := x.call.validate(); err != nil {
		return err
	}
	if err := x.override(); err != nil {
		return err
	}
	if err := x.checkOrigin(); err != nil {
		return err
	}
	if x.call.BodyOnce && x.retry.Max > 0 && x.repeatable(nil) {
		return &OptionError{Option: "Retry", Err: ErrNotReplayable}
	}
	if x.limits.Total != NoTimeout {
		x.ctx, x.total = startLimit(x.ctx, PhaseTotal, x.limits.Total)
	}
	return nil
}

// newRequest returns the request of the call, without header and body.
func (x *Exchange) newRequest(ctx context.Context) http.Request {
	req := http.Request{
		Method: x.call.Method,
		URL:    &x.call.URL,
		Host:   x.call.URL.Host,
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if x.call.Body != nil {
		req.ContentLength = x.call.BodyLen
		if !x.call.BodyOnce {
			req.GetBody = x.call.Body
		}
	}
	return *req.WithContext(ctx)
}

// source returns the request of the call for those who look at it before or after it is sent: without credentials, and
// with a body if there is middleware.
func (x *Exchange) source() (*http.Request, error) {
	req := x.newRequest((*exchangeContext)(x))
	req.URL, req.Header = cloneURL(req.URL), x.header()
	if x.call.Body == nil || len(x.conn.config.middleware) == 0 {
		return &req, nil
	}
	x.opened = true
	body, err := openAgain(x.call.Body)
	if err == nil {
		x.placed = &placedBody{ReadCloser: body}
		req.Body = x.placed
	}
	return &req, err
}

// bare returns the hop under way, as it was before authentication. It is not to be changed.
func (x *Exchange) bare() *http.Request {
	if x.hop == nil {
		req := x.newRequest((*exchangeContext)(x))
		req.Header = x.header()
		x.hop = &req
	}
	return x.hop
}

// roomForHeaders is what a map holds without growing.
const roomForHeaders = 8

// header makes the header of the call anew: the request's own, and the connection's that it does not replace. A foreign
// origin learns the user agent of the connection and no more.
func (x *Exchange) header() http.Header {
	h := make(http.Header, roomForHeaders)
	values := make([]string, 0, len(x.call.Header)+1)
	for _, f := range x.call.Header {
		if h[f.Name] != nil {
			h[f.Name] = append(h[f.Name], f.Value)
			continue
		}
		values = append(values, f.Value)
		h[f.Name] = slices.Clip(values[len(values)-1:])
	}
	home := x.conn.trusts(&x.call.URL)
	for _, f := range x.conn.config.fields {
		if h[f.name] == nil && (home || f.name == "User-Agent") {
			h[f.name] = f.values
		}
	}
	if x.call.Accept != "" && h["Accept"] == nil {
		values = append(values, x.call.Accept)
		h["Accept"] = slices.Clip(values[len(values)-1:])
	}
	return h
}

func (x *Exchange) override() error {
	if x.call.Timeouts != (Timeouts{}) {
		if err := x.call.Timeouts.validate(); err != nil {
			return &OptionError{Option: "Timeouts", Err: err}
		}
		if x.call.Timeouts.ofPool() {
			return &OptionError{Option: "Timeouts", Err: errors.New(
				"Dial, TLSHandshake and ResponseHeader are of the pool, which is made by New")}
		}
		x.limits = x.limits.shorter(x.call.Timeouts.over(x.limits))
	}
	if x.call.Retry != nil {
		if err := x.call.Retry.validate(); err != nil {
			return &OptionError{Option: "Retry", Err: err}
		}
		own := x.call.Retry.withDefaults()
		x.retry, x.vouched = &own, true
	}
	if x.call.MaxRedirects != nil && *x.call.MaxRedirects < 0 {
		return &OptionError{Option: "MaxRedirects", Err: errors.New("the number is negative")}
	}
	if x.call.InsecureSkipVerify && x.conn.pool.custom != nil {
		return &OptionError{Option: "InsecureSkipVerify", Err: errForeignTransport}
	}
	if x.call.Auth != nil {
		own, err := x.conn.bind(x.call.Auth, true)
		if err != nil {
			return &OptionError{Option: "Auth", Err: err}
		}
		x.auth = &own
	}
	return nil
}

// run sends the request through the pipeline, and takes charge of the response body.
func (x *Exchange) run() error {
	resp, err := x.send() //nolint:bodyclose // it becomes the exchange's
	if err != nil && as[*RetryError](err) {
		return err // it holds the end of the context and all that was before
	}
	if err == nil && resp == nil {
		err = errNoResponse
	}
	if err != nil {
		return x.explain(err)
	}
	x.Response = resp
	x.body = responseBody{rc: resp.Body, exchange: x}
	if resp.Body == nil {
		x.body.rc = http.NoBody
	}
	resp.Body = &x.body
	return nil
}

// send takes the short way into the pipeline where nothing outside the attempts has anything to do.
func (x *Exchange) send() (*http.Response, error) {
	if x.retry.Max == 0 && len(x.conn.config.middleware) == 0 {
		return x.conn.attempts.send(x, nil)
	}
	req, err := x.source()
	if err != nil {
		return nil, err
	}
	return x.conn.pipeline.RoundTrip(req)
}

// Stream lets the body of the response be read for as long as bytes come: from here on the idle limit rules, in the
// place of the attempt's and the total limit.
func (x *Exchange) Stream() {
	if x.Response != nil {
		x.Response.Request = x.bare()
		x.body.stream()
	}
}

// over reports whether the context of the exchange has ended.
func (x *Exchange) over() bool {
	return x.ctx.Err() != nil || x.attempt != nil && x.attempt.ctx.Err() != nil
}

// explain says why the exchange failed: if its context has ended, that is the reason, whatever the transport made of
// it.
func (x *Exchange) explain(err error) error {
	ctx := x.ctx
	if x.attempt != nil && !x.attempt.ended() {
		ctx = x.attempt.ctx
	}
	if ctx.Err() == nil {
		return redact.Error(err)
	}
	if cause := context.Cause(ctx); as[*TimeoutError](cause) {
		return cause
	}
	return wait.Ended(ctx)
}

// lane tells what connections a hop may use.
func (x *Exchange) lane(req *http.Request) laneKey {
	home := x.conn.trusts(req.URL)
	return laneKey{
		home: home, own: home && !isForeign(req),
		insecure: home && (x.call.InsecureSkipVerify || x.conn.config.insecureTLS),
	}
}

// maxRedirects returns how many redirects are followed.
func (x *Exchange) maxRedirects() int {
	if x.call.MaxRedirects != nil {
		return *x.call.MaxRedirects
	}
	return x.conn.config.maxRedirects
}

// repeatable reports whether a request that has reached the server may be sent again. req is what a middleware has made
// of the call's; nil if there is none.
func (x *Exchange) repeatable(req *http.Request) bool {
	if req == nil {
		return x.vouched || idempotent(x.call.Method) || slices.ContainsFunc(idempotencyKeys, x.call.has)
	}
	return x.vouched || idempotent(req.Method) ||
		slices.ContainsFunc(idempotencyKeys, func(name string) bool { return req.Header.Get(name) != "" })
}

// idempotencyKeys are the headers that make a request one that may be sent again; net/http knows both.
var idempotencyKeys = []string{"Idempotency-Key", "X-Idempotency-Key"} //nolint:gochecknoglobals // never changed

// History returns what became of each attempt, oldest first.
func (x *Exchange) History() []Attempt {
	if len(x.history) == 0 && x.Response != nil {
		return []Attempt{{Status: x.Response.StatusCode}}
	}
	return slices.Clone(x.history)
}

// Attempts returns the number of attempts. Redirects, the resend after a challenge, and what net/http sends again by
// itself on a connection that was cut do not count.
func (x *Exchange) Attempts() int { return int(x.made) }

// URL returns the URL of the call as it may be shown: without userinfo, query and fragment, and with ShownPath.
func (x *Exchange) URL() string { return x.shownURL(&x.call.URL) }

func (x *Exchange) shownURL(u *url.URL) string {
	switch {
	case x.call.ShownPath == "":
	case u.EscapedPath() == x.call.URL.EscapedPath():
		return u.Scheme + "://" + u.Host + x.call.ShownPath
	default: // a redirect or a middleware may have kept the secret
		return u.Scheme + "://" + u.Host + "/" + redact.Mask
	}
	return redact.URL(u)
}

// Close closes the response and frees what the exchange holds. It is idempotent.
func (x *Exchange) Close() {
	if x.Response != nil {
		_ = x.Response.Body.Close()
		return
	}
	x.free()
}

func (x *Exchange) free() {
	x.attempt.end()
	x.total.stop()
	if x.call.Auth != nil && x.auth != nil && x.auth != &x.conn.auth {
		_ = x.auth.release()
	}
}
