package connection_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
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

// rotating is an identity that changes.
type rotating struct {
	current atomic.Pointer[tls.Certificate]
}

func (r *rotating) Identity(context.Context) (*tls.Certificate, error) { return r.current.Load(), nil }

// shownBy is a server that remembers which client certificate each connection has shown.
type shownBy struct {
	mu    sync.Mutex
	names []string // one for each request
}

func (s *shownBy) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		name := ""
		if req.TLS != nil && len(req.TLS.PeerCertificates) > 0 {
			name = req.TLS.PeerCertificates[0].DNSNames[0]
		}
		s.mu.Lock()
		s.names = append(s.names, name)
		s.mu.Unlock()
		next.ServeHTTP(w, req)
	})
}

func (s *shownBy) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.names...)
}

func TestIdentitySwap(t *testing.T) {
	t.Parallel()
	for name, offers := range map[string][]string{"HTTP/1.1": {"http/1.1"}, "HTTP/2": {"h2"}} {
		inBubble(t, "B3 J5 a stream on the old certificate ends by itself, and its connection with it, "+name,
			func(t *testing.T) { testStreamOverSwap(t, offers) })
		inBubble(t, "B3 J5 what is dialled for the old certificate during the swap is closed after use, "+name,
			func(t *testing.T) { testDialOverSwap(t, offers) })
	}
}

// testStreamOverSwap has a stream open while the certificate changes.
func testStreamOverSwap(t *testing.T, offers []string) {
	t.Helper()
	n := connectiontest.NewNetwork(t)
	release := make(chan struct{})
	var shown shownBy
	s := n.ServeTLS("https://api.example.test", shown.handler(released(release)),
		&tls.Config{ClientAuth: tls.RequireAnyClientCert, NextProtos: offers})
	var identity rotating
	first, second := n.Certificate("first.test"), n.Certificate("second.test")
	identity.current.Store(&first)
	conn := connect(t, s.URL, n.Option(), connection.WithClientCertificate(&identity),
		connection.WithReloadInterval(time.Second))
	resp, err := request.Get(conn, "/slow").Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	identity.current.Store(&second)
	time.Sleep(2 * time.Second)
	if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
		t.Error(err)
	}
	if got := shown.all(); len(got) != 2 || got[0] != "first.test" || got[1] != "second.test" {
		t.Errorf("the certificates were %q", got)
	}
	wantOpen(t, s, 2)
	close(release)
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "ab" {
		t.Errorf("the stream ended with %q, %v", body, err)
	}
	_ = resp.Body.Close()
	wantOpen(t, s, 1)
}

// testDialOverSwap has a dial under way while the certificate changes.
func testDialOverSwap(t *testing.T, offers []string) {
	t.Helper()
	n := connectiontest.NewNetwork(t)
	s := n.ServeTLS("https://api.example.test", connectiontest.Status(http.StatusOK),
		&tls.Config{ClientAuth: tls.RequireAnyClientCert, NextProtos: offers})
	var identity rotating
	first, second := n.Certificate("first.test"), n.Certificate("second.test")
	identity.current.Store(&first)
	var dials atomic.Int64
	slow := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials.Add(1) == 1 {
			if err := sleep(ctx, 10*time.Second); err != nil {
				return nil, err
			}
		}
		return n.Dial(ctx, network, addr)
	}
	conn := connect(t, s.URL, n.Option(), connection.WithDialContext(slow), connection.WithClientCertificate(&identity),
		connection.WithReloadInterval(time.Second))
	var late sync.WaitGroup
	late.Go(func() {
		if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
			t.Error(err)
		}
	})
	time.Sleep(2 * time.Second)
	identity.current.Store(&second)
	if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
		t.Error(err)
	}
	late.Wait()
	wantOpen(t, s, 1)
}

func TestCloseWithTrafficUnderWay(t *testing.T) {
	t.Parallel()
	bothVersions(t, "J5 after Close the connections end with the requests on them",
		func(t *testing.T, serve func(http.Handler) *connectiontest.Server) {
			release := make(chan struct{})
			s := serve(released(release))
			conn := connect(t, s.URL, s.Network().Option())
			resp, err := request.Get(conn, "/slow").Stream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			wantOpen(t, s, 1)
			close(release)
			if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "ab" {
				t.Errorf("the stream ended with %q, %v", body, err)
			}
			_ = resp.Body.Close()
			wantOpen(t, s, 0)
		})
	bothVersions(t, "J5 a retry after Close leaves no connection either",
		func(t *testing.T, serve func(http.Handler) *connectiontest.Server) {
			s := serve(connectiontest.Sequence(
				connectiontest.Status(http.StatusServiceUnavailable), connectiontest.Status(http.StatusOK)))
			conn := connect(t, s.URL, s.Network().Option(),
				connection.WithRetry(connection.Retry{Max: 1, Wait: connection.Constant(10 * time.Second)}))
			var calling sync.WaitGroup
			calling.Go(func() {
				if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(5 * time.Second)
			_ = conn.Close()
			calling.Wait()
			wantOpen(t, s, 0)
		})
	bothVersions(t, "J5 while a derived connection is open, its idle ones are kept",
		func(t *testing.T, serve func(http.Handler) *connectiontest.Server) {
			s := serve(connectiontest.Status(http.StatusOK))
			base := connect(t, s.URL, s.Network().Option())
			derived, err := base.With(connection.WithHeader("X-Tenant", "a"))
			if err != nil {
				t.Fatal(err)
			}
			_ = base.Close()
			for range 5 {
				if err := request.Get(derived, "/").Exec(t.Context()); err != nil {
					t.Error(err)
				}
				wantOpen(t, s, 1)
			}
			if got := s.Conns(); got != 1 {
				t.Errorf("there were %d connections", got)
			}
			_ = derived.Close()
			wantOpen(t, s, 0)
		})
	bothVersions(t, "J5 64 goroutines send and close at once", testCloseFromMany)
}

// testCloseFromMany closes a connection from 64 goroutines that send requests.
func testCloseFromMany(t *testing.T, serve func(http.Handler) *connectiontest.Server) {
	t.Helper()
	const callers = 64
	s := serve(connectiontest.Status(http.StatusOK).Delay(time.Millisecond))
	conn := connect(t, s.URL, s.Network().Option(), connection.WithMaxConnLifetime(20*time.Millisecond))
	var calling sync.WaitGroup
	for i := range callers {
		calling.Go(func() {
			for round := 0; ; round++ {
				err := request.Get(conn, "/").Exec(t.Context())
				if errors.Is(err, connection.ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("a request failed: %v", err)
					return
				}
				if round == 50+i { // the first ones close while the others send
					_, _ = conn.Close(), conn.Close()
				}
			}
		})
	}
	calling.Wait()
	wantOpen(t, s, 0)
}

// detached is an authenticator whose one token call belongs to no request, though the first one has begun it.
type detached struct {
	url    string
	client *http.Client
	begin  sync.Once
	done   chan struct{}
	err    error
}

func (d *detached) Bind(host auth.Host) (auth.Authenticator, error) {
	return &detached{url: d.url, client: host.Client, done: make(chan struct{})}, nil
}

func (d *detached) Authenticate(req *http.Request) error {
	d.begin.Do(func() {
		call, err := http.NewRequestWithContext(context.WithoutCancel(req.Context()), http.MethodPost, d.url, http.NoBody)
		if err != nil {
			d.err = err
			close(d.done)
			return
		}
		go func() {
			defer close(d.done)
			resp, err := d.client.Do(call)
			if d.err = err; err == nil {
				_ = resp.Body.Close()
			}
		}()
	})
	select {
	case <-d.done:
		return d.err
	case <-req.Context().Done():
		return req.Context().Err()
	}
}

// A token call goes on when the request that has begun it is gone, however long its dial takes.
func TestTokenDialOutlivesRequest(t *testing.T) {
	t.Parallel()
	inBubble(t, "J3 the dial of a token call is not given up with a request", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		api := n.Serve("https://api.example.test", connectiontest.Status(http.StatusOK))
		token := n.Serve("https://id.example.test", connectiontest.Status(http.StatusOK))
		slow := func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "id.example.test:443" {
				if err := sleep(ctx, 5*time.Second); err != nil {
					return nil, err
				}
			}
			return n.Dial(ctx, network, addr)
		}
		conn := connect(t, api.URL, n.Option(), connection.WithDialContext(slow),
			connection.WithAuth(&detached{url: token.URL}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := request.Get(conn, "/").Exec(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v", err)
		}
		time.Sleep(5 * time.Second)
		if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
			t.Error(err)
		}
		if got := token.Conns(); got != 1 || len(token.Requests()) != 1 {
			t.Errorf("there were %d connections and %d token requests, want one", got, len(token.Requests()))
		}
	})
}

// What a connection costs that nothing was sent on yet.
func TestNewTakesLittle(t *testing.T) { //nolint:paralleltest // it looks at the memory of the process
	const many = 10_000
	const most = 8 << 10 // bytes
	memory := func() (all, live uint64) {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.TotalAlloc, m.HeapAlloc
	}
	conns := make([]*connection.Connection, many)
	goroutines := runtime.NumGoroutine()
	all, live := memory()
	began := time.Now()
	for i := range conns {
		conn, err := connection.New("https://api.example.test",
			connection.WithAuth(auth.Bearer(auth.Static(secrets.Static("t")))))
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = conn
	}
	took := time.Since(began)
	allAfter, liveAfter := memory()
	kept := (liveAfter - live) / many
	t.Logf("New allocates %d bytes in %v, and keeps %d", (allAfter-all)/many, took/many, kept)
	if got := runtime.NumGoroutine() - goroutines; got > 0 {
		t.Errorf("J10 %d open connections take %d goroutines", many, got)
	}
	if kept > most && !underRace() {
		t.Errorf("J10 an open connection takes %d bytes, want %d at most", kept, most)
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
}
