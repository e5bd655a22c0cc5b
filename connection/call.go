package connection

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/redact"
)

// Call is one request as it goes into the pipeline, and what it changes in its connection's policy. Package request makes
// Calls; use [Connection.Do] for an *http.Request. The zero value of every field but Method and URL changes nothing.
type Call struct {
	Method string
	// URL is absolute. Outside the connection's origins it is an [*OriginError], unless Auth is auth.None().
	URL url.URL
	// Header holds the headers of this request, by canonical name. The map belongs to the call from here on. It must not be
	// nil. Headers of the connection are added where the URL lies within the connection's origins.
	Header http.Header
	// Accept is sent as the Accept header if neither the request nor the connection has one.
	Accept []string
	// Body opens the request body, once per attempt. nil means that there is none.
	Body func() (io.ReadCloser, error)
	// BodyLen is the length of the body in bytes; -1 if it is not known.
	BodyLen int64
	// BodyOnce says that Body can be opened only once. Where the call may have to send it again, that is
	// [ErrNotReplayable], before a byte is sent.
	BodyOnce bool

	// Auth replaces the connection's authenticator.
	Auth auth.Authenticator
	// Retry replaces the connection's whole, and applies whatever the method.
	Retry *Retry
	// Timeouts shorten the connection's.
	Timeouts Timeouts
	// MaxRedirects replaces the connection's.
	MaxRedirects *int
	// Debug gets one record per attempt, with bounded and redacted bodies.
	Debug *slog.Logger
	// Whole says that the caller reads the response to its end at once and then calls [Exchange.Close], so that the attempt
	// timeout covers the body too.
	Whole bool
	// ShownPath is what errors and logs show in the place of the URL's path, where that holds a secret.
	ShownPath string
}

// Exchange is one call on its way through the pipeline, and what came of it.
type Exchange struct {
	// Response is the answer; nil if there is none.
	Response *http.Response

	conn     *Connection
	call     Call
	ctx      context.Context
	request  http.Request
	body     responseBody
	auth     *authState
	retry    *Retry
	vouched  bool // the retry policy was set on the request: it applies whatever the method
	limits   Timeouts
	total    *limit
	attempt  *attempt
	hop      *http.Request // the hop under way, as it was before authentication
	bare     http.Header   // of the hop under way, as it was before authentication
	query    string        // of the hop under way, as it was after authentication; "" if there was none
	sent     int
	attempts []Attempt
}

// String returns the method and what may be shown of the URL.
func (x *Exchange) String() string { return x.call.String() }

// Format writes String for every verb: an Exchange holds the credentials of its request.
func (x *Exchange) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, x.String()) }

// String returns the method and what may be shown of the URL.
func (c Call) String() string {
	if c.ShownPath != "" {
		return c.Method + " " + c.URL.Scheme + "://" + c.URL.Host + c.ShownPath
	}
	return c.Method + " " + redact.URL(&c.URL)
}

// Format writes String for every verb, %#v among them.
func (c Call) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// exchangeContext is the context of the requests of an exchange. It is the Exchange itself, so that it costs nothing.
type exchangeContext Exchange

func (c *exchangeContext) Deadline() (time.Time, bool) { return c.ctx.Deadline() }
func (c *exchangeContext) Done() <-chan struct{}       { return c.ctx.Done() }
func (c *exchangeContext) Err() error                  { return c.ctx.Err() }

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

// Send sends a call through the pipeline. The Exchange is never nil. On success its Response is set, and the caller closes
// the Exchange. A response of any status is a success.
//
// Errors are [*OptionError], [*OriginError], [*RedirectError], [*TimeoutError], [*RetryError], *auth.Error, [ErrClosed], the
// cause of the context's end, or what the transport returned, without URLs.
func (c *Connection) Send(ctx context.Context, call Call) (*Exchange, error) {
	x := &Exchange{conn: c, call: call, ctx: ctx}
	ok := false
	defer func() {
		if !ok { // also after a panic in a middleware or an authenticator
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

// prepare works out the policy of the call and builds its request.
func (x *Exchange) prepare() error {
	cfg := &x.conn.config
	x.limits, x.retry, x.auth = cfg.timeouts, &cfg.retry, &x.conn.auth
	if x.conn.closed() {
		return ErrClosed
	}
	if err := validate(&x.call); err != nil {
		return err
	}
	if err := x.override(); err != nil {
		return err
	}
	x.addHeaders()
	if err := x.checkOrigin(); err != nil {
		return err
	}
	if x.call.BodyOnce && x.retry.Max > 0 && x.repeatable() {
		return &OptionError{Option: "Retry", Err: ErrNotReplayable}
	}
	if x.limits.Total != NoTimeout {
		x.ctx, x.total = startLimit(x.ctx, PhaseTotal, x.limits.Total)
	}
	x.request = *(&http.Request{
		Method: x.call.Method,
		URL:    &x.call.URL,
		Host:   x.call.URL.Host,
		Header: x.call.Header,
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext((*exchangeContext)(x))
	return x.prepareBody()
}

// addHeaders adds the connection's headers. A foreign origin learns the user agent and no more.
func (x *Exchange) addHeaders() {
	home := x.conn.trusts(&x.call.URL)
	for _, f := range x.conn.config.fields {
		if x.call.Header[f.name] == nil && (home || f.name == "User-Agent") {
			x.call.Header[f.name] = f.values
		}
	}
	if x.call.Accept != nil && x.call.Header["Accept"] == nil {
		x.call.Header["Accept"] = x.call.Accept
	}
}

func (x *Exchange) override() error {
	if x.call.Timeouts != (Timeouts{}) {
		if err := x.call.Timeouts.validate(); err != nil {
			return &OptionError{Option: "Timeouts", Err: err}
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
	if x.call.Auth != nil {
		own, err := x.conn.bind(x.call.Auth)
		if err != nil {
			return &OptionError{Option: "Auth", Err: err}
		}
		x.auth = &own
	}
	return nil
}

// run sends the request through the pipeline, and takes charge of the response body.
func (x *Exchange) run() error {
	resp, err := x.conn.pipeline.RoundTrip(&x.request)
	if err != nil && as[*RetryError](err) {
		return err // it holds the end of the context and all that was before
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
	if !x.call.Whole {
		x.body.stream()
	}
	return nil
}

// explain says why the exchange failed: if its context has ended, that is the reason, whatever the transport made of it.
func (x *Exchange) explain(err error) error {
	ctx := x.ctx
	if x.attempt != nil && !x.attempt.ended() {
		ctx = x.attempt.ctx
	}
	if ctx.Err() == nil {
		return redact.Error(err)
	}
	cause := context.Cause(ctx)
	if errors.Is(cause, ctx.Err()) || as[*TimeoutError](cause) {
		return cause
	}
	return fmt.Errorf("%w: %w", ctx.Err(), cause)
}

// maxRedirects returns how many redirects are followed.
func (x *Exchange) maxRedirects() int {
	if x.call.MaxRedirects != nil {
		return *x.call.MaxRedirects
	}
	return x.conn.config.maxRedirects
}

// repeatable reports whether a request that has reached the server may be sent again.
func (x *Exchange) repeatable() bool {
	return x.vouched || idempotent(x.call.Method) || x.call.Header.Get("Idempotency-Key") != ""
}

// Attempts returns the history of the call, oldest first.
func (x *Exchange) Attempts() []Attempt {
	if len(x.attempts) == 0 && x.Response != nil {
		return []Attempt{{Status: x.Response.StatusCode}}
	}
	return slices.Clone(x.attempts)
}

// Sent returns the number of attempts. Redirects, the resend after a challenge, and what net/http sends again by itself on
// a connection that was cut do not count.
func (x *Exchange) Sent() int { return x.sent }

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
		x.auth.release()
	}
}
