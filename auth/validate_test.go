package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// wrapper hides what it wraps from everybody but Find.
type wrapper struct{ inner auth.Authenticator }

func (w wrapper) Authenticate(req *http.Request) error { return w.inner.Authenticate(req) }
func (w wrapper) Unwrap() auth.Authenticator           { return w.inner }

// faulty is a provider that knows that it cannot work.
type faulty struct{ secrets.Value }

func (faulty) Validate() error { return errors.New("no such reference") }

func TestValidate(t *testing.T) {
	t.Parallel()
	key := secrets.Static("s3cret")
	apiKey := func(opts ...auth.PlaceOption) auth.Authenticator { return auth.APIKey(key, opts...) }
	tests := []struct {
		name string
		auth auth.Authenticator
		want []string // the lines of the error; none if it is valid
	}{
		{name: "nil", want: []string{"auth: no credential: the Authenticator is nil; auth.None() stands for none"}},
		{name: "none", auth: auth.None()},
		{name: "func", auth: auth.Func(func(*http.Request) error { return nil })},
		{name: "nil func", auth: auth.Func(nil), want: []string{"auth: func: the function is nil"}},

		{name: "basic", auth: auth.Basic("ann@example.test", key)},
		{name: "basic empty password", auth: auth.Basic("ann", secrets.Value{})},
		{
			name: "basic everything", auth: auth.Basic("s3:cret", nil, nil),
			want: []string{
				"auth: basic: an option is nil",
				"auth: basic: malformed credential: the user holds a colon (RFC 7617, section 2)",
				"auth: basic: no credential: the password is nil; auth.None() stands for no credential",
			},
		},
		{
			name: "basic control", auth: auth.Basic("s3cret\x7f", key),
			want: []string{"auth: basic: malformed credential: the user holds a control character (RFC 7617, section 2)"},
		},
		{
			name: "basic empty user", auth: auth.Basic("", key),
			want: []string{"auth: basic: no credential: the user is empty; AllowEmptyUser() accepts it"},
		},
		{name: "basic allowed empty user", auth: auth.Basic("", key, auth.AllowEmptyUser())},
		{name: "basic user not known yet", auth: auth.BasicFrom(failing(errors.New("later")), key)},
		{
			name: "basic from nil", auth: auth.BasicFrom(nil, faulty{}),
			want: []string{
				"auth: basic: no credential: the user is nil; auth.None() stands for no credential",
				"auth: basic: no such reference",
			},
		},

		{name: "key", auth: apiKey()},
		{name: "key empty for now", auth: auth.APIKey(secrets.Static(""))},
		{name: "key query", auth: apiKey(auth.InQuery("api key ä"), auth.NoPrefix())},
		{
			name: "key nil", auth: auth.APIKey(nil),
			want: []string{"auth: apikey: no credential: the key is nil; auth.None() stands for no credential"},
		},
		{name: "key faulty", auth: auth.APIKey(faulty{}), want: []string{"auth: apikey: no such reference"}},
		{name: "key nil option", auth: apiKey(nil), want: []string{"auth: apikey: an option is nil"}},
		{
			name: "key empty names", auth: auth.All(
				apiKey(auth.InHeader("")), apiKey(auth.InQuery("")), apiKey(auth.InCookie(""))),
			want: []string{
				`auth: apikey: InHeader(""): the name is empty`,
				`auth: apikey: InQuery(""): the name is empty`,
				`auth: apikey: InCookie(""): the name is empty`,
			},
		},
		{
			name: "key odd names",
			auth: auth.All(apiKey(auth.InHeader("X Key")), apiKey(auth.InQuery("a\nb")), apiKey(auth.InCookie("a;b"))),
			want: []string{
				`auth: apikey: InHeader("X Key"): the name is not a token (RFC 9110, section 5.6.2)`,
				`auth: apikey: InQuery("a\nb"): the name holds a control character`,
				`auth: apikey: InCookie("a;b"): the name is not a token (RFC 9110, section 5.6.2)`,
			},
		},
		{
			name: "key prefixes",
			auth: auth.All(apiKey(auth.InHeader("A"), auth.Prefix("")), apiKey(auth.InHeader("B"), auth.Prefix("a b")),
				apiKey(auth.InHeader("C"), auth.Prefix("a\n")), apiKey(auth.InHeader("D"), auth.Prefix("ä"))),
			want: []string{
				`auth: apikey: Prefix(""): the prefix is empty; NoPrefix() stands for none`,
				`auth: apikey: Prefix("a b"): the prefix holds a space, a control character or a non-ASCII one`,
				`auth: apikey: Prefix("a\n"): the prefix holds a space, a control character or a non-ASCII one`,
				`auth: apikey: Prefix("ä"): the prefix holds a space, a control character or a non-ASCII one`,
			},
		},
		{
			name: "key contradictions",
			auth: auth.APIKey(nil, auth.InQuery("a"), auth.InCookie("b"), auth.NoPrefix(), auth.Prefix("C")),
			want: []string{
				`auth: apikey: InCookie("b") cannot be combined with InQuery("a")`,
				`auth: apikey: Prefix("C") cannot be combined with NoPrefix()`,
				"auth: apikey: no credential: the key is nil; auth.None() stands for no credential",
			},
		},
		{
			name: "key prefix in query", auth: apiKey(auth.Prefix("Bearer"), auth.InQuery("a")),
			want: []string{`auth: apikey: Prefix("Bearer") cannot be combined with InQuery("a")`},
		},
		{
			name: "key prefix in cookie", auth: apiKey(auth.InCookie("a"), auth.Prefix("Bearer")),
			want: []string{`auth: apikey: Prefix("Bearer") cannot be combined with InCookie("a")`},
		},

		{name: "bearer", auth: auth.Bearer(auth.Static(key))},
		{
			name: "bearer nil", auth: auth.Bearer(nil, auth.InHeader("Host")),
			want: []string{
				`auth: bearer: InHeader("Host"): this header cannot carry a credential`,
				"auth: bearer: no credential: the token source is nil; auth.None() stands for no credential",
			},
		},
		{
			name: "bearer static nil", auth: auth.Bearer(auth.Static(nil)),
			want: []string{"auth: bearer: no credential: the token is nil; auth.None() stands for no credential"},
		},
		{
			name: "bearer static faulty", auth: auth.Bearer(auth.Static(faulty{})),
			want: []string{"auth: bearer: no such reference"},
		},

		{name: "all", auth: auth.All(auth.Bearer(auth.Static(key)), apiKey(auth.InQuery("k")), apiKey(auth.InCookie("k")))},
		{
			name: "all empty", auth: auth.All(),
			want: []string{"auth: all: no members; auth.None() stands for no credential"},
		},
		{
			name: "all members", auth: auth.All(nil, auth.Func(nil), wrapper{auth.APIKey(nil)}, wrapper{}),
			want: []string{
				"auth: all: member 0: no credential: the Authenticator is nil; auth.None() stands for none",
				"auth: func: the function is nil",
				"auth: apikey: no credential: the key is nil; auth.None() stands for no credential",
				"auth: no credential: the Authenticator is nil; auth.None() stands for none",
			},
		},
		{
			name: "all same place",
			auth: auth.All(auth.Basic("u", key), auth.All(auth.Bearer(auth.Static(key)), apiKey(auth.InQuery("k"))),
				apiKey(auth.InQuery("k")), apiKey(auth.InHeader("a")), apiKey(auth.InHeader("A"))),
			want: []string{
				"auth: all: member 1 writes the same header Authorization as one before it",
				"auth: all: member 2 writes the same query parameter k as one before it",
				"auth: all: member 4 writes the same header A as one before it",
			},
		},
	}
	for _, name := range []string{
		"host", "Content-Length", "Transfer-Encoding", "Connection", "TE", "Trailer", "Upgrade", "Keep-Alive", "Cookie",
		"Proxy-Connection", "Proxy-Authorization", "Expect", "Content-Type", "Content-Encoding",
	} {
		tests = append(tests, struct {
			name string
			auth auth.Authenticator
			want []string
		}{
			name: "header " + name, auth: apiKey(auth.InHeader(name)),
			want: []string{fmt.Sprintf("auth: apikey: InHeader(%q): this header cannot carry a credential", name)},
		})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := auth.Validate(tt.auth)
			var got []string
			if err != nil {
				got = strings.Split(err.Error(), "\n")
				if _, ok := errors.AsType[*auth.Error](err); !ok {
					t.Errorf("got %T, want an *auth.Error", err)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if strings.Contains(fmt.Sprint(err), "s3cret") {
				t.Error("the error holds the credential")
			}
		})
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	key := secrets.Static("s3cret")
	tests := []struct {
		value any
		want  string
	}{
		{auth.None(), "None"},
		{auth.Func(nil), "Func"},
		{auth.Basic("s3cret", key), "Basic"},
		{auth.APIKey(key), "API key in header Authorization"},
		{auth.APIKey(key, auth.InHeader("x-api-key")), "API key in header X-Api-Key"},
		{auth.APIKey(key, auth.InQuery("api_key")), "API key in query parameter api_key"},
		{auth.APIKey(key, auth.InQuery("a\nb")), `API key in query parameter "a\nb"`},
		{auth.Bearer(auth.Static(key)), "Bearer in header Authorization"},
		{auth.Bearer(auth.Static(key), auth.InCookie("session")), "Bearer in cookie session"},
		{auth.Static(key), "Static token"},
		{auth.All(auth.None(), wrapper{auth.Basic("s3cret", key)}), "All(None, auth_test.wrapper)"},
		{auth.InHeader("X-Key"), `InHeader("X-Key")`},
		{auth.InQuery("k"), `InQuery("k")`},
		{auth.InCookie("k"), `InCookie("k")`},
		{auth.Prefix("Token"), `Prefix("Token")`},
		{auth.NoPrefix(), "NoPrefix()"},
		{auth.AllowEmptyUser(), "AllowEmptyUser()"},
		{&auth.Error{Scheme: "basic"}, "auth: basic"},
		{&auth.Error{Err: auth.ErrNoToken}, "auth: no token"},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, fmt.Sprint(tt.value)); diff != "" {
			t.Errorf("%T (-want +got):\n%s", tt.value, diff)
		}
	}
}

func TestIsNone(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		auth auth.Authenticator
		want bool
	}{
		"nil":       {nil, false},
		"none":      {auth.None(), true},
		"all none":  {auth.All(auth.None(), auth.All(auth.None())), true},
		"all":       {auth.All(auth.None(), auth.Func(nil)), false},
		"all empty": {auth.All(), false},
		"wrapped":   {wrapper{auth.None()}, false},
	}
	for name, tt := range tests {
		if got := auth.IsNone(tt.auth); got != tt.want {
			t.Errorf("%s: IsNone is %v, want %v", name, got, tt.want)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	b := auth.Bearer(auth.Static(secrets.Static("t")))
	c := auth.Bearer(auth.Static(secrets.Static("u")), auth.InHeader("X"))
	tests := map[string]struct {
		auth auth.Authenticator
		want []auth.Authenticator
	}{
		"nil":          {nil, nil},
		"not there":    {auth.None(), nil},
		"itself":       {b, []auth.Authenticator{b}},
		"wrapped":      {wrapper{wrapper{b}}, []auth.Authenticator{b}},
		"wrapping nil": {auth.All(wrapper{}, nil), nil},
		"in order":     {auth.All(auth.None(), b, auth.All(wrapper{c})), []auth.Authenticator{b, c}},
	}
	same := cmp.Comparer(func(x, y auth.Authenticator) bool { return x == y })
	for name, tt := range tests {
		var got []auth.Authenticator
		for ch := range auth.Find[auth.Challenger](tt.auth) {
			got = append(got, ch.(auth.Authenticator))
		}
		if diff := cmp.Diff(tt.want, got, same); diff != "" {
			t.Errorf("%s: challengers (-want +got):\n%s", name, diff)
		}
	}

	all := auth.All(b, c)
	if got := slices.Collect(auth.Find[auth.Validator](all)); len(got) != 1 || got[0] != all.(auth.Validator) {
		t.Errorf("validators are %v, want the one that answers for the others", got)
	}
	for range auth.Find[auth.Challenger](all) {
		break // ends the search
	}
}

// binder is an Authenticator that counts its bindings.
type binder struct {
	auth.Authenticator
	name   string
	err    error
	closed *[]string
}

func (b *binder) Bind(h auth.Host) (auth.Authenticator, error) {
	if b.err != nil {
		return nil, b.err
	}
	return &bound{Authenticator: b.Authenticator, name: b.name + "@" + h.Connection, closed: b.closed}, nil
}

type bound struct {
	auth.Authenticator
	name   string
	closed *[]string
}

func (b *bound) String() string { return b.name }
func (b *bound) Close() error   { *b.closed = append(*b.closed, b.name); return errors.New(b.name) }

func TestBind(t *testing.T) {
	t.Parallel()
	host := auth.Host{Connection: "crm"}
	var closed []string
	one := &binder{Authenticator: auth.None(), name: "one", closed: &closed}
	two := &binder{Authenticator: auth.None(), name: "two", closed: &closed}
	owned := &bound{Authenticator: auth.None(), name: "the caller's", closed: &closed}
	members := auth.All(one, owned, auth.All(two), auth.None())

	got, err := auth.Bind(members, host)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("All(one@crm, the caller's, All(two@crm), None)", fmt.Sprint(got)); diff != "" {
		t.Errorf("bound (-want +got):\n%s", diff)
	}
	if err := got.Authenticate(newRequest(t, "/")); err != nil {
		t.Error(err)
	}
	if err := members.(interface{ Close() error }).Close(); err != nil || len(closed) > 0 {
		t.Errorf("closing what was not bound: error %v, closed %v", err, closed)
	}
	err = got.(interface{ Close() error }).Close()
	if diff := cmp.Diff("one@crm\ntwo@crm", fmt.Sprint(err)); diff != "" {
		t.Errorf("Close (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"one@crm", "two@crm"}, closed); diff != "" {
		t.Errorf("closed (-want +got):\n%s", diff)
	}
}

func TestBindErrors(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	t.Run("nil", func(t *testing.T) {
		t.Parallel()
		if _, err := auth.Bind(nil, auth.Host{}); !errors.Is(err, auth.ErrNoCredential) {
			t.Errorf("got error %v, want ErrNoCredential", err)
		}
	})
	t.Run("no binder", func(t *testing.T) {
		t.Parallel()
		a := wrapper{auth.Basic("u", secrets.Static("p"))}
		if got, err := auth.Bind(a, auth.Host{}); err != nil || got != auth.Authenticator(a) {
			t.Errorf("got %v and error %v, want what was given", got, err)
		}
	})
	t.Run("hidden", func(t *testing.T) {
		t.Parallel()
		_, err := auth.Bind(auth.All(wrapper{&binder{}}), auth.Host{})
		want := "auth: auth_test.wrapper wraps *auth_test.binder, which has a Bind method, and has none itself"
		if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
			t.Errorf("error (-want +got):\n%s", diff)
		}
	})
	t.Run("closes what it made", func(t *testing.T) {
		t.Parallel()
		var closed []string
		_, err := auth.Bind(auth.All(&binder{name: "one", closed: &closed}, &binder{err: boom}), auth.Host{})
		if !errors.Is(err, boom) {
			t.Errorf("got error %v, want %v", err, boom)
		}
		if diff := cmp.Diff([]string{"one@"}, closed); diff != "" {
			t.Errorf("closed (-want +got):\n%s", diff)
		}
	})
	t.Run("bound to nil", func(t *testing.T) {
		t.Parallel()
		_, err := auth.Bind(nilBinder{auth.None()}, auth.Host{})
		if diff := cmp.Diff("auth: auth_test.nilBinder was bound to nil", fmt.Sprint(err)); diff != "" {
			t.Errorf("error (-want +got):\n%s", diff)
		}
	})
}

type nilBinder struct{ auth.Authenticator }

func (nilBinder) Bind(auth.Host) (auth.Authenticator, error) { return nil, nil } //nolint:nilnil // its fault

func TestStatic(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	text := "one"
	src := auth.Static(provider(func(context.Context) (secrets.Value, error) {
		if text == "" {
			return secrets.Value{}, boom
		}
		return secrets.Static(text), nil
	}))
	tests := []struct {
		text string
		want auth.Want
		err  error
	}{
		{text: "one"},
		{text: "one", want: auth.Want{Not: secrets.Static("one")}, err: auth.ErrNotRenewable},
		{text: "one", want: auth.Want{Not: secrets.Static("two")}},
		{text: "two", want: auth.Want{Not: secrets.Static("one")}},
		{text: "", err: boom},
	}
	for i, tt := range tests {
		text = tt.text
		tok, err := src.Token(t.Context(), tt.want)
		if !errors.Is(err, tt.err) {
			t.Errorf("%d: got error %v, want %v", i, err, tt.err)
		}
		if err == nil && (tok.Value.Reveal() != tt.text || !tok.Expiry.IsZero()) {
			t.Errorf("%d: got %q until %v, want %q", i, tok.Value.Reveal(), tok.Expiry, tt.text)
		}
	}
}

func TestChallenged(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	// renewing has "one" until that is rejected, and then "two", and then none.
	renewing := func() auth.TokenSource {
		current := "one"
		return source(func(_ context.Context, want auth.Want) (*auth.Token, error) {
			switch want.Not.Reveal() {
			case current:
				if current == "two" {
					return nil, boom
				}
				current = "two"
			case "stubborn":
				return token("stubborn"), nil
			}
			return token(current), nil
		})
	}
	places := map[string][]auth.BearerOption{
		"header":        nil,
		"prefix":        {auth.Prefix("Token")},
		"no prefix":     {auth.NoPrefix()},
		"custom header": {auth.InHeader("X-Token")},
		"query":         {auth.InQuery("access token")},
		"cookie":        {auth.InCookie("session")},
	}
	unauthorized := &http.Response{StatusCode: http.StatusUnauthorized}
	for name, opts := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := auth.Bearer(renewing(), opts...)
			req := newRequest(t, "/?a=%zz&access+token%zz=1&b=2")
			if err := a.Authenticate(req); err != nil {
				t.Fatal(err)
			}
			ch := a.(auth.Challenger)
			if resend, err := ch.Challenged(req, &http.Response{StatusCode: http.StatusForbidden}); resend || err != nil {
				t.Errorf("403: got %v and error %v, want no resend", resend, err)
			}
			for range 2 { // the second caller that was rejected with the same token
				if resend, err := ch.Challenged(req.Clone(t.Context()), unauthorized); !resend || err != nil {
					t.Errorf("first 401: got %v and error %v, want a resend", resend, err)
				}
			}
			req = newRequest(t, "/")
			if err := a.Authenticate(req); err != nil {
				t.Fatal(err)
			}
			_, err := ch.Challenged(req, unauthorized)
			if diff := cmp.Diff("auth: bearer: boom", fmt.Sprint(err)); diff != "" {
				t.Errorf("second 401 (-want +got):\n%s", diff)
			}
			if resend, err := ch.Challenged(newRequest(t, "/"), unauthorized); resend || err != nil {
				t.Errorf("request without a token: got %v and error %v, want no resend", resend, err)
			}
		})
	}

	t.Run("static", func(t *testing.T) {
		t.Parallel()
		a := auth.Bearer(auth.Static(secrets.Static("one")))
		req := newRequest(t, "/")
		if err := a.Authenticate(req); err != nil {
			t.Fatal(err)
		}
		if resend, err := a.(auth.Challenger).Challenged(req, unauthorized); resend || err != nil {
			t.Errorf("got %v and error %v, want no resend", resend, err)
		}
	})
	t.Run("same again", func(t *testing.T) {
		t.Parallel()
		a := auth.Bearer(renewing())
		req := newRequest(t, "/")
		if err := a.Authenticate(req); err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer stubborn")
		if resend, err := a.(auth.Challenger).Challenged(req, unauthorized); resend || err != nil {
			t.Errorf("got %v and error %v, want no resend", resend, err)
		}
	})
	t.Run("token of the caller", func(t *testing.T) {
		t.Parallel()
		asked := source(func(context.Context, auth.Want) (*auth.Token, error) {
			t.Error("the source was asked")
			return token("t"), nil
		})
		a := auth.Bearer(asked)
		for _, value := range []string{"Bearer own", "Basic own", "Bearer "} {
			req := newRequest(t, "/")
			req.Header.Set("Authorization", value)
			if err := a.Authenticate(req); err != nil {
				t.Fatal(err)
			}
			if resend, err := a.(auth.Challenger).Challenged(req, unauthorized); resend || err != nil {
				t.Errorf("%s: got %v and error %v, want no resend", value, resend, err)
			}
		}
	})
}
