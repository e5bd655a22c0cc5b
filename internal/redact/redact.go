// Package redact takes what may be a secret out of URLs, headers and error texts. It works by allow-list: what is not
// known to be harmless does not come through.
package redact

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Mask stands in the place of what was taken out.
const Mask = "[REDACTED]"

// URL returns scheme://host/path: no userinfo, no query, no fragment.
func URL(u *url.URL) string {
	if u == nil {
		return ""
	}
	return Printable(u.Scheme + "://" + u.Host + u.EscapedPath())
}

// harmless are the headers whose values are shown, all of them about form and not about content.
var harmless = map[string]bool{ //nolint:gochecknoglobals // never changed
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
var travels = map[string]bool{ //nolint:gochecknoglobals // never changed
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

// Error returns err without the URLs that net/http and net/url put into their texts, query and all, and in one line.
// What lies beneath a *url.Error stays reachable through errors.Is and errors.As.
func Error(err error) error {
	var ue *url.Error
	if err == nil || !errors.As(err, &ue) {
		return oneLine(err)
	}
	if ue == err { //nolint:errorlint // the outermost error is simply taken off
		return Error(ue.Err)
	}
	e := &scrubbed{text: err.Error()}
	e.scrub(err)
	e.text = Line(e.text)
	return e
}

// Wire is [Error] for what the transport says of an answer that is malformed: it quotes what the server wrote, which
// may repeat the request.
func Wire(err error) error {
	err = Error(err)
	if err == nil {
		return nil
	}
	text := err.Error()
	masked := maskQuoted(text)
	if masked == text {
		return err
	}
	return &scrubbed{text: masked, errs: []error{err}}
}

// maskQuoted masks what stands between quotes. A quote without an end reaches to the end.
func maskQuoted(text string) string {
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(text, `"`)
		out.WriteString(before)
		if !ok {
			return out.String()
		}
		out.WriteString(`"` + Mask + `"`)
		quoted, err := strconv.QuotedPrefix(`"` + rest)
		if err != nil {
			return out.String()
		}
		text = rest[len(quoted)-1:]
	}
}

// oneLine keeps what a server wrote into an error from writing lines.
func oneLine(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	line := Line(text)
	if line == text {
		return err
	}
	return &scrubbed{text: line, errs: []error{err}}
}

type scrubbed struct {
	text string
	errs []error
}

func (e *scrubbed) Error() string   { return e.text }
func (e *scrubbed) Unwrap() []error { return e.errs }

// scrub takes the URLs beneath err out of the text, and keeps the errors that have none.
func (e *scrubbed) scrub(err error) {
	if _, ok := errors.AsType[*url.Error](err); !ok {
		e.errs = append(e.errs, err)
		return
	}
	switch u := err.(type) { //nolint:errorlint // this is one step of a walk
	case *url.Error:
		if u.URL != "" {
			e.text = strings.ReplaceAll(e.text, strconv.Quote(u.URL), Mask)
			e.text = strings.ReplaceAll(e.text, u.URL, Mask)
		}
		e.scrub(u.Err)
	case interface{ Unwrap() error }:
		e.scrub(u.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range u.Unwrap() {
			if err != nil {
				e.scrub(err)
			}
		}
	}
}

// longest is the length of the longest line, in bytes.
const longest = 2 << 10

// Line returns the beginning of s in one line of printable characters.
func Line(s string) string {
	if len(s) <= longest {
		return Printable(s)
	}
	return Printable(string(cutRune([]byte(s[:longest])))) + "[...]"
}

// Printable returns s in one line of printable characters, so that a server cannot write lines or terminal codes into a
// log.
func Printable(s string) string {
	unprintable := func(r rune) bool { return !strconv.IsPrint(r) }
	if utf8.ValidString(s) && !strings.ContainsFunc(s, unprintable) {
		return s
	}
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}
