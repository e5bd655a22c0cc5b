package connection_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strconv"
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

// opened opens a connection to the server through a transport of the test's own, which has at most one connection at a
// time: what is not given back is missed by the next request. Nothing takes longer than ten seconds.
func opened(t *testing.T, s *connectiontest.Server, opts ...connection.Option) *connection.Connection {
	t.Helper()
	tr := s.Network().Transport()
	tr.MaxConnsPerHost = 1
	opts = append([]connection.Option{
		connection.WithTransport(tr), connection.WithTimeouts(connection.Timeouts{Total: 10 * time.Second}),
	}, opts...)
	return connect(t, s.URL, opts...)
}

// plainServer is a server without TLS, which would be most of the work of these tests.
func plainServer(t *testing.T, h http.Handler) *connectiontest.Server {
	t.Helper()
	return connectiontest.NewNetwork(t).Serve("http://127.0.0.1:8080", h)
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	const calls = 1000
	type user struct{ Name string }
	page := connectiontest.Text(http.StatusOK, "<html>").Header("Content-Type", "text/html")
	long := strings.Repeat("x", 100<<10)
	for name, answer := range map[string]http.Handler{
		"404":                connectiontest.JSON(http.StatusNotFound, map[string]string{"error": "gone"}),
		"404, 100 KiB":       connectiontest.Text(http.StatusNotFound, long),
		"503":                connectiontest.Text(http.StatusServiceUnavailable, "later"),
		"malformed JSON":     connectiontest.Text(http.StatusOK, `{"name":`).Header("Content-Type", "application/json"),
		"a page":             page,
		"JSON and a rest":    connectiontest.Text(http.StatusOK, `{"name":"x"}{}`).Header("Content-Type", "application/json"),
		"a refused redirect": connectiontest.Text(http.StatusFound, "x").Header("Location", "https://%zz/"),
	} {
		t.Run("J1 a thousand errors take one connection: "+name, func(t *testing.T) {
			t.Parallel()
			s := plainServer(t, answer)
			conn := opened(t, s, connection.WithRetry(connection.Retry{Max: 1}))
			for i := range calls {
				if _, err := request.Do[user](t.Context(), request.Get(conn, "/x")); err == nil {
					t.Fatalf("call %d: there is no error", i)
				}
			}
			if got := s.Conns(); got > 2 {
				t.Errorf("there were %d connections", got)
			}
		})
	}
	t.Run("J2 no terminal but Stream needs a Close", func(t *testing.T) {
		t.Parallel()
		for _, answer := range []http.Handler{
			connectiontest.JSON(http.StatusOK, user{"x"}), connectiontest.Status(http.StatusNoContent),
			connectiontest.Text(http.StatusOK, long), connectiontest.Text(http.StatusTeapot, long),
		} {
			s := plainServer(t, answer)
			conn := opened(t, s)
			b := request.Get(conn, "/x")
			failing := b.Check(func(*http.Response, []byte) error { return errors.New("no") })
			for range 25 {
				_, _ = request.Do[user](t.Context(), b)
				_, _ = request.Do[string](t.Context(), b)
				_, _ = request.Do[[]byte](t.Context(), b)
				_, _ = request.Full[user](t.Context(), b)
				_ = b.Into(t.Context(), new(user))
				_ = b.Exec(t.Context())
				_ = failing.Exec(t.Context())
				if _, err := failing.Stream(t.Context()); err == nil {
					t.Error("Stream has no error of Check")
				}
			}
			if got := s.Conns(); got > 2 {
				t.Errorf("there were %d connections", got)
			}
		}
	})
}

func TestCancelled(t *testing.T) { //nolint:paralleltest // it counts goroutines
	const calls = 500
	s := plainServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/body" {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
		}
		<-req.Context().Done()
	}))
	tr := s.Network().Transport()
	conn := connect(t, s.URL, connection.WithTransport(tr),
		connection.WithRetry(connection.Retry{Max: 3, Wait: connection.Constant(time.Minute)}),
		connection.WithTimeouts(connection.Timeouts{Total: time.Hour}))
	before := runtime.NumGoroutine()
	for name, phase := range map[string]func(ctx context.Context, cancel func()) error{ //nolint:paralleltest // the same
		"before the dial": func(ctx context.Context, cancel func()) error {
			cancel()
			return request.Get(conn, "/headers").Exec(ctx)
		},
		"in the dial": func(ctx context.Context, cancel func()) error {
			time.AfterFunc(time.Millisecond, cancel)
			return request.Get(conn, "/headers").Exec(ctx)
		},
		"before the headers": func(ctx context.Context, cancel func()) error {
			time.AfterFunc(time.Millisecond, cancel)
			return request.Get(conn, "/headers").Exec(ctx)
		},
		"in the body": func(ctx context.Context, cancel func()) error {
			time.AfterFunc(2*time.Millisecond, cancel)
			_, err := request.Do[string](ctx, request.Get(conn, "/body"))
			return err
		},
	} {
		t.Run("J3 cancelled "+name, func(t *testing.T) {
			if name == "in the dial" {
				tr.CloseIdleConnections()
				s.Hang()
				defer s.Up()
			}
			var calling sync.WaitGroup
			for range 20 {
				calling.Go(func() {
					for range calls / 20 {
						ctx, cancel := context.WithCancel(t.Context())
						if err := phase(ctx, cancel); !errors.Is(err, context.Canceled) {
							t.Errorf("the error is %v", err)
						}
						cancel()
					}
				})
			}
			calling.Wait()
		})
	}
	_ = conn.Close()
	for deadline := time.Now().Add(3 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		tr.CloseIdleConnections()
		after := runtime.NumGoroutine()
		if after <= before && s.OpenConns() == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("J3 %d goroutines before, %d after; %d open connections", before, after, s.OpenConns())
		}
	}
}

// explosive is a type whose decoding panics.
type explosive struct{}

func (*explosive) UnmarshalJSON([]byte) error { panic("boom") }

func TestPanicsFreeEverything(t *testing.T) {
	t.Parallel()
	around := func(after bool) connection.Middleware {
		return func(next http.RoundTripper) http.RoundTripper {
			return tripFunc(func(req *http.Request) (*http.Response, error) {
				if req.URL.Path == "/well" {
					return next.RoundTrip(req)
				}
				if after {
					_, _ = next.RoundTrip(req)
				}
				panic("boom")
			})
		}
	}
	explode := auth.Func(func(*http.Request) error { panic("boom") })
	check := func(*http.Response, []byte) error { panic("boom") }
	for name, c := range map[string]struct {
		options []connection.Option
		call    func(ctx context.Context, b request.Builder)
	}{
		"a decoder": {call: func(ctx context.Context, b request.Builder) { _, _ = request.Do[*explosive](ctx, b) }},
		"Check":     {call: func(ctx context.Context, b request.Builder) { _ = b.Check(check).Exec(ctx) }},
		"Check of a stream": {call: func(ctx context.Context, b request.Builder) {
			_, _ = b.Check(check).Stream(ctx)
		}},
		"an authenticator": {call: func(ctx context.Context, b request.Builder) { _ = b.Auth(explode).Exec(ctx) }},
		"a middleware": {
			options: []connection.Option{connection.WithMiddleware(around(true))},
			call:    func(ctx context.Context, b request.Builder) { _ = b.Exec(ctx) },
		},
		"an attempt middleware": {
			options: []connection.Option{connection.WithAttemptMiddleware(around(true))},
			call:    func(ctx context.Context, b request.Builder) { _ = b.Exec(ctx) },
		},
		"an attempt middleware, before": {
			options: []connection.Option{connection.WithAttemptMiddleware(around(false))},
			call:    func(ctx context.Context, b request.Builder) { _ = b.Exec(ctx) },
		},
	} {
		t.Run("J4 a panic in "+name+" gives the connection back and ends all limits", func(t *testing.T) {
			t.Parallel()
			s := plainServer(t, connectiontest.JSON(http.StatusOK, strings.Repeat("x", 1<<20)))
			conn := opened(t, s, append(c.options, connection.WithMaxBody(4<<20))...)
			watch := &watchedContext{Context: t.Context(), done: make(chan struct{})}
			for range 3 {
				func() {
					defer func() {
						if got := recover(); got != "boom" {
							t.Errorf("recovered %v", got)
						}
					}()
					c.call(watch, request.Get(conn, "/x"))
				}()
			}
			if got := watch.open.Load(); got != 0 {
				t.Errorf("%d contexts were not ended", got)
			}
			if err := request.Get(conn, "/well").Exec(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// watchedContext counts the contexts derived from it that are not ended. See [context.AfterFunc].
type watchedContext struct {
	context.Context

	done chan struct{}
	open atomic.Int64
}

func (c *watchedContext) Done() <-chan struct{} { return c.done }
func (c *watchedContext) Err() error            { return nil }

func (c *watchedContext) AfterFunc(func()) func() bool {
	c.open.Add(1)
	var once sync.Once
	return func() bool {
		once.Do(func() { c.open.Add(-1) })
		return true
	}
}

func TestCloseDuringTraffic(t *testing.T) {
	t.Parallel()
	t.Run("J5 64 Close, twice, during traffic: what is under way finishes, the rest is ErrClosed", func(t *testing.T) {
		t.Parallel()
		const slow = 16
		arrived, release := make(chan struct{}, slow), make(chan struct{})
		s := plainServer(t, http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
			if req.URL.Path == "/slow" {
				arrived <- struct{}{}
				<-release
			}
		}))
		conn := connectTo(t, s, connection.WithAuth(auth.Basic("u", secrets.Static("p"))))
		var traffic, closing sync.WaitGroup
		for range slow {
			traffic.Go(func() {
				if err := request.Get(conn, "/slow").Exec(t.Context()); err != nil {
					t.Errorf("a request under way failed: %v", err)
				}
			})
			traffic.Go(func() {
				for {
					err := request.Get(conn, "/fast").Exec(t.Context())
					if errors.Is(err, connection.ErrClosed) {
						return
					}
					if err != nil {
						t.Errorf("a request failed: %v", err)
						return
					}
				}
			})
		}
		for range slow {
			<-arrived
		}
		for range 64 {
			closing.Go(func() {
				for range 2 {
					if err := conn.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
				}
			})
		}
		closing.Wait()
		close(release)
		traffic.Wait()
		err := request.Get(conn, "/fast").Exec(t.Context())
		if !errors.Is(err, connection.ErrClosed) || !errors.Is(err, request.StageBuild) {
			t.Errorf("after Close the error is %v", err)
		}
		if _, err := conn.Test(t.Context()); err == nil {
			t.Error("Test of a closed connection has no error")
		}
		resp, err := conn.HTTPClient().Get(s.URL)
		if !errors.Is(err, connection.ErrClosed) {
			t.Errorf("through the client the error is %v", err)
		}
		if resp != nil {
			_ = resp.Body.Close()
		}
	})
}

// lentTransport is a transport of the caller's, which nobody may close.
type lentTransport struct {
	*http.Transport

	closed atomic.Int64
}

func (t *lentTransport) CloseIdleConnections() {
	t.closed.Add(1)
	t.Transport.CloseIdleConnections()
}

func TestCallersClientIsUnchanged(t *testing.T) {
	t.Parallel()
	t.Run("J6 client, transport and jar of the caller are neither changed nor closed", func(t *testing.T) {
		t.Parallel()
		s := plainServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			switch req.URL.Path {
			case "/moved":
				http.Redirect(w, req, "/busy", http.StatusFound)
			case "/busy":
				http.SetCookie(w, &http.Cookie{Name: "a", Value: "b", Path: "/"})
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}))
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		lent := &lentTransport{Transport: s.Network().Transport()}
		client := &http.Client{Transport: lent, Jar: jar, Timeout: time.Minute}
		resp, err := client.Get(s.URL) // with its first request net/http completes the transport
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		was, fields := *client, exportedFields(lent.Transport)
		conn := connect(t, s.URL, connection.WithHTTPClient(client),
			connection.WithRetry(connection.Retry{Max: 2}), connection.WithAuth(auth.Basic("u", secrets.Static("p"))))
		_ = request.Get(conn, "/moved").Exec(t.Context())
		_ = request.Get(conn, "/busy").Exec(t.Context())
		_ = conn.Close()
		if client.CheckRedirect != nil || client.Transport != was.Transport || client.Jar != was.Jar ||
			client.Timeout != was.Timeout {
			t.Errorf("the client has changed: %+v", client)
		}
		if got := exportedFields(lent.Transport); got != fields {
			t.Errorf("the transport was\n%s\nand is\n%s", fields, got)
		}
		if got := lent.closed.Load(); got != 0 {
			t.Errorf("the idle connections were closed %d times", got)
		}
		if got := s.Conns(); got != 1 || s.OpenConns() != 1 {
			t.Errorf("there were %d connections, %d are open", got, s.OpenConns())
		}
		if resp, err = client.Get(s.URL); err != nil {
			t.Fatalf("the client is of no use any more: %v", err)
		}
		_ = resp.Body.Close()
		if got := s.Requests()[len(s.Requests())-1].Header; got.Get("Authorization") != "" || got.Get("Cookie") != "a=b" {
			t.Errorf("the client sent %v", got)
		}
	})
}

// exportedFields prints the settings of a transport; functions and pointers by their addresses.
func exportedFields(tr *http.Transport) string {
	var b strings.Builder
	v := reflect.ValueOf(tr).Elem()
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() {
			fmt.Fprintf(&b, "%s: %v\n", f.Name, v.Field(i).Interface())
		}
	}
	return b.String()
}

func TestKeepAliveThatEnds(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]struct {
		requests int
		ok       bool
	}{
		http.MethodGet:  {requests: 3, ok: true},
		http.MethodPost: {requests: 2, ok: false},
	} {
		t.Run("J7 the server drops a kept connection under a "+method, func(t *testing.T) {
			t.Parallel()
			s := connectiontest.NewNetwork(t).ServeRaw("http://127.0.0.1:8080", dropSecond(new(atomic.Int64)))
			conn := opened(t, s)
			if err := request.Get(conn, "/first").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			b := request.New(conn, method, "/second")
			if method == http.MethodPost {
				b = b.Text("body")
			}
			full, err := request.Full[string](t.Context(), b)
			if (err == nil) != want.ok {
				t.Errorf("the error is %v", err)
			}
			if err == nil && full.Attempts != 1 {
				t.Errorf("there were %d attempts, want 1", full.Attempts)
			}
			if got := len(s.Requests()); got != want.requests {
				t.Errorf("the server read %d requests, want %d", got, want.requests)
			}
		})
	}
}

// dropSecond answers every request but the second one, under which it closes the connection.
func dropSecond(read *atomic.Int64) func(net.Conn) {
	return func(conn net.Conn) {
		r := bufio.NewReader(conn)
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			if read.Add(1) == 2 {
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")
		}
	}
}

func TestManyConnections(t *testing.T) { //nolint:paralleltest // it counts goroutines
	before := runtime.NumGoroutine()
	for range 10_000 {
		conn, err := connection.New("https://api.example.test",
			connection.WithAuth(auth.Bearer(auth.Static(secrets.Static("t")))),
			connection.WithRetry(connection.Retry{Max: 3, Wait: connection.Exponential()}))
		if err != nil {
			t.Fatal(err)
		}
		if derived, err := conn.With(connection.WithMaxRedirects(1)); err != nil || derived.Close() != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("J10 10,000 connections made and closed leave %d goroutines", after-before)
	}
}

// tcpServer is a server on a real socket, and the number of connections that were opened to it and are open.
type tcpServer struct {
	*httptest.Server

	all, open atomic.Int64
}

func newTCPServer(t *testing.T, h http.Handler) *tcpServer {
	t.Helper()
	s := &tcpServer{Server: httptest.NewUnstartedServer(h)}
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.all.Add(1)
			s.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			s.open.Add(-1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// wait waits until so many connections are open.
func (s *tcpServer) wait(t *testing.T, want int64) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Second); s.open.Load() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are open, want %d", s.open.Load(), want)
		}
	}
}

func TestDerivedConnectionsSharePool(t *testing.T) {
	t.Parallel()
	t.Run("J5 a derived connection shares the pool, and each is closed on its own", func(t *testing.T) {
		t.Parallel()
		s := newTCPServer(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		base := connect(t, s.URL)
		var derived [2]*connection.Connection
		var err error
		for i := range derived {
			if derived[i], err = base.With(connection.WithHeader("X-Tenant", strconv.Itoa(i))); err != nil {
				t.Fatal(err)
			}
		}
		ask := func(conn *connection.Connection) error { return request.Get(conn, "/").Exec(t.Context()) }
		for _, conn := range []*connection.Connection{base, derived[0], derived[1], base} {
			if err := ask(conn); err != nil {
				t.Fatal(err)
			}
		}
		_ = derived[0].Close()
		if err := ask(derived[0]); !errors.Is(err, connection.ErrClosed) {
			t.Errorf("the closed one says %v", err)
		}
		if err := ask(base); err != nil || s.all.Load() != 1 {
			t.Errorf("%v; there were %d connections, want 1", err, s.all.Load())
		}
		_ = base.Close()
		s.wait(t, 0)
		if err := ask(derived[1]); err != nil {
			t.Errorf("the one that is left says %v", err)
		}
		s.wait(t, 1)
		_ = derived[1].Close()
		s.wait(t, 0)
	})
}

func TestPoolUnderLoad(t *testing.T) {
	t.Parallel()
	const callers, calls = 256, 10_000
	const most = 1_000 // it takes 300 alone and some more beside other tests; net/http by itself takes thousands
	s := newTCPServer(t, connectiontest.JSON(http.StatusOK, map[string]int{"id": 1}))
	conn := connect(t, s.URL)
	var left atomic.Int64
	left.Store(calls)
	var calling sync.WaitGroup
	for range callers {
		calling.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := request.Do[map[string]int](t.Context(), request.Get(conn, "/x")); err != nil {
					t.Errorf("a call failed: %v", err)
					return
				}
			}
		})
	}
	calling.Wait()
	if got := s.all.Load(); got > most {
		t.Errorf("J1 %d calls of %d goroutines took %d connections, want %d at most", calls, callers, got, most)
	}
	_ = conn.Close()
	s.wait(t, 0)
}
