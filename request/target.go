package request

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/origin"
	"github.com/restconn/restconn/internal/redact"
)

// maxURL is the length of the longest URL that is sent, in bytes.
const maxURL = 8 << 10

// setURL works out the URL of the call from the base URL, the path template and the parameters.
func (b *Builder) setURL(ctx context.Context, call *connection.Call) error {
	secret, err := b.revealPath(ctx)
	if err != nil {
		return err
	}
	call.Secrets = slices.Collect(maps.Values(secret))
	switch {
	case b.literal != nil:
		return b.setLiteral(call)
	case b.exact:
		return errors.New("the URL of To is nil")
	}
	base, template, err := b.split()
	if err != nil {
		return err
	}
	path, query, _ := strings.Cut(template, "?")
	var space [256]byte
	buf, err := b.appendPath(append(space[:0], base.RawPath...), path, secret)
	if err != nil {
		return err
	}
	end := len(buf)
	if buf, err = b.appendQuery(buf, b.baseQuery(base.RawQuery), query); err != nil {
		return err
	}
	if len(buf) > maxURL {
		return errTooLongURL
	}
	target := string(buf)
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
	if secret != nil {
		call.ShownPath = base.RawPath + slashed(path)
	}
	return nil
}

// setLiteral takes the URL that a server has written. It may repeat a secret of the path.
func (b *Builder) setLiteral(call *connection.Call) error {
	for i := range b.count + len(b.more) {
		if p := b.param(i); b.exact && (p.isQuery() || p.kind == pathParam) {
			return errors.New("To asks the URL as it stands: put path and query into the URL")
		}
	}
	if len(b.literal.RequestURI()) > maxURL {
		return errTooLongURL
	}
	call.URL = *b.literal
	if len(call.Secrets) > 0 {
		call.ShownPath = "/" + redact.Mask
	}
	return nil
}

var errTooLongURL = fmt.Errorf("the URL is longer than %d bytes", maxURL)

// split returns the URL that the template is relative to, and the rest.
func (b *Builder) split() (url.URL, string, error) {
	if !begins(b.template, "https://") && !begins(b.template, "http://") {
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
	if _, err := origin.Of(base); err != nil {
		return url.URL{}, "", fmt.Errorf("the URL: %w", err)
	}
	base.Scheme, base.Host = strings.ToLower(base.Scheme), strings.ToLower(base.Host)
	return *base, b.template[end:], nil
}

// begins reports whether s begins with prefix, in any case: the scheme of a URL has none.
func begins(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func slashed(path string) string {
	if path == "" || path[0] == '/' {
		return path
	}
	return "/" + path
}

// revealPath returns the values of the secret path parameters, by name; nil if there are none.
func (b *Builder) revealPath(ctx context.Context) (map[string]string, error) {
	if b.policy == nil || len(b.policy.secret) == 0 {
		return nil, nil //nolint:nilnil // a nil map is an empty one
	}
	revealed := make(map[string]string)
	for _, p := range b.policy.secret {
		value, err := p.value.Secret(ctx)
		if err != nil {
			return nil, fmt.Errorf("path parameter %q: %w", p.name, err)
		}
		revealed[p.name] = value.Reveal()
	}
	return revealed, nil
}

// plain reports whether net/url writes the path as it stands, so that it needs no RawPath.
func plain(path string) bool {
	for i := range len(path) {
		if c := path[i]; !unreserved[c] && strings.IndexByte("/$&+,:;=@", c) < 0 {
			return false
		}
	}
	return true
}
