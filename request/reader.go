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
	// mostPooled is the size of the largest buffer that is kept for the next response. What is longer is read in parts.
	mostPooled = 1 << 20
	// mostTrusted is how much memory is set aside because a server says so.
	mostTrusted = mostPooled - 1
	// firstBuffer is the size of a buffer for a body of unknown length.
	firstBuffer = 4 << 10
)

// buffers hold what is decoded at once and not kept.
var buffers = sync.Pool{New: func() any { return new([]byte) }} //nolint:gochecknoglobals // a pool

// spare are parts of long bodies.
var spare = sync.Pool{New: func() any { return new([mostPooled]byte) }} //nolint:gochecknoglobals // a pool

// reader reads and decodes the body of one response.
type reader struct {
	exchange *connection.Exchange
	method   string
	codec    connection.Codec
	limit    int64
	pooled   *[]byte // the buffer that came from the pool
	data     []byte
	parts    [][]byte // what was read before data
	before   int64    // how much that is

	// codingWanted says that the request has an Accept-Encoding of its own. It is known only if the body is coded.
	codingWanted bool
}

func (b *Builder) reader(x *connection.Exchange) reader {
	r := reader{exchange: x, method: b.method, codec: b.codec(), limit: b.conn.MaxBody()}
	if len(x.Response.Header["Content-Encoding"]) > 0 {
		r.codingWanted = b.hasHeader(acceptEncoding) || slices.Contains(b.conn.Describe().Headers, acceptEncoding)
	}
	return r
}

// body returns what was read; the buffer goes back to the pool later.
func (r *reader) body() []byte { return r.data }

// release gives the buffer back: the one that was grown, or, if that is too large to be kept, the one before.
func (r *reader) release() {
	if r.pooled == nil {
		return
	}
	r.recycle()
	if r.data != nil && cap(r.data) <= mostPooled {
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
		return r.tooLarge()
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
		have := r.before + int64(len(r.data))
		switch {
		case have > r.limit:
			return r.tooLarge()
		case isEnd(err):
			if len(r.parts) > 0 {
				r.join(have)
			}
			return nil
		case err != nil:
			return r.brokeOff(have, err)
		case len(r.data) == cap(r.data):
			r.grow(have, size)
		}
	}
}

func (r *reader) tooLarge() error {
	return r.broken(fmt.Errorf("%w (%d bytes)", ErrTooLarge, r.limit))
}

// grow makes room for more of a body of which that size is declared. A server that lies about it gains little, and
// nothing is larger than the limit. What is long is not copied before its end is there.
func (r *reader) grow(have, size int64) {
	const factor = 8
	switch {
	case size > have && size < factor*have:
		r.join(size + 1)
	case have < mostPooled:
		r.join(min(2*have, mostPooled, r.limit) + 1)
	default:
		if len(r.parts) == 0 && cap(r.data) <= mostPooled {
			*r.pooled = r.data
		}
		r.parts, r.before = append(r.parts, r.data), have
		part, _ := spare.Get().(*[mostPooled]byte)
		r.data = part[:0]
	}
}

// join puts what was read into one buffer with that much room.
func (r *reader) join(room int64) {
	whole := make([]byte, 0, room)
	for _, part := range r.parts {
		whole = append(whole, part...)
	}
	whole = append(whole, r.data...)
	r.recycle()
	r.data = whole
}

// recycle gives the parts back. The first one is the buffer that came from the pool.
func (r *reader) recycle() {
	if len(r.parts) == 0 {
		return
	}
	for _, part := range append(r.parts[1:], r.data[:mostPooled]) {
		spare.Put((*[mostPooled]byte)(part))
	}
	r.parts, r.before, r.data = nil, 0, nil
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
	return r.broken(fmt.Errorf("the response body broke off after %d bytes: %w", n, err))
}

func (r *reader) broken(err error) error {
	return &Error{Stage: StageRead, Method: r.method, URL: r.exchange.URL(), Attempts: r.exchange.Attempts(), Err: err}
}

// responseError makes the error of a response that is not a success, with the beginning of its body.
func (r *reader) responseError(cause error) error {
	body := slices.Clone(r.data[:min(len(r.data), mostErrorBody)])
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
		ContentType: typeOf(r.exchange.Response.Header),
		Body:        slices.Clone(r.data[:min(len(r.data), mostErrorBody)]),
		Method:      r.method,
		URL:         r.exchange.URL(),
		Err:         err,
	}
}
