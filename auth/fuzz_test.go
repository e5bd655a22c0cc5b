package auth_test

import (
	"bufio"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// FuzzInjection checks that no credential gets out of its place: whatever its bytes, the answer is a typed error, or
// a request with exactly one header line, query pair or cookie more.
func FuzzInjection(f *testing.F) {
	for _, s := range []string{
		"", "abc", "a b", " a", "a\r\nX-Evil: 1", "a\n", "a\x00", "a\x7f", "a;b=c", "a,b", `"a"`, `a\b`, "a&b=c", "k/1 +",
		"%0d%0a", "ä", "\xff", "a#b", "a=b", "\u2028", "a\tb",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		secret := secrets.Static(text)
		header := []auth.Authenticator{
			auth.APIKey(secret, auth.InHeader("X-Key")),
			auth.APIKey(secret, auth.InHeader("X-Key"), auth.Prefix("Token")),
			auth.Bearer(auth.Static(secret), auth.InHeader("X-Key"), auth.Prefix("Token")),
		}
		for i, a := range header {
			want := http.Header{"X-Key": {text}, "Cookie": {"a=1"}}
			if i > 0 {
				want.Set("X-Key", "Token "+text)
			}
			if got := arrived(t, a); got != nil {
				compare(t, a, want, got.Header)
				compare(t, a, "/?q=1", got.RequestURI)
			}
		}
		for _, a := range []auth.Authenticator{
			auth.APIKey(secret, auth.InQuery("key")),
			auth.Bearer(auth.Static(secret), auth.InQuery("key")),
		} {
			if got := arrived(t, a); got != nil {
				compare(t, a, url.Values{"q": {"1"}, "key": {text}}, got.URL.Query())
				compare(t, a, http.Header{"Cookie": {"a=1"}}, got.Header)
			}
		}
		for _, a := range []auth.Authenticator{
			auth.APIKey(secret, auth.InCookie("key")),
			auth.Bearer(auth.Static(secret), auth.InCookie("key")),
		} {
			if got := arrived(t, a); got != nil {
				compare(t, a, http.Header{"Cookie": {"a=1; key=" + text}}, got.Header)
				cookies := got.Cookies()
				if len(cookies) != 2 || cookies[1].Name != "key" || cookies[1].Value != text {
					t.Errorf("%v: cookies are %v", a, cookies)
				}
			}
		}
		for _, a := range []auth.Authenticator{
			auth.Basic("user", secret),
			auth.Basic(text, secrets.Static("p")),
		} {
			if got := arrived(t, a); got != nil {
				user, password, ok := got.BasicAuth()
				if want := [...]bool{true, true, true}; [...]bool{
					ok, user == "user" || user == text, password == "p" || password == text,
				} != want {
					t.Errorf("%v: got %q and %q", a, user, password)
				}
				got.Header.Del("Authorization")
				compare(t, a, http.Header{"Cookie": {"a=1"}}, got.Header)
			}
		}
	})
}

// arrived returns the request as a server reads it, or nil if the Authenticator refused with a typed error.
func arrived(t *testing.T, a auth.Authenticator) *http.Request {
	t.Helper()
	req := newRequest(t, "/?q=1")
	req.Header.Set("Cookie", "a=1")
	if err := a.Authenticate(req); err != nil {
		if _, ok := errors.AsType[*auth.Error](err); !ok {
			t.Errorf("%v: got %T, want an *auth.Error", a, err)
		}
		return nil
	}
	got, err := http.ReadRequest(bufio.NewReader(strings.NewReader(written(t, req))))
	if err != nil {
		t.Fatalf("%v: %v", a, err)
	}
	return got
}

func compare[T any](t *testing.T, a auth.Authenticator, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%v (-want +got):\n%s", a, diff)
	}
}
