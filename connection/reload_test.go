package connection_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// rotation is a server that notes the client certificates, and a connection whose one comes from a source.
type rotation struct {
	t      *testing.T
	server *connectiontest.Server
	peers  *peers
	source *materialSource
	one    tls.Certificate
	two    tls.Certificate
	log    *collector
	conn   *connection.Connection
}

func rotate(t *testing.T, protocol string, opts ...connection.Option) *rotation {
	t.Helper()
	n := connectiontest.NewNetwork(t)
	clients := newIssuer(t, "clients")
	r := &rotation{t: t, peers: new(peers), one: clients.subject("one"), two: clients.subject("two"), log: new(collector)}
	r.source = &materialSource{cert: &r.one}
	r.server = n.ServeTLS(apiOrigin, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/stream" {
			_, _ = io.WriteString(w, "a")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(10 * time.Minute)
			_, _ = io.WriteString(w, "b")
			return
		}
		r.peers.ServeHTTP(w, req)
	}), asks(shows(n.Certificate("api.example.test"), protocol)))
	opts = append([]connection.Option{
		connection.WithClientCertificate(r.source), connection.WithLogger(slog.New(r.log)),
	}, opts...)
	r.conn = connectTo(t, r.server, opts...)
	return r
}

func (r *rotation) get() {
	r.t.Helper()
	if err := request.Get(r.conn, "/x").Exec(r.t.Context()); err != nil {
		r.t.Error(err)
	}
}

func (r *rotation) called(want int) {
	r.t.Helper()
	if got := r.source.called(); got != want {
		r.t.Errorf("after %v the source was asked %d times, want %d", time.Now(), got, want)
	}
}

func (r *rotation) use(cert *tls.Certificate) {
	r.source.set(func(s *materialSource) { s.cert = cert })
}

func (r *rotation) failing(f func(ctx context.Context) error) {
	r.source.set(func(s *materialSource) { s.fail = f })
}

// open checks how many connections the server has open.
func (r *rotation) open(want int) {
	r.t.Helper()
	synctest.Wait()
	if got := r.server.OpenConns(); got != want {
		r.t.Errorf("%d connections are open, want %d", got, want)
	}
}

var protocols = []string{"http/1.1", "h2"}

func TestReloadIdentity(t *testing.T) {
	t.Parallel()
	for _, protocol := range protocols {
		bubble(t, "B3 a new certificate is shown from the first request on that is due, "+protocol, func(t *testing.T) {
			r := rotate(t, protocol)
			r.get()
			r.use(&r.two)
			time.Sleep(time.Minute - 1)
			r.get()
			r.called(1)
			conns(t, r.server, 1)
			time.Sleep(time.Nanosecond)
			r.get()
			r.called(2)
			conns(t, r.server, 2)
			same(t, "the server", r.peers.seen(), "one", "one", "two")
			r.open(1)
			if d := r.conn.Describe(); !strings.HasPrefix(d.Pool.Certificate, "CN=two,") {
				t.Errorf("identity %q", d.Pool.Certificate)
			}
			r.use(&r.one)
			time.Sleep(time.Minute)
			r.get()
			conns(t, r.server, 3)
			same(t, "the server", r.peers.seen(), "one", "one", "two", "one")
			wantWarnings(t, r.log, 0)
		})
		bubble(t, "B3 a stream on an old connection goes on to its end, "+protocol, func(t *testing.T) {
			r := rotate(t, protocol, limits(connection.Timeouts{Idle: time.Hour}))
			resp, err := request.Get(r.conn, "/stream").Stream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r.use(&r.two)
			time.Sleep(time.Minute)
			r.get()
			r.open(2)
			same(t, "the server", r.peers.seen(), "two")
			if body, err := io.ReadAll(resp.Body); string(body) != "ab" || err != nil {
				t.Errorf("the stream is %q, %v", body, err)
			}
			_ = resp.Body.Close()
			if protocol == "h2" {
				time.Sleep(90 * time.Second)
			} else {
				r.get()
			}
			r.open(map[string]int{"h2": 0, "http/1.1": 1}[protocol])
			r.get()
			if got := r.peers.seen(); slices.Contains(got, "one") {
				t.Errorf("the old certificate was shown again: %q", got)
			}
		})
		bubble(t, "B3 what is equal changes nothing, "+protocol, func(t *testing.T) {
			r := rotate(t, protocol)
			for i := range 4 {
				r.get()
				r.called(1 + i)
				again := tls.Certificate{Certificate: slices.Clone(r.one.Certificate), PrivateKey: r.one.PrivateKey}
				r.use(&again)
				time.Sleep(time.Minute)
			}
			conns(t, r.server, 1)
		})
	}
}

func TestReloadTiming(t *testing.T) {
	t.Parallel()
	bubble(t, "B3 the source is asked as often as is said, and only where there are requests", func(t *testing.T) {
		const every = 7*time.Minute + 3*time.Second
		r := rotate(t, "http/1.1", connection.WithReloadInterval(every))
		r.called(1)
		time.Sleep(every - 1)
		r.get()
		r.called(1)
		time.Sleep(time.Nanosecond)
		r.get()
		r.get()
		r.called(2)
		time.Sleep(every - 1)
		r.get()
		r.called(2)
		time.Sleep(10 * every)
		r.called(2)
		r.get()
		r.called(3)
		time.Sleep(every - 1)
		r.get()
		r.called(3)
	})
	bubble(t, "B3 NoTimeout is never, also where connections grow old", func(t *testing.T) {
		for _, opts := range [][]connection.Option{
			{connection.WithReloadInterval(connection.NoTimeout)},
			{connection.WithReloadInterval(connection.NoTimeout), connection.WithMaxConnLifetime(time.Minute)},
		} {
			r := rotate(t, "http/1.1", opts...)
			r.use(&r.two)
			for range 100 {
				r.get()
				time.Sleep(24 * time.Hour)
			}
			r.called(1)
		}
	})
	bubble(t, "B3 connections that grow old do not have the source asked more often", func(t *testing.T) {
		r := rotate(t, "http/1.1", connection.WithReloadInterval(time.Hour), connection.WithMaxConnLifetime(time.Minute))
		for range 60 {
			r.get()
			r.called(1)
			time.Sleep(time.Minute)
		}
		r.get()
		r.called(2)
		conns(t, r.server, 61)
	})
	bubble(t, "B3 a lifetime without an end is none", func(t *testing.T) {
		r := rotate(t, "http/1.1", connection.WithMaxConnLifetime(connection.NoTimeout))
		for range 5 {
			r.get()
			time.Sleep(time.Minute)
		}
		conns(t, r.server, 1)
	})
	t.Run("B3 a time that is not positive is an error", func(t *testing.T) {
		t.Parallel()
		for _, every := range []time.Duration{0, -1} {
			_, err := connection.New(apiOrigin, connection.WithReloadInterval(every))
			wantOption(t, err, "WithReloadInterval")
		}
	})
}

func TestReloadFails(t *testing.T) {
	t.Parallel()
	release := func(r *rotation) { r.failing(nil) }
	hung := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	deaf := func(context.Context) error {
		time.Sleep(45 * time.Second)
		return errors.New("no")
	}
	for name, c := range map[string]struct {
		fail  func(ctx context.Context) error
		waits time.Duration
		text  string
	}{
		"fails":                  {func(context.Context) error { return errors.New("the vault is sealed") }, 0, "sealed"},
		"panics":                 {func(context.Context) error { panic(canary) }, 0, "panic"},
		"ends its goroutine":     {func(context.Context) error { runtime.Goexit(); return nil }, 0, "Goexit"},
		"waits for its context":  {hung, 5 * time.Second, "5s"},
		"does not heed anything": {deaf, 5 * time.Second, "5s"},
	} {
		bubble(t, "B3 a source that "+name+" leaves what was there", func(t *testing.T) {
			r := rotate(t, "http/1.1")
			r.get()
			r.failing(c.fail)
			r.use(&r.two)
			time.Sleep(time.Minute)
			began := time.Now()
			r.get()
			passed(t, began, c.waits)
			for range 3 {
				r.get()
			}
			passed(t, began, c.waits)
			same(t, "the server", slices.Compact(r.peers.seen()), "one")
			wantWarnings(t, r.log, 1)
			d := r.conn.Describe()
			if !strings.Contains(d.Pool.ReloadError, c.text) || !strings.Contains(d.String(), "reload failed: ") ||
				strings.Contains(d.Pool.ReloadError, canary) {
				t.Errorf("Reload is %q", d.Pool.ReloadError)
			}
			if !strings.HasPrefix(d.Pool.Certificate, "CN=one,") {
				t.Errorf("identity %q", d.Pool.Certificate)
			}
			if c.waits == 0 {
				time.Sleep(time.Minute)
				r.get()
				wantWarnings(t, r.log, 1)
			}
			release(r)
			time.Sleep(2 * time.Minute)
			r.get()
			if d := r.conn.Describe(); d.Pool.ReloadError != "" || !strings.HasPrefix(d.Pool.Certificate, "CN=two,") {
				t.Errorf("after the recovery Reload is %q, identity %q", d.Pool.ReloadError, d.Pool.Certificate)
			}
			if got := r.peers.seen(); got[len(got)-1] != "two" {
				t.Errorf("the server has seen %q", got)
			}
			if r.source.most != 1 {
				t.Errorf("the source was called %d times at once", r.source.most)
			}
		})
	}
	bubble(t, "B3 a source that hangs is waited for once, whatever the lifetime of connections", func(t *testing.T) {
		r := rotate(t, "http/1.1", connection.WithMaxConnLifetime(time.Hour))
		r.get()
		r.failing(hung)
		time.Sleep(2 * time.Hour)
		began := time.Now()
		for range 6 {
			r.get()
		}
		passed(t, began, 5*time.Second)
		conns(t, r.server, 2)
		time.Sleep(time.Minute) // the source has given up
	})
	bubble(t, "B3 what a source says that fails again after a recovery is told again", func(t *testing.T) {
		r := rotate(t, "http/1.1")
		for range 2 {
			r.failing(func(context.Context) error { return errors.New("sealed\x1b[31m\nlevel=INFO") })
			time.Sleep(time.Minute)
			r.get()
			if d := r.conn.Describe(); strings.ContainsAny(d.Pool.ReloadError, "\x1b\n") {
				t.Errorf("Reload is %q", d.Pool.ReloadError)
			}
			release(r)
			time.Sleep(time.Minute)
			r.get()
		}
		wantWarnings(t, r.log, 2)
	})
	bubble(t, "B3 a certificate that cannot be used is a failure", func(t *testing.T) {
		r := rotate(t, "http/1.1")
		for _, bad := range []*tls.Certificate{nil, {}, {Certificate: r.two.Certificate, PrivateKey: r.one.PrivateKey}} {
			r.use(bad)
			time.Sleep(time.Minute)
			r.get()
			if d := r.conn.Describe(); d.Pool.ReloadError == "" || !strings.HasPrefix(d.Pool.Certificate, "CN=one,") {
				t.Errorf("Reload is %q, identity %q", d.Pool.ReloadError, d.Pool.Certificate)
			}
		}
		conns(t, r.server, 1)
	})
}

func TestReloadTogether(t *testing.T) {
	t.Parallel()
	const many = 200
	for name, slow := range map[string]time.Duration{"at once": 0, "after a while": 4 * time.Second} {
		bubble(t, "B3 200 requests at the moment of a reload ask once, and all get the new one, "+name, func(t *testing.T) {
			r := rotate(t, "http/1.1")
			r.get()
			r.use(&r.two)
			r.failing(func(context.Context) error { time.Sleep(slow); return nil })
			time.Sleep(time.Minute)
			var all sync.WaitGroup
			for range many {
				all.Go(r.get)
			}
			all.Wait()
			r.called(2)
			seen := r.peers.seen()
			if i := slices.Index(seen[1:], "one"); i >= 0 || len(seen) != many+1 {
				t.Errorf("%d requests; number %d has shown the old certificate", len(seen), i+2)
			}
		})
	}
	bubble(t, "B3 the deadline of a caller ends its wait, and not that of others", func(t *testing.T) {
		r := rotate(t, "http/1.1")
		r.get()
		r.use(&r.two)
		r.failing(func(context.Context) error { time.Sleep(4 * time.Second); return nil })
		time.Sleep(time.Minute)
		began := time.Now()
		var other sync.WaitGroup
		other.Go(func() {
			r.get()
			passed(t, began, 4*time.Second)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := request.Get(r.conn, "/x").Exec(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		passed(t, began, time.Second)
		err = request.Get(r.conn, "/x").Timeout(2 * time.Second).Exec(t.Context())
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		passed(t, began, 3*time.Second)
		other.Wait()
		r.called(2)
		same(t, "the server", r.peers.seen(), "one", "two")
		wantWarnings(t, r.log, 0)
	})
}

func TestReloadRoots(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, protocol := range protocols {
			name := ", " + protocol + " " + tls.VersionName(version)
			bubble(t, "B4 nothing goes on under a trust that has ended: no connection, no session"+name, func(t *testing.T) {
				before, after := newIssuer(t, "before"), newIssuer(t, "after")
				n := connectiontest.NewNetwork(t)
				home := new(peers)
				cfg := shows(before.mint("api.example.test"), protocol)
				cfg.MaxVersion = version
				srv := n.ServeTLS(apiOrigin, home, cfg) // with session tickets, as is the default
				src := &materialSource{roots: before.pool()}
				conn := connect(t, apiOrigin, wired(n), connection.WithRootCAs(src), insistent())
				for range 2 {
					if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				src.set(func(s *materialSource) { s.roots = after.pool() })
				time.Sleep(time.Minute)
				err := request.Get(conn, "/x").Exec(t.Context())
				_ = wantError[x509.UnknownAuthorityError](t, err)
				conns(t, srv, 2)
				sent(t, srv, 2)
				src.set(func(s *materialSource) { s.roots = before.pool() })
				time.Sleep(time.Minute)
				if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
					t.Error(err)
				}
				conns(t, srv, 3)
				if home.fresh != 3 {
					t.Errorf("%d requests came on connections that resume no session, want 3", home.fresh)
				}
			})
		}
	}
	bubble(t, "B4 a source of roots that fails, or has none, leaves what was there", func(t *testing.T) {
		before := newIssuer(t, "before")
		n := connectiontest.NewNetwork(t)
		srv := n.ServeTLS(apiOrigin, status(204), shows(before.mint("api.example.test")))
		src, log := &materialSource{roots: before.pool()}, new(collector)
		conn := connect(t, apiOrigin, wired(n), connection.WithRootCAs(src), connection.WithLogger(slog.New(log)))
		src.set(func(s *materialSource) { s.roots = nil })
		time.Sleep(time.Minute)
		if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
			t.Error(err)
		}
		wantWarnings(t, log, 1)
		if d := conn.Describe(); !strings.Contains(d.Pool.ReloadError, "WithRootCAs") {
			t.Errorf("Reload is %q", d.Pool.ReloadError)
		}
		sent(t, srv, 1)
	})
}
