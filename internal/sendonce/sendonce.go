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
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/restconn/restconn/internal/wait"
)

// ErrResend means that net/http was about to send a request a second time.
var ErrResend = errors.New("the connection or the stream was lost (HTTP/2), and the request is not sent again, " +
	"because the server may have processed it")

const (
	// mostResends is how often a request is sent again that the server has certainly not processed.
	mostResends = 6
	// firstPause is the wait before the second of them; it doubles from there.
	firstPause = 10 * time.Millisecond
)

// UnprocessedError means that the server has certainly not processed the request.
type UnprocessedError struct{ reason string }

func (e *UnprocessedError) Error() string { return e.reason }

// RoundTrip sends a request that the server must not get twice, over a transport that may speak HTTP/2; certainly
// says that it does.
func RoundTrip(transport http.RoundTripper, req *http.Request, certainly bool) (*http.Response, error) {
	getBody := req.GetBody
	if req.Body == nil || req.Body == http.NoBody {
		if !certainly {
			return sendWatched(transport, req)
		}
		// net/http always sends a request without a body again. One with an empty body it does not.
		getBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("")), nil }
		own := *req
		own.Body, _ = getBody()
		req = &own
	}
	pause := time.Duration(0)
	for resent := 0; ; resent++ {
		once := *req
		once.GetBody = nil
		resp, err := transport.RoundTrip(&once)
		if err != nil {
			err = lost(err)
		}
		if !isUnprocessed(err) || getBody == nil || resent == mostResends || wait.For(req.Context(), pause) != nil {
			return resp, err
		}
		pause = max(firstPause, 2*pause) + rand.N(firstPause) //nolint:gosec,mnd // twice as long, and no secret
		next := *req
		if next.Body, err = getBody(); err != nil {
			return nil, err
		}
		req = &next
	}
}

// The texts in which net/http tells that it has failed to send a request again. They are matched whole: what a server
// writes can be in the text of an error.
const (
	noRewind     = "net/http: cannot rewind body after connection loss"
	noRetry      = "http2: Transport: cannot retry err ["
	noRetryEnd   = "] after Request.Body was written; define Request.GetBody to avoid this error"
	goneAway     = "http2: Transport received Server's graceful shutdown GOAWAY"
	refusedBegin = "stream error: stream ID "
	refusedEnd   = "; REFUSED_STREAM; received from peer"
)

// lost says what it means that net/http has failed to send a request again. The server has not processed one of which
// nothing was written, that came after it had said that it goes away, or that it has refused (RFC 9113, sections 6.8
// and 8.7).
func lost(err error) error {
	text := err.Error()
	if text == noRewind || fmt.Sprintf("%T", err) == "http.nothingWrittenError" {
		return &UnprocessedError{"the connection was lost before the request was sent"}
	}
	reason, ok := strings.CutPrefix(text, noRetry)
	reason, ended := strings.CutSuffix(reason, noRetryEnd)
	switch {
	case !ok || !ended:
		return err
	case reason == goneAway, strings.HasPrefix(reason, refusedBegin) && strings.HasSuffix(reason, refusedEnd):
		return &UnprocessedError{reason}
	}
	return fmt.Errorf("%w: %s", ErrResend, reason)
}

// sendWatched is RoundTrip for a request without a body over a transport of which it is not known what it speaks.
// When net/http is about to send it again, after the head has been written over HTTP/2, the context of the request
// ends; also where the server has not processed it, because that cannot be told.
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
