package request_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// controls are the bytes that may not stand in a field, in a text each.
var controls = map[string]string{
	"CRLF": "\r\nX-Evil: 1", "LF": "\nX-Evil: 1", "CR": "\rX-Evil: 1", "NUL": "\x00", "ESC": "\x1b[2J", "DEL": "\x7f",
}

// wantNothingSent fails the test unless err is there, in one line and without the hidden value, and nobody was dialled.
func wantNothingSent(t *testing.T, srv *connectiontest.Server, err error) {
	t.Helper()
	if err == nil {
		t.Error("there is no error")
		return
	}
	for _, text := range []string{hidden, "\n", "\r", "\x00", "\x1b", "\x7f"} {
		if strings.Contains(err.Error(), text) {
			t.Errorf("the error has %q: %q", text, err)
		}
	}
	if srv.Conns() != 0 {
		t.Error("the server was dialled")
	}
}

func TestControlBytes(t *testing.T) {
	t.Parallel()
	cookie := func(s string) connection.Option {
		return connection.WithAuth(auth.APIKey(secrets.Static(s), auth.InCookie("session")))
	}
	for kind, bad := range controls {
		for _, tt := range []struct {
			name string
			opts []connection.Option
			make func(request.Builder) request.Builder
		}{
			{"header value", nil, func(b request.Builder) request.Builder { return b.Header("X-Own", hidden+bad) }},
			{"second header value", nil, func(b request.Builder) request.Builder {
				return b.Header("X-Own", "1").Header("X-Own", hidden+bad)
			}},
			{"header name", nil, func(b request.Builder) request.Builder { return b.Header("X-Own"+bad, hidden) }},
			{"cookie", nil, func(b request.Builder) request.Builder { return b.Header("Cookie", "a="+hidden+bad) }},
			{"content type", nil, func(b request.Builder) request.Builder {
				return b.AllowBody().Bytes("text/plain; x="+hidden+bad, nil)
			}},
			{"key in a cookie", []connection.Option{cookie(hidden + bad)}, nil},
			{"password", []connection.Option{connection.WithAuth(auth.Basic("u", secrets.Static(hidden+bad)))}, nil},
			{"token", []connection.Option{
				connection.WithAuth(auth.Bearer(auth.Static(secrets.Static(hidden + bad)))),
			}, nil},
			{"header of a function", []connection.Option{connection.WithAuth(auth.Func(func(r *http.Request) error {
				r.Header["X-Own"] = []string{hidden + bad}
				return nil
			}))}, nil},
			{"query of a function", []connection.Option{connection.WithAuth(auth.Func(func(r *http.Request) error {
				r.URL.RawQuery = hidden + bad
				return nil
			}))}, nil},
		} {
			t.Run("H7 "+kind+" in a "+tt.name, func(t *testing.T) {
				t.Parallel()
				conn, srv := openAPI(t, "", tt.opts...)
				b := request.Get(conn, "/x")
				if tt.make != nil {
					b = tt.make(b)
				}
				err := b.Exec(t.Context())
				wantNothingSent(t, srv, err)
				if tt.make != nil && !errors.Is(err, request.StageBuild) {
					t.Errorf("error is %v, want one of StageBuild", err)
				}
			})
		}

		t.Run("H7 "+kind+" in a method", func(t *testing.T) {
			t.Parallel()
			conn, srv := openAPI(t, "")
			wantNothingSent(t, srv, request.New(conn, "GET"+bad, "/x").Exec(t.Context()))
		})

		t.Run("H7 "+kind+" in a header of the connection", func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewServer(t, connectiontest.Status(http.StatusOK))
			for _, opt := range []connection.Option{
				connection.WithHeader("X-Own", hidden+bad), connection.WithHeader("X-Own"+bad, hidden),
				connection.WithUserAgent(hidden + bad),
			} {
				_, err := connection.New(srv.URL, srv.Network().Option(), opt)
				wantNothingSent(t, srv, err)
			}
		})
	}

	t.Run("H7 a tab in a value is no fault", func(t *testing.T) {
		t.Parallel()
		conn, srv := openAPI(t, "")
		if err := request.Get(conn, "/x").Header("X-Own", "a\tb").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := srv.Requests()[0].Header.Get("X-Own"); got != "a\tb" {
			t.Errorf("X-Own is %q", got)
		}
	})

	for _, name := range []string{"", " ", "X Own", "X-Own:", "X-Own ", "X-\u00d6wn", "(x)"} {
		t.Run(fmt.Sprintf("A23 the header name %q is refused", name), func(t *testing.T) {
			t.Parallel()
			conn, srv := openAPI(t, "")
			wantNothingSent(t, srv, request.Get(conn, "/x").Header(name, hidden).Exec(t.Context()))
		})
	}
}

// TestControlBytesInDo sends requests that net/http lets callers build.
func TestControlBytesInDo(t *testing.T) {
	t.Parallel()
	const origin = "https://api.example.test"
	for kind, bad := range controls {
		for _, tt := range []struct {
			name string
			spin func(*http.Request)
		}{
			{"header value", func(r *http.Request) { r.Header["X-Own"] = []string{hidden + bad} }},
			{"header name", func(r *http.Request) { r.Header["X-Own"+bad] = []string{hidden} }},
			{"cookie", func(r *http.Request) { r.Header["Cookie"] = []string{"a=" + hidden + bad} }},
			{"method", func(r *http.Request) { r.Method = "GET" + bad }},
			{"query", func(r *http.Request) { r.URL.RawQuery = hidden + bad }},
			{"Host", func(r *http.Request) { r.Host = "api.example.test" + bad }},
			{"URL's host", func(r *http.Request) { r.URL.Host, r.Host = "api.example.test"+bad, "" }},
			{"opaque URL", func(r *http.Request) { r.URL.Opaque = "//api.example.test/" + hidden + bad }},
		} {
			for _, version := range []string{"HTTP/1.1", "HTTP/2"} {
				t.Run("H7 "+kind+" in a "+tt.name+" over "+version, func(t *testing.T) {
					t.Parallel()
					n := connectiontest.NewNetwork(t)
					serve := n.Serve
					if version == "HTTP/2" {
						serve = n.ServeH2
					}
					srv := serve(origin, connectiontest.Status(http.StatusOK))
					conn := connectTo(t, srv, "")
					req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, origin+"/x", nil)
					if err != nil {
						t.Fatal(err)
					}
					tt.spin(req)
					resp, err := conn.Do(req)
					if err == nil {
						_ = resp.Body.Close()
					}
					wantNothingSent(t, srv, err)
				})
			}
		}
	}

	for _, tt := range []struct {
		name string
		url  url.URL
	}{
		{"H7 a space in the query", url.URL{Path: "/x", RawQuery: "a=b HTTP/1.1"}},
		{"H2 an opaque URL", url.URL{Scheme: "https", Host: "api.example.test", Opaque: "//evil.test/x"}},
		{"H3 a dot segment below the base", url.URL{Path: "/a/../../x"}},
		{"H3 an escaped dot segment below the base", url.URL{Path: "/a/../x", RawPath: "/a/%2e%2e/x"}},
		{"H1 userinfo without a host", url.URL{User: url.UserPassword("u", hidden), Path: "/x"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, srv := openAPI(t, "/v1")
			resp, err := conn.Do((&http.Request{URL: &tt.url}).WithContext(t.Context()))
			if err == nil {
				_ = resp.Body.Close()
			}
			if oe, ok := errors.AsType[*connection.OptionError](err); !ok || oe.Option != "URL" {
				t.Errorf("error is %v, want an *OptionError about the URL", err)
			}
			wantNothingSent(t, srv, err)
		})
	}

	t.Run("H2 a path that begins with two slashes stays below the base", func(t *testing.T) {
		t.Parallel()
		conn, srv := openAPI(t, "/v1")
		resp, err := conn.Do((&http.Request{URL: &url.URL{Path: "//evil.test/x"}}).WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got := srv.Requests()[0]; got.Host != "api.example.test" || !strings.HasPrefix(got.Target, "/v1/") {
			t.Errorf("request is:\n%s", got.Raw)
		}
	})
}

func TestReservedHeaders(t *testing.T) {
	t.Parallel()
	reserved := []string{
		"Connection", "content-length", "Expect", "HOST", "Keep-Alive", "Proxy-Authorization", "proxy-connection", "TE",
		"Trailer", "Transfer-Encoding", "Upgrade",
	}
	for _, name := range reserved {
		t.Run("H8 "+name+" is refused", func(t *testing.T) {
			t.Parallel()
			conn, srv := openAPI(t, "")
			wantNothingSent(t, srv, request.Get(conn, "/x").Header(name, hidden).Exec(t.Context()))
			_, err := connection.New(srv.URL, srv.Network().Option(), connection.WithHeader(name, hidden))
			if oe, ok := errors.AsType[*connection.OptionError](err); !ok || oe.Option != "WithHeader" {
				t.Errorf("error is %v, want an *OptionError about WithHeader", err)
			}
			wantNothingSent(t, srv, err)
		})
	}

	t.Run("A13 Proxy-Authorization is refused by Do", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"Proxy-Authorization", "proxy-authorization"} {
			conn, srv := openAPI(t, "")
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header[name] = []string{hidden}
			resp, err := conn.Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			wantNothingSent(t, srv, err)
		}
	})

	t.Run("H8 Do frames the message by itself", func(t *testing.T) {
		t.Parallel()
		conn, srv := openAPI(t, "")
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/x", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{
			"Content-Length": {"99"}, "Transfer-Encoding": {"chunked"}, "Host": {"evil.test"}, "Trailer": {"X"},
		}
		resp, err := conn.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		got := srv.Requests()[0]
		if got.Host != "api.example.test" || !slices.Equal(got.Header["Content-Length"], []string{"4"}) ||
			got.Header["Transfer-Encoding"] != nil || string(got.Body) != "body" {
			t.Errorf("request is:\n%s", got.Raw)
		}
	})
}
