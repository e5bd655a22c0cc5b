package connection_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

func TestProxyOfAnotherAlphabet(t *testing.T) {
	t.Parallel()
	bubble(t, "C5 the password for an https proxy is not sent in clear, however its name is written", func(t *testing.T) {
		var read []byte
		dial := func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() {
				b := make([]byte, 4096)
				n, _ := server.Read(b)
				read = b[:n]
				_ = server.Close()
			}()
			return client, nil
		}
		proxy := viaProxy(withScheme("https"), withLogin("u", canary))
		proxy.Host = "bücher.test"
		conn := connect(t, "http://api.example.test", connection.WithDialContext(dial), connection.WithProxy(proxy))
		if err := request.Get(conn, "/x").Exec(t.Context()); err == nil {
			t.Error("there is no error")
		}
		if len(read) == 0 || strings.Contains(string(read), "Proxy-Authorization") || strings.Contains(string(read), "GET") {
			t.Errorf("the proxy has read %q", read)
		}
	})
}

// The proxy of an endpoint is asked once for each call, so that no two answers are mixed.
func TestEndpointProxyIsAskedOnce(t *testing.T) {
	t.Parallel()
	bubble(t, "C5 a call goes through the proxy that was told, and not past it", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		api, issuer := n.Serve("https://api.example.test", status(204)), n.Serve("http://issuer.example.test", tokens(nil))
		p := serveProxy(t, n, &fakeProxy{})
		var asked []string
		e := auth.Endpoint{AllowHTTP: true, Proxy: func(req *http.Request) (*url.URL, error) {
			asked = append(asked, req.URL.String())
			if len(asked)%2 == 0 {
				return url.Parse("socks5://socks.example.test:1080")
			}
			return url.Parse("http://" + proxyAddr)
		}}
		conn := behind(t, api, connection.WithAuth(grant(t, issuer.URL, e)), connection.WithDialContext(
			func(ctx context.Context, network, addr string) (net.Conn, error) {
				if addr == "issuer.example.test:80" {
					t.Error("the token call goes past both proxies")
				}
				return n.Dial(ctx, network, addr)
			}))
		if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
			t.Error(err)
		}
		if len(asked) != 1 || asked[0] != "http://issuer.example.test/token" || len(p.requests()) != 1 {
			t.Errorf("asked for %q; the proxy has got %q", asked, p.requests())
		}
	})
	bubble(t, "C6 the secret does not go in clear to a proxy because the first answer was none", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		api, p, asked := n.Serve("https://api.example.test", status(204)), serveProxy(t, n, &fakeProxy{}), 0
		e := auth.Endpoint{Proxy: func(*http.Request) (*url.URL, error) { // no AllowHTTP
			asked++
			if asked == 1 {
				return nil, nil //nolint:nilnil // as http.Transport has it
			}
			return url.Parse("http://" + proxyAddr)
		}}
		conn := behind(t, api, connection.WithAuth(grant(t, "http://localhost:9", e)))
		_ = request.Get(conn, "/x").Exec(t.Context())
		if got := p.requests(); len(got) > 0 {
			t.Errorf("the proxy has got %q", got)
		}
	})
	bubble(t, "I-29 a runtime without proxies refuses that of an endpoint", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		api, p := n.Serve("https://api.example.test", status(204)), serveProxy(t, n, &fakeProxy{})
		e := auth.Endpoint{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse("http://" + proxyAddr) }}
		conn := connect(t, api.URL, connection.WithTrustedCAOnly(n.Authority()),
			connection.WithRuntime("zone", connection.Runtimes{"zone": {NoProxy: true, DialContext: n.Dial}}),
			connection.WithAuth(grant(t, "https://issuer.example.test", e)))
		err := request.Get(conn, "/x").Exec(t.Context())
		if oe, ok := errors.AsType[*connection.OptionError](err); !ok || oe.Option != "WithRuntime" || p.Conns() != 0 {
			t.Errorf("error %v; %d connections to the proxy", err, p.Conns())
		}
	})
}

func TestProxyRefusalThatStalls(t *testing.T) {
	t.Parallel()
	bubble(t, "C4 a 407 whose body does not come is a 407, and soon", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		s := n.Serve("http://api.example.test", status(204))
		n.ServeRaw("http://"+proxyAddr, func(c net.Conn) {
			b := make([]byte, 4096)
			_, _ = c.Read(b)
			_, _ = io.WriteString(c, "HTTP/1.1 407 no\r\nContent-Length: 9\r\n\r\n")
			_, _ = c.Read(b)
		})
		began := time.Now()
		err := request.Get(behind(t, s, connection.WithProxy(viaProxy())), "/x").Exec(t.Context())
		proxyFault(t, err, 407)
		if !errors.Is(err, connection.ErrProxyLogin) {
			t.Errorf("error %v does not say that it is the login", err)
		}
		passed(t, began, time.Second)
	})
}
