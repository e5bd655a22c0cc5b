package connection_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// says answers a CONNECT with text, and ends the connection.
func says(text string) func(conn net.Conn, head string) bool {
	return func(conn net.Conn, _ string) bool {
		_, _ = io.WriteString(conn, text)
		return false
	}
}

// floods repeats text for as long as the client reads, and counts the bytes in written.
func floods(first, text string, written *atomic.Int64) func(conn net.Conn, head string) bool {
	return func(conn net.Conn, _ string) bool {
		_, _ = io.WriteString(conn, first)
		for written.Load() < 64<<20 {
			n, err := io.WriteString(conn, text)
			written.Add(int64(n))
			if err != nil {
				break
			}
		}
		return false
	}
}

func TestProxyAnswers(t *testing.T) {
	t.Parallel()
	const both = "\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
	const html = "\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>"
	for name, c := range map[string]struct {
		answer string
		status int
		final  bool
	}{
		"407":                       {"HTTP/1.1 407 Log in\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n", 407, true},
		"407 without a challenge":   {"HTTP/1.1 407 x\r\n\r\n", 407, true},
		"407 with another scheme":   {"HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\n\r\n", 407, true},
		"400":                       {"HTTP/1.1 400 Bad Request\r\n\r\n", 400, true},
		"403 in HTML":               {"HTTP/1.1 403 Forbidden" + html, 403, true},
		"429":                       {"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\n\r\n", 429, true},
		"502 in HTML":               {"HTTP/1.1 502 Bad Gateway" + html, 502, false},
		"503":                       {"HTTP/1.1 503 x\r\nRetry-After: 99\r\n\r\n", 503, false},
		"599":                       {"HTTP/1.1 599 x\r\n\r\n", 599, false},
		"204":                       {"HTTP/1.1 204 No Content\r\n\r\n", 204, false},
		"201 and a body":            {"HTTP/1.1 201 Created" + html, 201, false},
		"302":                       {"HTTP/1.1 302 Found\r\nLocation: https://other.example.test/\r\n\r\n", 302, false},
		"101":                       {"HTTP/1.1 101 x\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 101, false},
		"400, length and chunked":   {"HTTP/1.1 400 x" + both, 400, true},
		"200, length and chunked":   {"HTTP/1.1 200 x" + both, 0, false},
		"200, two lengths":          {"HTTP/1.1 200 x\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n", 0, false},
		"200 and bytes behind":      {"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01", 0, false},
		"200 and a body":            {"HTTP/1.1 200 OK" + html, 0, false},
		"200 in HTML without a end": {"HTTP/1.1 200 OK\r\nContent-Type: text/html", 0, false},
		"nothing":                   {"", 0, false},
		"no HTTP":                   {"SSH-2.0-OpenSSH\r\n", 0, false},
		"a page and no head":        {"<html><body>Sign in to the network</body></html>\r\n\r\n", 0, false},
		"a status that is none":     {"HTTP/1.1 xxx OK\r\n\r\n", 0, false},
		"a field that is none":      {"HTTP/1.1 200 OK\r\n: x\r\n\r\n", 0, false},
		"1xx again and again":       {strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 1000), 0, false},
		"half an answer":            {"HTTP/1.1 20", 0, false},
	} {
		for _, how := range []string{"http", "https"} {
			t.Run("C4 "+name+", proxy of "+how, func(t *testing.T) {
				t.Parallel()
				s := connectiontest.NewServer(t, status(204))
				at := how + "://" + proxyAddr
				p := serveProxyAt(t, s.Network(), at, &fakeProxy{connect: says(c.answer)})
				conn := behind(t, s, connection.WithProxy(viaProxy(withScheme(how))),
					connection.WithRetry(connection.Retry{Max: 2}), connection.WithAuth(auth.Basic("svc", secrets.Static(canary))))
				err := request.Post(conn, "/things").JSON(map[string]string{"note": canary}).Exec(t.Context())
				proxyFault(t, err, c.status)
				if te, ok := errors.AsType[*connection.TransportError](err); !ok || !te.Unsent {
					t.Errorf("error %v is not one of a request that was not sent", err)
				}
				if text := err.Error(); strings.Contains(text, "html") || strings.Contains(text, "SSH") ||
					strings.Contains(text, "may have processed") || strings.HasSuffix(text, ": ") {
					t.Errorf("the text is %q", text)
				}
				want := 3 // nothing of the POST was sent
				if c.final {
					want = 1
				}
				if p.Conns() != want || s.Conns() != 0 || p.OpenConns() != 0 {
					t.Errorf("%d connections to the proxy, want %d; %d to the server; %d are open",
						p.Conns(), want, s.Conns(), p.OpenConns())
				}
				for _, head := range p.requests() {
					if holdsCanary(head) || strings.Contains(strings.ToLower(head), "\r\nauthorization") {
						t.Errorf("the proxy read %q", head)
					}
				}
			})
		}
	}
	t.Run("C4 what the proxy wants", func(t *testing.T) {
		t.Parallel()
		for answer, want := range map[string]string{
			"Proxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate": "it wants credentials of NTLM, Negotiate, and only",
			"Proxy-Authenticate: digest realm=x":                        "it wants credentials of Digest, and only Basic",
			"Proxy-Authenticate: " + canary:                             "it wants credentials of another scheme, and",
			"Proxy-Authenticate: Digest realm=x, basic realm=x":         "it wants a user and a password",
			"X: y": "it wants a user and a password",
		} {
			s := connectiontest.NewServer(t, status(204))
			serveProxy(t, s.Network(), &fakeProxy{connect: says("HTTP/1.1 407 x\r\n" + answer + "\r\n\r\n")})
			err := request.Get(behind(t, s, connection.WithProxy(viaProxy())), "/x").Exec(t.Context())
			proxyFault(t, err, 407)
			if !strings.Contains(err.Error(), "proxy "+proxyAddr+" answered 407: "+want) {
				t.Errorf("%s: error %v", answer, err)
			}
		}
	})
	for name, answer := range map[string][2]string{
		"a head of megabytes":        {"HTTP/1.1 200 OK\r\n", "X: " + strings.Repeat("x", 1<<20) + "\r\n"},
		"many fields":                {"HTTP/1.1 200 OK\r\n", strings.Repeat("X: y\r\n", 1000)},
		"a line without an end":      {"", strings.Repeat("HTTP/1.1 ", 1000)},
		"1xx without an end":         {"", "HTTP/1.1 100 Continue\r\n\r\n"},
		"1xx with fields":            {"", "HTTP/1.1 103 x\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n"},
		"a body without an end":      {"HTTP/1.1 503 x\r\n\r\n", strings.Repeat("x", 1000)},
		"a body of chunks for a 200": {"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"},
	} {
		t.Run("C4 what a proxy answers is bounded: "+name, func(t *testing.T) {
			t.Parallel()
			s := connectiontest.NewServer(t, status(204))
			var written atomic.Int64
			p := serveProxy(t, s.Network(), &fakeProxy{connect: floods(answer[0], answer[1], &written)})
			err := request.Get(behind(t, s, connection.WithProxy(viaProxy())), "/x").Exec(t.Context())
			if _, ok := errors.AsType[*connection.ProxyError](err); !ok {
				t.Errorf("error %v, want a *ProxyError", err)
			}
			p.Close() // and with it the flood is over
			if n := written.Load(); n > 512<<10 {
				t.Errorf("%d bytes were read", n)
			}
			wantNone(t, s)
		})
	}
	t.Run("C4 a POST is sent again when the proxy is well", func(t *testing.T) {
		t.Parallel()
		for _, first := range []string{"HTTP/1.1 503 x\r\n\r\n", "HTTP/1.1 502 x\r\n\r\n", ""} {
			s := connectiontest.NewServer(t, status(204))
			var asked atomic.Int32
			p := serveProxy(t, s.Network(), &fakeProxy{connect: func(conn net.Conn, _ string) bool {
				if asked.Add(1) == 1 {
					_, _ = io.WriteString(conn, first)
					return false
				}
				_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
				return err == nil
			}})
			conn := behind(t, s, connection.WithProxy(viaProxy()), connection.WithRetry(connection.Retry{Max: 2}))
			if err := request.Post(conn, "/things").JSON(1).Exec(t.Context()); err != nil {
				t.Error(err)
			}
			sent(t, s, 1)
			if p.Conns() != 2 {
				t.Errorf("%d connections to the proxy, want 2", p.Conns())
			}
		}
	})
	t.Run("C4 200 of an old version opens the tunnel too, and 1xx before it do not matter", func(t *testing.T) {
		t.Parallel()
		for _, answer := range []string{
			"HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		} {
			s := connectiontest.NewServer(t, status(204))
			serveProxy(t, s.Network(), &fakeProxy{connect: func(conn net.Conn, _ string) bool {
				_, err := io.WriteString(conn, answer)
				return err == nil
			}})
			if err := request.Get(behind(t, s, connection.WithProxy(viaProxy())), "/x").Exec(t.Context()); err != nil {
				t.Errorf("%q: %v", answer, err)
			}
		}
	})
}

// bare is a request whose answer is an answer, whatever its status.
func bare(t *testing.T) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/x", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// Over plain http, an answer of the proxy looks like one of the service.
func TestProxyPlainAnswers(t *testing.T) {
	t.Parallel()
	build := func(t *testing.T, answer string) (*connectiontest.Server, *connection.Connection) {
		t.Helper()
		n := connectiontest.NewNetwork(t)
		p := n.ServeRaw("http://"+proxyAddr, func(conn net.Conn) {
			if _, err := conn.Read(make([]byte, 4<<10)); err == nil {
				_, _ = io.WriteString(conn, answer)
			}
		})
		return p, connect(t, "http://api.example.test", n.Option(), connection.WithProxy(viaProxy()),
			connection.WithRetry(connection.Retry{Max: 1}))
	}
	t.Run("C4 407 is of the proxy, and not tried again", func(t *testing.T) {
		t.Parallel()
		p, conn := build(t, "HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\nContent-Length: 5\r\n\r\nhello")
		err := request.Get(conn, "/x").Exec(t.Context())
		proxyFault(t, err, 407)
		if !strings.Contains(err.Error(), "NTLM") || p.Conns() != 1 {
			t.Errorf("%d connections, %v", p.Conns(), err)
		}
	})
	t.Run("C4 502 is an answer", func(t *testing.T) {
		t.Parallel()
		p, conn := build(t, "HTTP/1.1 502 x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
		resp, err := conn.Do(bare(t))
		if answered(t, resp, err, 502) != "hello" || p.Conns() != 2 {
			t.Errorf("%d connections, %v", p.Conns(), err)
		}
	})
	t.Run("C4 407 of a service is an answer, behind a proxy and without one", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		serveProxy(t, n, &fakeProxy{})
		for _, origin := range []string{"http://api.example.test", apiOrigin} {
			s := n.Serve(origin, status(407))
			for _, option := range []connection.Option{n.Option(), connection.WithProxy(viaProxy())} {
				if origin == "http://api.example.test" && option.String() == "WithProxy" {
					continue
				}
				resp, err := behind(t, s, option).Do(bare(t))
				answered(t, resp, err, 407)
			}
		}
	})
}

func TestProxyDown(t *testing.T) {
	t.Parallel()
	const s = time.Second
	post := func(t *testing.T, conn *connection.Connection) error {
		t.Helper()
		return request.Post(conn, "/things").JSON(1).Exec(t.Context())
	}
	for _, how := range []string{"http", "https", "socks5"} {
		for _, origin := range []string{"http://api.example.test", apiOrigin} {
			name := fmt.Sprintf(", %s by %s", strings.Split(origin, ":")[0], how)
			via := connection.WithProxy(viaProxy(withScheme(how)))
			build := func(t *testing.T) (*connectiontest.Server, *fakeProxy) {
				t.Helper()
				n := connectiontest.NewNetwork(t)
				at := "http://" + proxyAddr
				if how == "https" {
					at = "https://" + proxyAddr
				}
				return n.Serve(origin, status(204)), serveProxyAt(t, n, at, &fakeProxy{socks: how == "socks5"})
			}
			bubble(t, "C10 a proxy that is down, and a POST that is sent when it is up"+name, func(t *testing.T) {
				api, p := build(t)
				p.Refuse()
				conn := behind(t, api, via, retries(3))
				err := post(t, conn)
				proxyFault(t, err, 0)
				if te, ok := errors.AsType[*connection.TransportError](err); !ok || !te.Unsent {
					t.Errorf("error %v is not one of a request that was not sent", err)
				}
				time.AfterFunc(1500*time.Millisecond, p.Up)
				began := time.Now()
				if err := post(t, conn); err != nil {
					t.Error(err)
				}
				passed(t, began, 2*s)
				sent(t, api, 1)
			})
			bubble(t, "C10 a black hole, and a POST that is sent when it is gone"+name, func(t *testing.T) {
				api, p := build(t)
				p.Hang()
				conn := behind(t, api, via, limits(connection.Timeouts{Dial: 5 * s}), retries(1))
				began := time.Now()
				err := post(t, conn)
				timedOut(t, err, connection.PhaseDial, 5*s)
				proxyFault(t, err, 0)
				passed(t, began, 11*s)
				time.AfterFunc(5500*time.Millisecond, p.Up)
				if err := post(t, conn); err != nil {
					t.Error(err)
				}
				sent(t, api, 1)
			})
		}
		bubble(t, "C4 a proxy that is silent, by "+how, func(t *testing.T) {
			srv := connectiontest.NewServer(t, status(204))
			p := srv.Network().ServeRaw("http://"+proxyAddr, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
			conn := behind(t, srv, connection.WithProxy(viaProxy(withScheme(how))))
			began := time.Now()
			err := post(t, conn)
			timedOut(t, err, connection.PhaseDial, 30*s)
			proxyFault(t, err, 0)
			passed(t, began, 30*s)
			if p.OpenConns() != 0 || srv.Conns() != 0 {
				t.Errorf("%d connections are open, %d to the server", p.OpenConns(), srv.Conns())
			}
		})
	}
	bubble(t, "C4 a proxy that drips", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(204))
		p := serveProxy(t, srv.Network(), &fakeProxy{connect: func(conn net.Conn, _ string) bool {
			for _, b := range []byte("HTTP/1.1 200 Connection established by a very slow proxy\r\n\r\n") {
				if _, err := conn.Write([]byte{b}); err != nil {
					return false
				}
				time.Sleep(s)
			}
			return true
		}})
		conn := behind(t, srv, connection.WithProxy(viaProxy()), limits(connection.Timeouts{Dial: 20 * s}))
		began := time.Now()
		err := post(t, conn)
		timedOut(t, err, connection.PhaseDial, 20*s)
		proxyFault(t, err, 0)
		passed(t, began, 20*s)
		p.Down()
	})
	t.Run("C10 a server that the proxy does not reach", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		api := n.Serve(apiOrigin, status(204))
		serveProxy(t, n, &fakeProxy{})
		api.Refuse()
		err := request.Get(behind(t, api, connection.WithProxy(viaProxy())), "/x").Exec(t.Context())
		if _, ok := errors.AsType[*connection.TransportError](err); !ok {
			t.Errorf("error %v, want a *TransportError", err)
		}
	})
	t.Run("C10 the handshake behind the tunnel is the server's", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		n.ServeRaw("http://api.example.test:443", func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 1<<10))
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
		})
		serveProxy(t, n, &fakeProxy{})
		conn := connect(t, apiOrigin, n.Option(), connection.WithProxy(viaProxy()))
		err := request.Get(conn, "/x").Exec(t.Context())
		if _, ok := errors.AsType[*connection.ProxyError](err); ok || err == nil {
			t.Errorf("error %v, want none of the proxy", err)
		}
	})
}

// The header of a caller, a redirect and two proxies: golang.org/issue/79792.
func TestProxyAuthorizationStays(t *testing.T) {
	t.Parallel()
	for _, code := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprintf("A13 a redirect %d past the proxy takes no Proxy-Authorization along", code), func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			n.Serve("http://api.example.test", http.RedirectHandler(apiOrigin+"/a", code))
			api := n.Serve(apiOrigin, routes{
				"/a": redirectTo(code, "/b"), "/b": redirectTo(code, foreignOrigin+"/c"),
			})
			other := n.Serve(foreignOrigin, status(204))
			p := serveProxy(t, n, &fakeProxy{login: "u:" + canary})
			conn := connect(t, "http://api.example.test", n.Option(), connection.WithProxy(viaProxy(withLogin("u", canary))))
			if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, req := range append(api.Requests(), other.Requests()...) {
				wantNoField(t, req.Raw, "Proxy-Authorization")
				if holdsCanary(req.Raw) {
					t.Errorf("the request is %s", req.Raw)
				}
			}
			sent(t, api, 2)
			sent(t, other, 1)
			if got := len(p.requests()); got != 3 {
				t.Errorf("the proxy read %q", p.requests())
			}
		})
	}
}
