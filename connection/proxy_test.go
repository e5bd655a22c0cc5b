package connection_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

const (
	proxyHost = "proxy.example.test"
	proxyPort = 3128
	proxyAddr = "proxy.example.test:3128"
)

// fakeProxy is a proxy in the network of a test: it speaks HTTP, or SOCKS5, and hands on to the network's servers.
type fakeProxy struct {
	*connectiontest.Server

	network *connectiontest.Network
	tls     *tls.Config                           // nil if it speaks without TLS
	socks   bool                                  // it speaks SOCKS5
	login   string                                // user and password as it wants them, with a colon between them
	connect func(conn net.Conn, head string) bool // answers a CONNECT in the place of 200; false ends the connection

	mu     sync.Mutex
	heads  []string // of HTTP requests, as they were sent
	calls  []socksCall
	shown  int // client certificates
	direct *http.Transport
}

// socksCall is what a client has sent to a SOCKS5 proxy.
type socksCall struct {
	methods []byte
	login   string // with a colon between user and password
	kind    byte   // the type of the address
	target  string // host and port
}

// serveProxy adds a proxy to a network.
func serveProxy(t *testing.T, n *connectiontest.Network, p *fakeProxy) *fakeProxy {
	t.Helper()
	return serveProxyAt(t, n, "http://"+proxyAddr, p)
}

func serveProxyAt(t *testing.T, n *connectiontest.Network, at string, p *fakeProxy) *fakeProxy {
	t.Helper()
	p.network, p.direct = n, n.Transport()
	p.direct.DisableKeepAlives = true
	p.Server = n.ServeRaw(at, p.serve)
	return p
}

func (p *fakeProxy) serve(conn net.Conn) {
	if p.tls != nil {
		secure := tls.Server(conn, p.tls)
		if secure.Handshake() != nil {
			return
		}
		p.note(func() { p.shown += len(secure.ConnectionState().PeerCertificates) })
		conn = secure
	}
	br := bufio.NewReader(conn)
	if p.socks {
		p.serveSOCKS(conn, br)
		return
	}
	for p.serveHTTP(conn, br) {
	}
}

func (p *fakeProxy) note(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// serveHTTP serves one request, and reports whether there may be another.
func (p *fakeProxy) serveHTTP(conn net.Conn, br *bufio.Reader) bool {
	var head strings.Builder
	for !strings.HasSuffix(head.String(), "\r\n\r\n") {
		line, err := br.ReadString('\n')
		if err != nil {
			return false
		}
		head.WriteString(line)
	}
	p.note(func() { p.heads = append(p.heads, head.String()) })
	req, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head.String()), br)))
	if err != nil {
		return false
	}
	wanted := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.login))
	if p.login != "" && req.Header.Get("Proxy-Authorization") != wanted {
		_, _ = io.WriteString(conn, "HTTP/1.1 407 Log in\r\n"+
			"Proxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n")
		return true
	}
	if req.Method != http.MethodConnect {
		return p.forward(conn, req)
	}
	if p.connect != nil {
		if !p.connect(conn, head.String()) {
			return false
		}
	} else if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return false
	}
	p.tunnel(conn, br, req.Host)
	return false
}

// forward sends a request over plain http on.
func (p *fakeProxy) forward(conn net.Conn, req *http.Request) bool {
	req.RequestURI = ""
	req.Header.Del("Proxy-Authorization")
	resp, err := p.direct.RoundTrip(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	resp.Close = false
	return resp.Write(conn) == nil
}

// tunnel hands on what comes, in both directions, until one side has closed.
func (p *fakeProxy) tunnel(conn net.Conn, br *bufio.Reader, target string) {
	server, err := p.network.Dial(context.Background(), "tcp", target)
	if err != nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(server, br)
		_ = server.Close()
	})
	_, _ = io.Copy(conn, server)
	_ = conn.Close()
	wg.Wait()
}

func (p *fakeProxy) serveSOCKS(conn net.Conn, br *bufio.Reader) {
	var c socksCall
	fields := func(n int) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(br, b)
		return b
	}
	c.methods = fields(int(fields(2)[1]))
	method := byte(0)
	if p.login != "" {
		if method = 2; !slices.Contains(c.methods, 2) {
			_, _ = conn.Write([]byte{5, 0xff})
			return
		}
	}
	_, _ = conn.Write([]byte{5, method})
	if method == 2 {
		user := fields(int(fields(2)[1]))
		c.login = string(user) + ":" + string(fields(int(fields(1)[0])))
		if c.login != p.login {
			_, _ = conn.Write([]byte{1, 1})
			return
		}
		_, _ = conn.Write([]byte{1, 0})
	}
	c.kind = fields(4)[3]
	host := ""
	switch c.kind {
	case 1:
		host = net.IP(fields(4)).String()
	case 3:
		host = string(fields(int(fields(1)[0])))
	case 4:
		host = net.IP(fields(16)).String()
	}
	if host == "" { // the client has gone
		return
	}
	c.target = net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(fields(2)))))
	p.note(func() { p.calls = append(p.calls, c) })
	_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	p.tunnel(conn, br, c.target)
}

// requests returns the heads of the requests so far.
func (p *fakeProxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.heads)
}

func (p *fakeProxy) socksCalls() []socksCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// certificates returns how many client certificates the proxy was shown.
func (p *fakeProxy) certificates() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown
}

// behind opens a connection to srv, with options that count more than those of its network.
func behind(t *testing.T, srv *connectiontest.Server, options ...connection.Option) *connection.Connection {
	t.Helper()
	return connect(t, srv.URL, append([]connection.Option{srv.Network().Option()}, options...)...)
}

// viaProxy is the proxy of the tests, with those changes.
func viaProxy(changes ...func(p *connection.Proxy)) connection.Proxy {
	p := connection.Proxy{Mode: connection.ProxyCustom, Host: proxyHost, Port: proxyPort}
	for _, change := range changes {
		change(&p)
	}
	return p
}

func withLogin(user, password string) func(p *connection.Proxy) {
	return func(p *connection.Proxy) { p.User, p.Password = user, secrets.Static(password) }
}

func withScheme(scheme string) func(p *connection.Proxy) {
	return func(p *connection.Proxy) { p.Scheme = scheme }
}

// setProxies sets the proxy variables of the environment, and empties those that are not named.
func setProxies(t *testing.T, pairs ...string) {
	t.Helper()
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "REQUEST_METHOD"} {
		t.Setenv(name, "")
		t.Setenv(strings.ToLower(name), "")
	}
	for i := 0; i < len(pairs); i += 2 {
		t.Setenv(pairs[i], pairs[i+1])
	}
}

// platform makes a connection use the network of a test and the proxies of the environment.
func platform(n *connectiontest.Network) connection.Option {
	return connection.Options(connection.WithDialContext(n.Dial), connection.WithTrustedCAOnly(n.Authority()))
}

// wantLine checks that a head has that line, and no other one of that field.
func wantLine(t *testing.T, head, line string) {
	t.Helper()
	if !strings.HasPrefix(head, line+"\r\n") && !strings.Contains(head, "\r\n"+line+"\r\n") {
		t.Errorf("%q is not in %q", line, head)
	}
	if name, _, ok := strings.Cut(line, ": "); ok && strings.Count(strings.ToLower(head), strings.ToLower(name)+":") != 1 {
		t.Errorf("the field %s is there several times: %q", name, head)
	}
}

func wantNoField(t *testing.T, head, name string) {
	t.Helper()
	if strings.Contains(strings.ToLower(head), "\r\n"+strings.ToLower(name)+":") {
		t.Errorf("the field %s is in %q", name, head)
	}
}

// proxyFault checks that err is of a proxy that answered with that status.
func proxyFault(t *testing.T, err error, status int) {
	t.Helper()
	e, ok := errors.AsType[*connection.ProxyError](err)
	if !ok || e.Status != status || e.Proxy != proxyAddr {
		t.Fatalf("error %v, want a *ProxyError of %s with status %d", err, proxyAddr, status)
	}
}

func TestProxyHTTP(t *testing.T) {
	t.Parallel()
	login := "pxuser:px+pass/é"
	basic := "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(login))
	via := viaProxy(withLogin("pxuser", "px+pass/é"))
	t.Run("C5 https goes through CONNECT, and what belongs to the proxy stays there", func(t *testing.T) {
		t.Parallel()
		s := connectiontest.NewServer(t, status(204))
		p := serveProxy(t, s.Network(), &fakeProxy{login: login})
		conn := behind(t, s, connection.WithProxy(via), connection.WithAuth(auth.Basic("svc", secrets.Static(canary))))
		for range 3 {
			if err := request.Get(conn, "/v1/x").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		heads := p.requests()
		if len(heads) != 1 {
			t.Fatalf("%d requests to the proxy, want one CONNECT", len(heads))
		}
		const to = "CONNECT api.example.test:443 HTTP/1.1\r\nHost: api.example.test:443\r\n"
		if want := to + basic + "\r\n\r\n"; heads[0] != want {
			t.Errorf("the proxy read %q, want %q", heads[0], want)
		}
		for _, req := range s.Requests() {
			wantNoField(t, req.Raw, "Proxy-Authorization")
			wantLine(t, req.Raw, "GET /v1/x HTTP/1.1")
		}
		sent(t, s, 3)
	})
	t.Run("C5 http goes to the proxy itself", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		s := n.Serve("http://api.example.test", status(204))
		p := serveProxy(t, n, &fakeProxy{login: login})
		conn := behind(t, s, connection.WithProxy(via))
		if err := request.Get(conn, "/v1/x").Query("q", "1").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		head := p.requests()[0]
		wantLine(t, head, "GET http://api.example.test/v1/x?q=1 HTTP/1.1")
		wantLine(t, head, "Host: api.example.test")
		wantLine(t, head, basic)
		wantNoField(t, only(t, s).Raw, "Proxy-Authorization")
	})
	t.Run("C5 without a user there is no Proxy-Authorization", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		p := serveProxy(t, n, &fakeProxy{})
		for _, origin := range []string{"http://api.example.test", "https://api.example.test"} {
			s := n.Serve(origin, status(204))
			if err := request.Get(behind(t, s, connection.WithProxy(viaProxy())), "/x").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			sent(t, s, 1)
		}
		for _, head := range p.requests() {
			wantNoField(t, head, "Proxy-Authorization")
		}
		if len(p.requests()) != 2 {
			t.Errorf("the proxy read %q", p.requests())
		}
	})
	t.Run("C5 a request that brings Proxy-Authorization is refused", func(t *testing.T) {
		t.Parallel()
		s := connectiontest.NewServer(t, status(204))
		p := serveProxy(t, s.Network(), &fakeProxy{})
		conn := behind(t, s, connection.WithProxy(viaProxy()))
		err := request.Get(conn, "/x").Header("proxy-authorization", "Basic "+canary).Exec(t.Context())
		if err == nil || !strings.Contains(err.Error(), "Proxy-Authorization") {
			t.Errorf("error %v", err)
		}
		req := newRequest(t.Context(), t, "GET", nil)
		req.Header.Set("Proxy-Authorization", "Basic "+canary)
		_, err = conn.Do(req)
		if _, ok := errors.AsType[*connection.OptionError](err); !ok {
			t.Errorf("error %v, want an *OptionError", err)
		}
		_, err = connection.New(s.URL, directly, connection.WithHeader("Proxy-Authorization", "x"))
		if got := optionFaults(err); !slices.Equal(got, []string{"WithHeader"}) {
			t.Errorf("error %v", err)
		}
		if p.Conns()+s.Conns() != 0 {
			t.Error("something was sent")
		}
	})
	t.Run("C5 HTTP/2 through CONNECT", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		s := n.ServeH2("https://api.example.test", status(204))
		p := serveProxy(t, n, &fakeProxy{login: login})
		conn := behind(t, s, connection.WithProxy(via), connection.WithHTTPVersion(connection.HTTP2Required))
		for range 2 {
			if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, req := range s.Requests() {
			if req.Proto != "HTTP/2.0" || req.Conn != 1 || req.Header.Get("Proxy-Authorization") != "" {
				t.Errorf("the request is %s on connection %d: %s", req.Proto, req.Conn, req.Raw)
			}
		}
		if got := len(p.requests()); got != 1 {
			t.Errorf("%d CONNECT, want 1", got)
		}
	})
	t.Run("C5 a proxy with an IPv6 address", func(t *testing.T) {
		t.Parallel()
		for _, host := range []string{"2001:db8::7", "[2001:db8::7]"} {
			s := connectiontest.NewServer(t, status(204))
			p := serveProxyAt(t, s.Network(), "http://[2001:db8::7]:3128", &fakeProxy{})
			conn := behind(t, s, connection.WithProxy(viaProxy(func(p *connection.Proxy) { p.Host = host })))
			if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
				t.Error(err)
			}
			if got := conn.Describe().Pool.Proxy; got != "http://[2001:db8::7]:3128" || len(p.requests()) != 1 {
				t.Errorf("the proxy is %q, and read %q", got, p.requests())
			}
		}
	})
	t.Run("C5 a server with an IPv6 address", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		s := n.Serve("https://[2001:db8::9]:8443", status(204))
		p := serveProxy(t, n, &fakeProxy{})
		if err := request.Get(behind(t, s, connection.WithProxy(viaProxy())), "/x").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantLine(t, p.requests()[0], "CONNECT [2001:db8::9]:8443 HTTP/1.1")
	})
}

func TestProxyTLS(t *testing.T) {
	t.Parallel()
	login := "pxuser:pxpass"
	via := viaProxy(withScheme("https"), withLogin("pxuser", "pxpass"))
	open := func(t *testing.T, n *connectiontest.Network, cfg *tls.Config) *fakeProxy {
		t.Helper()
		if cfg.Certificates == nil {
			cfg.Certificates = []tls.Certificate{n.Certificate(proxyHost)}
		}
		return serveProxy(t, n, &fakeProxy{login: login, tls: cfg})
	}
	for _, origin := range []string{"http://api.example.test", "https://api.example.test"} {
		scheme, _, _ := strings.Cut(origin, ":")
		t.Run("C5 an https proxy carries "+scheme, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			s := n.Serve(origin, status(204))
			p := open(t, n, &tls.Config{})
			if err := request.Get(behind(t, s, connection.WithProxy(via)), "/x").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := "CONNECT api.example.test:443 HTTP/1.1"
			if scheme == "http" {
				want = "GET http://api.example.test/x HTTP/1.1"
			}
			wantLine(t, p.requests()[0], want)
			wantLine(t, p.requests()[0], "Proxy-Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(login)))
			wantNoField(t, only(t, s).Raw, "Proxy-Authorization")
			for _, req := range p.Requests() { // what there is of it without TLS
				if strings.Contains(req.Raw, "HTTP/1.1") {
					t.Errorf("the proxy was sent in clear %q", req.Raw)
				}
			}
		})
	}
	t.Run("C5 client certificate and pins are for the service and not for the proxy", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		var shown atomic.Int32
		own := n.Certificate("api.example.test")
		s := n.ServeTLS("https://api.example.test", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			shown.Add(int32(len(r.TLS.PeerCertificates)))
		}), &tls.Config{ClientAuth: tls.RequireAnyClientCert, Certificates: []tls.Certificate{own}})
		p := open(t, n, &tls.Config{ClientAuth: tls.RequestClientCert})
		conn := behind(t, s, connection.WithProxy(via), connection.WithPinnedKeys(connection.PinOf(own.Leaf)),
			connection.WithClientCertificate(connection.StaticCertificate(n.Certificate("client.example.test"))))
		if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		if shown.Load() == 0 || p.certificates() != 0 {
			t.Errorf("%d certificates for the service, %d for the proxy", shown.Load(), p.certificates())
		}
	})
	for name, cfg := range map[string]func(n *connectiontest.Network) *tls.Config{
		"a certificate for another name": func(n *connectiontest.Network) *tls.Config {
			return &tls.Config{Certificates: []tls.Certificate{n.Certificate("other.example.test")}}
		},
		"a certificate of another authority": func(*connectiontest.Network) *tls.Config {
			return &tls.Config{Certificates: []tls.Certificate{connectiontest.NewNetwork(t).Certificate(proxyHost)}}
		},
	} {
		for _, origin := range []string{"http://api.example.test", "https://api.example.test"} {
			scheme, _, _ := strings.Cut(origin, ":")
			t.Run("C5 an https proxy with "+name+" gets nothing, whatever InsecureSkipVerify says, "+scheme, func(t *testing.T) {
				t.Parallel()
				n := connectiontest.NewNetwork(t)
				s := n.Serve(origin, status(204))
				p := open(t, n, cfg(n))
				conn := behind(t, s, connection.WithProxy(via), connection.WithInsecureSkipVerify(), retries(2))
				err := request.Get(conn, "/x").Exec(t.Context())
				proxyFault(t, err, 0)
				if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
					t.Errorf("error %v, want that of the certificate", err)
				}
				if s.Conns() != 0 || len(p.requests()) != 0 || p.Conns() != 1 {
					t.Errorf("%d connections, the proxy has read %q", p.Conns(), p.requests())
				}
			})
		}
	}
	t.Run("C5 a proxy that does not speak TLS", func(t *testing.T) {
		t.Parallel()
		s := connectiontest.NewServer(t, status(204))
		p := serveProxy(t, s.Network(), &fakeProxy{})
		p.connect = func(net.Conn, string) bool { return false }
		n := s.Network()
		plain := n.ServeRaw("http://plain.example.test:3128", func(conn net.Conn) {
			_, _ = io.ReadFull(conn, make([]byte, 5))
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
		})
		conn := behind(t, s, connection.WithProxy(viaProxy(withScheme("https"),
			func(p *connection.Proxy) { p.Host = "plain.example.test" })))
		err := request.Get(conn, "/x").Exec(t.Context())
		if e, ok := errors.AsType[*connection.ProxyError](err); !ok || e.Status != 0 {
			t.Errorf("error %v, want a *ProxyError", err)
		}
		if plain.Conns() == 0 || s.Conns() != 0 {
			t.Error("the proxy was not asked, or the server was")
		}
	})
}

func TestProxySOCKS(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		origin, login, target string
		kind                  byte
	}{
		"https":                   {"https://api.example.test", "", "api.example.test:443", 3},
		"http":                    {"http://api.example.test", "", "api.example.test:80", 3},
		"http with a login":       {"http://api.example.test:8080", "pxuser:px:pass", "api.example.test:8080", 3},
		"https with a login":      {"https://api.example.test", "pxuser:pxpass", "api.example.test:443", 3},
		"https to IPv6":           {"https://[2001:db8::9]:8443", "", "[2001:db8::9]:8443", 4},
		"http to IPv4":            {"http://198.51.100.9", "", "198.51.100.9:80", 1},
		"an empty password":       {"https://api.example.test", "pxuser:", "api.example.test:443", 3},
		"a login of 255 bytes":    {"https://api.example.test", longest + ":" + longest, "api.example.test:443", 3},
		"a name of 253 bytes too": {"http://" + longName, "", longName + ":80", 3},
	} {
		t.Run("C9 SOCKS5, "+name, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			s := n.Serve(c.origin, status(204))
			p := serveProxy(t, n, &fakeProxy{socks: true, login: c.login})
			via := viaProxy(withScheme("socks5"))
			if user, password, ok := strings.Cut(c.login, ":"); ok {
				withLogin(user, password)(&via)
			}
			conn := behind(t, s, connection.WithProxy(via))
			if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			calls := p.socksCalls()
			if len(calls) != 1 || calls[0].target != c.target || calls[0].kind != c.kind || calls[0].login != c.login {
				t.Errorf("the proxy read %+v", calls)
			}
			wantLine(t, only(t, s).Raw, "GET /x HTTP/1.1")
		})
	}
	t.Run("C9 SOCKS5 names that are too long are an error, and not cut short", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		p := serveProxy(t, n, &fakeProxy{socks: true})
		socks := withScheme("socks5")
		for name, via := range map[string]connection.Proxy{
			"a user":              viaProxy(socks, withLogin(longest+"x", "p")),
			"a password":          viaProxy(socks, withLogin("u", longest+"x")),
			"a host of the proxy": viaProxy(socks, func(p *connection.Proxy) { p.Host = longest + "x" }),
		} {
			_, err := connection.New(apiOrigin, n.Option(), connection.WithProxy(via))
			if got := optionFaults(err); !slices.Equal(got, []string{"WithProxy"}) {
				t.Errorf("%s: error %v", name, err)
			}
		}
		conn := connect(t, "http://"+longName+".xxxx", n.Option(), connection.WithProxy(viaProxy(socks)))
		proxyFault(t, request.Get(conn, "/x").Exec(t.Context()), 0)
		if len(p.socksCalls()) != 0 {
			t.Errorf("the proxy read %+v", p.socksCalls())
		}
	})
	t.Run("C9 a SOCKS5 login that is refused is not tried again", func(t *testing.T) {
		t.Parallel()
		for _, via := range []connection.Proxy{
			viaProxy(withScheme("socks5"), withLogin("pxuser", birdsong)), viaProxy(withScheme("socks5")),
		} {
			s := connectiontest.NewServer(t, status(204))
			p := serveProxy(t, s.Network(), &fakeProxy{socks: true, login: "pxuser:pxpass"})
			conn := behind(t, s, connection.WithProxy(via), retries(3))
			err := request.Get(conn, "/x").Exec(t.Context())
			proxyFault(t, err, 0)
			cleanErrors(t, "error", err)
			if p.Conns() != 1 || !strings.Contains(err.Error(), "password") {
				t.Errorf("%d connections, %v", p.Conns(), err)
			}
		}
	})
}

var (
	longest  = strings.Repeat("u", 255)
	longName = strings.Repeat(strings.Repeat("x", 62)+".", 4) + "t"
)

//nolint:paralleltest // it sets the environment
func TestProxyEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"C1 a port that is none":         "http://u:" + canary + "@proxy.example.test:port",
		"C1 a bracket that is not ended": "http://u:" + canary + "@[::1",
		"C1 a path":                      "http://u:" + canary + "@proxy.example.test:3128/x",
		"C2 an unknown scheme":           "foo://u:" + canary + "@proxy.example.test:3128",
		"C2 blanks":                      "  \t",
	} {
		for _, variable := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY"} {
			t.Run(name+" in "+variable, func(t *testing.T) {
				s := connectiontest.NewServer(t, status(204))
				p := serveProxy(t, s.Network(), &fakeProxy{})
				setProxies(t, variable, value)
				_, err := connection.New(s.URL, platform(s.Network()))
				if got := optionFaults(err); !slices.Equal(got, []string{"WithProxy"}) {
					t.Fatalf("error %v, want an *OptionError of WithProxy", err)
				}
				if text := err.Error(); !strings.Contains(text, variable) || strings.Contains(text, canary) {
					t.Errorf("the text is %q", text)
				}
				if s.Conns()+p.Conns() != 0 {
					t.Error("something was sent")
				}
			})
		}
	}
	t.Run("C8 NO_PROXY", func(t *testing.T) {
		for list, direct := range map[string]bool{
			"": false, "api.example.test": true, ".example.test": true, "*.example.test": true, "API.example.test:443": true,
			"api.example.test:80": false, "example.tes": false, "*": true, "other.test, api.example.test": true,
		} {
			s := connectiontest.NewServer(t, status(204))
			p := serveProxy(t, s.Network(), &fakeProxy{})
			setProxies(t, "HTTPS_PROXY", "http://"+proxyAddr, "NO_PROXY", list)
			conn := connect(t, s.URL, platform(s.Network()))
			if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
				t.Error(err)
			}
			if got := len(p.requests()) == 0; got != direct {
				t.Errorf("NO_PROXY=%q: direct is %t", list, got)
			}
		}
	})
	t.Run("C11 explicit wins over the environment, and none disables it", func(t *testing.T) {
		for _, variable := range []string{"HTTPS_PROXY", "https_proxy"} {
			s := connectiontest.NewServer(t, status(204))
			n := s.Network()
			p := serveProxy(t, n, &fakeProxy{})
			other := serveProxyAt(t, n, "http://env.example.test:8080", &fakeProxy{})
			setProxies(t, variable, "http://env.example.test:8080")
			get := func(options ...connection.Option) {
				conn := connect(t, s.URL, append([]connection.Option{platform(n)}, options...)...)
				if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
					t.Error(err)
				}
			}
			get(connection.WithProxy(viaProxy()))
			get(connection.WithProxy(connection.Proxy{Mode: connection.ProxyNone}))
			if len(p.requests()) != 1 || other.Conns() != 0 {
				t.Errorf("custom %q, environment %d", p.requests(), other.Conns())
			}
			get()
			get(connection.WithProxy(connection.Proxy{Mode: connection.ProxyPlatform}))
			get(connection.WithRuntime("zone", connection.Runtimes{
				"zone": {Proxy: connection.Proxy{Mode: connection.ProxyPlatform}},
			}))
			if len(p.requests()) != 1 || len(other.requests()) != 3 {
				t.Errorf("custom %q, environment %q", p.requests(), other.requests())
			}
		}
	})
	t.Run("C11 an environment that nobody asks may be malformed", func(t *testing.T) {
		setProxies(t, "HTTPS_PROXY", "foo://x")
		s := connectiontest.NewServer(t, status(204))
		none := connection.Proxy{Mode: connection.ProxyNone}
		conn := connect(t, s.URL, platform(s.Network()), connection.WithProxy(none), connection.WithTokenProxy(none))
		if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
			t.Error(err)
		}
		for _, option := range []connection.Option{connection.WithProxy(none), connection.WithTokenProxy(none)} {
			if _, err := connection.New(s.URL, platform(s.Network()), option); err == nil {
				t.Error("one of the two asks the environment, and there is no error")
			}
		}
	})
	t.Run("C5 a redirect to the other scheme goes through the other proxy, with its own credentials", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		plain := n.Serve("http://api.example.test", redirectTo(302, apiOrigin+"/landed"))
		secure := n.Serve(apiOrigin, status(204))
		first := serveProxyAt(t, n, "http://first.example.test:8080", &fakeProxy{login: "one:" + canary})
		second := serveProxyAt(t, n, "http://second.example.test:8080", &fakeProxy{})
		setProxies(t, "HTTP_PROXY", "http://one:"+canary+"@first.example.test:8080",
			"HTTPS_PROXY", "http://second.example.test:8080")
		if err := request.Get(connect(t, plain.URL, platform(n)), "/x").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantLine(t, first.requests()[0], "GET http://api.example.test/x HTTP/1.1")
		wantLine(t, first.requests()[0],
			"Proxy-Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("one:"+canary)))
		const want = "CONNECT api.example.test:443 HTTP/1.1\r\nHost: api.example.test:443\r\n\r\n"
		if got := second.requests()[0]; got != want {
			t.Errorf("the second proxy read %q", got)
		}
		for _, s := range []*connectiontest.Server{plain, secure} {
			wantNoField(t, only(t, s).Raw, "Proxy-Authorization")
		}
	})
}

func TestProxyOptions(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]connection.Proxy{
		"C2 another scheme":            viaProxy(withScheme("ftp")),
		"C2 a scheme in capitals":      viaProxy(withScheme("HTTP")),
		"C2 no host":                   viaProxy(func(p *connection.Proxy) { p.Host = "" }),
		"C2 a blank host":              viaProxy(func(p *connection.Proxy) { p.Host = " " }),
		"C2 a host with a port":        viaProxy(func(p *connection.Proxy) { p.Host = "proxy.test:80" }),
		"C3 a host with a login":       viaProxy(func(p *connection.Proxy) { p.Host = "u:" + birdsong + "@proxy.test" }),
		"C3 a host that is a URL":      viaProxy(func(p *connection.Proxy) { p.Host = "http://u:" + birdsong + "@a.test" }),
		"C2 no port":                   viaProxy(func(p *connection.Proxy) { p.Port = 0 }),
		"C2 a port that is too large":  viaProxy(func(p *connection.Proxy) { p.Port = 65536 }),
		"C2 a password without a user": viaProxy(withLogin("", birdsong)),
		"C2 a colon in the user":       viaProxy(withLogin("a:b", birdsong)),
		"C2 an unknown mode":           {Mode: connection.ProxyMode(birdsong)},
		"C2 a host and no mode":        {Host: proxyHost},
		"C2 a password and mode none":  {Mode: connection.ProxyNone, User: birdsong, Password: secrets.Static(birdsong)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for option, set := range map[string]connection.Option{
				"WithProxy": connection.WithProxy(p), "WithTokenProxy": connection.WithTokenProxy(p),
			} {
				n := connectiontest.NewNetwork(t)
				_, err := connection.New(apiOrigin, n.Option(), set)
				if got := optionFaults(err); !slices.Contains(got, option) {
					t.Errorf("error %v, want an *OptionError of %s", err, option)
				}
				cleanErrors(t, "error", err)
				cleanPrinted(t, "Proxy", p)
			}
		})
	}
}

// TestProxyCanary: a proxy that is given user and password, in every outcome.
func TestProxyCanary(t *testing.T) {
	t.Parallel()
	echoes := func(status string, fields ...string) func(conn net.Conn, head string) bool {
		return func(conn net.Conn, sent string) bool {
			_, field, _ := strings.Cut(sent, "Proxy-Authorization: ")
			field, _, _ = strings.Cut(field, "\r\n")
			_, pair, _ := strings.Cut(field, " ")
			raw, _ := base64.StdEncoding.DecodeString(pair)
			text := strings.NewReplacer("{pair}", pair, "{raw}", string(raw))
			head := "HTTP/1.1 " + status + "\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n"
			_, _ = io.WriteString(conn, text.Replace(head+"{raw} {pair}"))
			return false
		}
	}
	for name, c := range map[string]struct {
		connect func(conn net.Conn, head string) bool
		spoil   func(s *connectiontest.Server)
		target  func(s *connectiontest.Server)
	}{
		"an answer":              {},
		"a proxy that is down":   {spoil: (*connectiontest.Server).Refuse},
		"a server that is down":  {target: (*connectiontest.Server).Refuse},
		"407 with what was sent": {connect: echoes("407 {raw}", "Proxy-Authenticate: {pair}", "X: {raw}")},
		"407 with it in quotes":  {connect: echoes("407 no", `Proxy-Authenticate: NTLM, {pair} realm="{raw}"`)},
		"400 with what was sent": {connect: echoes("400 {raw}", "X-{pair}: {raw}")},
		"502 with what was sent": {connect: echoes("502 {raw}")},
		"no HTTP":                {connect: echoes("{raw}")},
		"a wrong field":          {connect: echoes("200 OK", "{raw}")},
		"200 and what was sent":  {connect: echoes("200 OK")},
	} {
		for _, origin := range []string{"http://api.example.test", "https://api.example.test"} {
			for _, how := range []string{"http", "socks5"} {
				scheme, _, _ := strings.Cut(origin, ":")
				if how == "socks5" && c.connect != nil || scheme == "http" && c.connect != nil {
					continue
				}
				t.Run("C3 "+name+", "+scheme+" by "+how, func(t *testing.T) {
					t.Parallel()
					n := connectiontest.NewNetwork(t)
					s := n.Serve(origin, status(204))
					p := serveProxy(t, n, &fakeProxy{connect: c.connect, socks: how == "socks5", login: birdsong + ":" + birdsong})
					if how == "socks5" && c.connect == nil && name == "an answer" {
						p.login = "" // and one that does not ask
					}
					if c.spoil != nil {
						c.spoil(p.Server)
					}
					if c.target != nil {
						c.target(s)
					}
					log := new(journal)
					via := viaProxy(withScheme(how), withLogin(birdsong, birdsong))
					conn := behind(t, s, connection.WithProxy(via), connection.WithLogger(log.logger()),
						connection.WithDebug(log.logger()), connection.WithRetry(connection.Retry{Max: 1}))
					_, err := request.Do[string](t.Context(), request.Get(conn, "/x"))
					if (err != nil) != (name != "an answer") {
						t.Errorf("error %v", err)
					}
					cleanErrors(t, "error", err)
					clean(t, "log", log.String())
					cleanPrinted(t, "Connection", conn)
					cleanPrinted(t, "Description", conn.Describe())
					clean(t, "Description", conn.Describe().String())
					cleanPrinted(t, "Proxy", via)
					cleanPrinted(t, "*Proxy", &via)
					cleanPrinted(t, "Runtimes", connection.Runtimes{"x": {Proxy: via}})
					cleanPrinted(t, "WithProxy", connection.WithProxy(via))
					if log.String() == "" {
						t.Error("nothing was logged")
					}
				})
			}
		}
	}
}

// A password that changes.
func TestProxyPasswordChanges(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"http", "socks5"} {
		for _, origin := range []string{"http://api.example.test", "https://api.example.test"} {
			scheme, _, _ := strings.Cut(origin, ":")
			bubble(t, "C7 "+scheme+" by "+how+": what was opened with the old password is not used again", func(t *testing.T) {
				n := connectiontest.NewNetwork(t)
				s := n.Serve(origin, status(204))
				p := serveProxy(t, n, &fakeProxy{login: "u:one", socks: how == "socks5"})
				password := "one"
				via := viaProxy(withScheme(how), withLogin("u", ""))
				via.Password = secrets.Func(func(context.Context) (secrets.Value, error) { return secrets.Static(password), nil })
				conn := behind(t, s, connection.WithProxy(via))
				get := func() {
					t.Helper()
					if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				get()
				time.Sleep(59 * time.Second)
				get()
				if got := p.Conns(); got != 1 {
					t.Fatalf("%d connections to the proxy, want 1", got)
				}
				password, p.login = "two", "u:two"
				time.Sleep(time.Second)
				get()
				get()
				if got := p.Conns(); got != 2 {
					t.Errorf("%d connections to the proxy, want 2", got)
				}
				if got := p.OpenConns(); got != 1 {
					t.Errorf("%d connections are open, want 1", got)
				}
				if how == "socks5" {
					if calls := p.socksCalls(); len(calls) != 2 || calls[1].login != "u:two" {
						t.Errorf("the proxy read %+v", calls)
					}
					return
				}
				heads := p.requests()
				wantLine(t, heads[len(heads)-1],
					"Proxy-Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("u:two")))
			})
		}
	}
}

// Plain http through a proxy: the proxy reads what is sent.
func TestProxyPlainHTTP(t *testing.T) {
	t.Parallel()
	secret := auth.Basic("svc", secrets.Static(canary))
	t.Run("C6 a credential is refused without WithInsecureHTTP", func(t *testing.T) {
		t.Parallel()
		for _, how := range []string{"http", "https", "socks5"} {
			for _, base := range []string{
				"http://api.example.test", "http://localhost:8080", "http://127.0.0.1", "http://[::1]:81",
			} {
				n := connectiontest.NewNetwork(t)
				s := n.Serve(base, status(204))
				p := serveProxy(t, n, &fakeProxy{socks: how == "socks5"})
				via := connection.WithProxy(viaProxy(withScheme(how)))
				_, err := connection.New(base, n.Option(), via, connection.WithAuth(secret))
				if !errors.Is(err, connection.ErrInsecure) {
					t.Errorf("%s by %s: error %v, want ErrInsecure", base, how, err)
				}
				_, err = connection.New(base, n.Option(), via, connection.WithHeader("Authorization", canary))
				if !errors.Is(err, connection.ErrInsecure) {
					t.Errorf("%s by %s: error %v, want ErrInsecure", base, how, err)
				}
				conn := connect(t, base, n.Option(), via)
				for name, b := range map[string]request.Builder{
					"auth": request.Get(conn, "/x").Auth(secret), "header": request.Get(conn, "/x").Header("Authorization", canary),
				} {
					if err := b.Exec(t.Context()); !errors.Is(err, connection.ErrInsecure) {
						t.Errorf("%s by %s, %s: error %v, want ErrInsecure", base, how, name, err)
					}
				}
				if s.Conns()+p.Conns() != 0 {
					t.Errorf("%s by %s: something was sent", base, how)
				}
			}
		}
	})
	t.Run("C6 with WithInsecureHTTP it is sent, and the proxy reads it", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		s := n.Serve("http://api.example.test", status(204))
		p := serveProxy(t, n, &fakeProxy{})
		conn := behind(t, s, connection.WithProxy(viaProxy()), connection.WithAuth(secret), connection.WithInsecureHTTP())
		if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantLine(t, p.requests()[0], "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("svc:"+canary)))
		wantLine(t, only(t, s).Raw, "GET /x HTTP/1.1")
	})
	t.Run("C6 localhost by a proxy on this machine does not leave it", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		s := n.Serve("http://localhost:8080", status(204))
		p := serveProxyAt(t, n, "http://127.0.0.1:3128", &fakeProxy{})
		via := viaProxy(func(p *connection.Proxy) { p.Host = "127.0.0.1" })
		conn := behind(t, s, connection.WithProxy(via), connection.WithAuth(secret))
		if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(p.requests()) != 1 {
			t.Error("the proxy was not asked")
		}
	})
	t.Run("C6 localhost that is dialed elsewhere leaves this machine", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		for host, refused := range map[string]bool{"10.1.2.3": true, "127.0.0.1": false, "::1": false} {
			_, err := connection.New("http://localhost", n.Option(), connection.WithAuth(secret),
				connection.WithConnectTo(host, 81))
			if errors.Is(err, connection.ErrInsecure) != refused || (err != nil) != refused {
				t.Errorf("%s: error %v", host, err)
			}
		}
	})
	t.Run("C6 token calls to localhost do not go to a proxy elsewhere", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		s := n.Serve(apiOrigin, status(204))
		issuer := n.Serve("http://localhost:8080", tokens(nil))
		p := serveProxy(t, n, &fakeProxy{})
		for name, options := range map[string][]connection.Option{
			"WithTokenProxy": {
				connection.WithTokenProxy(viaProxy()), connection.WithAuth(grant(t, issuer.URL, auth.Endpoint{})),
			},
			"Endpoint.Proxy": {connection.WithAuth(grant(t, issuer.URL, auth.Endpoint{
				Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: proxyAddr}),
			}))},
		} {
			err := request.Get(behind(t, s, options...), "/x").Exec(t.Context())
			if !errors.Is(err, connection.ErrInsecure) {
				t.Errorf("%s: error %v, want ErrInsecure", name, err)
			}
		}
		if s.Conns()+issuer.Conns()+p.Conns() != 0 {
			t.Error("something was sent")
		}
	})
}

// tokens answers token calls, with a refresh token and a life of an hour. It counts them in calls unless that is nil.
func tokens(calls *atomic.Int32) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls == nil {
			calls = new(atomic.Int32)
		}
		connectiontest.JSON(200, map[string]any{
			"access_token": fmt.Sprintf("tok-%d", calls.Add(1)), "token_type": "Bearer", "expires_in": 3600,
			"refresh_token": "again",
		}).ServeHTTP(w, r)
	})
}

// grant authenticates with client credentials that an issuer gives a token for.
func grant(t *testing.T, issuer string, e auth.Endpoint) auth.Authenticator {
	t.Helper()
	source := oauth2flow.ClientCredentials(oauth2flow.Client{
		TokenURL: issuer + "/token", ID: "cid", Secret: secrets.Static("csec"), Endpoint: e,
	})
	return auth.Bearer(auth.Manage(source))
}

//nolint:paralleltest // it sets the environment
func TestTokenProxy(t *testing.T) {
	const issuerOrigin = "https://issuer.example.test"
	type net3 struct {
		api, issuer  *connectiontest.Server
		proxy, other *fakeProxy
	}
	build := func(t *testing.T, apiBase string) (*connectiontest.Network, net3) {
		t.Helper()
		n := connectiontest.NewNetwork(t)
		return n, net3{
			api: n.Serve(apiBase, status(204)), issuer: n.Serve(issuerOrigin, tokens(nil)),
			proxy: serveProxy(t, n, &fakeProxy{}),
			other: serveProxyAt(t, n, "http://other.example.test:8080", &fakeProxy{login: "u:" + canary}),
		}
	}
	connects := func(heads []string) []string {
		var lines []string
		for _, head := range heads {
			line, _, _ := strings.Cut(head, " HTTP/1.1")
			lines = append(lines, line)
		}
		return lines
	}
	otherURL := &url.URL{Scheme: "http", User: url.UserPassword("u", canary), Host: "other.example.test:8080"}
	const api, token = "CONNECT api.example.test:443", "CONNECT issuer.example.test:443"
	for name, c := range map[string]struct {
		env          []string
		endpoint     auth.Endpoint
		options      []connection.Option
		proxy, other []string
	}{
		"I-17 a custom proxy is not for token calls": {
			options: []connection.Option{connection.WithProxy(viaProxy())}, proxy: []string{api},
		},
		"I-17 WithTokenProxy": {
			options: []connection.Option{connection.WithTokenProxy(viaProxy())}, proxy: []string{token},
		},
		"I-17 both": {
			options: []connection.Option{
				connection.WithProxy(viaProxy()),
				connection.WithTokenProxy(viaProxy(withLogin("u", canary), func(p *connection.Proxy) {
					p.Host, p.Port = "other.example.test", 8080
				})),
			},
			proxy: []string{api}, other: []string{token},
		},
		"I-17 the platform's is for token calls, also beside a custom one": {
			env:     []string{"HTTPS_PROXY", otherURL.String()},
			options: []connection.Option{connection.WithProxy(viaProxy())},
			proxy:   []string{api}, other: []string{token},
		},
		"I-17 the platform's is for all": {
			env: []string{"HTTPS_PROXY", otherURL.String()}, other: []string{token, api},
		},
		"I-17 the runtime's takes its place": {
			env: []string{"HTTPS_PROXY", otherURL.String()},
			options: []connection.Option{
				connection.WithRuntime("zone", connection.Runtimes{"zone": {Proxy: viaProxy()}}),
			},
			proxy: []string{token, api},
		},
		"I-17 the Endpoint's own overrides": {
			endpoint: auth.Endpoint{Proxy: http.ProxyURL(otherURL)},
			options:  []connection.Option{connection.WithTokenProxy(viaProxy()), connection.WithProxy(viaProxy())},
			proxy:    []string{api}, other: []string{token},
		},
		"I-17 the Endpoint's own can be none": {
			endpoint: auth.Endpoint{Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }}, //nolint:nilnil // none
			options:  []connection.Option{connection.WithTokenProxy(viaProxy())},
		},
		"I-17 WithTokenProxy none beside the environment": {
			env:     []string{"HTTPS_PROXY", otherURL.String()},
			options: []connection.Option{connection.WithTokenProxy(connection.Proxy{Mode: connection.ProxyNone})},
			other:   []string{api},
		},
	} {
		t.Run(name, func(t *testing.T) {
			setProxies(t, c.env...)
			n, x := build(t, apiOrigin)
			credential := connection.WithAuth(grant(t, issuerOrigin, c.endpoint))
			conn := connect(t, apiOrigin, append([]connection.Option{platform(n), credential}, c.options...)...)
			if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := connects(x.proxy.requests()); !slices.Equal(got, c.proxy) {
				t.Errorf("the proxy read %q, want %q", got, c.proxy)
			}
			if got := connects(x.other.requests()); !slices.Equal(got, c.other) {
				t.Errorf("the other one read %q, want %q", got, c.other)
			}
			wantLine(t, only(t, x.issuer).Raw, "POST /token HTTP/1.1")
			wantLine(t, only(t, x.api).Raw, "Authorization: Bearer tok-1")
		})
	}
	t.Run("I-17 the proxy of an Endpoint is checked like any other", func(t *testing.T) {
		setProxies(t)
		for name, u := range map[string]*url.URL{
			"an unknown scheme": {Scheme: "foo", Host: proxyAddr, User: url.UserPassword("u", birdsong)},
			"a path":            {Scheme: "http", Host: proxyAddr, Path: "/" + birdsong},
			"no host":           {Scheme: "http"},
			"a long user":       {Scheme: "socks5", Host: proxyAddr, User: url.UserPassword(longest+"x", birdsong)},
		} {
			n, x := build(t, apiOrigin)
			err := request.Get(connect(t, apiOrigin, platform(n),
				connection.WithAuth(grant(t, issuerOrigin, auth.Endpoint{Proxy: http.ProxyURL(u)}))), "/x").Exec(t.Context())
			if _, ok := errors.AsType[*connection.OptionError](err); !ok {
				t.Errorf("%s: error %v, want an *OptionError", name, err)
			}
			cleanErrors(t, "error", err)
			if x.api.Conns()+x.issuer.Conns()+x.proxy.Conns() != 0 {
				t.Errorf("%s: something was sent", name)
			}
		}
		n, x := build(t, apiOrigin) // without a port it is that of the scheme, and never http in its place
		secure := serveProxyAt(t, n, "http://secure.example.test:443", &fakeProxy{
			tls: &tls.Config{Certificates: []tls.Certificate{n.Certificate("secure.example.test")}},
		})
		portless := http.ProxyURL(&url.URL{Scheme: "https", Host: "secure.example.test"})
		conn := connect(t, apiOrigin, platform(n),
			connection.WithAuth(grant(t, issuerOrigin, auth.Endpoint{Proxy: portless})))
		err := request.Get(conn, "/x").Exec(t.Context())
		if err != nil || len(secure.requests()) != 1 {
			t.Errorf("error %v, the proxy read %q", err, secure.requests())
		}
		wantLine(t, only(t, x.issuer).Raw, "POST /token HTTP/1.1")
	})
	for name, custom := range map[string]bool{
		"D-21 a renewal goes the same way": false, "D-21 and not through the custom proxy": true,
	} {
		t.Run(name, func(t *testing.T) {
			setProxies(t)
			n, x := build(t, apiOrigin)
			var made atomic.Int32
			rejecting := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "Bearer tok-1" {
					w.WriteHeader(401)
				}
			})
			x.api.Close()
			x.api = n.Serve(apiOrigin, rejecting)
			x.issuer.Close()
			x.issuer = n.Serve(issuerOrigin, tokens(&made))
			option := connection.WithTokenProxy(viaProxy())
			if custom {
				option = connection.WithProxy(viaProxy())
			}
			conn := connect(t, apiOrigin, platform(n), option, connection.WithAuth(grant(t, issuerOrigin, auth.Endpoint{})))
			if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			sent(t, x.issuer, 2)
			want := []string{token}
			if custom {
				want = []string{api}
			}
			if got := slices.Compact(connects(x.proxy.requests())); !slices.Equal(got, want) {
				t.Errorf("the proxy read %q, want %q", got, want)
			}
		})
	}
	t.Run("C4 a token call that a proxy has refused", func(t *testing.T) {
		setProxies(t)
		n, x := build(t, apiOrigin)
		x.proxy.login = "somebody:else"
		log := new(journal)
		conn := connect(t, apiOrigin, platform(n), connection.WithLogger(log.logger()),
			connection.WithTokenProxy(viaProxy(withLogin("pxuser", birdsong))),
			connection.WithAuth(grant(t, issuerOrigin, auth.Endpoint{})))
		err := request.Get(conn, "/x").Exec(t.Context())
		proxyFault(t, err, 407)
		cleanErrors(t, "error", err)
		clean(t, "log", log.String())
		wantNone(t, x.issuer)
		for _, head := range x.proxy.requests() {
			if strings.Contains(head, "csec") {
				t.Errorf("the proxy read %q", head)
			}
		}
	})
}

// A walk over a connection finds no password of a proxy, as long as net/http does not need it in clear.
func TestProxyWalk(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"http", "socks5"} {
		t.Run("C3 the password is behind functions only, "+how, func(t *testing.T) {
			t.Parallel()
			conn := connect(t, apiOrigin, directly, connection.WithProxy(viaProxy(withScheme(how), withLogin("u", birdsong))),
				connection.WithDialContext(func(context.Context, string, string) (net.Conn, error) {
					return nil, errors.New("no")
				}))
			for range 2 {
				if path := findCanary(conn); path != "" {
					t.Errorf("the password is at %s", path)
				}
				_ = request.Get(conn, "/x").Exec(t.Context())
			}
		})
	}
}
