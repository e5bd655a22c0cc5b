package connection

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
	"time"

	"github.com/restconn/restconn/internal/redact"
)

// redirectStage follows redirects (RFC 9110, section 15.4). net/http compares host names where it should compare
// origins, sends a Referer, and carries bodies anywhere; so this loop is our own.
type redirectStage struct{ next http.RoundTripper }

func (s redirectStage) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req)
	most := x.maxRedirects()
	for followed := 0; ; followed++ {
		resp, err := s.next.RoundTrip(req)
		if err == nil && resp == nil {
			err = errNoResponse
		}
		if err != nil && followed > 0 {
			return nil, fmt.Errorf("after a redirect to %s: %w", redact.Printable(req.URL.Host), err)
		}
		if err != nil || most == 0 || !isRedirect(resp) {
			return resp, err
		}
		next, err := x.follow(req, resp, followed < most)
		if err != nil {
			discardSoon(resp)
			return nil, err
		}
		if next == nil {
			return resp, nil
		}
		discardSoon(resp)
		req = next
	}
}

func isRedirect(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return len(resp.Header["Location"]) > 0
	}
	return false
}

// follow returns the request that a redirect asks for; nil if the redirect itself is the answer to give, since its
// body cannot be sent again.
func (x *Exchange) follow(req *http.Request, resp *http.Response, allowed bool) (*http.Request, error) {
	target, err := location(x.bare().URL, resp)
	if err != nil {
		return nil, redirectError(resp, nil, err)
	}
	credentials := added(x.bare().URL.RawQuery, x.query)
	target.RawQuery = without(credentials, target.RawQuery)
	foreign := isForeign(req) || !x.conn.together(req.URL, target)
	method := redirectMethod(req.Method, resp.StatusCode)
	keepContent := method == req.Method && resp.StatusCode != http.StatusSeeOther
	keepBody := keepContent && hasBody(req)
	if err := x.mayFollow(req.URL, target, method, foreign, keepBody); err != nil {
		return nil, redirectError(resp, target, err)
	}
	if foreign && carries(target, credentials) {
		return nil, redirectError(resp, target, errors.New("it would carry a credential in its URL to another origin"))
	}
	if !allowed {
		return nil, redirectError(resp, target, ErrTooManyRedirects)
	}
	if keepBody && req.GetBody == nil {
		return nil, nil //nolint:nilnil // as documented
	}
	ctx, header := req.Context(), x.bare().Header
	if foreign && !isForeign(req) {
		ctx, header = context.WithValue(ctx, foreignKey{}, true), redact.Portable(header)
	}
	if !keepContent {
		header = maps.Clone(header)
		maps.DeleteFunc(header, func(name string, _ []string) bool { return strings.HasPrefix(name, "Content-") })
	}
	next := (&http.Request{
		Method: method, URL: target, Host: target.Host, Header: maps.Clone(header),
		Proto: req.Proto, ProtoMajor: req.ProtoMajor, ProtoMinor: req.ProtoMinor,
	}).WithContext(ctx)
	x.hop = next.WithContext(ctx)
	x.hop.URL, x.hop.Header = cloneURL(target), header
	if keepBody {
		next.GetBody, next.ContentLength = req.GetBody, req.ContentLength
		if next.Body, err = openAgain(next.GetBody); err != nil {
			return nil, err
		}
	}
	return next, nil
}

// mayFollow tells what keeps a redirect from being followed.
func (x *Exchange) mayFollow(from, to *url.URL, method string, foreign, keepBody bool) error {
	switch {
	case from.Scheme == "https" && to.Scheme == "http":
		return errors.New("it leads from https to http")
	case foreign && keepBody:
		return errors.New("it would carry the request body to another origin")
	case foreign && !safe(method):
		return errors.New("it would carry a " + method + " request to another origin")
	case !foreign && x.conn.trusts(to) && x.carriesCredential():
		return x.mayCarryCredentials(to)
	}
	return nil
}

// foreignKey marks the context of requests after a redirect has left the connection's origins. They carry no
// credentials any more, not even back at home: the foreign server chose the URL.
type foreignKey struct{}

func isForeign(req *http.Request) bool { return req.Context().Value(foreignKey{}) != nil }

// redirectMethod returns the method after a redirect: GET after POST, and after anything but HEAD on 303.
func redirectMethod(method string, status int) string {
	switch {
	case status == http.StatusSeeOther && method != http.MethodHead,
		status <= http.StatusFound && method == http.MethodPost:
		return http.MethodGet
	}
	return method
}

// location resolves the Location of a redirect, strictly.
func location(base *url.URL, resp *http.Response) (*url.URL, error) {
	values := slices.Compact(slices.Clone(resp.Header["Location"]))
	if len(values) != 1 {
		return nil, errors.New("there are several Location headers")
	}
	target, err := resolve(base, values[0])
	if err != nil {
		return nil, fmt.Errorf("the Location header: %w", err)
	}
	return target, nil
}

// added returns the pairs, decoded, that the authenticator has added to the query before, which made it after.
func added(before, after string) map[string]bool {
	pairs := make(map[string]bool)
	if after == "" || after == before {
		return pairs
	}
	known := make(map[string]bool)
	for pair := range strings.SplitSeq(before, "&") {
		known[decoded(pair)] = true
	}
	for pair := range strings.SplitSeq(after, "&") {
		if d := decoded(pair); pair != "" && !known[d] {
			pairs[d] = true
		}
	}
	return pairs
}

// without returns query without those pairs: many a redirect repeats the query that came, and wherever it leads, the
// credential in it is not to go along.
func without(pairs map[string]bool, query string) string {
	if query == "" || len(pairs) == 0 {
		return query
	}
	kept := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool { return pairs[decoded(pair)] })
	return strings.Join(kept, "&")
}

// mostLayers is how often a text is taken for escaped.
const mostLayers = 4

// carries reports whether a URL has the value of one of the pairs anywhere in it, however often it was escaped.
func carries(target *url.URL, pairs map[string]bool) bool {
	text := target.RequestURI()
	for range mostLayers {
		for pair := range pairs {
			if _, value, _ := strings.Cut(pair, "="); value != "" && strings.Contains(text, value) {
				return true
			}
		}
		text = decoded(text)
	}
	return false
}

// decoded returns a text without the escapes of a query; what begins with a % and is no escape stays.
func decoded(text string) string {
	const escape = 3
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '+':
			b.WriteByte(' ')
		case text[i] != '%' || i+escape > len(text):
			b.WriteByte(text[i])
		default:
			plain, err := url.QueryUnescape(text[i : i+escape])
			if err != nil {
				plain = "%"
			} else {
				i += escape - 1
			}
			b.WriteString(plain)
		}
	}
	return b.String()
}

func redirectError(resp *http.Response, target *url.URL, err error) error {
	e := &RedirectError{Status: resp.StatusCode, Err: err}
	if target != nil {
		e.Host = redact.Printable(target.Host)
	}
	return e
}

// mostDiscarded is how much of an unwanted body is read so that its connection can be used again.
const mostDiscarded = 256 << 10

// timeToDiscard is how long the body of an unwanted response is waited for.
const timeToDiscard = time.Second

// discardSoon is discard within a moment: where the attempt goes on, a body that stalls must not eat its time.
func discardSoon(resp *http.Response) {
	if resp.Body != nil {
		defer time.AfterFunc(timeToDiscard, func() { _ = resp.Body.Close() }).Stop()
	}
	discard(resp)
}

// discard reads what is left of a response that nobody wants, within limits, and closes it.
func discard(resp *http.Response) {
	if resp.Body == nil {
		return
	}
	if resp.ContentLength != 0 {
		_, _ = io.CopyN(io.Discard, resp.Body, mostDiscarded)
	}
	_ = resp.Body.Close()
}
