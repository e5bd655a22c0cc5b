package request

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/readall"
)

const (
	// mostErrorBody is how much of a body is kept in an error.
	mostErrorBody = 64 << 10
	// mostDrained is how much of an unwanted body is read so that its connection can be used again.
	mostDrained = 256 << 10
)

// reader reads and decodes the body of one response.
type reader struct {
	exchange *connection.Exchange
	method   string
	codec    connection.Codec
	limit    int64
	buffer   readall.Buffer
	data     []byte // what was read

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

// release gives the buffer back.
func (r *reader) release() {
	r.buffer.Release()
	r.data = nil
}

// read reads the body whole, up to the limit.
func (r *reader) read() error {
	size := r.exchange.Response.ContentLength
	if r.bodiless() { // a Content-Length there is that of another answer
		size = 0
	}
	n, err := r.buffer.Read(r.exchange.Response.Body, size, r.limit)
	r.data = r.buffer.Bytes()
	switch {
	case errors.Is(err, readall.ErrLimit):
		return r.broken(fmt.Errorf("%w (%d bytes)", ErrTooLarge, r.limit))
	case err != nil:
		return r.brokeOff(n, err)
	}
	return nil
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

// beginning reads the beginning of the body of a response that is not a success, and drops the rest.
func (r *reader) beginning() []byte {
	body, _ := io.ReadAll(io.LimitReader(r.exchange.Response.Body, mostErrorBody))
	_ = r.drain()
	return body
}

// responseError makes the error of a response that is not a success, with the beginning of its body.
func (r *reader) responseError(body []byte, cause error) error {
	return &ResponseError{
		Status:  r.exchange.Response.StatusCode,
		Header:  r.exchange.Response.Header,
		Body:    slices.Clone(body[:min(len(body), mostErrorBody)]),
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
