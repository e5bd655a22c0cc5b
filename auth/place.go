package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/restconn/restconn/internal/field"
)

// PlaceOption says where [APIKey] and [Bearer] write a credential, and how. At most one of [InHeader], [InQuery] and
// [InCookie] may be given, and at most one of [Prefix] and [NoPrefix]. Their faults are reported by [Validate].
type PlaceOption interface {
	BearerOption
	apply(*placement)
}

// InHeader writes the credential to the header of that name, as its only value. The name is a token (RFC 9110,
// section 5.6.2) and none of those that frame or route a message, such as Host, Content-Length or Connection.
func InHeader(name string) PlaceOption { return placeOption{in: inHeader, name: name} }

// InQuery appends the credential to the query as a parameter of that name, percent-encoded like [url.QueryEscape]
// does it. The query that the request already has stays as it is, byte for byte. A request that has a parameter of
// that name is not sent: [ErrParameterSet].
//
// A query ends up in the logs of servers and proxies. Use it only for services that know no other way.
func InQuery(name string) PlaceOption { return placeOption{in: inQuery, name: name} }

// InCookie writes the credential to a cookie of that name, after those that the request already has. The name is a
// token (RFC 9110, section 5.6.2). A credential with bytes that a cookie value cannot have is [ErrMalformed] (RFC
// 6265, section 4.1.1).
func InCookie(name string) PlaceOption { return placeOption{in: inCookie, name: name} }

// Prefix puts a word and a space before the credential in its header, such as "Bearer" or "Token". It is visible
// ASCII without spaces. It cannot be combined with [InQuery] or [InCookie], which have no prefix.
func Prefix(scheme string) PlaceOption { return prefixOption{scheme: scheme} }

// NoPrefix writes the bare credential.
func NoPrefix() PlaceOption { return prefixOption{none: true} }

// location is a part of the request that can carry a credential.
type location uint8

const (
	inHeader location = iota
	inQuery
	inCookie
)

// place is where a credential is written. The zero place is no valid one.
type place struct {
	in     location
	name   string // canonical, if a header
	prefix string // without its space; only if a header
}

// String describes the place; the name is quoted unless it is a token.
func (p place) String() string {
	name := p.name
	if !field.IsToken(name) {
		name = fmt.Sprintf("%q", name)
	}
	switch p.in {
	case inQuery:
		return "query parameter " + name
	case inCookie:
		return "cookie " + name
	default:
		return "header " + name
	}
}

// same reports whether p and q are the same part of a request.
func (p place) same(q place) bool { return p.in == q.in && p.name == q.name }

// check tells what keeps text from being written to p.
func (p place) check(text string) error {
	switch {
	case len(text) > maxCredential:
		return fmt.Errorf("%w: longer than %d bytes", ErrMalformed, maxCredential)
	case strings.ContainsFunc(text, isControl):
		return fmt.Errorf("%w: it holds a control character, such as a line break at its end", ErrMalformed)
	case p.in == inCookie && strings.ContainsFunc(text, isNoCookieOctet):
		return fmt.Errorf("%w: it holds a byte that a cookie value cannot (RFC 6265, section 4.1.1)", ErrMalformed)
	case p.in == inHeader && strings.Trim(text, " ") != text:
		return fmt.Errorf("%w: it begins or ends with a space", ErrMalformed)
	default:
		return nil
	}
}

// encode returns the header value, the query pair or the cookie pair that carries text.
func (p place) encode(text string) string {
	switch {
	case p.in == inQuery:
		return url.QueryEscape(p.name) + "=" + url.QueryEscape(text)
	case p.in == inCookie:
		return p.name + "=" + text
	case p.prefix != "":
		return p.prefix + " " + text
	default:
		return text
	}
}

// placement collects options.
type placement struct {
	place, prefix PlaceOption // as given, nil if not
	in            placeOption
	scheme        prefixOption
	faults        []error
}

// newPlace returns what opts make of the default, and their faults. The prefix of the default belongs to its header
// alone, unless keepPrefix says that it goes to every header.
func newPlace(def place, keepPrefix bool, opts []PlaceOption) (place, []error) {
	var c placement
	for _, opt := range opts {
		if opt == nil {
			c.faultf("an option is nil")
			continue
		}
		opt.apply(&c)
	}

	p := def
	if c.place != nil {
		p.in, p.name = c.in.in, c.in.canonical()
		if p.in != inHeader || !keepPrefix {
			p.prefix = ""
		}
	}
	if c.prefix != nil {
		p.prefix = c.scheme.scheme
	}
	if p.in != inHeader && p.prefix != "" {
		c.faultf("%v cannot be combined with %v", c.prefix, c.place)
	}
	return p, c.faults
}

func (c *placement) faultf(format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf(format, args...))
}

type placeOption struct {
	in   location
	name string
}

func (o placeOption) String() string {
	return [...]string{inHeader: "InHeader", inQuery: "InQuery", inCookie: "InCookie"}[o.in] +
		fmt.Sprintf("(%q)", o.name)
}

func (placeOption) ofBearer() {}

func (o placeOption) apply(c *placement) {
	if c.place != nil {
		c.faultf("%v cannot be combined with %v", o, c.place)
		return
	}
	c.place, c.in = o, o
	if err := o.validate(); err != nil {
		c.faultf("%v: %w", o, err)
	}
}

func (o placeOption) validate() error {
	switch {
	case o.name == "":
		return errors.New("the name is empty")
	case o.in == inQuery && strings.ContainsFunc(o.name, isControl):
		return errors.New("the name holds a control character")
	case o.in != inQuery && !field.IsToken(o.name):
		return errors.New("the name is not a token (RFC 9110, section 5.6.2)")
	case o.in == inHeader && isReserved(o.canonical()):
		return errors.New("this header cannot carry a credential")
	default:
		return nil
	}
}

func (o placeOption) canonical() string {
	if o.in != inHeader {
		return o.name
	}
	return http.CanonicalHeaderKey(o.name)
}

type prefixOption struct {
	scheme string
	none   bool
}

func (o prefixOption) String() string {
	if o.none {
		return "NoPrefix()"
	}
	return fmt.Sprintf("Prefix(%q)", o.scheme)
}

func (prefixOption) ofBearer() {}

func (o prefixOption) apply(c *placement) {
	if c.prefix != nil {
		c.faultf("%v cannot be combined with %v", o, c.prefix)
		return
	}
	c.prefix, c.scheme = o, o
	switch {
	case o.none:
	case o.scheme == "":
		c.faultf("%v: the prefix is empty; NoPrefix() stands for none", o)
	case strings.ContainsFunc(o.scheme, isOpaque):
		c.faultf("%v: the prefix holds a space, a control character or a non-ASCII one", o)
	}
}

// isReserved reports whether the header frames, describes or routes the message, is meant for the next hop alone, or
// has a place of its own.
func isReserved(canonical string) bool {
	switch canonical {
	case "Content-Encoding", "Content-Type", "Cookie":
		return true
	default:
		return field.Reserved(canonical)
	}
}

// isNoCookieOctet reports whether r cannot be part of a cookie value (RFC 6265, section 4.1.1).
func isNoCookieOctet(r rune) bool { return isOpaque(r) || strings.ContainsRune(`",;\`, r) }
