package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

func TestWire(t *testing.T) {
	t.Parallel()
	static := secrets.Static
	bearer := func(opts ...auth.BearerOption) auth.Authenticator {
		return auth.Bearer(auth.Static(static("tok-1")), opts...)
	}
	tests := []struct {
		name   string
		auth   auth.Authenticator
		target string // default /v1/x
		want   string // target, if it is another
		line   string
	}{
		{name: "none", auth: auth.None()},
		{
			name: "basic",
			auth: auth.Basic("aladdin", static("opensesame")),
			line: "Authorization: Basic YWxhZGRpbjpvcGVuc2VzYW1l",
		},
		{name: "basic UTF-8", auth: auth.Basic("user", static("pä")), line: "Authorization: Basic dXNlcjpww6Q="},
		{name: "basic empty password", auth: auth.Basic("alice", static("")), line: "Authorization: Basic YWxpY2U6"},
		{
			name: "basic empty user",
			auth: auth.Basic("", static("key-123"), auth.AllowEmptyUser()),
			line: "Authorization: Basic OmtleS0xMjM=",
		},
		{
			name: "basic e-mail",
			auth: auth.Basic("ann@example.test", static("tok")),
			line: "Authorization: Basic YW5uQGV4YW1wbGUudGVzdDp0b2s=",
		},
		{
			name: "basic colon in the password",
			auth: auth.Basic("u", static("a:b")),
			line: "Authorization: Basic dTphOmI=",
		},
		{
			name: "basic secret user",
			auth: auth.BasicFrom(static("key-123"), static("")),
			line: "Authorization: Basic a2V5LTEyMzo=",
		},

		{name: "key", auth: auth.APIKey(static("abc")), line: "Authorization: Basic abc"},
		{name: "key bearer", auth: auth.APIKey(static("abc"), auth.Prefix("Bearer")), line: "Authorization: Bearer abc"},
		{name: "key bare", auth: auth.APIKey(static("abc"), auth.NoPrefix()), line: "Authorization: abc"},
		{name: "key header", auth: auth.APIKey(static("key-123"), auth.InHeader("X-API-Key")), line: "X-Api-Key: key-123"},
		{
			name: "key header and prefix",
			auth: auth.APIKey(static("abc"), auth.Prefix("Basic"), auth.InHeader("x-api-key")),
			line: "X-Api-Key: Basic abc",
		},
		{
			name: "key header and no prefix",
			auth: auth.APIKey(static("abc"), auth.InHeader("X-API-Key"), auth.NoPrefix()),
			line: "X-Api-Key: abc",
		},
		{
			name: "key verbatim",
			auth: auth.APIKey(static(`a="b c", d=ä`), auth.NoPrefix()),
			line: `Authorization: a="b c", d=ä`,
		},
		{
			name: "key query", auth: auth.APIKey(static("k/1 +"), auth.InQuery("api_key")),
			target: "/v1/x?q=1", want: "/v1/x?q=1&api_key=k%2F1+%2B",
		},
		{
			name: "key query alone", auth: auth.APIKey(static("k"), auth.InQuery("api key[]")),
			want: "/v1/x?api+key%5B%5D=k",
		},
		{
			name: "key query after odd bytes", auth: auth.APIKey(static("k"), auth.InQuery("key")),
			target: "/v1/x?b=%20&a=+&&a=%zz&x;y&API_KEY", want: "/v1/x?b=%20&a=+&&a=%zz&x;y&API_KEY&key=k",
		},
		{
			name: "key query after an ampersand", auth: auth.APIKey(static("k"), auth.InQuery("key")),
			target: "/v1/x?a=1&", want: "/v1/x?a=1&key=k",
		},
		{name: "key cookie", auth: auth.APIKey(static("s-1"), auth.InCookie("session")), line: "Cookie: session=s-1"},

		{name: "bearer", auth: bearer(), line: "Authorization: Bearer tok-1"},
		{name: "bearer prefix", auth: bearer(auth.Prefix("Token")), line: "Authorization: Token tok-1"},
		{name: "bearer bare", auth: bearer(auth.NoPrefix()), line: "Authorization: tok-1"},
		{name: "bearer header", auth: bearer(auth.InHeader("X-Auth-Token")), line: "X-Auth-Token: Bearer tok-1"},
		{
			name: "bearer bare header",
			auth: bearer(auth.NoPrefix(), auth.InHeader("X-Auth-Token")),
			line: "X-Auth-Token: tok-1",
		},
		{name: "bearer query", auth: bearer(auth.InQuery("access_token")), want: "/v1/x?access_token=tok-1"},
		{name: "bearer cookie", auth: bearer(auth.InCookie("session")), line: "Cookie: session=tok-1"},

		{
			name: "all",
			auth: auth.All(bearer(), auth.None(), auth.APIKey(static("k"), auth.InQuery("key"))),
			want: "/v1/x?key=k",
			line: "Authorization: Bearer tok-1",
		},
		{
			name: "func",
			auth: auth.Func(func(req *http.Request) error { req.Header.Set("X-Sig", "1"); return nil }),
			line: "X-Sig: 1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := auth.Validate(tt.auth); err != nil {
				t.Errorf("Validate: %v", err)
			}
			target, want := tt.target, tt.want
			if target == "" {
				target = "/v1/x"
			}
			if want == "" {
				want = target
			}
			for range 2 { // the second is from memory
				if diff := cmp.Diff(get(want, tt.line), sent(t, tt.auth, target)); diff != "" {
					t.Errorf("request (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestServer sends to a real server, and counts the values that arrive.
func TestServer(t *testing.T) {
	t.Parallel()
	var got http.Header
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone() }))
	defer srv.Close()

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", "a=1")
	a := auth.All(
		auth.Basic("aladdin", secrets.Static("opensesame")),
		auth.APIKey(secrets.Static("s-1"), auth.InCookie("session")),
	)
	if err := a.Authenticate(req); err != nil {
		t.Fatal(err)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	want := http.Header{
		"Authorization":   {"Basic YWxhZGRpbjpvcGVuc2VzYW1l"},
		"Cookie":          {"a=1; session=s-1"},
		"Accept-Encoding": {"gzip"},
		"User-Agent":      {"Go-http-client/1.1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
}

func TestCallerWins(t *testing.T) {
	t.Parallel()
	unused := provider(func(context.Context) (secrets.Value, error) {
		return secrets.Value{}, errors.New("the credential was asked for")
	})
	builtins := map[string]auth.Authenticator{
		"basic":  auth.BasicFrom(unused, unused),
		"key":    auth.APIKey(unused),
		"bearer": auth.Bearer(auth.Static(unused)),
	}
	for name, a := range builtins {
		for _, key := range []string{"Authorization", "authorization", "AUTHORIZATION"} {
			t.Run(name+" "+key, func(t *testing.T) {
				t.Parallel()
				req := newRequest(t, "/")
				req.Header[key] = []string{"X 1"}
				if err := a.Authenticate(req); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(get("/", key+": X 1"), written(t, req)); diff != "" {
					t.Errorf("request (-want +got):\n%s", diff)
				}
			})
		}
	}

	t.Run("header without a value", func(t *testing.T) {
		t.Parallel()
		req := newRequest(t, "/")
		req.Header["Authorization"] = nil
		if err := auth.APIKey(secrets.Static("abc")).Authenticate(req); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(get("/", "Authorization: Basic abc"), written(t, req)); diff != "" {
			t.Errorf("request (-want +got):\n%s", diff)
		}
	})
	t.Run("no header map", func(t *testing.T) {
		t.Parallel()
		for _, a := range []auth.Authenticator{
			auth.APIKey(secrets.Static("abc")),
			auth.APIKey(secrets.Static("abc"), auth.InCookie("c")),
			auth.Basic("u", secrets.Static("p")),
		} {
			req := newRequest(t, "/")
			req.Header = nil
			if err := a.Authenticate(req); err != nil {
				t.Fatal(err)
			}
			if got := len(req.Header); got != 1 {
				t.Errorf("%v: %d headers, want 1", a, got)
			}
		}
	})
}

func TestCookie(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		key  string
		have []string
		want []string
	}{
		{name: "none", want: []string{"session=s-1"}},
		{name: "one", have: []string{"a=1"}, want: []string{"a=1; session=s-1"}},
		{name: "two", have: []string{"a=1; b=2"}, want: []string{"a=1; b=2; session=s-1"}},
		{name: "trailing semicolon", have: []string{"a=1; "}, want: []string{"a=1; session=s-1"}},
		{name: "empty", have: []string{""}, want: []string{"session=s-1"}},
		{name: "two lines", have: []string{"a=1", "b=2"}, want: []string{"a=1", "b=2; session=s-1"}},
		{name: "other case", have: []string{"Session=2"}, want: []string{"Session=2; session=s-1"}},
		{name: "other key", key: "cookie", have: []string{"a=1"}, want: []string{"a=1; session=s-1"}},
		{name: "of the caller", have: []string{"a=1; session=own; b=2"}, want: []string{"a=1; session=own; b=2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			key := tt.key
			if key == "" {
				key = "Cookie"
			}
			have := append(make([]string, 0, 8), tt.have...) // room to append in place, which must not happen
			before := append([]string(nil), tt.have...)
			req := newRequest(t, "/")
			if len(have) > 0 {
				req.Header[key] = have
			}
			if err := auth.APIKey(secrets.Static("s-1"), auth.InCookie("session")).Authenticate(req); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, req.Header[key]); diff != "" {
				t.Errorf("cookie lines (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, append([]string(nil), have...)); diff != "" {
				t.Errorf("the caller's slice (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParameterSet(t *testing.T) {
	t.Parallel()
	a := auth.APIKey(secrets.Static("s-1"), auth.InQuery("api_key"))
	for _, query := range []string{"api_key=own", "a=1&api_key", "api%5Fkey=", "a=1;api_key=own", "api_key=1&api_key=2"} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			req := newRequest(t, "/?"+query)
			err := a.Authenticate(req)
			if !errors.Is(err, auth.ErrParameterSet) {
				t.Errorf("got error %v, want ErrParameterSet", err)
			}
			if got, want := req.URL.RawQuery, query; got != want {
				t.Errorf("query is %q, want %q", got, want)
			}
		})
	}
	t.Run("no URL", func(t *testing.T) { // it has nowhere to go, and yet nothing panics
		t.Parallel()
		err := a.Authenticate(&http.Request{})
		if _, ok := errors.AsType[*auth.Error](err); !ok {
			t.Errorf("got error %v, want an *auth.Error", err)
		}
	})
}

func TestAuthenticateErrors(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	static := secrets.Static
	none := source(func(context.Context, auth.Want) (*auth.Token, error) { return nil, nil }) //nolint:nilnil // its fault
	tests := []struct {
		name   string
		auth   auth.Authenticator
		target error // nil: any
		text   string
	}{
		{
			name: "basic provider", auth: auth.Basic("u", failing(boom)), target: boom,
			text: "auth: basic: boom",
		},
		{
			name: "basic user provider", auth: auth.BasicFrom(failing(boom), static("p")), target: boom,
			text: "auth: basic: boom",
		},
		{
			name: "basic nil password", auth: auth.Basic("u", nil), target: auth.ErrNoCredential,
			text: "auth: basic: no credential: the provider is nil",
		},
		{
			name: "basic empty user", auth: auth.BasicFrom(static(""), static("p")), target: auth.ErrNoCredential,
			text: "auth: basic: no credential: the user is empty; AllowEmptyUser() accepts it",
		},
		{
			name: "basic colon", auth: auth.Basic("s3cret:user", static("p")), target: auth.ErrMalformed,
			text: "auth: basic: malformed credential: the user holds a colon (RFC 7617, section 2)",
		},
		{
			name: "basic control in password", auth: auth.Basic("u", static("s3cret\n")), target: auth.ErrMalformed,
			text: "auth: basic: malformed credential: the password holds a control character (RFC 7617, section 2)",
		},
		{
			name: "basic long password", auth: auth.Basic("u", static(strings.Repeat("s3cret", 11000))),
			target: auth.ErrMalformed,
			text:   "auth: basic: malformed credential: the password is longer than 65536 bytes",
		},
		{
			name: "basic long user", auth: auth.Basic(strings.Repeat("s3cret", 11000), static("p")),
			target: auth.ErrMalformed,
			text:   "auth: basic: malformed credential: the user is longer than 65536 bytes",
		},
		{name: "basic nil option", auth: auth.Basic("u", static("p"), nil), text: "auth: basic: an option is nil"},
		{name: "key provider", auth: auth.APIKey(failing(boom)), target: boom, text: "auth: apikey: boom"},
		{name: "key empty", auth: auth.APIKey(static("")), target: auth.ErrNoCredential, text: "auth: apikey: no credential"},
		{
			name: "key nil", auth: auth.APIKey(nil), target: auth.ErrNoCredential,
			text: "auth: apikey: no credential: the provider is nil",
		},
		{
			name: "key line break", auth: auth.APIKey(static("s3cret\r\nX-Evil: 1")), target: auth.ErrMalformed,
			text: "auth: apikey: malformed credential: it holds a control character, such as a line break at its end",
		},
		{
			name: "key line break in query", auth: auth.APIKey(static("s3cret\n"), auth.InQuery("k")),
			target: auth.ErrMalformed,
			text:   "auth: apikey: malformed credential: it holds a control character, such as a line break at its end",
		},
		{
			name: "key space", auth: auth.APIKey(static(" s3cret")), target: auth.ErrMalformed,
			text: "auth: apikey: malformed credential: it begins or ends with a space",
		},
		{
			name: "key cookie", auth: auth.APIKey(static("s3cret;a=b"), auth.InCookie("c")), target: auth.ErrMalformed,
			text: "auth: apikey: malformed credential: " +
				"it holds a byte that a cookie value cannot (RFC 6265, section 4.1.1)",
		},
		{
			name: "key option", auth: auth.APIKey(static("s3cret"), auth.InHeader("")),
			text: `auth: apikey: InHeader(""): the name is empty`,
		},
		{
			name: "bearer empty", auth: auth.Bearer(auth.Static(static(""))), target: auth.ErrNoToken,
			text: "auth: bearer: no token",
		},
		{name: "bearer nil token", auth: auth.Bearer(none), target: auth.ErrNoToken, text: "auth: bearer: no token"},
		{
			name: "bearer nil source", auth: auth.Bearer(nil), target: auth.ErrNoCredential,
			text: "auth: bearer: no credential: the token source is nil",
		},
		{
			name: "bearer nil provider", auth: auth.Bearer(auth.Static(nil)), target: auth.ErrNoCredential,
			text: "auth: bearer: no credential: the provider is nil",
		},
		{
			name: "bearer space", auth: auth.Bearer(auth.Static(static("s3cret tok"))), target: auth.ErrMalformed,
			text: "auth: bearer: malformed credential: the token holds a space or a non-ASCII character",
		},
		{
			name: "bearer long", auth: auth.Bearer(auth.Static(static(strings.Repeat("s3cret", 11000)))),
			target: auth.ErrMalformed,
			text:   "auth: bearer: malformed credential: longer than 65536 bytes",
		},
		{
			name: "bearer option", auth: auth.Bearer(auth.Static(static("s3cret")), auth.Prefix("")),
			text: `auth: bearer: Prefix(""): the prefix is empty; NoPrefix() stands for none`,
		},
		{name: "func", auth: auth.Func(func(*http.Request) error { return boom }), target: boom, text: "auth: func: boom"},
		{name: "nil func", auth: auth.Func(nil), text: "auth: func: the function is nil"},
		{name: "all empty", auth: auth.All(), text: "auth: all: no members; auth.None() stands for no credential"},
		{
			name: "all nil member", auth: auth.All(auth.None(), nil), target: auth.ErrNoCredential,
			text: "auth: all: no credential: the Authenticator is nil; auth.None() stands for none",
		},
		{
			name: "all member", auth: auth.All(auth.None(), auth.APIKey(failing(boom))), target: boom,
			text: "auth: apikey: boom",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := newRequest(t, "/")
			err := tt.auth.Authenticate(req)
			if err == nil {
				t.Fatal("got no error")
			}
			if tt.target != nil && !errors.Is(err, tt.target) {
				t.Errorf("got error %v, want one that is %v", err, tt.target)
			}
			if _, ok := errors.AsType[*auth.Error](err); !ok {
				t.Errorf("got %T, want an *auth.Error", err)
			}
			if diff := cmp.Diff(tt.text, err.Error()); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(get("/", ""), written(t, req)); diff != "" {
				t.Errorf("the request was changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	p := provider(func(ctx context.Context) (secrets.Value, error) { return secrets.Value{}, ctx.Err() })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, a := range []auth.Authenticator{auth.BasicFrom(p, p), auth.APIKey(p), auth.Bearer(auth.Static(p))} {
		if err := a.Authenticate(newRequest(t, "/").WithContext(ctx)); !errors.Is(err, context.Canceled) {
			t.Errorf("%v: got error %v, want context.Canceled", a, err)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	texts := []string{"one", "two", "two", "one"}
	rotating := func() secrets.Provider {
		var n int
		return provider(func(context.Context) (secrets.Value, error) {
			n++
			return secrets.Static(texts[n-1]), nil
		})
	}
	tests := map[string]struct {
		auth  auth.Authenticator
		lines []string
	}{
		"basic": {
			auth.Basic("u", rotating()),
			[]string{"Basic dTpvbmU=", "Basic dTp0d28=", "Basic dTp0d28=", "Basic dTpvbmU="},
		},
		"basic user": {
			auth.BasicFrom(rotating(), secrets.Static("")),
			[]string{"Basic b25lOg==", "Basic dHdvOg==", "Basic dHdvOg==", "Basic b25lOg=="},
		},
		"key":    {auth.APIKey(rotating(), auth.NoPrefix()), texts},
		"bearer": {auth.Bearer(auth.Static(rotating()), auth.NoPrefix()), texts},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i, line := range tt.lines {
				want := get("/", "Authorization: "+line)
				if diff := cmp.Diff(want, sent(t, tt.auth, "/")); diff != "" {
					t.Errorf("attempt %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

// TestSharedSlice checks that what requests share cannot be appended to in place.
func TestSharedSlice(t *testing.T) {
	t.Parallel()
	a := auth.APIKey(secrets.Static("abc"))
	one, two := newRequest(t, "/"), newRequest(t, "/")
	for _, req := range []*http.Request{one, two} {
		if err := a.Authenticate(req); err != nil {
			t.Fatal(err)
		}
		req.Header.Add("Authorization", fmt.Sprintf("%p", req))
	}
	if got, want := one.Header["Authorization"][1], fmt.Sprintf("%p", one); got != want {
		t.Errorf("the value appended to one request is %s, want %s", got, want)
	}
}
