package connection

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/restconn/restconn/auth"
)

// Retry says whether, when and how often a request is sent again. It is an immutable value.
//
// Set on a connection, it applies to idempotent methods (RFC 9110, section 9.2.2), and to POST and PATCH only where
// nothing reached the server or the request carries an Idempotency-Key. Set on a request, it replaces the
// connection's whole and applies whatever the method, because the caller has said so.
//
// Never retried: authentication errors, refused redirects, certificate errors, a body that cannot be opened (again),
// the end of the caller's context. A wait that would outlast the caller's deadline or the total limit is not begun:
// the call ends at once with what is at hand.
type Retry struct {
	// Max is the greatest number of retries after the first attempt. 0, the default, means one attempt.
	Max int
	// Wait tells how long to wait before each retry. nil means not at all.
	Wait Wait
	// On tells which outcomes are worth another attempt. nil means [OnServerErrors].
	On Condition
	// MaxRetryAfter is the longest Retry-After (RFC 9110, section 10.2.3) that is obeyed. Within it, the server's delay
	// is a floor for an attempt that is made anyway; past it the call ends at once with the response at hand. The
	// default is 60 s.
	MaxRetryAfter time.Duration
	// IgnoreRetryAfter makes the client wait as Wait says, whatever the server asks for.
	IgnoreRetryAfter bool
}

// NoRetry is the explicit none: one attempt.
func NoRetry() Retry { return Retry{} }

const defaultMaxRetryAfter = 60 * time.Second

func (r Retry) validate() error {
	switch {
	case r.Max < 0:
		return errors.New("Max is negative")
	case r.MaxRetryAfter < 0:
		return errors.New("MaxRetryAfter is negative")
	case r.Wait != nil:
		return r.Wait.validate()
	}
	return nil
}

// withDefaults fills what was left open.
func (r Retry) withDefaults() Retry {
	if r.On == nil {
		r.On = OnServerErrors
	}
	if r.Wait == nil {
		r.Wait = constant(0)
	}
	if r.MaxRetryAfter == 0 {
		r.MaxRetryAfter = defaultMaxRetryAfter
	}
	return r
}

// Outcome is what a [Condition] judges. Exactly one of Response and Err is set.
type Outcome struct {
	// Request is the request of the call. It is not to be changed.
	Request *http.Request
	// Response is the answer. Its body is not to be read.
	Response *http.Response
	Err      error
	// Attempt counts from 1.
	Attempt int
}

// Condition reports whether an outcome is worth another attempt. Implementations are safe for concurrent use.
type Condition func(Outcome) bool

// OnServerErrors is the default condition: every status from 500 to 599, and network errors.
func OnServerErrors(o Outcome) bool {
	return o.Err != nil || o.Response.StatusCode/100 == 5
}

// OnAllErrors accepts every outcome but a 2xx: also 4xx, and 3xx that were not followed.
func OnAllErrors(o Outcome) bool {
	return o.Err != nil || o.Response.StatusCode/100 != 2
}

// OnSeries accepts network errors and the statuses of whole series: 5 stands for 500 to 599. Of the informational
// series only 101 is ever seen by a client of net/http.
func OnSeries(series ...int) Condition {
	series = slices.Clone(series)
	return func(o Outcome) bool {
		return o.Err != nil || slices.Contains(series, o.Response.StatusCode/100)
	}
}

// OnStatus accepts network errors and the given statuses.
func OnStatus(codes ...int) Condition {
	codes = slices.Clone(codes)
	return func(o Outcome) bool {
		return o.Err != nil || slices.Contains(codes, o.Response.StatusCode)
	}
}

// OnStatusRange accepts network errors and the statuses from first to last, both included.
func OnStatusRange(first, last int) Condition {
	return func(o Outcome) bool {
		return o.Err != nil || first <= o.Response.StatusCode && o.Response.StatusCode <= last
	}
}

// OnAny accepts what one of the conditions accepts.
func OnAny(conditions ...Condition) Condition {
	conditions = slices.Clone(conditions)
	return func(o Outcome) bool {
		return slices.ContainsFunc(conditions, func(c Condition) bool { return c(o) })
	}
}

// final reports whether err can never be mended by another attempt.
func final(err error) bool {
	for _, is := range []func(error) bool{
		as[*auth.Error], as[*OptionError], as[*OriginError], as[*RedirectError],
		as[*tls.CertificateVerificationError], as[x509.UnknownAuthorityError], as[x509.HostnameError],
		as[x509.CertificateInvalidError], as[*openError],
	} {
		if is(err) {
			return true
		}
	}
	return errors.Is(err, ErrInsecure) || errors.Is(err, ErrNotReplayable) || errors.Is(err, ErrClosed) ||
		errors.Is(err, context.Canceled)
}

func as[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// safe reports whether the method asks for nothing but an answer (RFC 9110, section 9.2.1).
func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// idempotent reports whether the method may be repeated without changing more than one request would.
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}
