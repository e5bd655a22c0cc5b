package request

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/restconn/restconn/internal/field"
)

// The functions here hand the buffer from one to the other by value, so that it stays on the stack of the first.

// appendPath appends the path template with its parameters filled in.
func (b *Builder) appendPath(buf []byte, template string, secret map[string]string) ([]byte, error) {
	start := len(buf)
	if strings.HasPrefix(template, "//") {
		return nil, errors.New("the path begins with //: write one slash, or an absolute URL with its scheme")
	}
	if template != "" && template[0] != '/' {
		buf = append(buf, '/')
	}
	for rest := template; rest != ""; {
		var err error
		if rest[0] != '{' {
			if buf, rest, err = appendLiteral(buf, rest); err != nil {
				return nil, fmt.Errorf("the path has %w", err)
			}
			continue
		}
		name, after, ok := strings.Cut(rest[1:], "}")
		if !ok {
			return nil, errors.New("the path has a { without }")
		}
		if buf, err = b.appendParam(buf, name, secret); err != nil {
			return nil, err
		}
		rest = after
	}
	if hasDotSegment(buf[start:]) {
		return nil, errors.New("the path has a dot segment, which would lead out of it")
	}
	return buf, b.allUsed(template)
}

// appendParam appends the value of a path parameter.
func (b *Builder) appendParam(buf []byte, name string, secret map[string]string) ([]byte, error) {
	p, err := b.findPath(name)
	if err != nil {
		return nil, err
	}
	value := p.value
	if p.kind == secretPathParam {
		value = secret[name]
	}
	switch {
	case value == "":
		return nil, fmt.Errorf("path parameter %q is empty", name)
	case value == "." || value == "..":
		return nil, fmt.Errorf("path parameter %q is a dot segment", name)
	case field.HasControl(value):
		return nil, fmt.Errorf("path parameter %q has control bytes", name)
	}
	return appendEscaped(buf, value, false), nil
}

// findPath returns the one path parameter of that name.
func (b *Builder) findPath(name string) (*param, error) {
	var found *param
	for i := range b.count {
		p := b.param(i)
		if p.kind > secretPathParam || p.name != name {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("path parameter %q is set twice", name)
		}
		found = p
	}
	if found == nil {
		return nil, fmt.Errorf("path parameter %q is missing: set it with Path(%q, ...)%s", name, name, b.stray())
	}
	return found, nil
}

// stray names a parameter that the template does not have: it may be the one that is missing.
func (b *Builder) stray() string {
	for i := range b.count {
		if p := b.param(i); p.kind <= secretPathParam && !uses(b.template, p.name) {
			return fmt.Sprintf("; %q is set, and not in the template", p.name)
		}
	}
	return ""
}

// allUsed finds path parameters that the template does not have.
func (b *Builder) allUsed(template string) error {
	for i := range b.count {
		if p := b.param(i); p.kind <= secretPathParam && !uses(template, p.name) {
			return fmt.Errorf("path parameter %q is not in the path template, where it would be {%s}", p.name, p.name)
		}
	}
	return nil
}

// uses reports whether the template has {name}.
func uses(template, name string) bool {
	for {
		_, after, ok := strings.Cut(template, "{")
		if !ok {
			return false
		}
		if found, _, _ := strings.Cut(after, "}"); found == name {
			return true
		}
		template = after
	}
}

// appendQuery appends the query of the base URL, that of the template, and the parameters.
func (b *Builder) appendQuery(buf []byte, base, template string) ([]byte, error) {
	start := len(buf)
	buf = append(buf, '?')
	buf = append(buf, base...)
	if base != "" && template != "" {
		buf = append(buf, '&')
	}
	for rest := template; rest != ""; {
		var err error
		if rest[0] == '{' {
			return nil, errors.New("the query has a { in it: parameters of the query are set with Query")
		}
		if buf, rest, err = appendLiteral(buf, rest); err != nil {
			return nil, fmt.Errorf("the query has %w", err)
		}
	}
	for i := range b.count {
		p := b.param(i)
		if !p.isQuery() {
			continue
		}
		switch {
		case p.name == "":
			return nil, errors.New("a query parameter has no name")
		case field.HasControl(p.name), field.HasControl(p.value):
			return nil, fmt.Errorf("query parameter %q has control bytes: if they are meant, "+
				"write them escaped into the query of the path", p.name)
		}
		if len(buf) > start+1 {
			buf = append(buf, '&')
		}
		buf = append(appendEscaped(buf, p.name, true), '=')
		buf = appendEscaped(buf, p.value, true)
	}
	if len(buf) == start+1 {
		buf = buf[:start]
	}
	return buf, nil
}

// appendLiteral appends what s, which is not empty, begins with: a run of characters that stand for themselves, an
// escape, or one byte that has to be escaped. It returns what follows.
func appendLiteral(buf []byte, s string) ([]byte, string, error) {
	run := 0
	for run < len(s) && literal[s[run]] {
		run++
	}
	if run > 0 {
		return append(buf, s[:run]...), s[run:], nil
	}
	const escape = 3
	switch c := s[0]; {
	case c < ' ' || c == 0x7f:
		return nil, "", errors.New("control bytes")
	case c == '\\' || c == '#' || c == '}':
		return nil, "", fmt.Errorf("a %c in it", c)
	case c == '%':
		if len(s) < escape || !isHex(s[1]) || !isHex(s[2]) {
			return nil, "", errors.New("a % that begins no escape")
		}
		return append(buf, s[:escape]...), s[escape:], nil
	default:
		return appendHex(buf, c), s[1:], nil
	}
}

// escapeRest escapes what cannot stand in a path, in one that is escaped already: package url drops the escapes of a
// path in which it finds such a byte.
func escapeRest(path string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; literal[c] || c == '%' {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// literal tells which bytes of a template stand for themselves: those that RFC 3986 allows in a path or a query.
var literal = table("!$&'()*+,-./0123456789:;=?@[]_~" + letters) //nolint:gochecknoglobals // never changed

// unreserved tells which bytes are never escaped (RFC 3986, section 2.3).
var unreserved = table("-._~0123456789" + letters) //nolint:gochecknoglobals // never changed

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func table(members string) [256]bool {
	var t [256]bool
	for i := range len(members) {
		t[members[i]] = true
	}
	return t
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// appendEscaped appends s so that it is one path segment, or one half of a query pair: all but unreserved characters
// (RFC 3986, section 2.3) are escaped, and in a query a space is a plus.
func appendEscaped(buf []byte, s string, query bool) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case unreserved[c]:
			buf = append(buf, c)
		case c == ' ' && query:
			buf = append(buf, '+')
		default:
			buf = appendHex(buf, c)
		}
	}
	return buf
}

func appendHex(buf []byte, c byte) []byte {
	const digits = "0123456789ABCDEF"
	return append(buf, '%', digits[c>>4], digits[c&0xf])
}

// hasDotSegment reports whether a segment of the path is "." or "..", written in any way.
func hasDotSegment(path []byte) bool {
	for len(path) > 0 {
		segment := path
		if i := bytes.IndexByte(path, '/'); i >= 0 {
			segment, path = path[:i], path[i+1:]
		} else {
			path = nil
		}
		if isDots(segment) {
			return true
		}
	}
	return false
}

func isDots(segment []byte) bool {
	const escaped = "%2e"
	dots := 0
	for ; len(segment) > 0; dots++ {
		switch {
		case segment[0] == '.':
			segment = segment[1:]
		case len(segment) >= len(escaped) && bytes.EqualFold(segment[:len(escaped)], []byte(escaped)):
			segment = segment[len(escaped):]
		default:
			return false
		}
	}
	return dots == 1 || dots == 2
}
