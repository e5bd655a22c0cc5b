package connection_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// bothVersions runs a case in a bubble of its own for HTTP/1.1 and for HTTP/2. serve adds a server.
func bothVersions(
	t *testing.T, name string, f func(t *testing.T, serve func(http.Handler) *connectiontest.Server),
) {
	t.Helper()
	for _, http2 := range []bool{false, true} {
		protocol := map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[http2]
		inBubble(t, name+", "+protocol, func(t *testing.T) {
			n := connectiontest.NewNetwork(t)
			var served []*connectiontest.Server
			f(t, func(h http.Handler) *connectiontest.Server {
				add := n.Serve
				if http2 {
					add = n.ServeH2
				}
				s := add("https://api.example.test", h)
				served = append(served, s)
				return s
			})
			for _, s := range served {
				for _, req := range s.Requests() {
					if req.Proto != protocol {
						t.Errorf("a request came by %s", req.Proto)
					}
				}
			}
		})
	}
}

// released is a handler that answers /slow with a first byte, and with the rest when release is closed.
func released(release <-chan struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/slow" {
			return
		}
		_, _ = io.WriteString(w, "a")
		_ = http.NewResponseController(w).Flush()
		<-release
		_, _ = io.WriteString(w, "b")
	})
}

// dialTimes remembers when each connection to a server was made.
type dialTimes struct {
	mu   sync.Mutex
	made []time.Time
	dial connection.DialFunc
}

func (d *dialTimes) dialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock() // the server numbers its connections in this order
	defer d.mu.Unlock()
	d.made = append(d.made, time.Now())
	return d.dial(ctx, network, addr)
}

func (d *dialTimes) all() []time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.made)
}

func TestMaxConnLifetime(t *testing.T) {
	t.Parallel()
	bothVersions(t, "J9 no request goes out on a connection that is too old",
		func(t *testing.T, serve func(http.Handler) *connectiontest.Server) {
			const lifetime = time.Minute
			s := serve(connectiontest.Status(http.StatusOK))
			dials := dialTimes{dial: s.Network().Dial}
			conn := connect(t, s.URL, s.Network().Option(), connection.WithDialContext(dials.dialContext),
				connection.WithMaxConnLifetime(lifetime))
			for i := range 600 {
				if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
				used := s.Requests()[i].Conn
				if age := time.Since(dials.all()[used-1]); age > lifetime {
					t.Errorf("request %d went out on a connection of %v", i, age)
				}
				if got := s.OpenConns(); got > 1 {
					t.Errorf("%d connections are open", got)
				}
				time.Sleep(time.Second)
				synctest.Wait()
			}
			if got := s.Conns(); got < 10 || got > 12 { // of 54 to 60 seconds each
				t.Errorf("in ten minutes there were %d connections", got)
			}
		})
	bothVersions(t, "J9 a stream outlives the lifetime, and its connection ends with it",
		func(t *testing.T, serve func(http.Handler) *connectiontest.Server) {
			release := make(chan struct{})
			s := serve(released(release))
			conn := connect(t, s.URL, s.Network().Option(), connection.WithMaxConnLifetime(time.Minute),
				connection.WithTimeouts(connection.Timeouts{Idle: time.Hour}))
			resp, err := request.Get(conn, "/slow").Stream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			for range 10 {
				time.Sleep(time.Minute + time.Second)
				if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if got := s.OpenConns(); got != 2 {
				t.Errorf("%d connections are open, want that of the stream and the current one", got)
			}
			close(release)
			if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "ab" {
				t.Errorf("the stream ended with %q, %v", body, err)
			}
			_ = resp.Body.Close()
			wantOpen(t, s, 1)
		})
	bothVersions(t, "J9 200 requests at the instant all go to the new generation",
		func(t *testing.T, serve func(http.Handler) *connectiontest.Server) {
			s := serve(connectiontest.Status(http.StatusOK))
			dials := dialTimes{dial: s.Network().Dial}
			conn := connect(t, s.URL, s.Network().Option(), connection.WithDialContext(dials.dialContext),
				connection.WithMaxConnLifetime(time.Minute))
			volley(t, conn, 200)
			first := s.Conns()
			time.Sleep(time.Minute)
			began := time.Now()
			volley(t, conn, 200)
			made := dials.all()
			for _, req := range s.Requests()[200:] {
				if made[req.Conn-1].Before(began) {
					t.Fatalf("a request came on connection %d, of %d that are too old", req.Conn, first)
				}
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if got, fresh := s.OpenConns(), s.Conns()-first; got > fresh {
				t.Errorf("%d connections are open, of %d that are new", got, fresh)
			}
		})
}

// volley sends requests at once.
func volley(t *testing.T, conn *connection.Connection, calls int) {
	t.Helper()
	var calling sync.WaitGroup
	for range calls {
		calling.Go(func() {
			if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	calling.Wait()
}

// wantOpen checks how many connections are open when those that nobody uses had a second to be closed in.
func wantOpen(t *testing.T, s *connectiontest.Server, want int) {
	t.Helper()
	time.Sleep(time.Second)
	synctest.Wait()
	if got := s.OpenConns(); got != want {
		t.Errorf("%d connections are open, want %d", got, want)
	}
}

func TestLifetimeFollowsNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		options []connection.Option
		moves   bool
	}{
		"J9 with a lifetime, a name that leads elsewhere is followed": {
			[]connection.Option{connection.WithMaxConnLifetime(time.Minute)}, true,
		},
		"J9 without one, a connection that is busy enough stays": {nil, false},
	} {
		inBubble(t, name, func(t *testing.T) {
			const origin = "https://api.example.test"
			was, is := connectiontest.NewNetwork(t), connectiontest.NewNetwork(t)
			old := was.ServeH2(origin, connectiontest.Status(http.StatusOK))
			other := is.ServeH2(origin, connectiontest.Status(http.StatusOK))
			var moved atomic.Bool
			resolve := func(ctx context.Context, network, addr string) (net.Conn, error) {
				if moved.Load() {
					return is.Dial(ctx, network, addr)
				}
				return was.Dial(ctx, network, addr)
			}
			conn := connect(t, origin, append(want.options, was.Option(),
				connection.WithTrustedCA(is.Authority()), connection.WithDialContext(resolve))...)
			for i := range 120 {
				moved.Store(i >= 10)
				if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
			switch got := len(other.Requests()); {
			case want.moves && got < 60:
				t.Errorf("the new address got %d requests of 120", got)
			case !want.moves && got != 0:
				t.Errorf("the new address got %d requests", got)
			}
			if want.moves && old.OpenConns() != 0 {
				t.Error("the old address still has a connection")
			}
		})
	}
}

func TestLifetimeJitter(t *testing.T) {
	t.Parallel()
	inBubble(t, "J9 a generation ends up to a tenth earlier, and not all pools at once", func(t *testing.T) {
		const pools, lifetime, step = 100, 100 * time.Second, time.Second
		n := connectiontest.NewNetwork(t)
		var conns [pools]*connection.Connection
		var servers [pools]*connectiontest.Server
		for i := range pools {
			servers[i] = n.Serve(fmt.Sprintf("http://127.0.0.1:%d", 8000+i), connectiontest.Status(http.StatusOK))
			conns[i] = connect(t, servers[i].URL, n.Option(), connection.WithMaxConnLifetime(lifetime))
		}
		ended := make(map[time.Duration]int)
		began := time.Now()
		for age := time.Duration(0); age <= lifetime; age += step {
			for i, conn := range conns {
				before := servers[i].Conns()
				if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
				if servers[i].Conns() > before && age > 0 {
					ended[time.Since(began)]++
				}
			}
			time.Sleep(step)
		}
		total, most := 0, 0
		for age, count := range ended {
			total, most = total+count, max(most, count)
			if age < lifetime-lifetime/10 || age > lifetime {
				t.Errorf("%d generations ended after %v", count, age)
			}
		}
		if total != pools || most > pools/2 {
			t.Errorf("%d of %d generations have ended, up to %d at once", total, pools, most)
		}
	})
}

func TestLifetimeTakesNoGoroutine(t *testing.T) { //nolint:paralleltest // it counts goroutines
	before := runtime.NumGoroutine()
	for range 1000 {
		connect(t, "https://api.example.test", connection.WithMaxConnLifetime(time.Minute))
	}
	if got := runtime.NumGoroutine() - before; got > 0 {
		t.Errorf("J9 1,000 open pools take %d goroutines", got)
	}
}
