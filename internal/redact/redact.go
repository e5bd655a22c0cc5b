// Package redact takes what may be a secret out of URLs, headers and error texts. It works by allow-list: what is not
// known to be harmless does not come through.
package redact

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Mask stands in the place of what was taken out.
const Mask = "[REDACTED]"

// URL returns scheme://host/path: no userinfo, no query, no fragment.
func URL(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + Printable(u.EscapedPath())
}

// harmless are the headers whose values are shown, all of them about form and not about content.
var harmless = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Accept-Language": true, "Accept-Ranges": true, "Age": true, "Allow": true,
	"Cache-Control": true, "Connection": true, "Content-Encoding": true, "Content-Language": true,
	"Content-Length": true, "Content-Range": true, "Content-Type": true, "Date": true, "Expires": true,
	"Idempotency-Key": true, "If-Modified-Since": true, "If-Unmodified-Since": true, "Last-Modified": true,
	"Range": true, "Retry-After": true, "Server": true, "Traceparent": true, "Transfer-Encoding": true,
	"User-Agent": true, "Vary": true, "X-Correlation-Id": true, "X-Request-Id": true,
}

// Shown reports whether values of the header of that canonical name may be shown.
func Shown(name string) bool { return harmless[name] }

// travels are the headers that follow a redirect to another origin: they tell the form of the answer that is wanted.
var travels = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Accept-Language": true, "If-Match": true, "If-Modified-Since": true,
	"If-None-Match": true, "If-Range": true, "If-Unmodified-Since": true, "Range": true, "User-Agent": true,
}

// Portable returns a copy of header with those fields only that may go to a foreign origin.
func Portable(header http.Header) http.Header {
	h := make(http.Header, len(travels))
	for name, values := range header {
		if travels[name] {
			h[name] = values
		}
	}
	return h
}

// Error returns err without the URLs that net/http and net/url put into their texts, query and all. What lies beneath a
// *url.Error stays reachable through errors.Is and errors.As.
func Error(err error) error {
	var ue *url.Error
	if err == nil || !errors.As(err, &ue) {
		return err
	}
	if ue == err { //nolint:errorlint // the outermost error is simply taken off
		return Error(ue.Err)
	}
	text := err.Error()
	for errors.As(err, &ue) {
		if ue.URL != "" {
			text = strings.ReplaceAll(text, strconv.Quote(ue.URL), Mask)
			text = strings.ReplaceAll(text, ue.URL, Mask)
		}
		err = ue.Err
	}
	return &scrubbed{text: text, err: err}
}

type scrubbed struct {
	text string
	err  error
}

func (e *scrubbed) Error() string { return e.text }
func (e *scrubbed) Unwrap() error { return e.err }

// Printable returns s in one line of printable characters, so that a server cannot write lines or terminal codes into a
// log.
func Printable(s string) string {
	for _, r := range s {
		if !strconv.IsPrint(r) {
			quoted := strconv.Quote(s)
			return quoted[1 : len(quoted)-1]
		}
	}
	return s
}
