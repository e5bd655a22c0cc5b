package connection

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"

	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/internal/sendonce"
)

// TransportError means that the transport returned no response.
type TransportError struct {
	// Method is the method of the request.
	Method string
	// Unsent is true if the server has certainly not seen the request. If it is false, that is not known.
	Unsent bool
	// Err is what the transport returned, without URLs. In it, errors.AsType finds a [*ProxyError], [*PinError],
	// [*AddressError] or [*TimeoutError], and errors.Is [ErrNoHTTP2].
	Err error
}

// Error says of a request that is not idempotent that it may have had its effect.
func (e *TransportError) Error() string {
	if e.Unsent || idempotent(e.Method) {
		return e.Err.Error()
	}
	return e.Err.Error() + " (the server may have processed the " + e.Method + ")"
}

// Unwrap returns what the transport returned.
func (e *TransportError) Unwrap() error { return e.Err }

// Timeout reports whether a time limit has passed. It implements the method of [net.Error] that url.Error asks for.
func (e *TransportError) Timeout() bool {
	t, ok := errors.AsType[net.Error](e.Err)
	return ok && t.Timeout()
}

// wireStage is the border to the transport, which may be anybody's.
type wireStage struct{ pool *pool }

var (
	errNoResponse = errors.New("the transport, or a middleware, returned neither a response nor an error")
	errBusy       = middlewareError("it called next while another call of next was under way")
	errContext    = middlewareError("it passed on a request with a context of its own: derive it from the request's")
)

func middlewareError(text string) error {
	return &OptionError{Option: "middleware", Err: errors.New(text)}
}

// unconnected reports whether err says that there was no connection to send the request on.
func unconnected(err error) bool {
	if as[*dialError](err) || as[*ProxyError](err) || as[*sendonce.UnprocessedError](err) {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err) // of a transport that is not ours
	return ok && op.Op == "dial" || as[*tls.CertificateVerificationError](err) || as[tls.RecordHeaderError](err)
}

// shown returns an error of the transport as it may be shown. One that the source of the request body has returned
// says nothing of the server's, and what a certificate says is for all to know.
func shown(err error) error {
	if as[*bodyError](err) || as[*tls.CertificateVerificationError](err) {
		return redact.Error(err)
	}
	return redact.Wire(err)
}

func (s wireStage) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req)
	x.dials.Store(0)
	key := x.lane(req)
	if key.insecure {
		s.pool.warn(req.Context(), x.conn.config.log())
	}
	resp, err := s.pool.roundTrip(req, key, nil)
	if err == nil && resp == nil {
		err = errNoResponse
	}
	if err != nil {
		return nil, &TransportError{Method: req.Method, Unsent: unconnected(err), Err: shown(err)}
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	return resp, nil
}
