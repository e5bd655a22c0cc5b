package connection_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// secretKind is a way in which a secret gets into a call.
type secretKind struct {
	name    string
	auth    auth.Authenticator
	options []connection.Option
	build   func(b request.Builder) request.Builder
	path    string
	// plain says that the caller has given it as a plain string, which is kept as one.
	plain bool
}

func secretKinds() []secretKind {
	secret := secrets.Static(birdsong)
	set := func(f func(b request.Builder) request.Builder) func(request.Builder) request.Builder { return f }
	return []secretKind{
		{name: "Basic password", auth: auth.Basic("svc", secret)},
		{name: "Basic user", auth: auth.BasicFrom(secret, secrets.Static(""))},
		{name: "API key in a header", auth: auth.APIKey(secret, auth.InHeader("X-Api-Key"))},
		{name: "API key in the query", auth: auth.APIKey(secret, auth.InQuery("k"))},
		{name: "API key in a cookie", auth: auth.APIKey(secret, auth.InCookie("sid"))},
		{name: "bearer token", auth: auth.Bearer(auth.Static(secret))},
		{
			name: "connection header", plain: true,
			options: []connection.Option{connection.WithHeader("X-Session", birdsong)},
		},
		{name: "request header", plain: true, build: set(func(b request.Builder) request.Builder {
			return b.Header("X-Session", birdsong)
		})},
		{name: "query value", plain: true, build: set(func(b request.Builder) request.Builder {
			return b.Query("access_token", birdsong)
		})},
		{name: "path secret", path: "/bot{token}/send", build: set(func(b request.Builder) request.Builder {
			return b.PathSecret("token", secret)
		})},
		{name: "JSON field", plain: true, build: set(func(b request.Builder) request.Builder {
			return b.JSON(map[string]any{"note": "x", "password": birdsong})
		})},
		{name: "form field", plain: true, build: set(func(b request.Builder) request.Builder {
			return b.Form(url.Values{"note": {"x"}, "client_secret": {birdsong}})
		})},
		{name: "secret provider that fails", auth: auth.Bearer(auth.Static(secrets.Func(
			func(context.Context) (secrets.Value, error) { return secret, errors.New("the vault is sealed") })))},
	}
}

// echo answers with all that a careless server would repeat.
func echoServer(status int, contentType string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("X-Echo", strings.ReplaceAll(req.RequestURI, "\n", ""))
		for name, values := range req.Header {
			w.Header()["X-Echo-"+name] = values
		}
		w.WriteHeader(status)
		if len(body) > 0 && body[0] == '{' {
			_, _ = w.Write(body)
			return
		}
		user, password, _ := req.BasicAuth()
		_ = json.NewEncoder(w).Encode(map[string]any{
			"asked": req.RequestURI, "path": req.URL.Path, "query": req.URL.Query(), "head": req.Header,
			"login": []string{user, password},
		})
		_, _ = fmt.Fprintf(w, "<p>%v %v %s %s</p>", req.URL.Path, req.URL.Query(), user, password)
	})
}

// outcome is a way in which a call ends, and the server that makes it.
type outcome struct {
	name    string
	home    http.Handler
	spoil   func(s *connectiontest.Server)
	options []connection.Option
	path    string
}

const (
	apiOrigin     = "https://api.example.test"
	foreignOrigin = "https://other.example.test"
)

func outcomes() []outcome {
	redirect := func(to string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if strings.HasSuffix(req.URL.Path, "/landed") {
				echoServer(http.StatusNotFound, "application/json").ServeHTTP(w, req)
				return
			}
			w.Header().Set("Location", strings.ReplaceAll(to, "{path}", req.URL.EscapedPath())+"?"+req.URL.RawQuery)
			w.WriteHeader(http.StatusFound)
		})
	}
	short := connection.WithTimeouts(connection.Timeouts{Attempt: 30 * time.Millisecond})
	return []outcome{
		{name: "G1 a failed dial", spoil: (*connectiontest.Server).Refuse},
		{name: "G1 a dial that takes too long", spoil: (*connectiontest.Server).Hang, options: []connection.Option{short}},
		{name: "G1 an answer that takes too long", home: connectiontest.Status(200).Delay(time.Minute),
			options: []connection.Option{short}},
		{name: "G1 a connection that is cut", home: connectiontest.Cut()},
		{name: "G9 a 404 that repeats the request", home: echoServer(404, "application/json")},
		{name: "G9 a 404 in text", home: echoServer(404, "text/plain")},
		{name: "G9 a page where JSON was wanted", home: echoServer(200, "text/html")},
		{name: "G9 JSON that does not fit", home: echoServer(200, "application/json")},
		{name: "G4 a redirect to plain http", home: redirect("http://api.example.test{path}")},
		{name: "G4 a redirect that cannot be read", home: redirect("https://%zz{path}")},
		{name: "G4 a redirect at home", home: redirect("{path}/landed")},
		{name: "G1 an absolute URL of another origin", path: foreignOrigin},
		{name: "G1 retries that come to nothing", spoil: (*connectiontest.Server).Refuse,
			options: []connection.Option{connection.WithRetry(connection.Retry{Max: 1})}},
		{name: "G9 retries that end with a 503", home: echoServer(503, "application/json"),
			options: []connection.Option{connection.WithRetry(connection.Retry{Max: 1})}},
	}
}

// call is one call with a secret in it, and the log of it.
func (k *secretKind) call(t *testing.T, o outcome, log *journal) (*connectiontest.Network, *connection.Connection,
	request.Builder,
) {
	t.Helper()
	n := connectiontest.NewNetwork(t)
	home := o.home
	if home == nil {
		home = connectiontest.Status(http.StatusOK)
	}
	s := n.Serve(apiOrigin, home)
	if o.spoil != nil {
		o.spoil(s)
	}
	options := append(append([]connection.Option{n.Option()}, k.options...), o.options...)
	if log != nil {
		options = append(options, connection.WithLogger(log.logger()), connection.WithDebug(log.logger()))
	}
	if k.auth != nil {
		options = append(options, connection.WithAuth(k.auth))
	}
	conn := connect(t, apiOrigin+"/v1", options...)
	path := k.path
	if path == "" {
		path = "/things"
	}
	b := request.Post(conn, o.path+path)
	if k.build != nil {
		b = k.build(b)
	}
	return n, conn, b
}

func TestCanary(t *testing.T) {
	t.Parallel()
	for _, k := range secretKinds() {
		for _, o := range outcomes() {
			t.Run(o.name+": "+k.name, func(t *testing.T) {
				t.Parallel()
				log := new(journal)
				_, _, b := k.call(t, o, log)
				var v []struct{ ID int }
				err := b.Into(t.Context(), &v)
				if err == nil {
					t.Fatal("there is no error")
				}
				cleanErrors(t, "error", err)
				_, err = b.Stream(t.Context())
				cleanErrors(t, "error of the stream", err)
				clean(t, "log", log.String())
			})
		}
	}
}

func TestCanaryGoesNowhereElse(t *testing.T) {
	t.Parallel()
	for _, k := range secretKinds() {
		t.Run("A1 no secret and no Referer after a redirect to another origin: "+k.name, func(t *testing.T) {
			t.Parallel()
			log := new(journal)
			n, _, b := k.call(t, outcome{
				home: http.RedirectHandler(foreignOrigin+"/landed", http.StatusFound),
			}, log)
			foreign := n.Serve(foreignOrigin, connectiontest.Status(http.StatusNoContent))
			err := b.Exec(t.Context())
			cleanErrors(t, "error", err)
			clean(t, "log", log.String())
			for _, req := range foreign.Requests() {
				clean(t, "foreign request", req.Raw)
				if got := req.Header.Get("Referer"); got != "" {
					t.Errorf("there is a Referer: %s", got)
				}
			}
			if got := len(foreign.Requests()); got != 1 && k.name != "secret provider that fails" {
				t.Errorf("%d requests reached the foreign origin, want 1", got)
			}
		})
	}
}

func TestCanaryPrinted(t *testing.T) {
	t.Parallel()
	for _, k := range secretKinds() {
		t.Run("G5 nothing prints the secret: "+k.name, func(t *testing.T) {
			t.Parallel()
			_, conn, b := k.call(t, outcome{}, nil)
			cleanPrinted(t, "Connection", conn)
			cleanPrinted(t, "Description", conn.Describe())
			cleanPrinted(t, "Builder", b)
			cleanPrinted(t, "*Builder", &b)
			cleanPrinted(t, "struct with a Builder", struct{ B request.Builder }{b})
			cleanPrinted(t, "http.Client", conn.HTTPClient())
			for _, o := range k.options {
				cleanPrinted(t, "Option", o)
			}
			if k.auth != nil {
				cleanPrinted(t, "Authenticator", k.auth)
				cleanPrinted(t, "WithAuth", connection.WithAuth(k.auth))
				cleanPrinted(t, "Builder with Auth", b.Auth(k.auth))
			}
			if k.plain {
				return
			}
			still := tripFunc(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
			})
			conn, err := connection.New(apiOrigin, connection.WithTransport(still), connection.WithAuth(auth.None()))
			if k.auth != nil {
				conn, err = connection.New(apiOrigin, connection.WithTransport(still), connection.WithAuth(k.auth))
			}
			if err != nil {
				t.Fatal(err)
			}
			b = request.Get(conn, "/x")
			if k.build != nil {
				b = k.build(request.Post(conn, k.path))
			}
			for range 2 { // before and after the first request, which may have left something in a cache
				if path := findCanary(conn); path != "" {
					t.Errorf("a walk over the Connection finds the birdsong at %s", path)
				}
				if path := findCanary(b); path != "" {
					t.Errorf("a walk over the Builder finds the birdsong at %s", path)
				}
				_ = b.Exec(t.Context())
			}
		})
	}
	t.Run("G5 a Builder prints its method and template", func(t *testing.T) {
		t.Parallel()
		conn := connect(t, apiOrigin)
		for template, want := range map[string]string{
			"/users/{id}":                           "GET /users/{id}",
			"/users?key=" + birdsong:                "GET /users",
			"https://u:" + birdsong + "@other.test": "GET [REDACTED]",
		} {
			b := request.Get(conn, template).Path("id", "7").Query("q", birdsong)
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
				if got := fmt.Sprintf(verb, b); got != want {
					t.Errorf("%s of %s prints %q, want %q", verb, template, got, want)
				}
			}
		}
	})
}

func TestCanaryExchange(t *testing.T) {
	t.Parallel()
	for _, k := range secretKinds() {
		t.Run("G5 neither Call nor Exchange nor Response shows the secret: "+k.name, func(t *testing.T) {
			t.Parallel()
			_, conn, b := k.call(t, outcome{}, nil)
			req, err := b.Request(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			call := connection.Call{Method: req.Method, URL: *req.URL, BodyLen: -1, Body: req.GetBody}
			for name, values := range req.Header {
				call.Header = append(call.Header, connection.Field{Name: name, Value: values[0]})
			}
			if k.path != "" {
				call.ShownPath = "/v1" + k.path
			}
			cleanPrinted(t, "Call", call)
			cleanPrinted(t, "*Call", &call)
			x, err := conn.Send(t.Context(), call)
			cleanErrors(t, "error", err)
			defer x.Close()
			x.Stream()
			cleanPrinted(t, "Exchange", x)
			cleanPrinted(t, "attempts", x.History())
			clean(t, "URL", x.URL())
			if err != nil || k.plain || k.path != "" {
				return
			}
			clean(t, "URL of the request of the response", x.Response.Request.URL.String())
			clean(t, "header of the request of the response", fmt.Sprint(x.Response.Request.Header))
		})
	}
	t.Run("G5 the request of a response has the last URL, and no credential", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/old", "/new"} {
			s := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if req.URL.Path == "/old" {
					w.Header().Set("Location", "/new?p=1")
					w.WriteHeader(http.StatusTemporaryRedirect)
				}
			}))
			var seen []*http.Response
			spy := func(next http.RoundTripper) http.RoundTripper {
				return tripFunc(func(req *http.Request) (*http.Response, error) {
					resp, err := next.RoundTrip(req)
					seen = append(seen, resp)
					return resp, err
				})
			}
			conn := connectTo(t, s, connection.WithAttemptMiddleware(spy),
				connection.WithAuth(auth.All(auth.APIKey(secrets.Static(birdsong), auth.InQuery("k")),
					auth.Bearer(auth.Static(secrets.Static(birdsong))))))
			resp, err := request.Get(conn, path).Query("p", "1").Stream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if got := resp.Request.URL.String(); got != s.URL+"/new?p=1" {
				t.Errorf("the URL is %s", got)
			}
			for _, resp := range seen {
				clean(t, "URL seen by the middleware", resp.Request.URL.String())
				clean(t, "header seen by the middleware", fmt.Sprint(resp.Request.Header))
			}
			if raw := s.Requests()[len(s.Requests())-1].Raw; !strings.Contains(raw, "Bearer "+birdsong) {
				t.Errorf("the credential was not sent: %s", raw)
			}
		}
	})
}

type tripFunc func(req *http.Request) (*http.Response, error)

func (f tripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestCanaryRefusedOptions(t *testing.T) {
	t.Parallel()
	for name, build := range map[string]func() (*connection.Connection, error){
		"G3 a base URL with userinfo": func() (*connection.Connection, error) {
			return connection.New("https://svc:" + url.QueryEscape(birdsong) + "@api.example.test")
		},
		"G3 a malformed base URL with userinfo": func() (*connection.Connection, error) {
			return connection.New("https://svc:" + birdsong + "@api.example.test:port%zz")
		},
		"G3 a trusted origin with userinfo": func() (*connection.Connection, error) {
			return connection.New(apiOrigin, connection.WithTrustedOrigins("https://svc:"+url.QueryEscape(birdsong)+"@x.test"))
		},
		"G3 a link to the documentation with userinfo": func() (*connection.Connection, error) {
			return connection.New(apiOrigin, connection.WithDocsURL("https://svc:"+url.QueryEscape(birdsong)+"@x.test"))
		},
		"G3 a header with a line break": func() (*connection.Connection, error) {
			return connection.New(apiOrigin, connection.WithHeader("X-Session", birdsong+"\n"))
		},
		"G3 a test path that climbs": func() (*connection.Connection, error) {
			return connection.New(apiOrigin, connection.WithTestPath("/../"+birdsong))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := build()
			if _, ok := errors.AsType[*connection.OptionError](err); !ok {
				t.Fatalf("the error is %v, want an *OptionError", err)
			}
			cleanErrors(t, "error", err)
		})
	}
	t.Run("G1 queries of base URL and test path are in no description", func(t *testing.T) {
		t.Parallel()
		q := "?key=" + url.QueryEscape(birdsong)
		conn := connect(t, apiOrigin+"/v1"+q, connection.WithTestPath("/health"+q))
		cleanPrinted(t, "Connection", conn)
		cleanPrinted(t, "Description", conn.Describe())
	})
}

func TestCanaryPanics(t *testing.T) {
	t.Parallel()
	boom := func(where string) connection.Middleware {
		return func(next http.RoundTripper) http.RoundTripper {
			return tripFunc(func(req *http.Request) (*http.Response, error) {
				if resp, err := next.RoundTrip(req); where == "after" {
					_, _ = resp, err
				}
				panic("boom")
			})
		}
	}
	for name, opt := range map[string]connection.Option{
		"a middleware":          connection.WithMiddleware(boom("after")),
		"an attempt middleware": connection.WithAttemptMiddleware(boom("after")),
		"an authenticator": connection.WithAuth(auth.All(auth.Basic("svc", secrets.Static(birdsong)),
			auth.Func(func(*http.Request) error { panic("boom") }))),
	} {
		t.Run("G6 a panic in "+name+" comes through as it is, with no secret", func(t *testing.T) {
			t.Parallel()
			log := new(journal)
			s := connectiontest.NewServer(t, connectiontest.Status(http.StatusOK))
			conn := connectTo(t, s, connection.WithDebug(log.logger()), opt)
			func() {
				defer func() {
					if got := recover(); got != "boom" {
						t.Errorf("recovered %v", got)
					}
					clean(t, "stack", string(bytes.ReplaceAll(debug.Stack(), []byte("\n\t"), []byte(" "))))
				}()
				_ = request.Get(conn, "/x").Header("X-Session", birdsong).Exec(t.Context())
			}()
			clean(t, "log", log.String())
		})
	}
}
