package connection

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// longBody is the length from which on the idle limit rules while a request body is being sent.
const longBody = 64 << 10

// openBody opens the body of the attempt. A middleware may have put one on its request.
func (x *Exchange) openBody(a *attempt) error {
	req := &a.request
	given, open := req.Body, req.GetBody
	body, err := x.nextBody(req)
	if err != nil || body == nil {
		return err
	}
	if req.ContentLength == 0 && body != http.NoBody && given == nil {
		_ = body.Close()
		body = http.NoBody // otherwise net/http takes 0 for an unknown length
	}
	req.Body = body
	if req.ContentLength < 0 || req.ContentLength > longBody {
		req.Body = a.sending(body)
		if open != nil { // a redirect, a challenge or net/http may want it
			req.GetBody = func() (io.ReadCloser, error) {
				body, err := openAgain(open)
				if err != nil {
					return nil, err
				}
				return a.sending(body), nil
			}
		}
	}
	return nil
}

// sending lets the idle limit rule while the long body is being sent.
func (a *attempt) sending(body io.ReadCloser) io.ReadCloser {
	a.restart(true)
	b := &requestBody{ReadCloser: body, attempt: a}
	b.keep = context.AfterFunc(a.ctx, func() { _ = b.closeOnce() })
	return b
}

// openAgain opens a body anew.
func openAgain(open func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	body, err := open()
	switch {
	case err != nil:
		return nil, &openError{err}
	case body == nil:
		return nil, &openError{errors.New("there is none")}
	}
	return body, nil
}

// openError means that the body could not be opened: another attempt would not help.
type openError struct{ err error }

func (e *openError) Error() string { return "open the request body: " + e.err.Error() }
func (e *openError) Unwrap() error { return e.err }

// nextBody returns the body for an attempt; nil if there is none.
func (x *Exchange) nextBody(req *http.Request) (io.ReadCloser, error) {
	first := x.made == 1
	switch {
	case first && req.Body != nil:
		return req.Body, nil
	case req.GetBody != nil:
		return openAgain(req.GetBody)
	case first && x.call.Body != nil:
		x.opened = true
		return openAgain(x.call.Body)
	case req.Body != nil || x.call.Body != nil:
		return nil, ErrNotReplayable
	}
	return nil, nil //nolint:nilnil // no body is no error
}

// requestBody is a long body on its way out: every read starts the idle limit anew, and its end the attempt limit. It
// is closed when the attempt ends, because net/http waits for a read that is under way, however long that takes.
type requestBody struct {
	io.ReadCloser
	attempt *attempt
	keep    func() bool // takes back the close at the end of the attempt
	closed  atomic.Bool
}

func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.attempt.restart(err == nil)
	return n, err
}

func (b *requestBody) Close() error {
	b.keep()
	return b.closeOnce()
}

func (b *requestBody) closeOnce() error {
	if b.closed.Swap(true) {
		return nil
	}
	return b.ReadCloser.Close()
}

// responseBody is the body of the final response. It ends the exchange when it is closed.
type responseBody struct {
	rc       io.ReadCloser
	exchange *Exchange
	closed   atomic.Bool
	idle     bool // it is a stream: the idle limit rules
}

// stream lets the idle limit rule from here on, in the place of the attempt's and the total limit.
func (b *responseBody) stream() {
	b.exchange.total.lift()
	if b.exchange.attempt != nil {
		b.idle = true
		b.exchange.attempt.open()
	}
}

func (b *responseBody) Read(p []byte) (int, error) {
	if b.idle {
		b.exchange.attempt.restart(true)
		defer b.exchange.attempt.pause() // a reader that takes its time is not an idle server
	}
	n, err := b.rc.Read(p)
	if err != nil && (!errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) && !b.closed.Load() {
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
