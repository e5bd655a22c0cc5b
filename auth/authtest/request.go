package authtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/restconn/restconn/auth"
)

const (
	target  = "https://api.example.com:8443/v1/a%2Fb/?q=1&tag=x%20y&tag=z#part"
	payload = "the body of the request"
)

// body is a request body that knows whether it was used.
type body struct {
	io.Reader
	used atomic.Bool
}

func newBody() *body { return &body{Reader: strings.NewReader(payload)} }

func (b *body) Read(p []byte) (int, error) { b.used.Store(true); return b.Reader.Read(p) }
func (b *body) Close() error               { b.used.Store(true); return nil }

// newRequest returns the request of one attempt, with headers, cookies and a query of the caller.
func newRequest(ctx context.Context) (*http.Request, *body, error) {
	b := newBody()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, target, b)
	if err != nil {
		return nil, nil, err
	}
	req.ContentLength = int64(len(payload))
	req.GetBody = func() (io.ReadCloser, error) { return newBody(), nil }
	req.Header.Set("Accept", "application/json")
	req.Header["X-Caller"] = []string{"one", "two"}
	req.Header.Set("Cookie", "theme=dark; lang=en")
	return req, b, nil
}

// attempt authenticates a new request, and returns it beside what it was before.
func attempt(ctx context.Context, a auth.Authenticator) (before, after *http.Request, err error) {
	after, _, err = newRequest(ctx)
	if err != nil {
		return nil, nil, err
	}
	before = after.Clone(ctx)
	if err := a.Authenticate(after); err != nil {
		return nil, nil, fmt.Errorf("Authenticate: %w", err)
	}
	return before, after, nil
}

// first returns an Authenticator and its first attempt.
func (cfg Config) first(ctx context.Context) (a auth.Authenticator, before, after *http.Request, err error) {
	if a, err = cfg.open(); err != nil {
		return nil, nil, nil, err
	}
	before, after, err = attempt(ctx, a)
	return a, before, after, err
}

// added counts the values that are in after and were not in before: headers, cookies, query parameters.
func added(before, after *http.Request) map[string]int {
	n := make(map[string]int)
	for name, values := range after.Header {
		if name != "Cookie" {
			n["header "+name] += len(values) - len(before.Header[name])
		}
	}
	for _, c := range after.Cookies() {
		n["cookie "+c.Name]++
	}
	for _, c := range before.Cookies() {
		n["cookie "+c.Name]--
	}
	for name, values := range after.URL.Query() {
		n["query parameter "+name] += len(values)
	}
	for name, values := range before.URL.Query() {
		n["query parameter "+name] -= len(values)
	}
	maps.DeleteFunc(n, func(_ string, n int) bool { return n == 0 })
	return n
}

// describe lists what was added by name. The values are secret.
func describe(n map[string]int) string {
	if len(n) == 0 {
		return "nothing"
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%d x %s", n[name], name))
	}
	return strings.Join(parts, ", ")
}

// replaced returns an error if after lost something of before that belongs to the caller.
func replaced(before, after *http.Request) error {
	if after.URL == nil {
		return errors.New("the URL is gone")
	}
	if b, a := identity(before), identity(after); b != a {
		return fmt.Errorf("the request was %s and is %s", b, a)
	}
	for name, values := range before.Header {
		if name != "Cookie" && !slices.Equal(after.Header[name], values) {
			return fmt.Errorf("header %s was changed", name)
		}
	}
	if lost := missing(before.Cookies(), after.Cookies()); lost != "" {
		return fmt.Errorf("cookie %s was changed", lost)
	}
	query, err := url.ParseQuery(after.URL.RawQuery)
	if err != nil {
		return errors.New("the query is malformed")
	}
	for name, values := range before.URL.Query() {
		if !slices.Equal(query[name], values) {
			return fmt.Errorf("query parameter %s was changed", name)
		}
	}
	return nil
}

// identity is what makes a request that request, its credentials apart.
func identity(r *http.Request) string {
	u := *r.URL
	u.RawQuery = ""
	return fmt.Sprintf("%q %q (Host %q, opaque %q, path %q %q, %s, close %v, transfer %q, trailer %q)",
		r.Method, u.Redacted(), r.Host, u.Opaque, u.Path, u.RawPath, r.Proto, r.Close, r.TransferEncoding, r.Trailer)
}

func missing(before, after []*http.Cookie) string {
	for i, c := range before {
		if i >= len(after) || after[i].Name != c.Name || after[i].Value != c.Value {
			return c.Name
		}
	}
	return ""
}

// wellFormed returns an error unless the headers and the query of r can be sent as they are.
func wellFormed(r *http.Request) error {
	for name, values := range r.Header {
		if name == "" || strings.ContainsFunc(name, func(c rune) bool {
			return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
		}) {
			return fmt.Errorf("header name %q is not a token (RFC 9110, section 5.6.2)", name)
		}
		if http.CanonicalHeaderKey(name) != name {
			return fmt.Errorf("header name %q is not canonical", name)
		}
		if len(values) == 0 {
			return fmt.Errorf("header %s has no value", name)
		}
		for _, value := range values {
			if value == "" || strings.Trim(value, " \t") != value {
				return fmt.Errorf("a value of header %s is empty, or begins or ends with a space", name)
			}
			if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
				return fmt.Errorf("a value of header %s holds a control character", name)
			}
		}
	}
	if strings.ContainsFunc(r.URL.RawQuery, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '#' }) {
		return errors.New("the query is not percent-encoded")
	}
	return nil
}
