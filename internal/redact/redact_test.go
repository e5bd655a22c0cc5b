package redact_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/restconn/restconn/internal/redact"
)

const hidden = "hidden7f3a9c"

func TestURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, url, want string }{
		{"A4 no query", "https://api.test/x?key=" + hidden, "https://api.test/x"},
		{"A16 no userinfo", "https://user:" + hidden + "@api.test/x", "https://api.test/x"},
		{"A17 no fragment", "https://api.test/x#" + hidden, "https://api.test/x"},
		{"H7 escapes stay", "https://api.test/a%0D%0Ab", "https://api.test/a%0D%0Ab"},
		{"H6 one line", "https://api%e2%80%aetest/", `https://api\u202etest/`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			if got := redact.URL(u); got != tt.want {
				t.Errorf("URL is %s, want %s", got, tt.want)
			}
		})
	}
	if got := redact.URL(nil); got != "" {
		t.Errorf("the nil URL is %q", got)
	}
}

func TestPortable(t *testing.T) {
	t.Parallel()
	header := http.Header{
		"Accept": {"a/b"}, "User-Agent": {"x"}, "If-None-Match": {`"1"`}, "Range": {"bytes=0-"},
		"Authorization": {hidden}, "authorization": {hidden}, "Cookie": {hidden}, "Cookie2": {hidden}, "X-Api-Key": {hidden},
		"X-Acme-Sig": {hidden}, "Proxy-Authorization": {hidden}, "Referer": {hidden}, "Origin": {hidden},
		"Content-Type": {"a/b"}, "Idempotency-Key": {hidden}, "accept": {hidden},
	}
	before := len(header)
	got := slices.Sorted(maps.Keys(redact.Portable(header)))
	if want := []string{"Accept", "If-None-Match", "Range", "User-Agent"}; !slices.Equal(got, want) {
		t.Errorf("A3 %v go to another origin, want %v", got, want)
	}
	if len(header) != before {
		t.Error("A3 the header was changed")
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"Content-Type": true, "Retry-After": true, "User-Agent": true,
		"Authorization": false, "Cookie": false, "Set-Cookie": false, "X-Api-Key": false, "X-Unknown": false,
		"Location": false, "Referer": false, "Www-Authenticate": false, "Proxy-Authorization": false,
	} {
		if got := redact.Shown(name); got != want {
			t.Errorf("A3 Shown(%s) is %t", name, got)
		}
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	inner := &url.Error{Op: "Get", URL: "https://api.test/?key=" + hidden, Err: io.ErrUnexpectedEOF}
	other := &url.Error{Op: "Get", URL: "https://b.test/?key2=" + hidden, Err: io.EOF}
	_, parse := url.Parse("https://user:" + hidden + "@api.test/%zz") //nolint:staticcheck // invalid on purpose
	for _, tt := range []struct {
		name string
		err  error
		is   error
	}{
		{"A4 a *url.Error", inner, io.ErrUnexpectedEOF},
		{"A4 one beneath another", &url.Error{Op: "Get", URL: hidden, Err: inner}, io.ErrUnexpectedEOF},
		{"A4 one that is wrapped", fmt.Errorf("it failed: %w", inner), io.ErrUnexpectedEOF},
		{"A4 one that is joined", errors.Join(io.ErrClosedPipe, inner, other), io.EOF},
		{"A4 what it is joined with", errors.Join(io.ErrClosedPipe, inner, other), io.ErrClosedPipe},
		{"H5 a parse error", parse, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := redact.Error(tt.err)
			if err == nil || strings.Contains(err.Error(), hidden) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error is %q", err)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is no longer %v", err, tt.is)
			}
		})
	}

	t.Run("A4 other errors stay as they are", func(t *testing.T) {
		t.Parallel()
		if err := redact.Error(io.EOF); err != io.EOF { //nolint:errorlint // the same one
			t.Errorf("error is %v", err)
		}
		if err := redact.Error(nil); err != nil {
			t.Errorf("error is %v", err)
		}
	})
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"plain \u00fc": "plain \u00fc", "a\r\nb": `a\r\nb`, "\x1b[2J": `\x1b[2J`, "\x00": `\x00`, "\u202e": `\u202e`,
		"\xff": `\xff`, "": "",
	} {
		if got := redact.Printable(s); got != want {
			t.Errorf("H7 Printable(%q) is %q, want %q", s, got, want)
		}
	}
}
