package request

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/field"
)

// maxURL is the length of the longest URL that is sent, in bytes.
const maxURL = 8 << 10

// setURL works out the URL of the call from the base URL, the path template and the parameters.
func (b *Builder) setURL(ctx context.Context, call *connection.Call) error {
	base, template, err := b.split()
	if err != nil {
		return err
	}
	path, query, _ := strings.Cut(template, "?")
	var space [512]byte
	e := expansion{builder: b, ctx: ctx, buf: append(space[:0], base.RawPath...)}
	if err := e.path(path); err != nil {
		return err
	}
	end := len(e.buf)
	if err := e.query(base.RawQuery, query); err != nil {
		return err
	}
	if len(e.buf) > maxURL {
		return fmt.Errorf("the URL is longer than %d bytes", maxURL)
	}
	target := string(e.buf)
	call.URL = url.URL{Scheme: base.Scheme, Host: base.Host, Path: target[:end]}
	if len(target) > end {
		call.URL.RawQuery = target[end+1:]
	}
	if !plain(call.URL.Path) {
		call.URL.RawPath = call.URL.Path
		if call.URL.Path, err = url.PathUnescape(call.URL.RawPath); err != nil {
			return errors.New("the path has a % that begins no escape")
		}
	}
	if e.secret {
		call.ShownPath = base.RawPath + slashed(path)
	}
	return nil
}

// split returns the URL that the template is relative to, and the rest.
func (b *Builder) split() (url.URL, string, error) {
	if !strings.HasPrefix(b.template, "https://") && !strings.HasPrefix(b.template, "http://") {
		return *b.conn.BaseURL(), b.template, nil
	}
	authority := strings.IndexByte(b.template, ':') + len("://")
	end := len(b.template)
	if i := strings.IndexAny(b.template[authority:], "/?#"); i >= 0 {
		end = authority + i
	}
	base, err := url.Parse(b.template[:end])
	switch {
	case err != nil:
		return url.URL{}, "", errors.New("the path is not a URL")
	case base.User != nil:
		return url.URL{}, "", errors.New("the URL has a user name or a password in it: use Auth(auth.Basic(...))")
	}
	base.Scheme, base.Host = strings.ToLower(base.Scheme), strings.ToLower(base.Host)
	return *base, b.template[end:], nil
}

func slashed(path string) string {
	if path == "" || path[0] == '/' {
		return path
	}
	return "/" + path
}

// expansion fills a template.
type expansion struct {
	builder *Builder
	ctx     context.Context //nolint:containedctx // lives as long as one call of setURL
	buf     []byte
	used    int
	secret  bool
}

// path appends the path with its parameters.
func (e *expansion) path(template string) error {
	start := len(e.buf)
	if strings.HasPrefix(template, "//") {
		return errors.New("the path begins with //: write one slash, or an absolute URL with its scheme")
	}
	template = slashed(template)
	for i := 0; i < len(template); i++ {
		if template[i] != '{' {
			n, err := e.literal(template[i:])
			if err != nil {
				return fmt.Errorf("the path has %w", err)
			}
			i += n - 1
			continue
		}
		length := strings.IndexByte(template[i:], '}')
		if length < 0 {
			return errors.New("the path has a { without }")
		}
		if err := e.segment(template[i+1 : i+length]); err != nil {
			return err
		}
		i += length
	}
	if hasDotSegment(e.buf[start:]) {
		return errors.New("the path has a dot segment, which would lead out of it")
	}
	return e.allUsed()
}

// segment appends the value of a path parameter.
func (e *expansion) segment(name string) error {
	p, err := e.find(name)
	if err != nil {
		return err
	}
	value := p.value
	if p.secret != nil {
		secret, err := p.secret.Secret(e.ctx)
		if err != nil {
			return fmt.Errorf("path parameter %q: %w", name, err)
		}
		value, e.secret = secret.Reveal(), true
	}
	switch {
	case value == "":
		return fmt.Errorf("path parameter %q is empty", name)
	case value == "." || value == "..":
		return fmt.Errorf("path parameter %q is a dot segment", name)
	case field.HasControl(value):
		return fmt.Errorf("path parameter %q has control bytes", name)
	}
	e.buf = appendEscaped(e.buf, value, false)
	return nil
}

// find returns the one path parameter of that name.
func (e *expansion) find(name string) (*param, error) {
	var found *param
	for i := range e.builder.count {
		p := e.builder.param(i)
		if p.kind != pathParam || p.name != name {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("path parameter %q is set twice", name)
		}
		found = p
	}
	if found == nil {
		return nil, fmt.Errorf("path parameter %q is missing: set it with Path", name)
	}
	e.used++
	return found, nil
}

// allUsed finds path parameters that the template does not have. One that it has twice is used twice.
func (e *expansion) allUsed() error {
	set := 0
	for i := range e.builder.count {
		if e.builder.param(i).kind == pathParam {
			set++
		}
	}
	if set <= e.used {
		return nil
	}
	for i := range e.builder.count {
		p := e.builder.param(i)
		if p.kind == pathParam && !strings.Contains(e.builder.template, "{"+p.name+"}") {
			return fmt.Errorf("path parameter %q is not in the path template", p.name)
		}
	}
	return nil
}

// query appends the query of the base URL, that of the template, and the parameters.
func (e *expansion) query(base, template string) error {
	start := len(e.buf)
	e.buf = append(e.buf, '?')
	e.buf = append(e.buf, base...)
	if base != "" && template != "" {
		e.buf = append(e.buf, '&')
	}
	for i := 0; i < len(template); {
		if template[i] == '{' {
			return errors.New("the query has a { in it: parameters of the query are set with Query")
		}
		n, err := e.literal(template[i:])
		if err != nil {
			return fmt.Errorf("the query has %w", err)
		}
		i += n
	}
	for i := range e.builder.count {
		p := e.builder.param(i)
		if p.kind != queryParam {
			continue
		}
		if p.name == "" || field.HasControl(p.name) || field.HasControl(p.value) {
			return fmt.Errorf("query parameter %q: the name is empty, or there are control bytes", p.name)
		}
		if len(e.buf) > start+1 {
			e.buf = append(e.buf, '&')
		}
		e.buf = appendEscaped(e.buf, p.name, true)
		e.buf = append(e.buf, '=')
		e.buf = appendEscaped(e.buf, p.value, true)
	}
	if len(e.buf) == start+1 {
		e.buf = e.buf[:start]
	}
	return nil
}

// literal appends the first byte of s, or the escape that s begins with, and returns its length.
func (e *expansion) literal(s string) (int, error) {
	const escape = 3
	switch c := s[0]; {
	case c < ' ' || c == 0x7f:
		return 0, errors.New("control bytes")
	case c == '\\' || c == '#' || c == '}':
		return 0, fmt.Errorf("a %c in it", c)
	case c == '%':
		if len(s) < escape || !isHex(s[1]) || !isHex(s[2]) {
			return 0, errors.New("a % that begins no escape")
		}
		e.buf = append(e.buf, s[:escape]...)
		return escape, nil
	case c > '~' || strings.IndexByte(" \"<>^`|{", c) >= 0:
		e.buf = appendHex(e.buf, c)
	default:
		e.buf = append(e.buf, c)
	}
	return 1, nil
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '_' || c == '.' || c == '~'
}

// appendEscaped appends s so that it is one path segment, or one half of a query pair: all but unreserved characters
// (RFC 3986, section 2.3) are escaped, and in a query a space is a plus.
func appendEscaped(buf []byte, s string, query bool) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case isUnreserved(c):
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

// plain reports whether net/url writes the path as it stands, so that it needs no RawPath.
func plain(path string) bool {
	for i := range len(path) {
		if c := path[i]; !isUnreserved(c) && strings.IndexByte("/$&+,:;=@", c) < 0 {
			return false
		}
	}
	return true
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
