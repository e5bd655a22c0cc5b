package connection

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/restconn/restconn/internal/field"
	"github.com/restconn/restconn/internal/origin"
)

// Link resolves a URL that stands in the response, as a next link or a Location does, against the URL that was asked
// last; user name, password and fragment are left out. Query credentials of the authenticator that the service has
// repeated in it are taken out, and are an error where they stand in another form. One that leads from the connection's
// origins elsewhere, or from elsewhere to them, is an [*OriginError], and so is any that came by a redirect over
// another origin.
func (x *Exchange) Link(reference string) (*url.URL, error) {
	asked := x.bare()
	target, err := resolve(asked.URL, reference)
	if err != nil {
		return nil, err
	}
	if isForeign(asked) {
		foreign := asked.URL
		if x.conn.trusts(foreign) { // and has led back home
			foreign = target
		}
		return nil, fmt.Errorf("it came by a redirect over another origin: %w", x.conn.originError(foreign))
	}
	if err := x.conn.CheckLink(&x.call.URL, target); err != nil {
		return nil, err
	}
	credentials := added(asked.URL.RawQuery, x.query)
	target.RawQuery = without(credentials, target.RawQuery)
	if repeats(target, credentials) {
		return nil, errors.New("it repeats the credential of the query in another form")
	}
	return target, nil
}

const (
	// shortKey is the length below which the value of a credential stands in many URLs by chance.
	shortKey = 8
	// longKey is the length from which on it does not even as a part of another.
	longKey = 16
)

// repeats reports whether a URL has the value of one of the pairs in it, as a whole component or, if it is long,
// anywhere, however often it was escaped. What leads to the same origin may have short values in it by chance.
func repeats(target *url.URL, pairs map[string]bool) bool {
	text := target.RequestURI()
	for range mostLayers {
		for pair := range pairs {
			_, value, _ := strings.Cut(pair, "=")
			if stands(text, value) || stands(text, strings.ReplaceAll(value, "+", " ")) { // as an unescaped + is read
				return true
			}
		}
		text = decoded(text)
	}
	return false
}

// stands reports whether a value that is not short stands in a text.
func stands(text, value string) bool {
	if len(value) >= longKey {
		return strings.Contains(text, value)
	}
	components := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("/?&;=,", r) })
	return len(value) >= shortKey && slices.Contains(components, value)
}

// CheckLink returns an [*OriginError] unless what was sent to one URL may be sent to the other: both are of one origin,
// or of the connection's. [Exchange.Link] has done so already. Where the base URL has placeholders, what
// [Connection.Resolve] returns is to be asked.
func (c *Connection) CheckLink(from, to *url.URL) error {
	if c.together(from, to) {
		return nil
	}
	if c.trusts(to) {
		return c.originError(from)
	}
	return c.originError(to)
}

// originError makes the error of a URL outside the connection's origins.
func (c *Connection) originError(u *url.URL) error {
	o, err := origin.Of(u)
	if err != nil {
		return err
	}
	return &OriginError{Origin: o.String(), Home: c.home.String()}
}

// resolve resolves a reference that a server has written against the URL that it was asked for (RFC 3986, section 5),
// strictly. Its errors do not repeat the reference.
func resolve(base *url.URL, reference string) (*url.URL, error) {
	if reference == "" || field.HasControl(reference) || strings.ContainsAny(reference, "\\ ") {
		return nil, errReference
	}
	ref, err := url.Parse(reference)
	if err != nil || ref.Opaque != "" || ref.Scheme != "" && ref.Host == "" {
		return nil, errReference
	}
	target := base.ResolveReference(ref)
	target.User, target.Fragment, target.RawFragment = nil, "", ""
	if _, err := origin.Of(target); err != nil {
		return nil, err
	}
	return target, nil
}

var errReference = errors.New("it is not a URL")
