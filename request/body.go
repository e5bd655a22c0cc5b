package request

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/body"
)

// Body makes the body of a request. Implementations are immutable and safe for concurrent use.
type Body interface {
	// Payload is called once per call, before anything is sent.
	Payload() (Payload, error)
}

// Payload is a body that is ready to be sent. It is a factory and not a reader, so that what is sent again is the same.
type Payload struct {
	// Open opens the body from its beginning. It is called once per attempt. What it returns may be closed while it is
	// read, and Close then has to end the read. It is read in a goroutine of net/http, where a panic ends the program.
	Open func() (io.ReadCloser, error)
	// Len is the length in bytes; -1 if it is not known.
	Len int64
	// ContentType is sent unless the request has a Content-Type header of its own.
	ContentType string
	// Once says that Open works only once. Such a body is refused where a retry might need it again.
	Once bool
}

// encoded is a body that the codec of its request writes.
type encoded interface {
	payload(codec connection.Codec) (Payload, error)
}

// payloadOf returns the payload of a body in a request with that codec.
func payloadOf(b Body, codec connection.Codec) (payload Payload, err error) {
	if e, ok := b.(encoded); ok {
		payload, err = e.payload(codec)
	} else if m, ok := asForm(b); ok {
		payload, err = m.encode(codec)
	} else {
		payload, err = b.Payload()
	}
	if err == nil && payload.Open == nil {
		err = errNoOpen
	}
	return payload, err
}

var errNoOpen = errors.New("there is nothing to open the body with")

// JSON is v as JSON, written when the request is sent: a string is quoted, and a []byte is base64. JSON that is written
// already is a json.RawMessage, or goes into [Bytes]. It is written by encoding/json, or by a codec for JSON.
func JSON(v any) Body { return jsonBody{v} }

type jsonBody struct{ v any }

func (b jsonBody) Payload() (Payload, error) { return b.payload(connection.Codec{}) }

func (b jsonBody) payload(codec connection.Codec) (Payload, error) {
	if !codec.IsJSON() {
		codec = connection.Codec{}
	}
	return encode(codec, b.v)
}

// Value is v as the codec of the request writes it: JSON, unless [connection.WithCodec] or [Builder.Codec] says
// otherwise.
func Value(v any) Body {
	return valueBody{v, func(own connection.Codec) connection.Codec { return own }}
}

// valueBody is a value in the format of a codec, which may depend on that of the request.
type valueBody struct {
	v     any
	codec func(own connection.Codec) connection.Codec
}

func (b valueBody) Payload() (Payload, error) { return b.payload(connection.Codec{}) }

func (b valueBody) payload(codec connection.Codec) (Payload, error) {
	return encode(b.codec(codec), b.v)
}

func encode(codec connection.Codec, v any) (Payload, error) {
	if _, ok := v.(io.Reader); ok {
		return Payload{}, errors.New("a reader is not a value: send it with Open or Once")
	}
	data, err := marshal(codec, v)
	if err != nil {
		return Payload{}, err
	}
	return inMemory(codec.String(), data), nil
}

// Form is values as application/x-www-form-urlencoded, sorted by name.
func Form(values url.Values) Body {
	return Bytes("application/x-www-form-urlencoded", []byte(values.Encode()))
}

// Text is s, byte by byte, as text/plain; charset=utf-8.
func Text(s string) Body { return textBody(s) }

type textBody string

func (b textBody) Payload() (Payload, error) {
	return inMemory("text/plain; charset=utf-8", []byte(b)), nil
}

// Bytes is a copy of data, with the given content type.
func Bytes(contentType string, data []byte) Body { return bytesBody{contentType, slices.Clone(data)} }

type bytesBody struct {
	contentType string
	data        []byte
}

func (b bytesBody) Payload() (Payload, error) { return inMemory(b.contentType, b.data), nil }

func inMemory(contentType string, data []byte) Payload {
	open := func() (io.ReadCloser, error) { return body.NewMemory(data), nil }
	return Payload{Open: open, Len: int64(len(data)), ContentType: contentType}
}

// Open is a body that open opens anew for every attempt. size is its length in bytes; -1 if it is not known. An error
// of its Close, after it was read to its end, does not matter, but in a part of a [MultipartBody], where it breaks off
// the request.
func Open(contentType string, size int64, open func() (io.ReadCloser, error)) Body {
	return payloadBody{Payload{Open: open, Len: max(size, -1), ContentType: contentType}}
}

// Once is a body that can be sent only once. Where a retry would be allowed to send it again it is refused before a
// byte is sent: with [Builder.Retry], and, under the policy of the connection, with an idempotent method or
// [Builder.Idempotent]. A plain POST is sent, and never again. To send the body, or a [Builder] that has it, a second
// time is refused too. Every refusal is [connection.ErrNotReplayable]; what can be opened anew goes into [Open].
//
// If r is an io.Closer, it is closed after sending, where the request is refused, and when the request ends while r is
// read: Close is then called in another goroutine than Read. A Read that does not end all the same is left to itself.
func Once(contentType string, r io.Reader) Body {
	return &onceBody{contentType: contentType, reader: r}
}

type onceBody struct {
	contentType string
	reader      io.Reader
	taken       atomic.Bool
}

func (b *onceBody) Payload() (Payload, error) {
	switch {
	case b.reader == nil:
		return Payload{}, errors.New("the reader of Once is nil")
	case b.taken.Load():
		return Payload{}, b.spent()
	}
	return Payload{Open: b.open, Len: -1, ContentType: b.contentType, Once: true}, nil
}

func (b *onceBody) open() (io.ReadCloser, error) {
	if b.taken.Swap(true) {
		return nil, b.spent()
	}
	switch r := b.reader.(type) {
	case *bytes.Reader, *bytes.Buffer, *strings.Reader: // which never wait
		return io.NopCloser(r), nil
	default:
		return body.Interruptible(r), nil
	}
}

func (b *onceBody) spent() error {
	return fmt.Errorf("what was given to Once was sent, or refused, before: %w", connection.ErrNotReplayable)
}

// abandon closes what was given to Once, in a request that is not going to be sent.
func abandon(b Body) {
	if once, ok := b.(*onceBody); ok && once.reader != nil {
		if rc, err := once.open(); err == nil {
			_ = rc.Close()
		}
	}
	if m, ok := asForm(b); ok {
		for i := range m.parts {
			abandon(m.parts[i].body)
		}
	}
}

type payloadBody struct{ p Payload }

func (b payloadBody) Payload() (Payload, error) { return b.p, nil }
