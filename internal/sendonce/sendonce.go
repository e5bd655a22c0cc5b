// Package sendonce sends requests that the server must not get twice.
//
// net/http sends a request again by itself where it takes that for safe. Over HTTP/2 it is not: a stream that the
// server has reset with PROTOCOL_ERROR may have been processed, and there is no end to it if the server closes the
// connection each time. So here a request goes without the means to be sent again, and comes back with the reason for
// which it would have been.
package sendonce

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
)

// ErrResend means that net/http was about to send a request a second time.
var ErrResend = errors.New("the connection or the stream was lost (HTTP/2), and the request is not sent again, " +
	"because the server may have processed it")

// mostResends is how often a request is sent again that the server has certainly not processed.
const mostResends = 3

// UnprocessedError means that the server has certainly not processed the request.
type UnprocessedError struct{ reason string }

func (e *UnprocessedError) Error() string { return e.reason }

// RoundTrip sends a request that the server must not get twice, over a transport that may speak HTTP/2.
func RoundTrip(transport http.RoundTripper, req *http.Request) (*http.Response, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return sendWatched(transport, req)
	}
	for resent := 0; ; resent++ {
		once := *req
		once.GetBody = nil
		resp, err := transport.RoundTrip(&once)
		if err != nil {
			err = lost(err)
		}
		if !isUnprocessed(err) || req.GetBody == nil || resent == mostResends || req.Context().Err() != nil {
			return resp, err
		}
		next := *req
		if next.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
		req = &next
	}
}

// lost says what it means that net/http has failed to send a request again, which it tells in texts. The server has not
// processed one that it could not read yet, that came after it had said that it goes away, or that it has refused (RFC
// 9113, sections 6.8 and 8.7).
func lost(err error) error {
	text := err.Error()
	if strings.Contains(text, "cannot rewind body after connection loss") {
		return &UnprocessedError{"the connection was lost before the request was sent"}
	}
	_, text, ok := strings.Cut(text, "cannot retry err [")
	if !ok {
		return err
	}
	reason, _, _ := strings.Cut(text, "]")
	if strings.Contains(reason, "GOAWAY") || strings.Contains(reason, "REFUSED_STREAM") {
		return &UnprocessedError{reason}
	}
	return fmt.Errorf("%w: %s", ErrResend, reason)
}

// sendWatched is RoundTrip for a request without a body, which net/http always has the means to send again. When it is
// about to, after the head has been written over HTTP/2, the context of the request ends.
func sendWatched(transport http.RoundTripper, req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context()) // it ends with that of the request
	var written atomic.Bool
	req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { written.Store(true) },
		GotConn: func(info httptrace.GotConnInfo) {
			secured, ok := info.Conn.(*tls.Conn)
			http2 := !ok || secured.ConnectionState().NegotiatedProtocol == "h2" // without TLS, it is known beforehand
			if written.Load() && http2 {
				cancel(ErrResend)
			}
		},
	}))
	resp, err := transport.RoundTrip(req)
	if err != nil && errors.Is(context.Cause(ctx), ErrResend) {
		return nil, ErrResend
	}
	return resp, err
}

func isUnprocessed(err error) bool {
	_, ok := errors.AsType[*UnprocessedError](err)
	return ok
}
