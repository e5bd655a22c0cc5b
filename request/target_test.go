package request_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// hidden is a value that no error text may hold.
const hidden = "hidden7f3a9c"

// openAPI opens a connection to a server that answers everything with 200.
func openAPI(t *testing.T, path string, opts ...connection.Option) (*connection.Connection, *connectiontest.Server) {
	t.Helper()
	srv := connectiontest.NewServer(t, connectiontest.Text(http.StatusOK, "ok"))
	return connectTo(t, srv, path, opts...), srv
}

// wantTarget sends the request and compares its target on the wire; "" stands for a request that cannot be built.
func wantTarget(t *testing.T, srv *connectiontest.Server, b request.Builder, want string) {
	t.Helper()
	err := b.Exec(t.Context())
	if want == "" {
		if !errors.Is(err, request.StageBuild) {
			t.Errorf("error is %v, want one of StageBuild", err)
		}
		if err != nil && strings.Contains(err.Error(), hidden) {
			t.Errorf("the error has the value: %v", err)
		}
		if srv.Conns() != 0 {
			t.Error("the server was dialled")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	got := srv.Requests()
	if len(got) != 1 || got[0].Target != want || got[0].Host != "api.example.test" {
		t.Errorf("requests are %v, want one of %s", got, want)
	}
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, template, want string }{
		{"H1 a foreign absolute URL", "https://evil.test/x", ""},
		{"H1 a foreign absolute URL in clear", "http://evil.test/x", ""},
		{"H1 a foreign absolute URL in upper case", "HTTPS://evil.test/x", ""},
		{"H1 another scheme is a path", "ftp://evil.test/x", "/v1/ftp://evil.test/x"},
		{"H1 a scheme without slashes is a path", "https:evil.test", "/v1/https:evil.test"},
		{"H1 userinfo that looks like home", "https://api.example.test@evil.test/x", ""},
		{"H1 home with a password", "https://user:" + hidden + "@api.example.test/x", ""},
		{"H1 a backslash before the host", `https://api.example.test\@evil.test/x`, ""},
		{"H1 a parameter in the host", "https://{host}/x", ""},
		{"H1 no host", "https:///x", ""},
		{"H1 home", "https://api.example.test/x?q=1", "/x?q=1"},
		{"H1 home in another spelling", "https://API.example.test:443/x", ""},
		{"H1 home with a fragment", "https://api.example.test/x#y", ""},
		{"H2 two slashes", "//evil.test/x", ""},
		{"H2 three slashes", "///evil.test/x", ""},
		{"H2 slash and backslash", `/\evil.test`, ""},
		{"H2 backslashes", `\\evil.test`, ""},
		{"H2 an at sign", "@evil.test/x", "/v1/@evil.test/x"},
		{"H2 a port", ":8443/x", "/v1/:8443/x"},
		{"H2 dots at the host", ".evil.test/x", "/v1/.evil.test/x"},
		{"H3 a dot segment", "/a/../b", ""},
		{"H3 a dot segment at the end", "/a/..", ""},
		{"H3 one dot", "/a/./b", ""},
		{"H3 an escaped dot segment", "/a/%2e%2E/b", ""},
		{"H3 half an escaped dot segment", "/a/.%2e", ""},
		{"H3 three dots are a name", "/a/.../b", "/v1/a/.../b"},
		{"H3 nothing", "", "/v1"},
		{"H3 a slash", "/", "/v1/"},
		{"H4 escapes are kept", "/a%2Fb/%20", "/v1/a%2Fb/%20"},
		{"H4 what needs an escape gets one", "/a b/\u00fc|^", "/v1/a%20b/%C3%BC%7C%5E"},
		{"H4 a bad escape", "/a%zz", ""},
		{"H4 a cut escape", "/a%2", ""},
		{"H4 a fragment", "/a#b", ""},
		{"H7 a line break", "/a\r\nX-Evil: 1", ""},
		{"H7 a NUL", "/a\x00", ""},
		{"H7 a line break in the query", "/a?b\r\nX-Evil: 1", ""},
		{"H7 a space in the query", "/a?b=c d", "/v1/a?b=c%20d"},
		{"H4 an open brace", "/a/{b", ""},
		{"H4 a closing brace", "/a/b}", ""},
		{"H4 a parameter in the query", "/a?x={b}", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, srv := openAPI(t, "/v1")
			want := tt.want
			if tt.name == "H1 home in another spelling" {
				// The host is sent as it was written, with its port.
				if err := request.Get(conn, tt.template).Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := srv.Requests()[0]; got.Target != "/x" || got.Host != "api.example.test:443" {
					t.Errorf("request is:\n%s", got.Raw)
				}
				return
			}
			wantTarget(t, srv, request.Get(conn, tt.template), want)
		})
	}

	t.Run("H1 a foreign absolute URL is an *OriginError", func(t *testing.T) {
		t.Parallel()
		conn, _ := openAPI(t, "/v1", connection.WithAuth(auth.Basic("u", secrets.Static(hidden))))
		err := request.Get(conn, "https://evil.test/x?k="+hidden).Exec(t.Context())
		if _, ok := errors.AsType[*connection.OriginError](err); !ok || strings.Contains(err.Error(), hidden) {
			t.Errorf("error is %v, want an *OriginError without the query", err)
		}
	})

	t.Run("H1 auth.None sends it bare", func(t *testing.T) {
		t.Parallel()
		conn, srv := openAPI(t, "/v1", connection.WithAuth(auth.Basic("u", secrets.Static(hidden))),
			connection.WithHeader("X-Conn", hidden))
		evil := srv.Network().Serve("https://evil.test", connectiontest.Text(http.StatusOK, "ok"))
		if err := request.Get(conn, "https://evil.test/x").Auth(auth.None()).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := evil.Requests()[0]
		if got.Header["Authorization"] != nil || got.Header["X-Conn"] != nil {
			t.Errorf("the foreign origin has seen:\n%s", got.Raw)
		}
	})
}

func TestPathParameter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, value, want string }{
		{"H3 dots", "..", ""},
		{"H3 a dot", ".", ""},
		{"H3 nothing", "", ""},
		{"H3 dots that are escaped", "%2e%2e", "%252e%252e"},
		{"H3 dots and a semicolon", "..;", "..%3B"},
		{"H3 dots and a slash", "../..", "..%2F.."},
		{"H4 everything that splits a URL", "a/b?x=1#f", "a%2Fb%3Fx%3D1%23f"},
		{"H4 an escaped slash", "%2f", "%252f"},
		{"H4 an escaped NUL", "%00", "%2500"},
		{"H4 a semicolon", "a;b", "a%3Bb"},
		{"H4 a plus", "a+b", "a%2Bb"},
		{"H4 a space", "a b", "a%20b"},
		{"H4 a backslash", `a\b`, "a%5Cb"},
		{"H4 an emoji", "\U0001f600", "%F0%9F%98%80"},
		{"H4 NFC", "\u00e9", "%C3%A9"},
		{"H4 NFD", "e\u0301", "e%CC%81"},
		{"H4 no UTF-8", "\xff", "%FF"},
		{"H4 braces", "{id}", "%7Bid%7D"},
		{"H4 an absolute URL", "https://evil.test", "https%3A%2F%2Fevil.test"},
		{"H4 unreserved", "aZ09-._~", "aZ09-._~"},
		{"H4 a NUL", hidden + "\x00", ""},
		{"H7 a line break", hidden + "\r\nX-Evil: 1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, secret := range []bool{false, true} {
				conn, srv := openAPI(t, "/v1")
				b := request.Get(conn, "/a/{id}/b")
				if secret {
					b = b.PathSecret("id", secrets.Static(tt.value))
				} else {
					b = b.Path("id", tt.value)
				}
				want := tt.want
				if want != "" {
					want = "/v1/a/" + want + "/b"
				}
				wantTarget(t, srv, b, want)
			}
		})
	}

	for _, tt := range []struct {
		name string
		make func(*connection.Connection) request.Builder
		want string
	}{
		{"H4 two in one segment", func(c *connection.Connection) request.Builder {
			return request.Get(c, "/{a}.{b}").Path("a", "x/").Path("b", "y")
		}, "/v1/x%2F.y"},
		{"H4 one in two places", func(c *connection.Connection) request.Builder {
			return request.Get(c, "/{a}/{a}").Path("a", "x")
		}, "/v1/x/x"},
		{"H4 a value is not a template", func(c *connection.Connection) request.Builder {
			return request.Get(c, "/{a}/{b}").Path("a", "{b}").Path("b", hidden)
		}, "/v1/%7Bb%7D/" + hidden},
		{"H3 dots of two parts", func(c *connection.Connection) request.Builder {
			return request.Get(c, "/.{a}").Path("a", ".")
		}, ""},
		{"H4 one is missing", func(c *connection.Connection) request.Builder {
			return request.Get(c, "/{a}/{b}").Path("a", hidden)
		}, ""},
		{"H4 one is too many", func(c *connection.Connection) request.Builder {
			return request.Get(c, "/{a}").Path("a", "x").Path("b", hidden)
		}, ""},
		{"H4 one is set twice", func(c *connection.Connection) request.Builder {
			return request.Get(c, "/{a}").Path("a", "x").Path("a", hidden)
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, srv := openAPI(t, "/v1")
			wantTarget(t, srv, tt.make(conn), tt.want)
		})
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	key := connection.WithAuth(auth.APIKey(secrets.Static(hidden), auth.InQuery("key")))

	for _, tt := range []struct {
		name, base, template string
		pairs                []string
		want                 string
	}{
		{"H10 the order is that of the calls", "", "/x", []string{"z", "1", "a", "2", "m", "3"}, "/x?z=1&a=2&m=3"},
		{"H10 a name may repeat", "", "/x", []string{"b", "1", "a", "2", "b", "3"}, "/x?b=1&a=2&b=3"},
		{"H10 base, template, calls", "/v1?v=1", "/x?t=2", []string{"a", "3"}, "/v1/x?v=1&t=2&a=3"},
		{"H10 more than are kept inline", "", "/x", strings.Split("i 1 h 2 g 3 f 4 e 5 d 6 c 7 b 8 a 9", " "),
			"/x?i=1&h=2&g=3&f=4&e=5&d=6&c=7&b=8&a=9"},
		{"H10 an empty value", "", "/x", []string{"a", "", "b", "1"}, "/x?a=&b=1"},
		{"H4 what splits a query", "", "/x", []string{"a&b", "c=d&e;f#g+h i%"}, "/x?a%26b=c%3Dd%26e%3Bf%23g%2Bh+i%25"},
		{"H4 an empty name", "", "/x", []string{"", hidden}, ""},
		{"H7 a line break", "", "/x", []string{"a", hidden + "\r\nX-Evil: 1"}, ""},
		{"H7 a line break in the name", "", "/x", []string{"a\r\nX-Evil: 1", hidden}, ""},
		{"H7 a NUL", "", "/x", []string{"a", hidden + "\x00"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, srv := openAPI(t, tt.base)
			b := request.Get(conn, tt.template)
			for pair := range slices.Chunk(tt.pairs, 2) {
				b = b.Query(pair[0], pair[1])
			}
			wantTarget(t, srv, b, tt.want)
		})
	}

	t.Run("H10 a signature sees the query that is sent", func(t *testing.T) {
		t.Parallel()
		sign := auth.Func(func(req *http.Request) error {
			req.Header.Set("X-Signed", req.URL.RequestURI())
			return nil
		})
		conn, srv := openAPI(t, "/v1?v=1", connection.WithAuth(sign))
		err := request.Get(conn, "/{id}?t=%7e").Path("id", "a/b").Query("z", "a b").Query("a", "+").Exec(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := srv.Requests()[0]; got.Header.Get("X-Signed") != got.Target {
			t.Errorf("%s was signed, and %s sent", got.Header.Get("X-Signed"), got.Target)
		}
	})

	t.Run("H10 the credential is the last pair", func(t *testing.T) {
		t.Parallel()
		conn, srv := openAPI(t, "", key)
		wantTarget(t, srv, request.Get(conn, "/x").Query("z", "1").Query("a", "2"), "/x?z=1&a=2&key="+hidden)
	})

	for _, tt := range []struct{ name, base, template, pair string }{
		{"H9 the caller's pair has the name of the credential", "", "/x", "key"},
		{"H9 the template's pair has it", "", "/x?key=1", ""},
		{"H9 the template's pair has it in other letters", "", "/x?%6Bey=1", ""},
		{"H9 the base URL's pair has it", "?key=1", "/x", ""},
		{"H9 a pair after a semicolon has it", "", "/x?a=1;key=1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, srv := openAPI(t, tt.base, key)
			b := request.Get(conn, tt.template)
			if tt.pair != "" {
				b = b.Query(tt.pair, "own")
			}
			err := b.Exec(t.Context())
			if !errors.Is(err, auth.ErrParameterSet) || !errors.Is(err, request.StageAuth) {
				t.Errorf("error is %v, want ErrParameterSet", err)
			}
			if err != nil && strings.Contains(err.Error(), hidden) || srv.Conns() != 0 {
				t.Errorf("error is %v, connections are %d", err, srv.Conns())
			}
		})
	}
}

func TestLongURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		make func(*connection.Connection) request.Builder
	}{
		{"H11 1 MB of path", func(c *connection.Connection) request.Builder {
			return request.Get(c, "/"+strings.Repeat("x", 1<<20))
		}},
		{"H11 10^5 dot segments", func(c *connection.Connection) request.Builder {
			return request.Get(c, strings.Repeat("/..", 100_000))
		}},
		{"H11 10^5 dot segments, escaped", func(c *connection.Connection) request.Builder {
			return request.Get(c, strings.Repeat("/%2e%2e", 100_000))
		}},
		{"H11 1 MB of a parameter", func(c *connection.Connection) request.Builder {
			return request.Get(c, "/{a}").Path("a", strings.Repeat("/", 1<<20))
		}},
		{"H11 1 MB of query", func(c *connection.Connection) request.Builder {
			return request.Get(c, "/").Query("a", strings.Repeat("&", 1<<20))
		}},
		{"H11 one byte more than 8 KiB", func(c *connection.Connection) request.Builder {
			return request.Get(c, "/"+strings.Repeat("x", 8<<10))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, srv := openAPI(t, "")
			began := time.Now()
			wantTarget(t, srv, tt.make(conn), "")
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}

	t.Run("H11 8 KiB", func(t *testing.T) {
		t.Parallel()
		conn, srv := openAPI(t, "")
		path := "/" + strings.Repeat("x", 8<<10-1)
		wantTarget(t, srv, request.Get(conn, path), path)
	})
}

// FuzzPath fills templates: whatever the values, the result is an error, or has the segments of the template and each
// value in its place, byte by byte.
func FuzzPath(f *testing.F) {
	for _, seed := range [][2]string{
		{"42", "x"}, {"..", "."}, {"a/b?x=1#f", "%2f"}, {"%00", ";"}, {"+ ", "\U0001f600"}, {"e\u0301", "\u00e9"},
		{"\xff\xfe", "{b}"}, {"%2e%2e", `\`}, {"//evil.test", "@evil.test"}, {"a\r\nb", "\x00"}, {"..;", "*"}, {"", "x"},
	} {
		f.Add(seed[0], seed[1])
	}
	conn, err := connection.New("https://api.example.test/v1")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = conn.Close() })
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, tt := range []struct{ template, before, between, after string }{
			{"/{a}/x/{b}", "/v1/", "/x/", ""},
			{"{a}/pre-{b}.post", "/v1/", "/pre-", ".post"},
			{"https://api.example.test/v2/{a}/{b}/?q=1", "/v2/", "/", "/?q=1"},
		} {
			req, err := request.Get(conn, tt.template).Path("a", a).Path("b", b).Request(t.Context())
			if err != nil {
				continue
			}
			var raw bytes.Buffer
			if err := req.Write(&raw); err != nil {
				t.Fatalf("the request cannot be written: %v", err)
			}
			line, _ := raw.ReadString('\n')
			target, ok := strings.CutSuffix(strings.TrimPrefix(line, "GET "+tt.before), tt.after+" HTTP/1.1\r\n")
			first, second, found := strings.Cut(target, tt.between)
			if !ok || !found || strings.ContainsAny(first+second, "/?#\\ \r\n") {
				t.Fatalf("%s became %q", tt.template, line)
			}
			for _, value := range []struct{ text, want string }{{first, a}, {second, b}} {
				if plain, err := url.PathUnescape(value.text); err != nil || plain != value.want {
					t.Errorf("%q stands for %q (%v), want %q", value.text, plain, err, value.want)
				}
			}
			if req.URL.Host != "api.example.test" {
				t.Errorf("host is %q", req.URL.Host)
			}
		}
	})
}

func TestTo(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	api, hooks := n.Serve("https://api.example.test", connectiontest.Status(204)), n.Serve("https://hooks.example.test",
		connectiontest.Status(204))
	conn := connectTo(t, api, "/v1", connection.WithAuth(auth.Basic("svc", secrets.Static("passcanary"))))
	hook, err := url.Parse("https://hooks.example.test/{tenant}/a%2Fb?x={y}&z=1")
	if err != nil {
		t.Fatal(err)
	}
	if err := request.To(conn, "POST", hook).Auth(auth.None()).JSON(1).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := hooks.Requests()
	if len(got) != 1 || got[0].Target != "/%7Btenant%7D/a%2Fb?x={y}&z=1" || got[0].Header.Get("Authorization") != "" {
		t.Errorf("the hook has got %+v", got)
	}
	if err := request.To(conn, "POST", hook).Exec(t.Context()); !errors.As(err, new(*connection.OriginError)) {
		t.Errorf("with the credential of the connection: %v", err)
	}
	for name, b := range map[string]request.Builder{
		"no URL": request.To(conn, "POST", nil), "a query": request.To(conn, "GET", api1(t)).Query("x", "1"),
		"a path": request.To(conn, "GET", api1(t)).Path("x", "1"),
	} {
		if err := b.Exec(t.Context()); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
	if n := len(api.Requests()); n != 0 {
		t.Errorf("the service has got %d requests", n)
	}
}

func api1(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse("https://api.example.test/v1")
	if err != nil {
		t.Fatal(err)
	}
	return u
}
