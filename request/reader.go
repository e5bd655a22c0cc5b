package request

import (
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/restconn/restconn/connection"
)

const (
	// mostErrorBody is how much of a body is kept in an error.
	mostErrorBody = 64 << 10
	// mostDrained is how much of an unwanted body is read so that its connection can be used again.
	mostDrained = 256 << 10
	// mostPooled is the size of the largest buffer that is kept for the next response.
	mostPooled = 1 << 20
	// mostTrusted is how much memory is set aside because a server says so.
	mostTrusted = mostPooled - 1
	// firstBuffer is the size of a buffer for a body of unknown length.
	firstBuffer = 4 << 10
)

// buffers hold what is decoded at once and not kept.
var buffers = sync.Pool{New: func() any { return new([]byte) }} //nolint:gochecknoglobals // a pool

// reader reads and decodes the body of one response.
type reader struct {
	exchange *connection.Exchange
	method   string
	codec    connection.Codec
	limit    int64
	pooled   *[]byte // the buffer that came from the pool
	data     []byte
}

func (b *Builder) reader(x *connection.Exchange) reader {
	return reader{exchange: x, method: b.method, codec: b.codec(), limit: b.conn.MaxBody()}
}

// body returns what was read; the buffer goes back to the pool later.
func (r *reader) body() []byte { return r.data }

// release gives a buffer back: the one that was grown, or, if that is too large to be kept, the one before.
func (r *reader) release() {
	if r.pooled == nil {
		return
	}
	if cap(r.data) <= mostPooled {
		*r.pooled = r.data[:0]
	}
	buffers.Put(r.pooled)
	r.pooled, r.data = nil, nil
}

// read reads the body whole, up to the limit.
func (r *reader) read() error {
	size := r.exchange.Response.ContentLength
	if r.bodiless() { // a Content-Length there is that of another answer
		size = 0
	}
	if size > r.limit {
		return r.fail(StageRead, fmt.Errorf("%w (%d bytes)", ErrTooLarge, r.limit))
	}
	r.pooled, _ = buffers.Get().(*[]byte)
	r.data = *r.pooled
	if size < 0 {
		size = firstBuffer
	}
	// One byte more than the body: the read that finds the end needs room.
	r.data = slices.Grow(r.data[:0], int(min(size, mostTrusted))+1)
	if cap(r.data) <= mostPooled {
		*r.pooled = r.data
	}
	for {
		n, err := r.exchange.Response.Body.Read(r.data[len(r.data):cap(r.data)])
		r.data = r.data[:len(r.data)+n]
		switch {
		case int64(len(r.data)) > r.limit:
			return r.fail(StageRead, fmt.Errorf("%w (%d bytes)", ErrTooLarge, r.limit))
		case isEnd(err):
			return nil
		case err != nil:
			return r.brokeOff(int64(len(r.data)), err)
		case len(r.data) == cap(r.data):
			r.grow(size)
		}
	}
}

// grow makes room for more of a body of which that size is declared. A server that lies about it gains little, and
// nothing is larger than the limit.
func (r *reader) grow(size int64) {
	const factor = 8
	have := int64(len(r.data))
	room := min(2*have, r.limit+1)
	if size > have && size < factor*have {
		room = size + 1
	}
	grown := make([]byte, have, room)
	copy(grown, r.data)
	r.data = grown
}

// drain reads an unwanted body, so far as that is worth a connection. A body that breaks off is an error all the same.
func (r *reader) drain() error {
	n, err := io.CopyN(io.Discard, r.exchange.Response.Body, mostDrained)
	if err == nil || isEnd(err) {
		return nil
	}
	return r.brokeOff(n, err)
}

// isEnd reports whether err is the end of a body that is whole.
func isEnd(err error) bool { return err == io.EOF } //nolint:errorlint // the end is bare: a cause may be an EOF too

func (r *reader) brokeOff(n int64, err error) error {
	return r.fail(StageRead, fmt.Errorf("the response body broke off after %d bytes: %w", n, err))
}

func (r *reader) fail(stage Stage, err error) error {
	return &Error{Stage: stage, Method: r.method, URL: r.exchange.URL(), Attempts: r.exchange.Attempts(), Err: err}
}

// responseError makes the error of a response that is not a success, with the beginning of its body.
func (r *reader) responseError(cause error) error {
	body := slices.Clone(r.data)
	if body == nil {
		body, _ = io.ReadAll(io.LimitReader(r.exchange.Response.Body, mostErrorBody))
		_ = r.drain()
	}
	return &ResponseError{
		Status:  r.exchange.Response.StatusCode,
		Header:  r.exchange.Response.Header,
		Body:    body[:min(len(body), mostErrorBody)],
		Method:  r.method,
		URL:     r.exchange.URL(),
		History: r.exchange.History(),
		Err:     cause,
		codec:   r.codec,
	}
}

func (r *reader) decodeError(err error) error {
	return &DecodeError{
		Status:      r.exchange.Response.StatusCode,
		Header:      r.exchange.Response.Header,
		ContentType: r.exchange.Response.Header.Get("Content-Type"),
		Body:        slices.Clone(r.data[:min(len(r.data), mostErrorBody)]),
		Method:      r.method,
		URL:         r.exchange.URL(),
		Err:         err,
	}
}
