package connection

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// longBody is the length from which on the idle limit rules while a request body is being sent.
const longBody = 64 << 10

// prepareBody tells the request of the call about its body. The body is opened per attempt; call middleware wants to see
// one, and gets the body of the first.
func (x *Exchange) prepareBody() error {
	if x.call.Body == nil {
		return nil
	}
	x.request.ContentLength = x.call.BodyLen
	if !x.call.BodyOnce {
		x.request.GetBody = x.call.Body
	}
	if len(x.conn.config.middleware) == 0 {
		return nil
	}
	var err error
	x.request.Body, err = x.call.Body()
	return err
}

// openBody gives the attempt the body of req, which comes from prepareBody or from a middleware.
func (x *Exchange) openBody(a *attempt, req *http.Request) error {
	body, err := x.nextBody(req)
	if err != nil || body == nil {
		return err
	}
	if req.ContentLength == 0 && body != http.NoBody && req.Body == nil {
		_ = body.Close()
		body = http.NoBody // otherwise net/http takes 0 for an unknown length
	}
	if req.ContentLength < 0 || req.ContentLength > longBody {
		a.restart(true)
		body = &requestBody{ReadCloser: body, attempt: a}
	}
	a.request.Body = body
	return nil
}

func (x *Exchange) nextBody(req *http.Request) (io.ReadCloser, error) {
	first := x.sent == 1
	switch {
	case first && req.Body != nil:
		return req.Body, nil
	case req.GetBody != nil:
		return req.GetBody()
	case first && x.call.Body != nil:
		return x.call.Body()
	case req.Body != nil || x.call.Body != nil:
		return nil, ErrNotReplayable
	}
	return nil, nil
}

// requestBody is a long body on its way out: every read starts the idle limit anew, and its end the attempt limit.
type requestBody struct {
	io.ReadCloser
	attempt *attempt
}

func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.attempt.restart(err == nil)
	return n, err
}

// responseBody is the body of the final response. It ends the exchange when it is closed.
type responseBody struct {
	rc       io.ReadCloser
	exchange *Exchange
	idle     bool
	closed   atomic.Bool
}

// stream lets the idle limit rule from here on, in the place of the attempt's and the total limit.
func (b *responseBody) stream() {
	b.idle = true
	b.exchange.total.lift()
	if b.exchange.attempt != nil {
		b.exchange.attempt.restart(true)
	}
}

func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.rc.Read(p)
	switch {
	case err == nil:
		if b.idle && b.exchange.attempt != nil {
			b.exchange.attempt.restart(true)
		}
	case !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		err = b.exchange.explain(err)
	}
	return n, err
}

func (b *responseBody) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	err := b.rc.Close()
	b.exchange.free()
	return err
}
