package connection

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"sync/atomic"

	bodies "github.com/restconn/restconn/internal/body"
	"github.com/restconn/restconn/internal/redact"
)

// longBody is the length from which on the idle limit rules while a request body is being sent.
const longBody = 64 << 10

// openBody opens the body of a request of the attempt.
func (x *Exchange) openBody(a *attempt, req *http.Request) error {
	body, open, err := x.nextBody(req)
	if err == nil && body != nil && req.ContentLength == 0 {
		body, err = x.emptyBody(a, req, body)
	}
	if err != nil || body == nil {
		return err
	}
	length := req.ContentLength
	req.Body, req.GetBody = a.sending(body, length), nil
	if open != nil { // a redirect, a challenge or net/http may want it
		req.GetBody = func() (io.ReadCloser, error) {
			body, err := openAgain(open)
			if err != nil {
				return nil, err
			}
			return a.sending(body, length), nil
		}
	}
	return nil
}

// nextBody returns the body for an attempt, and what opens it again; nil where there is none. A body that a middleware
// has put on the request is sent once: whatever GetBody came with the request belongs to another body.
func (x *Exchange) nextBody(req *http.Request) (io.ReadCloser, func() (io.ReadCloser, error), error) {
	placed, ours := req.Body.(*placedBody)
	switch {
	case req.Body == http.NoBody:
		return http.NoBody, nil, nil
	case req.Body != nil && !ours && same(x.lent, req.Body):
		return nil, nil, ErrNotReplayable
	case req.Body != nil && !ours:
		x.lent = req.Body
		return req.Body, nil, nil
	case ours && !placed.taken:
		placed.taken = true
		return placed.ReadCloser, req.GetBody, nil
	case req.GetBody != nil:
		body, err := openAgain(req.GetBody)
		return body, req.GetBody, err
	case x.call.Body == nil:
		return nil, nil, nil
	case x.opened:
		return nil, nil, ErrNotReplayable
	}
	x.opened = true
	body, err := openAgain(x.call.Body)
	return body, nil, err
}

// placedBody is the body that call middleware sees.
type placedBody struct {
	io.ReadCloser
	taken bool
}

// same reports whether two bodies are one. Of those that cannot be compared, that is assumed.
func same(a, b io.ReadCloser) bool {
	if a == nil || reflect.TypeOf(a) != reflect.TypeOf(b) {
		return false
	}
	return !reflect.TypeOf(a).Comparable() || a == b
}

// emptyBody returns the body of a request of length 0, which to net/http means that the length is not known.
func (x *Exchange) emptyBody(a *attempt, req *http.Request, body io.ReadCloser) (io.ReadCloser, error) {
	if x.call.Body == nil || x.lent != nil { // a middleware's, which has not said how long it is
		req.ContentLength = -1
		return body, nil
	}
	guard := a.sending(body, 0)
	defer func() { _ = guard.Close() }()
	for {
		n, err := guard.Read(make([]byte, 1))
		switch {
		case n > 0:
			return nil, &bodyError{"open", errLonger}
		case err == io.EOF:
			return http.NoBody, nil
		case err != nil:
			return nil, err
		}
	}
}

// sending guards a body while it is being sent: see [requestBody]. One that lies in memory and is short needs no guard.
func (a *attempt) sending(body io.ReadCloser, length int64) io.ReadCloser {
	long := length < 0 || length > longBody
	if _, ok := body.(*bodies.Memory); body == http.NoBody || ok && !long {
		return body
	}
	b := &requestBody{ReadCloser: body, attempt: a, length: length, long: long}
	b.uploading(true)
	b.keep = context.AfterFunc(a.ctx, func() { _ = b.closeOnce() })
	return b
}

// openAgain opens a body anew.
func openAgain(open func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	body, err := open()
	switch {
	case err != nil:
		return nil, &bodyError{"open", err}
	case body == nil:
		return nil, &bodyError{"open", errors.New("there is none")}
	}
	return body, nil
}

// bodyError means that the body could not be opened or read: its source is at fault, and another attempt would not
// help.
type bodyError struct {
	op  string
	err error
}

func (e *bodyError) Error() string { return e.op + " the request body: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// requestBody is a body on its way out. It is closed when the attempt ends, because net/http waits for a read that is
// under way, however long that takes; it has to be as long as was declared, which net/http checks too late or not at
// all; and if it is long, every read that brings something starts the idle limit anew, and its end the attempt limit.
type requestBody struct {
	io.ReadCloser
	attempt *attempt
	keep    func() bool // takes back the close at the end of the attempt
	closed  atomic.Bool
	long    bool
	length  int64 // as declared; -1 if it is not known
	read    int64
	empty   bodies.EmptyReads
}

func (b *requestBody) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, &bodyError{"read", errClosedBody}
	}
	n, err := b.ReadCloser.Read(p)
	if n < 0 || n > len(p) {
		return 0, &bodyError{"read", errCount}
	}
	err = b.empty.Count(n, err)
	b.read += int64(n)
	if err == nil && b.read == b.length {
		err = b.end()
	}
	if b.length >= 0 && b.read > b.length {
		// The last byte stays here, so that what the server has is not whole.
		n, err = max(0, n-int(b.read-b.length)-1), errLonger
	}
	if n > 0 || err != nil {
		b.uploading(err == nil)
	}
	switch {
	case err == nil:
	case err != io.EOF: //nolint:errorlint // a reader's EOF is not wrapped
		err = &bodyError{"read", err}
	case b.length >= 0 && b.read != b.length:
		err = fmt.Errorf("it has %d bytes, and %d were declared: %w", b.read, b.length, io.ErrUnexpectedEOF)
		err = &bodyError{"read", err}
	}
	return n, err
}

// end looks for the end of a body of which all that was declared has come.
func (b *requestBody) end() error {
	var more [1]byte
	for {
		n, err := b.ReadCloser.Read(more[:])
		if n > 0 {
			b.read += int64(n)
			return nil
		}
		if failed := b.empty.Count(n, err); failed != nil {
			return failed
		}
	}
}

var (
	errLonger     = errors.New("it is longer than was declared")
	errClosedBody = errors.New("the attempt has ended")
	errCount      = errors.New("its reader returned an impossible count")
)

// uploading tells the attempt that a long body is on its way, or has ended.
func (b *requestBody) uploading(more bool) {
	if b.long {
		b.attempt.upload(more)
	}
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
	empty    bodies.EmptyReads
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
		b.exchange.attempt.await()
		defer b.exchange.attempt.pause() // a reader that takes its time is not an idle server
	}
	n, err := b.rc.Read(p)
	if err != nil && !b.closed.Load() && (err != io.EOF || b.exchange.over()) { //nolint:errorlint // the end is bare
		err = notTheEnd(b.exchange.explain(redact.Wire(err)))
	}
	return n, b.empty.Count(n, err)
}

// notTheEnd keeps the cause of a context's end, which may be io.EOF, from looking like the end of the body.
func notTheEnd(err error) error {
	if err == io.EOF { //nolint:errorlint // the end is bare
		return io.ErrUnexpectedEOF
	}
	return err
}

func (b *responseBody) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	defer b.exchange.free()
	return b.rc.Close()
}
