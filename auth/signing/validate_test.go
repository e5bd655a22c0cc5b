package signing_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/authtest"
	"github.com/restconn/restconn/auth/signing"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/secrets"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	type change = func(cfg *signing.Config)
	header := func(names ...string) (opts []auth.PlaceOption) {
		for _, name := range names {
			opts = append(opts, auth.InHeader(name))
		}
		return opts
	}
	parts := func(p ...signing.Part) change { return func(cfg *signing.Config) { cfg.Message = p } }
	const badHash, badEncoding = signing.Hash(9), signing.Encoding(9)
	for want, change := range map[string]change{
		"Secret: no credential": func(cfg *signing.Config) { cfg.Secret = nil },
		"Secret: secrets":       func(cfg *signing.Config) { cfg.Secret = secrets.Env("") },
		"Algorithm: Hash(9)":    func(cfg *signing.Config) { cfg.Algorithm = signing.HMAC(badHash) },
		"Algorithm: AlgorithmFunc: the function": func(cfg *signing.Config) {
			cfg.Algorithm = signing.AlgorithmFunc("x", nil)
		},
		"Algorithm: AlgorithmFunc: the name": func(cfg *signing.Config) {
			cfg.Algorithm = signing.AlgorithmFunc("", func(secrets.Value, []byte) ([]byte, error) { return nil, nil })
		},
		"Encoding: Encoding(9)":               func(cfg *signing.Config) { cfg.Encoding = badEncoding },
		"Message: there is":                   parts(),
		"Message[1]: it is the zero":          parts(signing.Method(), signing.Part{}),
		"Message[0]: Header(":                 parts(signing.Header("a b")),
		"Message[0]: PartFunc":                parts(signing.PartFunc(nil)),
		"Message[0]: BodyDigest: Hash(9)":     parts(signing.BodyDigest(badHash, signing.Hex)),
		"Message[0]: BodyDigest: Encoding(9)": parts(signing.BodyDigest(signing.MD5, badEncoding)),
		"Message[0]: the timestamp is signed": parts(signing.Timestamp()),
		"Message[0]: the nonce is signed":     parts(signing.Nonce()),
		"Template: there is no":               func(cfg *signing.Config) { cfg.Template = "{timestamp}" },
		"Template: {sig} is unknown":          func(cfg *signing.Config) { cfg.Template = "{signature}{sig}" },
		"Place: the signature has no place":   func(cfg *signing.Config) { cfg.Place = nil },
		"Place: it cannot be combined":        func(cfg *signing.Config) { cfg.User = secrets.Static("u") },
		`Place: InHeader("Host")`:             func(cfg *signing.Config) { cfg.Place = header("Host") },
		`InHeader("B") cannot be combined`:    func(cfg *signing.Config) { cfg.Place = header("A", "B") },
		"Place: malformed credential: the user": func(cfg *signing.Config) {
			cfg.Place, cfg.User = nil, secrets.Static("a:b")
		},
		"Timestamp: it has": func(cfg *signing.Config) {
			cfg.Timestamp.Header, cfg.Timestamp.Query = "A", "b"
		},
		"Timestamp: InHeader(\"content-type\")": func(cfg *signing.Config) { cfg.Timestamp.Header = "content-type" },
		"Nonce: InQuery(\"\\n\")":               func(cfg *signing.Config) { cfg.Nonce.Query = "\n" },
		"Digest: DigestIn: Hash(9)": func(cfg *signing.Config) {
			cfg.Digest = signing.DigestIn("A", badHash, signing.Hex)
		},
		"Digest: DigestIn: InHeader(\"\")": func(cfg *signing.Config) {
			cfg.Digest = signing.DigestIn("", signing.MD5, signing.Hex)
		},
		"Digest: ContentDigest: sha-1": func(cfg *signing.Config) { cfg.Digest = signing.ContentDigest(signing.SHA1) },
		"Digest: LegacyDigest: sha-384": func(cfg *signing.Config) {
			cfg.Digest = signing.LegacyDigest(signing.SHA384)
		},
		"MaxBody: it is negative": func(cfg *signing.Config) { cfg.MaxBody = -1 },
		"header X-Sig is written twice": func(cfg *signing.Config) {
			cfg.Timestamp.Header = "x-sig"
		},
		"header Content-Digest is written twice": func(cfg *signing.Config) {
			cfg.Digest, cfg.Nonce.Header = signing.ContentDigest(signing.SHA256), "Content-Digest"
		},
		`query parameter "a" is written twice`: func(cfg *signing.Config) {
			cfg.Timestamp.Query, cfg.Nonce.Query = "a", "a"
		},
	} {
		check(t, signing.New(config(change)), want)
	}
	for want, cfg := range map[string]signing.MessageConfig{
		"Key: no credential":           {Key: nil},
		"Algorithm: Hash(9)":           {Algorithm: signing.HMAC(badHash)},
		"Digest: ContentDigest":        {Digest: signing.ContentDigest(signing.MD5)},
		"Label: \"Sig\"":               {Label: "Sig"},
		"Label: \"1\"":                 {Label: "1"},
		"KeyID: it is not printable":   {KeyID: "ä"},
		"Lifetime: it is":              {Lifetime: time.Millisecond},
		"Lifetime: it is shorter":      {Lifetime: -time.Hour},
		"Components[1]: \"@status\"":   {Components: []string{"date", "@status"}},
		"Components[0]: \"a b\"":       {Components: []string{"a b"}},
		"Components[1]: \"date\"":      {Components: []string{"date", "Date"}},
		"Components[0]: \"signature\"": {Components: []string{"Signature"}},
		"Components: content-digest is": {
			Components: []string{"date"}, Digest: signing.ContentDigest(signing.SHA256),
		},
	} {
		if !strings.HasPrefix(want, "Key:") {
			cfg.Key = secrets.Static(appSecret)
		}
		check(t, signing.MessageSignature(cfg), want)
	}
	check(t, signing.Func(nil), "the function is nil")

	err := auth.Validate(signing.New(signing.Config{MaxBody: -1}))
	if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 4 {
		t.Errorf("not all faults at once: %v", err)
	}
	_, err = connection.New("https://api.test", connection.WithAuth(signing.New(signing.Config{})))
	if _, ok := errors.AsType[*auth.Error](err); !ok {
		t.Errorf("connection.New: %v", err)
	}
}

// check checks that a has that fault and no other, and that it sends nothing.
func check(t *testing.T, a auth.Authenticator, want string) {
	t.Helper()
	err := auth.Validate(a)
	wantError(t, want, err, err)
	if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "auth: signing") != 1 {
		t.Errorf("Validate: %v, want %q", err, want)
	}
	req := newRequest(t, "GET", "https://api.test/", "")
	err = a.Authenticate(req)
	wantError(t, want, err, err)
	if err == nil || len(req.Header) > 0 {
		t.Errorf("%s: it signs %v all the same", want, req.Header)
	}
}

func TestCallersOwn(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	never := provider(func(context.Context) (secrets.Value, error) { return secrets.Value{}, boom })
	t.Run("a signature of the caller stays, and nothing else is written", func(t *testing.T) {
		t.Parallel()
		for name, a := range map[string]auth.Authenticator{
			"X-Sig": full(never),
			"x-sig": full(never),
			"Authorization": signing.New(signing.Config{
				Secret: never, User: never, Message: []signing.Part{signing.Method()}, Digest: signing.ContentMD5(),
			}),
			"Signature":       signing.MessageSignature(signing.MessageConfig{Key: never, Digest: signing.ContentDigest(0)}),
			"Signature-Input": signing.MessageSignature(signing.MessageConfig{Key: never}),
		} {
			req := newRequest(t, "GET", "https://api.test/?a=b", "")
			req.Header[name] = []string{"own"}
			signed(t, a, req)
			if diff := cmp.Diff(http.Header{name: {"own"}}, req.Header); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		}
	})
	t.Run("what the caller set is what is signed", func(t *testing.T) {
		t.Parallel()
		req := newRequest(t, "GET", "https://api.test/?a=b", "")
		own := http.Header{"X-Time": {"time"}, "X-Nonce": {"nonce"}, "Content-Digest": {"digest"}}
		req.Header = own.Clone()
		signed(t, full(secrets.Static(appSecret)), req)
		own.Set("X-Sig", mac(appSecret, "GET\nhttps://api.test/?a=b\n\ndigest\ntime\nnonce"))
		if diff := cmp.Diff(own, req.Header); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
	})
	t.Run("a body whose digest the caller knows is not read", func(t *testing.T) {
		t.Parallel()
		req := newRequest(t, "PUT", "https://api.test/", "body")
		req.GetBody = nil
		req.Header.Set("Content-Digest", "digest")
		if signed(t, full(secrets.Static(appSecret)), req).Header.Get("X-Sig") == "" {
			t.Error("there is no signature")
		}
	})
	t.Run("a query parameter that is there is an error", func(t *testing.T) {
		t.Parallel()
		for name, change := range map[string]func(cfg *signing.Config){
			"ts":  func(cfg *signing.Config) { cfg.Timestamp.Query = "ts" },
			"n":   func(cfg *signing.Config) { cfg.Nonce.Query = "n" },
			"sig": func(cfg *signing.Config) { cfg.Place = []auth.PlaceOption{auth.InQuery("sig")} },
		} {
			req := newRequest(t, "GET", "https://api.test/?"+name+"=", "")
			wantError(t, name, signing.New(config(change)).Authenticate(req), auth.ErrParameterSet)
		}
	})
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	const target = "https://api.test/a%2Fb?z=1&a=%20"
	for _, tt := range []struct {
		name    string
		change  func(cfg *signing.Config)
		message string
		header  http.Header // with SIG in the place of the signature
		query   string
	}{
		{
			name:   "Authorization with a prefix",
			change: func(cfg *signing.Config) { cfg.Place = []auth.PlaceOption{auth.Prefix("HMAC")} },
			header: http.Header{"Authorization": {"HMAC SIG"}},
		},
		{
			name: "a template",
			change: func(cfg *signing.Config) {
				cfg.Message = []signing.Part{signing.Nonce(), signing.Timestamp(), signing.SortedQuery(), signing.Host()}
				cfg.Separator, cfg.Place = ":", []auth.PlaceOption{auth.NoPrefix()}
				cfg.Template = `amx id:{signature}:{nonce}:{timestamp}`
				cfg.Nonce.New = func() string { return "{signature}" }
				cfg.Timestamp.Format = signing.RFC3339
			},
			message: "{signature}:2026-03-04T05:06:07Z:a=%20&z=1:api.test",
			header:  http.Header{"Authorization": {"amx id:SIG:{signature}:2026-03-04T05:06:07Z"}},
		},
		{
			name: "the query, with a time that is signed there",
			change: func(cfg *signing.Config) {
				cfg.Message, cfg.Place = []signing.Part{signing.Query()}, []auth.PlaceOption{auth.InQuery("signature")}
				cfg.Timestamp = signing.TimestampField{Query: "timestamp", Format: signing.UnixMilliseconds}
			},
			message: "z=1&a=%20&timestamp=1772600767000",
			query:   "z=1&a=%20&timestamp=1772600767000&signature=SIG",
		},
		{
			name:   "a cookie",
			change: func(cfg *signing.Config) { cfg.Place = []auth.PlaceOption{auth.InCookie("sig")} },
			header: http.Header{"Cookie": {"sig=SIG"}},
		},
		{
			name: "other digests and dates",
			change: func(cfg *signing.Config) {
				cfg.Message = []signing.Part{
					signing.Text("v1"), signing.Path(), signing.Header("digest"), signing.Timestamp(), signing.Header("none"),
				}
				cfg.Separator, cfg.Digest = "|", signing.LegacyDigest(signing.SHA1)
				cfg.Timestamp = signing.TimestampField{Header: "Date", Format: signing.HTTPDate}
			},
			message: "v1|/a%2Fb|SHA=2jmj7l5rSw0yVb/vlWAYkK/YBwk=|Wed, 04 Mar 2026 05:06:07 GMT|",
			header: http.Header{
				"X-Sig": {"SIG"}, "Digest": {"SHA=2jmj7l5rSw0yVb/vlWAYkK/YBwk="}, "Date": {"Wed, 04 Mar 2026 05:06:07 GMT"},
			},
		},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			at(t, "2026-03-04T05:06:07Z")
			req := signed(t, signing.New(config(tt.change)), newRequest(t, "GET", target, ""))
			message := tt.message
			if message == "" {
				message = "GET/a%2Fb?z=1&a=%20"
			}
			want := make(http.Header)
			for name, values := range tt.header {
				want.Set(name, strings.Replace(values[0], "SIG", mac(appSecret, message), 1))
			}
			if diff := cmp.Diff(want, req.Header); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			query := "z=1&a=%20"
			if tt.query != "" {
				query = strings.Replace(tt.query, "SIG", mac(appSecret, message), 1)
			}
			if req.URL.RawQuery != query {
				t.Errorf("query %q, want %q", req.URL.RawQuery, query)
			}
		})
	}
}

// TestTables pins each hash and each encoding to a value from elsewhere: the hash of nothing.
func TestTables(t *testing.T) {
	t.Parallel()
	for hash, want := range map[signing.Hash]string{
		signing.SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		signing.SHA384: "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b",
		signing.SHA512: "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce" +
			"47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
		signing.SHA1: "da39a3ee5e6b4b0d3255bfef95601890afd80709",
		signing.MD5:  "d41d8cd98f00b204e9800998ecf8427e",
	} {
		sum(t, hash, signing.Hex, want)
	}
	sum(t, signing.MD5, signing.UpperHex, "D41D8CD98F00B204E9800998ECF8427E")
	sum(t, signing.MD5, signing.Base64, "1B2M2Y8AsgTpgAmY7PhCfg==")
	sum(t, signing.SHA1, signing.Base64URL, "2jmj7l5rSw0yVb_vlWAYkK_YBwk")
}

func sum(t *testing.T, h signing.Hash, e signing.Encoding, want string) {
	t.Helper()
	a := signing.New(config(func(cfg *signing.Config) { cfg.Digest = signing.DigestIn("X-Sum", h, e) }))
	if got := signed(t, a, newRequest(t, "GET", "https://api.test/", "")).Header.Get("X-Sum"); got != want {
		t.Errorf("%v: %q, want %q", h, got, want)
	}
}

// TestRequest looks at what a Func sees, and what it may do.
func TestRequest(t *testing.T) {
	t.Parallel()
	see := func(t *testing.T, req *http.Request, f func(r *signing.Request)) error {
		t.Helper()
		return signing.Func(func(_ context.Context, r *signing.Request) error { f(r); return nil }).Authenticate(req)
	}
	t.Run("the request as it will be sent", func(t *testing.T) {
		t.Parallel()
		req := newRequest(t, "", "https://API.test:8443", "body")
		req.Method, req.URL.ForceQuery, req.URL.Fragment = "", true, "part"
		req.Header["x-odd"] = []string{"1", "2"}
		err := see(t, req, func(r *signing.Request) {
			got := []string{
				r.Method(), r.Host(), r.Path(), r.Query(), r.Target(), r.URL(), r.Header("X-ODD"), r.Header("content-length"),
				r.Header("host"), r.Header("none"),
			}
			want := []string{
				"GET", "API.test:8443", "/", "", "/?", "https://API.test:8443/?", "1, 2", "4", "API.test:8443", "",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if nonce := r.Nonce(); nonce != r.Nonce() || len(nonce) != 26 {
				t.Errorf("the nonce is %q, and another", nonce)
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("the length as it will be sent", func(t *testing.T) {
		t.Parallel()
		for method, want := range map[string]string{"GET": "", "DELETE": "", "POST": "0", "PUT": "0", "PATCH": "0"} {
			_ = see(t, newRequest(t, method, "https://api.test/", ""), func(r *signing.Request) {
				if got := r.Header("Content-Length"); got != want {
					t.Errorf("%s: %q, want %q", method, got, want)
				}
			})
		}
		req := newRequest(t, "POST", "https://api.test/", "body")
		req.ContentLength = -1
		_ = see(t, req, func(r *signing.Request) {
			if got := r.Values("Content-Length"); got != nil {
				t.Errorf("unknown: %q", got)
			}
		})
	})
	t.Run("what cannot be sent fails the attempt", func(t *testing.T) {
		t.Parallel()
		for name, f := range map[string]func(r *signing.Request){
			"a reserved name": func(r *signing.Request) { r.SetHeader("Host", "x") },
			"a line break":    func(r *signing.Request) { r.SetHeader("X-Sig", "a\r\nb") },
			"a parameter":     func(r *signing.Request) { r.AddQuery("q", "x") },
			"nothing":         func(r *signing.Request) { r.AddQuery("sig", "") },
		} {
			err := see(t, newRequest(t, "GET", "https://api.test/?q=1", ""), f)
			wantError(t, name, err, err)
		}
	})
	t.Run("what was set stays", func(t *testing.T) {
		t.Parallel()
		req := newRequest(t, "GET", "https://api.test/", "")
		req.Header = nil
		err := see(t, req, func(r *signing.Request) { r.SetHeader("a", "1"); r.SetHeader("A", "2"); r.AddQuery("q", "a b") })
		if diff := cmp.Diff(http.Header{"A": {"1"}}, req.Header); diff != "" || err != nil || req.URL.RawQuery != "q=a+b" {
			t.Errorf("%v, query %q, headers (-want +got):\n%s", err, req.URL.RawQuery, diff)
		}
	})
	t.Run("a request whose bytes are not known is not signed", func(t *testing.T) {
		t.Parallel()
		for name, req := range map[string]*http.Request{
			"no URL":       {},
			"an opaque":    {URL: &url.URL{Scheme: "https", Host: "api.test", Opaque: "//api.test/a"}},
			"a wide host":  {URL: &url.URL{Scheme: "https", Host: "bücher.test"}},
			"a zoned host": {URL: &url.URL{Scheme: "http", Host: "[fe80::1%25en0]"}},
		} {
			err := see(t, req, func(*signing.Request) { t.Error(name + " is signed") })
			wantError(t, name, err, err)
		}
	})
	t.Run("its own error is kept", func(t *testing.T) {
		t.Parallel()
		boom := errors.New("boom")
		f := signing.Func(func(context.Context, *signing.Request) error { return boom })
		wantError(t, "Func", f.Authenticate(newRequest(t, "GET", "https://api.test/", "")), boom)
		other := &auth.Error{Scheme: "other", Err: boom}
		f = func(context.Context, *signing.Request) error { return other }
		if err := f.Authenticate(newRequest(t, "GET", "https://api.test/", "")); !errors.Is(err, other) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFaultsOfAnAttempt(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	broken := func(err error) signing.Algorithm {
		return signing.AlgorithmFunc("x", func(secrets.Value, []byte) ([]byte, error) { return nil, err })
	}
	for name, tt := range map[string]struct {
		change func(cfg *signing.Config)
		want   error
	}{
		"an empty secret": {func(cfg *signing.Config) { cfg.Secret = secrets.Static("") }, auth.ErrNoCredential},
		"no secret": {
			func(cfg *signing.Config) { cfg.Secret = secrets.Env("SIGNING_TEST_IS_NOT_SET") }, secrets.ErrNotFound,
		},
		"an algorithm that fails": {func(cfg *signing.Config) { cfg.Algorithm = broken(boom) }, boom},
		"a part that fails": {func(cfg *signing.Config) {
			cfg.Message = []signing.Part{signing.PartFunc(func(*signing.Request) (string, error) { return "", boom })}
		}, boom},
		"an empty nonce": {func(cfg *signing.Config) {
			cfg.Nonce = signing.NonceField{Header: "N", New: func() string { return "" }}
		}, auth.ErrNoCredential},
		"a user with a colon": {func(cfg *signing.Config) {
			cfg.Place, cfg.User = nil, provider(func(context.Context) (secrets.Value, error) {
				return secrets.Static("a:b"), nil
			})
		}, auth.ErrMalformed},
	} {
		req := newRequest(t, "GET", "https://api.test/", "")
		wantError(t, name, signing.New(config(tt.change)).Authenticate(req), tt.want)
	}
	err := signing.New(config(func(cfg *signing.Config) {
		cfg.Algorithm, cfg.Template = broken(nil), "id:{signature}"
	})).Authenticate(newRequest(t, "GET", "https://api.test/", ""))
	wantError(t, "an empty signature", err, err)

	missing := signing.MessageSignature(signing.MessageConfig{Key: secrets.Static("k"), Components: []string{"date"}})
	err = missing.Authenticate(newRequest(t, "GET", "https://api.test/", ""))
	wantError(t, "a header that is not there", err, err)
	req := newRequest(t, "GET", "https://api.test/", "")
	req.Header["Date"] = []string{"a\n\"@method\": PUT"}
	err = missing.Authenticate(req)
	wantError(t, "a header with a line break", err, err)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	boom := provider(func(context.Context) (secrets.Value, error) { return secrets.Value{}, errors.New("boom") })
	secret := secrets.Static(appSecret)
	messages := streamline()
	key := strings.Split(ed25519Key, "\n")[1]
	badKey := streamline()
	badKey.Key = secrets.Static(appSecret)
	for name, tt := range map[string]struct {
		a       func() auth.Authenticator
		failing []func() auth.Authenticator
	}{
		"full": {
			func() auth.Authenticator { return full(secret) },
			[]func() auth.Authenticator{func() auth.Authenticator { return full(boom) }},
		},
		"shopline": {a: func() auth.Authenticator { return shopline(secret) }},
		"duo":      {a: func() auth.Authenticator { return duo("ikey", secret) }},
		"avanan":   {a: func() auth.Authenticator { return avanan("app", secret) }},
		"sigv4":    {a: func() auth.Authenticator { return signing.Func(sigV4{secret: secret, id: "id"}.sign) }},
		"query": {a: func() auth.Authenticator {
			return signing.New(config(func(cfg *signing.Config) {
				cfg.Place, cfg.Timestamp.Query = []auth.PlaceOption{auth.InQuery("sig")}, "ts"
			}))
		}},
		"message signature": {
			func() auth.Authenticator { return signing.MessageSignature(messages) },
			[]func() auth.Authenticator{func() auth.Authenticator { return signing.MessageSignature(badKey) }},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			authtest.Run(t, authtest.Config{New: tt.a, Secrets: []string{appSecret, key}, Failing: tt.failing})
		})
	}
}

func TestDescription(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]auth.Authenticator{
		"Signature (hmac-sha256) in header X-Sig":        signing.New(config(nil)),
		"Signature (hmac-sha1) in the password of Basic": duo("ikey", secrets.Static(appSecret)),
		"Message signature (ed25519)":                    signing.MessageSignature(streamline()),
		"signing.Func":                                   signing.Func(nil),
	} {
		if got := fmt.Sprint(a); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSpelling(t *testing.T) {
	t.Parallel()
	a := signing.New(signing.Config{
		Secret: secrets.Static("a key of the test"), Message: []signing.Part{signing.Header("X-Amount")},
		Place: []auth.PlaceOption{auth.InHeader("X-Sign")},
	})
	req := httptest.NewRequest(http.MethodGet, "https://api.example.test/x", nil)
	req.Header = http.Header{"X-Amount": {"1"}, "x-amount": {"1000000"}}
	if err := a.Authenticate(req); err == nil || req.Header.Get("X-Sign") != "" {
		t.Errorf("H10 one of two values is signed, and both are sent: %v", err)
	}
}
