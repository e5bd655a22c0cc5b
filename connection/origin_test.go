package connection_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

func TestAbsoluteURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, target string
		opts         []connection.Option
		want         string // the origin that is asked, with the credential; "" if none is
	}{
		{name: "A26 home", target: homeURL + "/x", want: homeURL},
		{name: "A26 home in another spelling", target: "HTTPS://API.Example.Test:443/x", want: homeURL},
		{name: "A26 another host", target: evilURL + "/x"},
		{name: "A26 a sub-domain", target: subURL + "/x"},
		{name: "A26 another port", target: portURL + "/x"},
		{name: "A26 http in the place of https", target: clearURL + "/x"},
		{name: "A26 a host without scheme", target: "//evil.test/x"},
		{name: "A26 userinfo that looks like home", target: "https://api.example.test@evil.test/x"},
		{name: "A26 userinfo at home", target: "https://user:pass@api.example.test/x"},
		{name: "A26 a trailing dot", target: "https://api.example.test./x"},
		{name: "A26 opaque", target: "https:api.example.test/x"},
		{
			name: "A26 a trusted origin", target: subURL + "/x", want: subURL,
			opts: []connection.Option{connection.WithTrustedOrigins(subURL)},
		},
		{
			name: "A26 trust knows ports", target: portURL + "/x",
			opts: []connection.Option{connection.WithTrustedOrigins(subURL, "https://api.example.test:9443")},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			servers := map[string]*connectiontest.Server{}
			for _, origin := range []string{homeURL, evilURL, subURL, portURL, clearURL, "https://api.example.test."} {
				servers[origin] = n.Serve(origin, routes{})
			}
			conn := openConn(t, n, append(tt.opts, connection.WithAuth(bearer()))...)
			_, err := ask(t, conn, http.MethodGet, tt.target, "")
			if (err == nil) != (tt.want != "") {
				t.Fatalf("error is %v", err)
			}
			for origin, srv := range servers {
				if origin != tt.want {
					wantNone(t, srv)
				} else if got := only(t, srv); got.Header.Get("Authorization") != "Bearer "+canary {
					t.Errorf("the request is:\n%s", got.Raw)
				}
			}
		})
	}

	t.Run("A26 the error names both origins and no more", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		_, err := ask(t, openConn(t, n, connection.WithAuth(bearer())), http.MethodGet, evilURL+"/x?k="+canary, "")
		oe, ok := errors.AsType[*connection.OriginError](err)
		if !ok || oe.Origin != evilURL || oe.Home != homeURL || holdsCanary(err.Error()) {
			t.Errorf("error is %#v", err)
		}
	})

	t.Run("A26 a foreign host cannot write lines into the error", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		_, err := ask(t, openConn(t, n), http.MethodGet, "https://evil%e2%80%ae%c2%85.test/", "")
		if err == nil || strings.ContainsAny(err.Error(), "\u202e\u0085") {
			t.Errorf("error is %q", err)
		}
	})

	t.Run("A26 a refused request closes its body", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		body := &closing{Reader: strings.NewReader("body")}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, evilURL, body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := openConn(t, n).Do(req)
		if err == nil {
			_ = resp.Body.Close()
			t.Fatal("there is no error")
		}
		if !body.closed {
			t.Error("the body is open")
		}
	})

	t.Run("A26 HTTPClient checks the origin too", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		evil := n.Serve(evilURL, routes{})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, evilURL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := openConn(t, n, connection.WithAuth(bearer())).HTTPClient().Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if _, ok := errors.AsType[*connection.OriginError](err); !ok {
			t.Errorf("error is %v, want an *OriginError", err)
		}
		wantNone(t, evil)
	})
}

type closing struct {
	*strings.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

// sendBare sends a call to target with no authenticator.
func sendBare(ctx context.Context, conn *connection.Connection, method, target, body string, header http.Header) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	call := connection.Call{Method: method, URL: *u, Auth: auth.None()}
	for name, values := range header {
		call.Header = append(call.Header, connection.Field{Name: name, Value: values[0]})
	}
	if body != "" {
		call.BodyLen = int64(len(body))
		call.Body = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }
	}
	x, err := conn.Send(ctx, call)
	if err != nil {
		return err
	}
	x.Close()
	return nil
}

func TestBareForeignRequest(t *testing.T) {
	t.Parallel()

	t.Run("A26 auth.None sends a foreign request bare", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		evil := n.Serve(evilURL, routes{})
		conn := openConn(t, n, connection.WithAuth(bearer()), connection.WithHeader("X-Conn", "1"),
			connection.WithUserAgent("agent/1"))
		if err := sendBare(t.Context(), conn, http.MethodGet, evilURL, "", nil); err != nil {
			t.Fatal(err)
		}
		got := only(t, evil)
		wantBare(t, got)
		if got.Header.Get("User-Agent") != "agent/1" {
			t.Errorf("the request is:\n%s", got.Raw)
		}
	})

	t.Run("A26 its own headers and body stay with its origin", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		store := n.Serve(evilURL, routes{"/put": redirectTo(307, "/put2"), "/put2": redirectTo(302, subURL+"/x")})
		sub := n.Serve(subURL, routes{})
		h := http.Header{"X-Upload-Token": {"t"}, "Authorization": {"Upload t"}}
		if err := sendBare(t.Context(), openConn(t, n), http.MethodPost, evilURL+"/put", "body", h); err != nil {
			t.Fatal(err)
		}
		got := store.Requests()
		if len(got) != 2 || string(got[1].Body) != "body" || got[1].Header.Get("X-Upload-Token") != "t" {
			t.Errorf("the store has read %v", got)
		}
		if last := only(t, sub); last.Header["X-Upload-Token"] != nil || last.Header["Authorization"] != nil {
			t.Errorf("another origin has seen:\n%s", last.Raw)
		}
	})

	t.Run("A10 its body does not go home", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		n.Serve(evilURL, routes{"/put": redirectTo(307, homeURL+"/x")})
		home := n.Serve(homeURL, routes{})
		err := sendBare(t.Context(), openConn(t, n), http.MethodPost, evilURL+"/put", "body", nil)
		wantRefusal(t, err, http.StatusTemporaryRedirect)
		wantNone(t, home)
	})

	t.Run("A26 a credential on it does not go over plain http", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		plain := n.Serve("http://evil.test", routes{})
		h := http.Header{"Authorization": {"x"}}
		err := sendBare(t.Context(), openConn(t, n), http.MethodGet, "http://evil.test/", "", h)
		if !errors.Is(err, connection.ErrInsecure) {
			t.Errorf("error is %v, want ErrInsecure", err)
		}
		wantNone(t, plain)
	})
}

func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	key := connection.WithAuth(bearer())
	byHand := connection.WithHeader("Authorization", "Bearer "+canary)
	insecure := connection.WithInsecureHTTP()
	for _, tt := range []struct {
		name, base string
		opts       []connection.Option
		refused    bool
	}{
		{"P-30 a credential over http is refused", clearURL, []connection.Option{key}, true},
		{"P-30 a credential by hand as well", clearURL, []connection.Option{byHand}, true},
		{"P-30 not without a credential", clearURL, nil, false},
		{"P-30 not with WithInsecureHTTP", clearURL, []connection.Option{key, insecure}, false},
		{"P-30 nor by hand", clearURL, []connection.Option{byHand, insecure}, false},
		{"P-30 not to localhost", "http://localhost:8080", []connection.Option{key}, false},
		{"P-30 not to 127.0.0.1", "http://127.0.0.1", []connection.Option{key}, false},
		{"P-30 not to 127.8.9.10", "http://127.8.9.10", []connection.Option{key}, false},
		{"P-30 not to [::1]", "http://[::1]:8080", []connection.Option{key}, false},
		{"H6 not loopback: a zone", "http://[::1%25.api.example.test]", []connection.Option{key}, true},
		{"H6 not loopback: octal", "http://0177.0.0.1", []connection.Option{key}, true},
		{"H6 not loopback: one number", "http://2130706433", []connection.Option{key}, true},
		{"H6 not loopback: all addresses", "http://0.0.0.0", []connection.Option{key}, true},
		{"H6 not loopback: a name below", "http://localhost.evil.test", []connection.Option{key}, true},
		{"H6 not loopback: a number in a name", "http://127.0.0.1.evil.test", []connection.Option{key}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, err := connection.New(tt.base, tt.opts...)
			if err == nil {
				_ = conn.Close()
			}
			if errors.Is(err, connection.ErrInsecure) != tt.refused || (err == nil) == tt.refused {
				t.Errorf("error is %v, want ErrInsecure: %t", err, tt.refused)
			}
			if err != nil && holdsCanary(err.Error()) {
				t.Errorf("the error has the credential: %v", err)
			}
		})
	}

	t.Run("P-30 a header of one request is refused too", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		plain := n.Serve(clearURL, routes{})
		conn := connect(t, clearURL, n.Option())
		for _, name := range []string{"Authorization", "authorization", "Cookie"} {
			if _, err := ask(t, conn, http.MethodGet, "/", "", name, canary); !errors.Is(err, connection.ErrInsecure) {
				t.Errorf("%s: error is %v, want ErrInsecure", name, err)
			}
		}
		wantNone(t, plain)
	})

	t.Run("P-30 a trusted origin over http is refused", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		plain := n.Serve("http://files.test", routes{})
		conn := openConn(t, n, key, connection.WithTrustedOrigins("http://files.test"))
		_, err := ask(t, conn, http.MethodGet, "http://files.test/x", "")
		if !errors.Is(err, connection.ErrInsecure) {
			t.Errorf("error is %v, want ErrInsecure", err)
		}
		wantNone(t, plain)
	})

	t.Run("P-30 a redirect from loopback to plain http is refused", func(t *testing.T) {
		t.Parallel()
		for _, opt := range []connection.Option{key, byHand} {
			n := connectiontest.NewNetwork(t)
			n.Serve("http://127.0.0.1", routes{"/": redirectTo(302, "http://files.test/x")})
			plain := n.Serve("http://files.test", routes{})
			conn := connect(t, "http://127.0.0.1", n.Option(), opt,
				connection.WithTrustedOrigins("http://files.test"))
			if _, err := ask(t, conn, http.MethodGet, "/", ""); !errors.Is(err, connection.ErrInsecure) {
				t.Errorf("error is %v, want ErrInsecure", err)
			}
			wantNone(t, plain)
		}
	})
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, base string
		want       string // the URL of a request for "/x?q=1"; "" if the base URL is refused
	}{
		{"H5 a host", "https://api.test", "https://api.test/x?q=1"},
		{"H5 a slash", "https://api.test/", "https://api.test/x?q=1"},
		{"H5 a path", "https://api.test/v1", "https://api.test/v1/x?q=1"},
		{"H5 a path with a slash at its end", "https://api.test/v1//", "https://api.test/v1/x?q=1"},
		{"H5 an escaped slash", "https://api.test/a%2Fb", "https://api.test/a%2Fb/x?q=1"},
		{"H5 a query", "https://api.test/v1?key=1", "https://api.test/v1/x?key=1&q=1"},
		{"H5 upper case", "HTTPS://API.Test/V1", "https://api.test/V1/x?q=1"},
		{"H5 nothing", "", ""},
		{"H5 no scheme", "api.test/v1", ""},
		{"H5 a host and no scheme", "//api.test/v1", ""},
		{"H5 no host", "http:///x", ""},
		{"H5 opaque", "http:api.test/x", ""},
		{"H5 another scheme", "ftp://api.test", ""},
		{"H5 a user", "https://user@api.test", ""},
		{"H5 a password", "https://user:" + canary + "@api.test", ""},
		{"H5 a password and a bad escape", "https://user:" + canary + "@api.test/%zz", ""},
		{"H5 a fragment", "https://api.test/#top", ""},
		{"H5 a dot segment", "https://api.test/a/../b", ""},
		{"H5 an escaped dot segment", "https://api.test/a/%2e%2E/b", ""},
		{"H5 a path that begins with two slashes", "https://api.test//v1", ""},
		{"H5 a backslash", `https://api.test/a\b`, ""},
		{"H5 a line break", "https://api.test/\r\nX-Evil: 1", ""},
		{"H5 a tab", "https://api.test/\t", ""},
		{"H5 a space in the query", "https://api.test/?q=a b", ""},
		{"H6 a port out of range", "https://api.test:99999", ""},
		{"H6 port 0", "https://api.test:0", ""},
		{"H6 userinfo that looks like a host", "https://api.test:80@evil.test", ""},
		{"H6 a backslash in the host", `https://evil.test\.api.test`, ""},
		{"H6 an open bracket", "https://[::1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := &hostile{location: "/"}
			conn, err := connection.New(tt.base, connection.WithTransport(h), connection.WithMaxRedirects(0))
			if tt.want == "" {
				oe, ok := errors.AsType[*connection.OptionError](err)
				if !ok || oe.Option != "base URL" {
					t.Fatalf("error is %v, want an *OptionError about the base URL", err)
				}
				if holdsCanary(err.Error()) {
					t.Errorf("the error has the password: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			mustAsk(t, conn, http.MethodGet, "/x?q=1", "")
			if got := h.requests[0].URL.String(); got != tt.want {
				t.Errorf("URL is %s, want %s", got, tt.want)
			}
		})
	}
}

// TestHostSpelling asks hosts that resemble home. Each URL is one that net/url accepts.
func TestHostSpelling(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, home, target string }{
		{"H6 userinfo", "https://api.test", "https://api.test:80@evil.test/"},
		{"H6 a zone", "https://api.test", "https://[::1%25.api.test]/"},
		{"H6 one number", "https://127.0.0.1", "https://2130706433/"},
		{"H6 octal", "https://127.0.0.1", "https://0177.0.0.1/"},
		{"H6 a mapped address", "https://127.0.0.1", "https://[::ffff:127.0.0.1]/"},
		{"H6 Cyrillic a", "https://api.test", "https://\u0430pi.test/"},
		{"H6 punycode", "https://example.com", "https://xn--example-.com/"},
		{"H6 a trailing dot", "https://api.test", "https://api.test./"},
		{"H6 a port out of range", "https://api.test", "https://api.test:99999/"},
		{"H6 an escaped dot", "https://api.test", "https://api%E3%80%82test/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := &hostile{location: "/"}
			conn := connect(t, tt.home, connection.WithTransport(h), connection.WithAuth(bearer()))
			if _, err := ask(t, conn, http.MethodGet, tt.target, ""); err == nil || len(h.requests) > 0 {
				t.Errorf("error is %v, requests are %v", err, h.requests)
			}
		})
	}
}

func TestTrustedOrigins(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, origin string }{
		{"H6 no scheme", "api.test"},
		{"H6 a path", "https://api.test/v1"},
		{"H6 a query", "https://api.test?x"},
		{"H6 a password", "https://user:" + canary + "@api.test"},
		{"H6 a wildcard scheme", "*://api.test"},
		{"H6 a port out of range", "https://api.test:99999"},
		{"H6 nothing", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := connection.New(homeURL, connection.WithTrustedOrigins(tt.origin))
			oe, ok := errors.AsType[*connection.OptionError](err)
			if !ok || oe.Option != "WithTrustedOrigins" || holdsCanary(err.Error()) {
				t.Errorf("error is %v, want an *OptionError about WithTrustedOrigins", err)
			}
		})
	}
}

func TestAuthenticatorMayNotLeave(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		opts []connection.Option
	}{
		{"A26 an authenticator that changes the host", []connection.Option{
			connection.WithAuth(auth.Func(func(r *http.Request) error {
				r.URL.Host = "evil.test"
				return nil
			})),
		}},
		{"A26 an attempt middleware that changes the host", []connection.Option{
			connection.WithAuth(auth.Bearer(auth.Static(secrets.Static(canary)))),
			connection.WithAttemptMiddleware(func(next http.RoundTripper) http.RoundTripper {
				return roundTripper(func(r *http.Request) (*http.Response, error) {
					r = r.Clone(r.Context())
					r.URL.Host = "evil.test"
					return next.RoundTrip(r)
				})
			}),
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := &hostile{}
			conn := connect(t, homeURL, append(tt.opts, connection.WithTransport(h))...)
			if _, err := ask(t, conn, http.MethodGet, "/x", ""); err == nil || len(h.requests) > 0 {
				t.Errorf("error is %v, requests are %v", err, h.requests)
			}
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
