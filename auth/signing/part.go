package signing

import (
	"errors"
	"fmt"

	"github.com/restconn/restconn/internal/field"
)

// Part is one part of a message that is signed. Parts are immutable and safe for concurrent use; the zero Part is an
// error.
type Part struct {
	render func(r *Request) (string, error)
	stamp  stamp
	fault  error
}

// stamp is what a part needs sent, so that the server can make the same message.
type stamp uint8

const (
	noStamp stamp = iota
	timestamp
	nonce
)

// plain returns a part that cannot fail.
func plain(render func(r *Request) string) Part {
	return Part{render: func(r *Request) (string, error) { return render(r), nil }}
}

// Text is a text as it is.
func Text(s string) Part { return plain(func(*Request) string { return s }) }

// Method is the method as it is sent, see [Request.Method].
func Method() Part { return plain((*Request).Method) }

// Host is the Host field, see [Request.Host].
func Host() Part { return plain((*Request).Host) }

// Path is the path as it is sent, see [Request.Path].
func Path() Part { return plain((*Request).Path) }

// Query is the query as it is sent, see [Request.Query]. It has the timestamp and the nonce, if they are sent there.
func Query() Part { return plain((*Request).Query) }

// SortedQuery is the query in a canonical form, see [SortQuery].
func SortedQuery() Part {
	return Part{render: func(r *Request) (string, error) { return SortQuery(r.Query()) }}
}

// Target is path and query as they are sent, see [Request.Target].
func Target() Part { return plain((*Request).Target) }

// URL is the whole URL, see [Request.URL].
func URL() Part { return plain((*Request).URL) }

// Header is the value of a header, see [Request.Header]: empty if there is none.
func Header(name string) Part {
	p := plain(func(r *Request) string { return r.Header(name) })
	if !field.IsToken(name) {
		p.fault = fmt.Errorf("Header(%q): the name is not a token (RFC 9110, section 5.6.2)", name)
	}
	return p
}

// Body is the body, byte for byte; empty if there is none. It is held in memory: see [Config].MaxBody.
func Body() Part {
	return Part{render: func(r *Request) (string, error) {
		text, err := r.Body(r.maxBody)
		return string(text), err
	}}
}

// BodyDigest is a hash of the body, see [Request.BodySum].
func BodyDigest(h Hash, e Encoding) Part {
	p := Part{render: func(r *Request) (string, error) {
		sum, err := r.BodySum(h)
		return e.encode(sum), err
	}}
	if err := errors.Join(h.validate(), e.validate()); err != nil {
		p.fault = fmt.Errorf("BodyDigest: %w", err)
	}
	return p
}

// Timestamp is the timestamp as it is sent, see [Config].Timestamp.
func Timestamp() Part {
	p := plain(func(r *Request) string { return r.timestamp })
	p.stamp = timestamp
	return p
}

// Nonce is the nonce as it is sent, see [Config].Nonce.
func Nonce() Part {
	p := plain((*Request).Nonce)
	p.stamp = nonce
	return p
}

// PartFunc makes a Part of a function. Its errors have to hold no secret.
func PartFunc(f func(r *Request) (string, error)) Part {
	if f == nil {
		return Part{fault: errors.New("PartFunc: the function is nil")}
	}
	return Part{render: f}
}
