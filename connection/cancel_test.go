package connection_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// underRace reports whether this program was built with the race detector.
func underRace() bool {
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

// holdings are what requests that were cancelled must not keep.
type holdings struct{ goroutines, files int }

func held() holdings {
	h := holdings{goroutines: runtime.NumGoroutine()}
	if entries, err := os.ReadDir("/proc/self/fd"); err == nil { // elsewhere than on Linux there is none
		h.files = len(entries)
	}
	return h
}

// settle waits until no more is held than before, for at most three seconds.
func settle(t *testing.T, what string, before holdings, began time.Time) {
	t.Helper()
	most, ended := held(), time.Now()
	for {
		now := held()
		if now.goroutines <= before.goroutines && now.files <= before.files {
			t.Logf("%s: %v; goroutines %d, %d, %d; files %d, %d, %d (before, at the end, %v after it)", what,
				ended.Sub(began).Round(time.Millisecond), before.goroutines, most.goroutines, now.goroutines,
				before.files, most.files, now.files, time.Since(ended).Round(time.Millisecond))
			return
		}
		if time.Since(ended) > 3*time.Second {
			t.Errorf("%s: there were %+v, and are %+v after 3 s", what, before, now)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// callKey is the context key of the cancel function of a call, which the context of a dial has as well.
type callKey struct{}

// cancelling is a server on real sockets, and dialers that cancel the request for which they were called.
type cancelling struct {
	url, mute string // a server that answers, and one that says nothing, not even in the handshake
	ca        []byte
	calls     sync.Map // number to cancel function
	last      atomic.Int64
}

func newCancelling(t *testing.T, http2 bool) *cancelling {
	t.Helper()
	n := connectiontest.NewNetwork(t)
	c := &cancelling{ca: n.Authority()}
	s := httptest.NewUnstartedServer(http.HandlerFunc(c.answer))
	s.EnableHTTP2 = http2
	s.TLS = &tls.Config{Certificates: []tls.Certificate{n.Certificate("127.0.0.1")}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	c.url, c.mute = s.URL, "https://"+listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	return c
}

// answer begins an answer or none, cancels the request, and waits until the client is gone.
func (c *cancelling) answer(w http.ResponseWriter, req *http.Request) {
	switch req.URL.Path {
	case "/headers":
		c.cancel(req.Header.Get("X-Call"))
		<-req.Context().Done()
	case "/body":
		_, _ = io.WriteString(w, "x")
		_ = http.NewResponseController(w).Flush()
		<-req.Context().Done()
	}
}

func (c *cancelling) cancel(number string) {
	if cancel, ok := c.calls.LoadAndDelete(number); ok {
		cancel.(context.CancelFunc)()
	}
}

// call makes a call whose context the servers and dialers can cancel.
func (c *cancelling) call(t *testing.T, conn *connection.Connection, path string) error {
	t.Helper()
	number := strconv.FormatInt(c.last.Add(1), 10)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ctx = context.WithValue(ctx, callKey{}, cancel)
	c.calls.Store(number, cancel)
	defer c.calls.Delete(number)
	b := request.Get(conn, path).Header("X-Call", number)
	switch path {
	case "/never":
		cancel()
	case "/body":
		resp, err := b.Stream(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err != nil {
			return fmt.Errorf("the first byte: %w", err)
		}
		cancel()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	return b.Exec(ctx)
}

// hang is a dialer that has a socket, cancels the call, and makes nothing of it.
func (c *cancelling) hang(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	cancelCall(ctx)
	<-ctx.Done()
	return nil, ctx.Err()
}

// cut is a dialer whose connections cancel the call with the first write.
func (c *cancelling) cut(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &cuttingConn{Conn: conn, ctx: ctx}, nil
}

func cancelCall(ctx context.Context) {
	if cancel, ok := ctx.Value(callKey{}).(context.CancelFunc); ok {
		cancel()
	}
}

type cuttingConn struct {
	net.Conn

	ctx context.Context
}

func (c *cuttingConn) Write(p []byte) (int, error) {
	defer cancelCall(c.ctx)
	return c.Conn.Write(p)
}

// listen listens on a real socket, and returns where.
func listen(t *testing.T, handle func(conn net.Conn)) string {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer func() { _ = conn.Close() }()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// listenProxy listens as a proxy that knows CONNECT.
func listenProxy(t *testing.T) connection.Proxy {
	t.Helper()
	host, port, err := net.SplitHostPort(listen(t, connectProxy))
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return connection.Proxy{Mode: connection.ProxyCustom, Host: host, Port: number}
}

// connectProxy connects one client to where it wants to go.
func connectProxy(client net.Conn) {
	var head strings.Builder
	for one := make([]byte, 1); !strings.HasSuffix(head.String(), "\r\n\r\n"); { // not a byte further
		if _, err := client.Read(one); err != nil {
			return
		}
		head.Write(one)
	}
	fields := strings.Fields(head.String())
	server, err := net.DialTimeout("tcp", fields[1], time.Second)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	var back sync.WaitGroup
	back.Go(func() {
		pump(client, server)
		_ = client.Close()
	})
	pump(server, client)
	_ = server.Close()
	back.Wait()
}

// pump copies by itself: the system would take pipes for it, which are files, and which the garbage collector closes.
func pump(dst io.Writer, src io.Reader) {
	_, _ = io.Copy(struct{ io.Writer }{dst}, struct{ io.Reader }{src})
}

// cancelMany makes calls from 20 goroutines, each of which has to end as cancelled.
func cancelMany(t *testing.T, calls int, call func() error) {
	t.Helper()
	const callers = 20
	var calling sync.WaitGroup
	for range callers {
		calling.Go(func() {
			for range calls / callers {
				if err := call(); !errors.Is(err, context.Canceled) {
					t.Errorf("the error is %v", err)
					return
				}
			}
		})
	}
	calling.Wait()
}

func TestCancelledAtEveryPhase(t *testing.T) { //nolint:paralleltest // it counts goroutines
	for _, c := range []struct { //nolint:paralleltest // the same
		name       string
		many, race int
		http2      bool
		proxy      bool
	}{
		{name: "over HTTP/1.1", many: 2000, race: 100},
		{name: "over HTTP/2", many: 200, race: 40, http2: true},
		{name: "over HTTP/1.1 through a proxy", many: 200, race: 40, proxy: true},
		{name: "over HTTP/2 through a proxy", many: 200, race: 40, http2: true, proxy: true},
	} {
		calls := c.many
		if underRace() || testing.Short() {
			calls = c.race
		}
		name := fmt.Sprintf("T6 J3 five times %d cancelled requests leave nothing behind: %s", calls, c.name)
		t.Run(name, func(t *testing.T) {
			s := newCancelling(t, c.http2)
			proxy := connection.Proxy{Mode: connection.ProxyNone}
			if c.proxy {
				proxy = listenProxy(t)
			}
			open := func(base string, options ...connection.Option) *connection.Connection {
				return connect(t, base, append(options, connection.WithTrustedCAOnly(s.ca), connection.WithProxy(proxy))...)
			}
			atStart := held()
			conn := open(s.url)
			if err := request.Get(conn, "/warm").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			hang := open(s.url, connection.WithDialContext(s.hang))
			mute := open(s.mute, connection.WithDialContext(s.cut))
			for _, phase := range []struct {
				name string
				conn *connection.Connection
				path string
			}{
				{"before the dial", conn, "/never"},
				{"in the dial", hang, "/"},
				{"in the handshake", mute, "/"},
				{"waiting for the headers", conn, "/headers"},
				{"in the body", conn, "/body"},
			} {
				before, began := held(), time.Now()
				cancelMany(t, calls, func() error { return s.call(t, phase.conn, phase.path) })
				settle(t, phase.name, before, began)
			}
			for _, conn := range []*connection.Connection{conn, hang, mute} {
				_ = conn.Close()
			}
			settle(t, "closed", atStart, time.Now())
		})
	}
}

// What one request has begun to dial serves the next one, if that does not take long.
func TestAbandonedDials(t *testing.T) {
	t.Parallel()
	const patience = time.Second
	for _, c := range []struct {
		name  string
		takes time.Duration // a dial; the first request waits for a second
		want  int           // dials until there is a connection
	}{
		{name: "J3 a dial that outlives its request by half a second is of use", takes: 1500 * time.Millisecond, want: 1},
		{name: "J3 one that outlives it by more is given up", takes: 2500 * time.Millisecond, want: 2},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			n := connectiontest.NewNetwork(t)
			s := n.Serve("https://api.example.test", connectiontest.Status(http.StatusOK))
			var dials, ended atomic.Int64
			slow := func(ctx context.Context, network, addr string) (net.Conn, error) {
				dials.Add(1)
				defer ended.Add(1)
				if err := sleep(ctx, c.takes); err != nil {
					return nil, err
				}
				return n.Dial(ctx, network, addr)
			}
			conn := connect(t, s.URL, n.Option(), connection.WithDialContext(slow))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := request.Get(conn, "/").Exec(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the error is %v", err)
			}
			time.Sleep(patience + time.Millisecond)
			if got := ended.Load(); got != 1 {
				t.Errorf("the dial is still under way")
			}
			if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
				t.Error(err)
			}
			if got := int(dials.Load()); got != c.want {
				t.Errorf("there were %d dials, want %d", got, c.want)
			}
		})
	}
}

// inBubble runs a case on a clock of its own.
func inBubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, f)
	})
}

// sleep waits for d, or for the end of the context.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
