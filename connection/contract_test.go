package connection_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// The context of an attempt ends when its response is closed, and not before.
func TestCloseFreesTheAttempt(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, connectiontest.Text(200, "x"))
	inner := srv.Network().Transport()
	var ctx context.Context
	spy := transport(func(req *http.Request) (*http.Response, error) {
		ctx = req.Context() //nolint:fatcontext // it is only looked at
		return inner.RoundTrip(req)
	})
	conn := connect(t, srv.URL, connection.WithTransport(spy))
	resp, err := conn.Do(newRequest(t.Context(), t, http.MethodGet, nil))
	if err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Error("J1 the context of the attempt has ended before its response was closed")
	}
	_ = resp.Body.Close()
	if ctx.Err() == nil {
		t.Error("J1 the context of the attempt lives on after its response was closed")
	}
}

// Cookies stay within the connection's origins, on a way out and back and on a bare call too.
func TestJarStaysHome(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	evil := n.Serve("https://evil.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "foreign", Value: "1"})
		http.Redirect(w, req, "https://api.example.test/back", http.StatusFound)
	}))
	home := n.Serve("https://api.example.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: strings.Trim(req.URL.Path, "/"), Value: "1"})
		if req.URL.Path == "/away" {
			http.Redirect(w, req, "https://evil.test/", http.StatusFound)
		}
	}))
	jar, _ := cookiejar.New(nil)
	conn := connect(t, home.URL, connection.WithHTTPClient(&http.Client{Transport: n.Transport(), Jar: jar}))
	for _, b := range []request.Builder{
		request.Get(conn, "/away"),
		request.Get(conn, "https://evil.test/").Auth(auth.None()),
	} {
		if err := b.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range home.Requests() {
		if r.Target == "/back" && r.Header.Get("Cookie") != "" {
			t.Errorf("A15 home was sent %q on the way back from a foreign server", r.Header.Get("Cookie"))
		}
	}
	for _, r := range evil.Requests() {
		if r.Header.Get("Cookie") != "" {
			t.Errorf("A15 the foreign server was sent %q", r.Header.Get("Cookie"))
		}
	}
	for _, u := range []string{"https://evil.test/", "https://api.example.test/"} {
		for _, c := range jar.Cookies(mustURL(t, u)) {
			if c.Name != "away" {
				t.Errorf("A15 the jar has the cookie %s for %s", c.Name, u)
			}
		}
	}
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// boundAuth counts how often a bound authenticator is closed.
type boundAuth struct {
	auth.Authenticator

	bound, closed *atomic.Int32
}

func (c boundAuth) Bind(auth.Host) (auth.Authenticator, error) {
	c.bound.Add(1)
	return c, nil
}

func (c boundAuth) Close() error {
	c.closed.Add(1)
	return nil
}

// What is bound for one request is released with it; what is bound for a connection, with that.
func TestBoundAuthenticatorsAreReleased(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, status(200))
	c := boundAuth{auth.Basic("u", secrets.Static("p")), new(atomic.Int32), new(atomic.Int32)}
	conn := connect(t, srv.URL, srv.Network().Option(), connection.WithAuth(c))
	for range 3 {
		if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if b, n := c.bound.Load(), c.closed.Load(); b != 1 || n != 0 {
		t.Errorf("bound %d times and closed %d times while the connection is open, want 1 and 0", b, n)
	}
	if err := request.Get(conn, "/").Auth(c).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b, n := c.bound.Load(), c.closed.Load(); b != 2 || n != 1 {
		t.Errorf("bound %d times and closed %d times after a request of its own, want 2 and 1", b, n)
	}
	_ = conn.Close()
	if n := c.closed.Load(); n != 2 {
		t.Errorf("closed %d times after Close, want 2", n)
	}
}

// One Call may be sent by several goroutines.
func TestCallIsNotWrittenTo(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, status(200))
	conn := connect(t, srv.URL, srv.Network().Option())
	call := connection.Call{
		Method: http.MethodGet, URL: *mustURL(t, srv.URL+"/"), Header: []connection.Field{{Name: "x-lower", Value: "1"}},
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			x, err := conn.Send(t.Context(), call)
			if err != nil {
				t.Error(err)
			}
			x.Close()
		})
	}
	wg.Wait()
	if call.Header[0].Name != "x-lower" {
		t.Errorf("the name was changed to %s", call.Header[0].Name)
	}
}

// After something was sent, no failure is one of StageBuild.
func TestStageAfterRedirect(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	n.Serve("http://plain.test", status(200))
	home := n.Serve("http://127.0.0.1:8080", http.RedirectHandler("http://plain.test/", http.StatusFound))
	conn := connect(t, home.URL, n.Option(), hunter(), connection.WithTrustedOrigins("http://plain.test"))
	err := request.Get(conn, "/").Exec(t.Context())
	if !errors.Is(err, connection.ErrInsecure) || errors.Is(err, request.StageBuild) || len(home.Requests()) != 1 {
		t.Errorf("error %v of StageBuild: %t", err, errors.Is(err, request.StageBuild))
	}
}

// A redirect whose body stalls does not eat the time of the attempt.
func TestStalledRedirect(t *testing.T) {
	t.Parallel()
	bubble(t, "J1 the body of a redirect is waited for a second at most", func(t *testing.T) {
		srv := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == "/" {
				w.Header().Set("Location", "/next")
				w.WriteHeader(http.StatusFound)
				_ = http.NewResponseController(w).Flush()
				<-req.Context().Done()
			}
		}))
		conn := connect(t, srv.URL, srv.Network().Option())
		began := time.Now()
		if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
			t.Error(err)
		}
		passed(t, began, time.Second)
	})
}

// A body that can be read once is closed even if a middleware panics before it is sent.
func TestPanicClosesOnceBody(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, status(200))
	panics := func(http.RoundTripper) http.RoundTripper {
		return transport(func(*http.Request) (*http.Response, error) { panic("boom") })
	}
	conn := connect(t, srv.URL, srv.Network().Option(), connection.WithMiddleware(panics))
	closed := 0
	func() {
		defer func() { _ = recover() }()
		body := closer{strings.NewReader("x"), func() { closed++ }}
		_ = request.Post(conn, "/").Body(request.Once("text/plain", body)).Exec(t.Context())
	}()
	if closed != 1 {
		t.Errorf("J4 the body was closed %d times, want once", closed)
	}
}

// Two calls of next at once are refused with an error that says so.
func TestHedgeIsRefused(t *testing.T) {
	t.Parallel()
	for where, option := range map[string]func(...connection.Middleware) connection.Option{
		"call": connection.WithMiddleware, "attempt": connection.WithAttemptMiddleware,
	} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			arrived, release := make(chan struct{}), make(chan struct{})
			srv := connectiontest.NewServer(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				close(arrived)
				<-release
			}))
			var second error
			conn := connect(t, srv.URL, srv.Network().Option(), option(func(next http.RoundTripper) http.RoundTripper {
				return transport(func(req *http.Request) (*http.Response, error) {
					go func() {
						<-arrived
						_, second = next.RoundTrip(req)
						close(release)
					}()
					return next.RoundTrip(req)
				})
			}))
			if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
				t.Errorf("the first leg: %v", err)
			}
			if e, ok := errors.AsType[*connection.OptionError](second); !ok || e.Option != "middleware" {
				t.Errorf("the second leg: error %v, want an *OptionError of middleware", second)
			}
		})
	}
}

// A failed TLS handshake means that nothing was sent.
func TestUnsentAfterTLS(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, status(200))
	rt := srv.Network().Transport()
	rt.TLSClientConfig.RootCAs = nil
	conn := connect(t, srv.URL, connection.WithTransport(rt))
	err := request.Post(conn, "/").Exec(t.Context())
	te, ok := errors.AsType[*connection.TransportError](err)
	if !ok || !te.Unsent || strings.Contains(err.Error(), "may have processed") {
		t.Errorf("error %v, want a *TransportError that is Unsent", err)
	}
}

// The end of an upload starts no limit on a stream that nobody is reading.
func TestUploadEndsBesideAStream(t *testing.T) {
	t.Parallel()
	bubble(t, "L8 a stream outlives its upload while nobody reads it", func(t *testing.T) {
		srv := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			rc := http.NewResponseController(w)
			_ = rc.EnableFullDuplex()
			_ = rc.Flush()
			_, _ = io.Copy(io.Discard, req.Body)
			_, _ = io.WriteString(w, "done")
		}))
		conn := connect(t, srv.URL, srv.Network().Option())
		r, w := io.Pipe()
		body := request.Open("text/plain", -1, func() (io.ReadCloser, error) { return r, nil })
		resp, err := request.Post(conn, "/").Body(body).Stream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, "x")
		_ = w.Close()
		time.Sleep(10 * time.Minute)
		if text, err := io.ReadAll(resp.Body); string(text) != "done" || err != nil {
			t.Errorf("the stream is %q, %v", text, err)
		}
		_ = resp.Body.Close()
	})
}

// The default transport offers HTTP/2, and no TLS before 1.2. The handshake itself fails: nobody knows the authority.
func TestDefaultTransportHandshake(t *testing.T) {
	t.Parallel()
	hellos := make(chan *tls.ClientHelloInfo, 1)
	srv := httptest.NewUnstartedServer(nil)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		hellos <- h
		return nil, nil //nolint:nilnil // the configuration stays
	}}
	srv.StartTLS()
	defer srv.Close()
	conn := connect(t, srv.URL)
	err := request.Get(conn, "/").Exec(t.Context())
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		t.Fatalf("error %v, want one of the certificate", err)
	}
	hello := <-hellos
	if !slices.Contains(hello.SupportedProtos, "h2") || slices.Min(hello.SupportedVersions) < tls.VersionTLS12 {
		t.Errorf("the client offers %v and TLS versions %x", hello.SupportedProtos, hello.SupportedVersions)
	}
}
