package connection

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/retrytime"
)

// Retry says whether, when and how often a request is sent again. It is an immutable value.
//
// Set on a connection, it applies to idempotent methods (RFC 9110, section 9.2.2), and to POST and PATCH only where
// nothing reached the server or the request carries an Idempotency-Key. Set on a request, it replaces the
// connection's whole and applies whatever the method, because the caller has said so.
//
// Never retried: a response body that breaks off after its headers, authentication errors, refused redirects,
// certificate errors, what a proxy refuses with a 4xx or as a wrong login, addresses that are not public, a body that
// cannot be opened (again), a [*RateLimitError], the end of the caller's context. A wait that would outlast the
// caller's deadline or the total limit is not begun: the call ends at once with what is at hand. So does one whose
// host has used up its retry budget: see [RetryBudget].
type Retry struct {
	// Max is the greatest number of retries after the first attempt. 0, the default, means one attempt.
	Max int
	// Wait tells how long to wait before each retry. nil means not at all.
	Wait Wait
	// On tells which outcomes are worth another attempt. The default is [OnServerErrors]: 429 is not among them.
	On Condition
	// Silent408 sends an attempt that is answered with 408 (RFC 9110, section 15.5.9) once more at once, within the
	// attempt and its time limit. It counts neither in Max nor in the attempts, takes nothing from the [RetryBudget],
	// and works with Max 0; what comes of it is the outcome of the attempt. The server's 408 is left as it is where
	// the request may not be repeated, its body can be opened only once, or one of WaitHeaders asks for a wait. The
	// default is false.
	Silent408 bool
	// WaitHeaders are the headers in which the server says how long to wait. Of several the longest wait counts. An
	// absolute time is compared with the Date of the response, unless that is more than a day off or the response
	// comes out of a cache. The default, for an empty list, is [DefaultWaitHeaders].
	WaitHeaders []WaitHeader
	// MaxRetryAfter is the longest wait of WaitHeaders that is obeyed. Within it, the server's delay is a floor for
	// an attempt that is made anyway; past it the call ends at once with the response at hand. The default is 60 s.
	MaxRetryAfter time.Duration
	// IgnoreRetryAfter makes the client wait as Wait says, whatever the server asks for in any of WaitHeaders.
	IgnoreRetryAfter bool

	waits []retrytime.Field // WaitHeaders, as they are read
}

// NoRetry is the explicit none: one attempt.
func NoRetry() Retry { return Retry{} }

const defaultMaxRetryAfter = 60 * time.Second

func (r Retry) validate() error {
	err := r.On.err
	if r.Max < 0 {
		err = errors.Join(err, errors.New("Max is negative"))
	}
	if r.MaxRetryAfter < 0 {
		err = errors.Join(err, errors.New("MaxRetryAfter is negative"))
	}
	if r.Wait != nil {
		err = errors.Join(err, r.Wait.validate())
	}
	return errors.Join(err, validateWaitHeaders(r.WaitHeaders))
}

// withDefaults fills what was left open.
func (r Retry) withDefaults() Retry {
	if r.On.match == nil {
		r.On = OnServerErrors()
	}
	if r.Wait == nil {
		r.Wait = constant(0)
	}
	if r.MaxRetryAfter == 0 {
		r.MaxRetryAfter = defaultMaxRetryAfter
	}
	return r.withWaits()
}

// final reports whether err can never be mended by another attempt.
func final(err error) bool {
	for _, is := range []func(error) bool{
		as[*auth.Error], as[*OptionError], as[*OriginError], as[*RedirectError],
		as[*tls.CertificateVerificationError], as[x509.UnknownAuthorityError], as[x509.HostnameError],
		as[x509.CertificateInvalidError], as[*bodyError], as[*PinError], as[*AddressError], as[*RateLimitError],
		refusedByProxy, alerted,
	} {
		if is(err) {
			return true
		}
	}
	return slices.ContainsFunc(finalErrors, func(target error) bool { return errors.Is(err, target) })
}

var finalErrors = []error{ //nolint:gochecknoglobals // never changed
	ErrInsecure, ErrNotReplayable, ErrClosed, ErrNoHTTP2, errPlainServer, context.Canceled,
}

// refusedByProxy reports whether a proxy has refused for good: a 4xx of a proxy is no more worth another attempt than
// one of the service, and credentials do not get better by themselves.
func refusedByProxy(err error) bool {
	e, ok := errors.AsType[*ProxyError](err)
	return ok && (e.Status/100 == 4 || errors.Is(e, ErrProxyLogin))
}

// alerted reports whether the server has ended the handshake because of a certificate: the client's, or that there is
// none. crypto/tls tells that in a text (RFC 8446, section 6.2). In TLS 1.2, that there is none is a handshake
// failure (RFC 5246, section 7.4.6).
func alerted(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error" &&
		(strings.Contains(op.Error(), "certificate") || strings.HasSuffix(op.Error(), "handshake failure"))
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
