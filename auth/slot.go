package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/restconn/restconn/internal/field"
)

// slot writes one credential to its place. It remembers what it rendered last, so that a credential that did not
// change costs no allocation. It is safe for concurrent use.
type slot struct {
	place
	last atomic.Pointer[rendered]
}

// rendered is a credential in its final form. It hides behind an atomic pointer, where no dumper follows.
type rendered struct {
	user, text string   // what it was made of; user is Basic's
	token      *Token   // the same; Bearer's
	values     []string // exactly one, and no room for a second: an append by others copies
}

// free reports whether the place is there to be written. It is not if the caller has done so.
func (s *slot) free(req *http.Request) (bool, error) {
	switch s.in {
	case inQuery:
		if req.URL == nil {
			return false, errors.New("the request has no URL")
		}
		if hasParameter(req.URL.RawQuery, s.name) {
			return false, fmt.Errorf("%w: %q", ErrParameterSet, s.name)
		}
		return true, nil
	case inCookie:
		_, ok := cookie(req.Header, s.name)
		return !ok, nil
	default:
		_, values := field.Values(req.Header, s.name)
		return len(values) == 0, nil
	}
}

// render returns the credential in its final form: the last one if it is of the same text.
func (s *slot) render(text string, check func(text string) error) (*rendered, error) {
	if r := s.last.Load(); r != nil && r.text == text {
		return r, nil
	}
	if err := check(text); err != nil {
		return nil, err
	}
	return s.keep("", text, s.encode(text)), nil
}

// keep remembers value as the final form of user and text.
func (s *slot) keep(user, text, value string) *rendered {
	r := &rendered{user: user, text: text, values: []string{value}}
	s.last.Store(r)
	return r
}

// keepToken remembers that r is the final form of a token.
func (s *slot) keepToken(r *rendered, t *Token) *rendered {
	own := *r
	own.token = t
	s.last.Store(&own)
	return &own
}

// write puts r on the request, whose place is free.
func (s *slot) write(req *http.Request, r *rendered) {
	if s.in == inQuery {
		separator := "&"
		if query := req.URL.RawQuery; query == "" || strings.HasSuffix(query, "&") {
			separator = ""
		}
		req.URL.RawQuery += separator + r.values[0]
		return
	}
	if req.Header == nil {
		req.Header = make(http.Header, 1)
	}
	if s.in == inCookie {
		addCookie(req.Header, r)
		return
	}
	req.Header[s.name] = r.values
}

// read returns the credential that the request carries in this place.
func (s *slot) read(req *http.Request) (text string, ok bool) {
	switch s.in {
	case inQuery:
		if req.URL == nil {
			return "", false
		}
		return parameter(req.URL.RawQuery, s.name)
	case inCookie:
		return cookie(req.Header, s.name)
	case inHeader: // below
	}
	_, values := field.Values(req.Header, s.name)
	if len(values) != 1 {
		return "", false
	}
	if s.prefix == "" {
		return values[0], true
	}
	return strings.CutPrefix(values[0], s.prefix+" ")
}

// cookie returns the value of a cookie of the request.
func cookie(h http.Header, name string) (value string, ok bool) {
	_, lines := field.Values(h, "Cookie")
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			key, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if key == name {
				return value, true
			}
		}
	}
	return "", false
}

// addCookie appends a cookie to the last line of those that are there. The caller's slice may be shared, and stays.
func addCookie(h http.Header, r *rendered) {
	key, lines := field.Values(h, "Cookie")
	if len(lines) == 0 {
		h[key] = r.values
		return
	}
	last := len(lines) - 1
	line := strings.TrimRight(lines[last], "; ")
	if line != "" {
		line += "; "
	}
	h[key] = append(lines[:last:last], line+r.values[0])
}

// hasParameter reports whether a server might find the parameter in the query. Some split at semicolons as well.
func hasParameter(query, name string) bool {
	for query != "" {
		var pair string
		if i := strings.IndexAny(query, "&;"); i >= 0 {
			pair, query = query[:i], query[i+1:]
		} else {
			pair, query = query, ""
		}
		key, _, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(key); err == nil {
			key = decoded
		}
		if key == name {
			return true
		}
	}
	return false
}

// parameter returns the last value of a parameter of the query, which is where [slot.write] put it.
func parameter(query, name string) (value string, ok bool) {
	for pair := range strings.SplitSeq(query, "&") {
		k, v, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(k); err != nil || decoded != name {
			continue
		}
		if decoded, err := url.QueryUnescape(v); err == nil {
			value, ok = decoded, true
		}
	}
	return value, ok
}
