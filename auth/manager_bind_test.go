package auth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// guarded is a service that lets in whoever has one of its tokens, as the header says.
type guarded struct {
	header string // default Authorization
	status int    // of a rejection, default 401
	hint   string // of a rejection, WWW-Authenticate
	least  atomic.Int64
	delay  func() time.Duration
}

func (g *guarded) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if g.delay != nil {
		time.Sleep(g.delay())
	}
	header := g.header
	if header == "" {
		header = "Authorization"
	}
	var n int64
	_, _ = fmt.Sscanf(strings.TrimPrefix(req.Header.Get(header), "Bearer "), "t%d", &n)
	if n == 0 || n < g.least.Load() {
		if g.hint != "" {
			w.Header().Set("WWW-Authenticate", g.hint)
		}
		status := g.status
		if status == 0 {
			status = 401
		}
		w.WriteHeader(status)
		return
	}
	w.WriteHeader(204)
}

// connect opens a connection to srv, which is closed at the end of the test.
func connect(t *testing.T, srv *connectiontest.Server, opts ...connection.Option) *connection.Connection {
	t.Helper()
	conn, err := connection.New(srv.URL, append(opts, srv.Network().Option())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// bearer has a connection authenticate with tokens of src.
func bearer(src auth.TokenSource, opts ...auth.BearerOption) connection.Option {
	return connection.WithAuth(auth.Bearer(src, opts...))
}

// status sends a GET and returns the status of the answer; 0 if it failed otherwise.
func status(ctx context.Context, conn *connection.Connection) (int, error) {
	err := request.Get(conn, "/x").Exec(ctx)
	if e, ok := errors.AsType[*request.ResponseError](err); ok {
		return e.Status, err
	}
	if err != nil {
		return 0, err
	}
	return 204, nil
}

func TestManagerBearer(t *testing.T) {
	t.Parallel()
	for name, method := range map[string]func(conn *connection.Connection) request.Builder{
		"GET":  func(conn *connection.Connection) request.Builder { return request.Get(conn, "/x") },
		"POST": func(conn *connection.Connection) request.Builder { return request.Post(conn, "/x").JSON([]int{1}) },
	} {
		bubble(t, "T4 E5 500 concurrent requests and one revocation, "+name, func(t *testing.T) {
			service := &guarded{delay: func() time.Duration { return 5*time.Millisecond + rand.N(195*time.Millisecond) }}
			srv := connectiontest.NewServer(t, service)
			g := &counter{lifetime: time.Hour, latency: 50 * time.Millisecond}
			m := manage(t, g)
			conn := connect(t, srv, bearer(m))
			if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			for range 500 {
				all.Go(func() {
					time.Sleep(rand.N(300 * time.Millisecond))
					if err := method(conn).Exec(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			time.Sleep(150 * time.Millisecond)
			service.least.Store(2)
			all.Wait()
			g.called(t, 2)
			if n := len(srv.Requests()); n < 502 {
				t.Errorf("%d requests: nobody was rejected", n)
			}
		})
	}
	bubble(t, "E6 a rejection of the new token as well is the answer", func(t *testing.T) {
		service := &guarded{}
		service.least.Store(1 << 40)
		srv := connectiontest.NewServer(t, service)
		g := &counter{lifetime: time.Hour}
		conn := connect(t, srv, bearer(manage(t, g)))
		for range 20 {
			if code, err := status(t.Context(), conn); code != 401 {
				t.Errorf("status %d, %v", code, err)
			}
			time.Sleep(time.Second)
		}
		g.called(t, 2)
		if n := len(srv.Requests()); n != 2+19 {
			t.Errorf("%d requests", n)
		}
	})
	bubble(t, "E6 a token that cannot be renewed keeps the 401", func(t *testing.T) {
		service := &guarded{}
		service.least.Store(7)
		srv := connectiontest.NewServer(t, service)
		g := auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) { return token("t1"), nil })
		conn := connect(t, srv, bearer(manage(t, g)))
		for range 3 {
			if code, err := status(t.Context(), conn); code != 401 || !errors.Is(err, request.Status(401)) {
				t.Errorf("status %d, %v", code, err)
			}
		}
	})
	for name, c := range map[string]struct {
		service *guarded
		opts    []auth.BearerOption
		code    int
		calls   int64
	}{
		"N RejectedBy":                      {&guarded{status: 403}, []auth.BearerOption{auth.RejectedBy(401, 403)}, 204, 2},
		"N a 403 without RejectedBy":        {&guarded{status: 403}, nil, 403, 1},
		"N a 401 without it in RejectedBy":  {&guarded{}, []auth.BearerOption{auth.RejectedBy(403)}, 401, 1},
		"N a 401 of any text":               {&guarded{hint: `Bearer error="invalid_token"`}, nil, 204, 2},
		"N insufficient_scope never renews": {&guarded{hint: `Bearer error="insufficient_scope"`}, nil, 401, 1},
		"N insufficient_scope and RejectedBy": {
			&guarded{status: 403, hint: `Bearer realm="x", error="insufficient_scope"`},
			[]auth.BearerOption{auth.RejectedBy(403)}, 403, 1,
		},
		"N another header": {&guarded{header: "X-Token"}, []auth.BearerOption{auth.InHeader("X-Token")}, 204, 2},
	} {
		bubble(t, name, func(t *testing.T) {
			c.service.least.Store(2)
			srv := connectiontest.NewServer(t, c.service)
			g := &counter{lifetime: time.Hour}
			conn := connect(t, srv, bearer(manage(t, g), c.opts...))
			if code, err := status(t.Context(), conn); code != c.code {
				t.Errorf("status %d, %v", code, err)
			}
			g.called(t, c.calls)
		})
	}
}

func TestManagerTokenFunc(t *testing.T) {
	t.Parallel()
	write := func(req *http.Request, t *auth.Token) error {
		req.Header.Set("X-Session", t.Value.Reveal())
		return nil
	}
	for name, c := range map[string]struct {
		service *guarded
		code    int
		calls   int64
	}{
		"N a 401 renews":   {&guarded{header: "X-Session"}, 204, 2},
		"N a 403 does not": {&guarded{header: "X-Session", status: 403}, 403, 1},
		"N insufficient_scope never renews": {
			&guarded{header: "X-Session", hint: `Bearer error="insufficient_scope"`}, 401, 1,
		},
	} {
		bubble(t, name, func(t *testing.T) {
			c.service.least.Store(2)
			srv := connectiontest.NewServer(t, c.service)
			g := &counter{lifetime: time.Hour}
			conn := connect(t, srv, connection.WithAuth(auth.TokenFunc(manage(t, g), write)))
			if code, err := status(t.Context(), conn); code != c.code {
				t.Errorf("status %d, %v", code, err)
			}
			g.called(t, c.calls)
		})
	}
	bubble(t, "T4 N 500 concurrent requests and one revocation", func(t *testing.T) {
		service := &guarded{header: "X-Session", delay: func() time.Duration { return rand.N(200 * time.Millisecond) }}
		srv := connectiontest.NewServer(t, service)
		g := &counter{lifetime: time.Hour, latency: 50 * time.Millisecond}
		conn := connect(t, srv, connection.WithAuth(auth.TokenFunc(manage(t, g), write)))
		if code, err := status(t.Context(), conn); code != 204 {
			t.Fatal(err)
		}
		service.least.Store(2)
		var all sync.WaitGroup
		for range 500 {
			all.Go(func() {
				if code, err := status(t.Context(), conn); code != 204 {
					t.Error(err)
				}
			})
		}
		all.Wait()
		g.called(t, 2)
	})
	bubble(t, "E6 a token that cannot be renewed keeps the 401", func(t *testing.T) {
		service := &guarded{header: "X-Session"}
		service.least.Store(7)
		srv := connectiontest.NewServer(t, service)
		conn := connect(t, srv, connection.WithAuth(auth.TokenFunc(auth.Static(secrets.Static("t1")), write)))
		if code, err := status(t.Context(), conn); code != 401 {
			t.Errorf("status %d, %v", code, err)
		}
	})
}

// binding is a grant that tells what it was bound to.
type binding struct {
	*counter

	closed *atomic.Int64
}

func (b binding) BindGrant(auth.Host) (auth.Grant, error) { return b, nil }

func (b binding) Close() error {
	b.closed.Add(1)
	return nil
}

func TestManagerConnections(t *testing.T) {
	t.Parallel()
	bubble(t, "N two connections share one manager", func(t *testing.T) {
		srv := connectiontest.NewServer(t, &guarded{})
		g := binding{&counter{lifetime: time.Hour, latency: latency}, new(atomic.Int64)}
		m := manage(t, g)
		one, two := connect(t, srv, bearer(m)), connect(t, srv, bearer(m))
		var all sync.WaitGroup
		for _, conn := range []*connection.Connection{one, two, one, two} {
			all.Go(func() {
				if code, err := status(t.Context(), conn); code != 204 {
					t.Error(err)
				}
			})
		}
		all.Wait()
		g.called(t, 1)
		_ = one.Close()
		if code, err := status(t.Context(), two); code != 204 {
			t.Error(err)
		}
		time.Sleep(2 * time.Hour)
		if code, err := status(t.Context(), two); code != 204 {
			t.Error(err)
		}
		g.called(t, 2)
		_ = two.Close()
		if n := g.closed.Load(); n != 2 {
			t.Errorf("%d bindings were closed", n)
		}
		expect(t, m, "t2") // the manager is still open
	})
	bubble(t, "N one connection is closed while it renews for both", func(t *testing.T) {
		srv := connectiontest.NewServer(t, &guarded{})
		g := &counter{lifetime: time.Hour, latency: time.Second}
		m := manage(t, g)
		one, two := connect(t, srv, bearer(m)), connect(t, srv, bearer(m))
		answers := make(chan int, 2)
		for _, conn := range []*connection.Connection{one, two} {
			go func() {
				code, _ := status(t.Context(), conn)
				answers <- code
			}()
			synctest.Wait()
		}
		_ = one.Close()
		if a, b := <-answers, <-answers; a != 204 && b != 204 {
			t.Errorf("statuses %d and %d", a, b)
		}
		g.called(t, 1)
	})
	bubble(t, "N the last connection ends what goes on in the background", func(t *testing.T) {
		srv := connectiontest.NewServer(t, &guarded{})
		g := &counter{lifetime: time.Hour}
		m := auth.Manage(g) // and is never closed: goleak sees what is left
		conn := connect(t, srv, bearer(m))
		if code, err := status(t.Context(), conn); code != 204 {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Minute)
		g.latency = 20 * time.Second
		_, _ = status(t.Context(), conn)
		synctest.Wait()
		began := time.Now()
		if err := conn.Close(); err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		g.called(t, 2)
		g.latency = 0
		time.Sleep(time.Second)
		conn = connect(t, srv, bearer(m)) // and the next one is not held up by it
		if code, err := status(t.Context(), conn); code != 204 {
			t.Error(err)
		}
		synctest.Wait()
		g.called(t, 3)
	})
	bubble(t, "E18 the last connection waits for what uses up a refresh token", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Status(204))
		s, store := &strict{lifetime: time.Hour, latency: 10 * time.Second}, tokenstore.NewMemory()
		conn := connect(t, srv, bearer(auth.Manage(s, auth.KeepIn(store, "x"), first())))
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = status(t.Context(), conn)
		}()
		time.Sleep(time.Second)
		began := time.Now()
		if err := conn.Close(); err != nil || time.Since(began) != 9*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		<-done
		if tok, _ := stored(t, store, theKey); tok.Refresh != "r1" {
			t.Errorf("the store has %v", tok)
		}
	})
	bubble(t, "E18 callers of a closed connection start nothing", func(t *testing.T) {
		g := &counter{lifetime: time.Hour, latency: time.Second}
		m := manage(t, g)
		b, err := m.BindSource(auth.Host{})
		if err != nil {
			t.Fatal(err)
		}
		waiting := make(chan []answer)
		go func() { waiting <- crowd(t.Context(), b, 100, auth.Want{}) }()
		time.Sleep(100 * time.Millisecond)
		_ = b.(interface{ Close() error }).Close()
		for _, a := range <-waiting {
			if !errors.Is(a.err, auth.ErrClosed) || a.took != 100*time.Millisecond {
				t.Errorf("%v after %v", a.err, a.took)
			}
		}
		refuse(t, b, auth.Want{}, auth.ErrClosed)
		g.called(t, 1)
		expect(t, m, "t2")
	})
	bubble(t, "M6 the next connection goes on saving what the last could not", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour}, newFlaky()
		m := manage(t, s, auth.KeepIn(store, "x"), first())
		b, _ := m.BindSource(auth.Host{})
		store.set(nil, nil, errors.New("down"))
		expect(t, b, "a1")
		_ = b.(interface{ Close() error }).Close()
		store.set(nil, nil, nil)
		time.Sleep(time.Hour / 2)
		if _, version := stored(t, store, theKey); version != 0 {
			t.Error("something goes on after the last connection")
		}
		if _, err := m.BindSource(auth.Host{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if tok, _ := stored(t, store, theKey); tok.Refresh != "r1" {
			t.Errorf("the store has %v", tok)
		}
	})
	bubble(t, "N a manager for one call", func(t *testing.T) {
		service := &guarded{}
		srv := connectiontest.NewServer(t, service)
		g := binding{&counter{lifetime: time.Hour}, new(atomic.Int64)}
		m := manage(t, g)
		conn := connect(t, srv)
		call := func() error { return request.Get(conn, "/x").Auth(auth.Bearer(m)).Exec(t.Context()) }
		for range 10 {
			if err := call(); err != nil {
				t.Error(err)
			}
		}
		g.called(t, 1)
		service.least.Store(2)
		if err := call(); err != nil {
			t.Error(err)
		}
		g.called(t, 2)
		time.Sleep(50 * time.Minute) // what the call begins in the background outlives it
		g.latency = time.Second
		if err := call(); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		expect(t, m, "t3")
		if n := g.closed.Load(); n != 12 {
			t.Errorf("%d bindings were closed", n)
		}
	})
	bubble(t, "S47 the log of a connection", func(t *testing.T) {
		srv := connectiontest.NewServer(t, &guarded{})
		var records bytes.Buffer
		g := &counter{fail: func(int64) error { return fmt.Errorf("two\nlines: %w", busyError(time.Second)) }}
		conn := connect(t, srv, bearer(manage(t, g)), connection.WithLogger(slog.New(slog.NewTextHandler(&records, nil))))
		if _, err := status(t.Context(), conn); err == nil {
			t.Error("there was no error")
		}
		if text := records.String(); !strings.Contains(text, "token renewal failed") || strings.Count(text, "renewal") != 1 {
			t.Errorf("the log is %s", text)
		}
	})
}
