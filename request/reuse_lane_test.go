package request_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// proxyOf adds a proxy to a network, for plain http and CONNECT. Over plain http it answers by itself, with answer.
func proxyOf(t *testing.T, n *connectiontest.Network, answer http.Handler) (*connectiontest.Server, connection.Option) {
	t.Helper()
	s := n.Serve("http://proxy.test:3128", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodConnect {
			answer.ServeHTTP(w, req)
			return
		}
		server, err := n.Dial(req.Context(), "tcp", req.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		client, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
		join(client, server)
	}))
	return s, connection.WithProxy(connection.Proxy{
		Mode: connection.ProxyCustom, Host: "proxy.test", Port: 3128,
	})
}

// join hands bytes on between two connections until one of them ends.
func join(a, b net.Conn) {
	var copying sync.WaitGroup
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		copying.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_, _ = pair[0].Close(), pair[1].Close()
		})
	}
	copying.Wait()
}

// lanes are the ways that a connection has to a server.
func lanes() map[string]func(t *testing.T, h http.Handler) (request.Builder, []*connectiontest.Server) {
	opened := func(
		t *testing.T, s *connectiontest.Server, options ...connection.Option,
	) (request.Builder, []*connectiontest.Server) {
		t.Helper()
		return request.Get(connectTo(t, s, "", options...), "/x"), []*connectiontest.Server{s}
	}
	return map[string]func(t *testing.T, h http.Handler) (request.Builder, []*connectiontest.Server){
		"HTTP/1.1": func(t *testing.T, h http.Handler) (request.Builder, []*connectiontest.Server) {
			t.Helper()
			return opened(t, connectiontest.NewNetwork(t).Serve("https://api.example.test", h))
		},
		"HTTP/2": func(t *testing.T, h http.Handler) (request.Builder, []*connectiontest.Server) {
			t.Helper()
			return opened(t, connectiontest.NewNetwork(t).ServeH2("https://api.example.test", h))
		},
		"HTTP/2, not verified": func(t *testing.T, h http.Handler) (request.Builder, []*connectiontest.Server) {
			t.Helper()
			b, servers := opened(t, connectiontest.NewNetwork(t).ServeH2("https://api.example.test", h),
				connection.WithInsecureSkipVerify())
			return b, servers
		},
		"not verified by the request": func(t *testing.T, h http.Handler) (request.Builder, []*connectiontest.Server) {
			t.Helper()
			b, servers := opened(t, connectiontest.NewNetwork(t).Serve("https://api.example.test", h))
			return b.InsecureSkipVerify(), servers
		},
		"a proxy, plain": func(t *testing.T, h http.Handler) (request.Builder, []*connectiontest.Server) {
			t.Helper()
			n := connectiontest.NewNetwork(t)
			s := n.Serve("http://api.example.test", h)
			proxy, through := proxyOf(t, n, h)
			b, _ := opened(t, s, through)
			return b, []*connectiontest.Server{proxy}
		},
		"a proxy, CONNECT": func(t *testing.T, h http.Handler) (request.Builder, []*connectiontest.Server) {
			t.Helper()
			n := connectiontest.NewNetwork(t)
			s := n.Serve("https://api.example.test", h)
			proxy, through := proxyOf(t, n, h)
			b, _ := opened(t, s, through)
			return b, []*connectiontest.Server{s, proxy}
		},
		"a proxy, CONNECT, HTTP/2": func(t *testing.T, h http.Handler) (request.Builder, []*connectiontest.Server) {
			t.Helper()
			n := connectiontest.NewNetwork(t)
			s := n.ServeH2("https://api.example.test", h)
			proxy, through := proxyOf(t, n, h)
			b, _ := opened(t, s, through)
			return b, []*connectiontest.Server{s, proxy}
		},
	}
}

func TestErrorsReuseConnectionsOnEveryLane(t *testing.T) {
	t.Parallel()
	calls := unlessRace(1000, 50)
	if testing.Short() {
		calls = 50
	}
	long := map[string]string{"error": string(make([]byte, 10<<10))}
	for answer, c := range map[string]struct {
		handler http.Handler
		retries int
	}{
		"404":              {handler: connectiontest.JSON(http.StatusNotFound, long)},
		"503, tried again": {handler: connectiontest.JSON(http.StatusServiceUnavailable, long), retries: 1},
		"malformed JSON": {
			handler: connectiontest.Text(http.StatusOK, `{"id":`).Header("Content-Type", "application/json"),
		},
	} {
		for name, lane := range lanes() {
			t.Run("T7 J1 a thousand errors take at most two connections: "+answer+", "+name, func(t *testing.T) {
				t.Parallel()
				b, servers := lane(t, c.handler)
				b = b.Retry(connection.Retry{Max: c.retries, Wait: connection.Constant(0)})
				for i := range calls {
					if err := into[account](t, b); err == nil || errors.Is(err, request.StageSend) {
						t.Fatalf("call %d: the error is %v", i, err)
					}
				}
				for _, s := range servers {
					t.Logf("%d errors took %d connections to %s", calls, s.Conns(), s.URL)
					if got := s.Conns(); got > 2 {
						t.Errorf("there were %d connections to %s", got, s.URL)
					}
				}
			})
		}
	}
}
