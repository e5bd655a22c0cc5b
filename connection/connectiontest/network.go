package connectiontest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Network is a network of HTTP servers in memory. Clients reach them with the real net/http transport over connections
// that behave like TCP, with real TLS: only the sockets are missing. Nothing outside the network can be reached through
// it, and nothing outside can reach it.
//
// A network works in a testing/synctest bubble if it is made in that bubble.
//
// A Network is safe for concurrent use, but for the methods that add a server or mint a certificate: like
// [testing.TB.Fatal], they belong to the goroutine of the test.
type Network struct {
	tb testing.TB
	ca authority

	mu         sync.Mutex
	closed     bool
	servers    map[string]*Server // by host:port
	transports []*http.Transport
	dialed     int
}

// NewNetwork returns an empty network, which is closed when the test and its subtests end.
func NewNetwork(tb testing.TB) *Network {
	tb.Helper()
	n := &Network{tb: tb, servers: make(map[string]*Server)}
	tb.Cleanup(n.Close)
	return n
}

// NewServer returns a server for https://api.example.test, the only one of a new network.
func NewServer(tb testing.TB, h http.Handler) *Server {
	tb.Helper()
	return NewNetwork(tb).Serve("https://api.example.test", h)
}

// Serve adds a server for origin: scheme, host and, unless it is the default one, port, as in
// "https://api.example.test" or "http://127.0.0.1:8080". It speaks HTTP/1.1. An https server has a certificate for its
// host, signed by the authority of the network.
//
// An origin that is malformed, or has a server already, fails the test.
func (n *Network) Serve(origin string, h http.Handler) *Server {
	n.tb.Helper()
	return n.serve(origin, config{handler: h})
}

// ServeH2 is [Network.Serve] for a server that speaks HTTP/2 as well: over https to a client that offers it, over http
// to one that begins with it.
func (n *Network) ServeH2(origin string, h http.Handler) *Server {
	n.tb.Helper()
	return n.serve(origin, config{handler: h, http2: true})
}

// ServeTLS is [Network.Serve] for an https server with a TLS configuration of its own: to ask for a client certificate,
// to speak an old version, to show a certificate that is wrong. Without a certificate in it, the server shows the one
// it would have otherwise. It speaks HTTP/2 if NextProtos has "h2".
func (n *Network) ServeTLS(origin string, h http.Handler, cfg *tls.Config) *Server {
	n.tb.Helper()
	return n.serve(origin, config{handler: h, tls: cfg})
}

// ServeRaw adds a server for origin that calls handle for each connection, in a goroutine of its own, and closes the
// connection when handle returns. For https, TLS is done already: handle reads and writes what is inside. It is how to
// answer with bytes that net/http would not write, or to cut an answer short.
func (n *Network) ServeRaw(origin string, handle func(conn net.Conn)) *Server {
	n.tb.Helper()
	return n.serve(origin, config{raw: handle})
}

func (n *Network) serve(origin string, cfg config) *Server {
	n.tb.Helper()
	u, addr, err := parseOrigin(origin)
	if err != nil {
		n.tb.Fatalf("connectiontest: %v", err)
	}
	if cfg.handler == nil && cfg.raw == nil {
		n.tb.Fatalf("connectiontest: %s: nil handler", origin)
	}
	if u.Scheme == "https" {
		if cfg.tls, err = n.serverTLS(u.Hostname(), cfg); err != nil {
			n.tb.Fatalf("connectiontest: %s: %v", origin, err)
		}
	} else if cfg.tls != nil {
		n.tb.Fatalf("connectiontest: %s: TLS configuration for a server without TLS", origin)
	}
	s := newServer(n, u, addr, cfg)
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
		n.tb.Fatalf("connectiontest: %s: the network is closed", origin)
	case n.servers[addr] != nil:
		n.tb.Fatalf("connectiontest: %s: %s has a server already", origin, addr)
	}
	n.servers[addr] = s
	s.start()
	return s
}

// Dial connects to the server at addr, as [net.Dialer.DialContext] does. The network must be "tcp", "tcp4" or "tcp6".
// There is no name service: a host and port that nobody serves refuse the connection, whatever the host.
func (n *Network) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := n.dial(ctx, network, addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: hostPort(addr), Err: err}
	}
	return c, nil
}

func (n *Network) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, net.UnknownNetworkError(network)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n.mu.Lock()
	s := n.servers[strings.ToLower(addr)]
	n.mu.Unlock()
	if s == nil {
		return nil, refused()
	}
	return s.dial(ctx)
}

func refused() error { return os.NewSyscallError("connect", syscall.ECONNREFUSED) }

// Transport returns a new transport, with its own pool, that reaches the servers of the network and nothing else: no
// proxy, and no trust but in the authority of the network. The caller may change it before its first use. Closing the
// network closes its idle connections.
func (n *Network) Transport() *http.Transport {
	t := &http.Transport{
		DialContext:         n.Dial,
		TLSClientConfig:     &tls.Config{RootCAs: n.RootCAs(), MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 100,
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.transports = append(n.transports, t)
	return t
}

// Close shuts the network down: it closes every server, see [Server.Close], and refuses further connections. The end of
// the test does it as well.
func (n *Network) Close() {
	n.mu.Lock()
	n.closed = true
	transports := n.transports
	n.transports = nil
	var servers []*Server
	for _, s := range n.servers {
		servers = append(servers, s)
	}
	n.mu.Unlock()
	for _, t := range transports {
		t.CloseIdleConnections()
	}
	for _, s := range servers {
		s.Close()
	}
}

// forget makes room for another server at the address of s.
func (n *Network) forget(s *Server) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.servers[s.addr] == s {
		delete(n.servers, s.addr)
	}
}

// clientAddr returns the address of the next client: each connection has a port of its own.
func (n *Network) clientAddr() net.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dialed++
	return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 49152 + (n.dialed-1)%16384}
}

// parseOrigin returns origin as a URL, and the address to dial for it. Its errors do not quote the origin, in which a
// password may stand.
func parseOrigin(origin string) (u *url.URL, addr string, err error) {
	u, err = url.Parse(origin)
	if err != nil {
		return nil, "", errors.New("malformed origin")
	}
	port := u.Port()
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, "", errors.New("origin must begin with http:// or https://")
	case u.Hostname() == "":
		return nil, "", errors.New("origin without a host")
	case u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, "", errors.New("origin must be a scheme, a host and a port alone")
	case port == "" && u.Scheme == "https":
		port = "443"
	case port == "":
		port = "80"
	}
	u = &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}
	return u, net.JoinHostPort(u.Hostname(), port), nil
}

// RootCAs returns a pool that trusts the authority of the network, and nobody else.
func (n *Network) RootCAs() *x509.CertPool {
	n.tb.Helper()
	root, err := n.ca.root()
	if err != nil {
		n.tb.Fatalf("connectiontest: %v", err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return pool
}

// Certificate mints a certificate for the names, host names or IP addresses, signed by the authority of the network.
// It serves as a server's and as a client's.
func (n *Network) Certificate(names ...string) tls.Certificate {
	n.tb.Helper()
	cert, err := n.ca.mint(names...)
	if err != nil {
		n.tb.Fatalf("connectiontest: %v", err)
	}
	return cert
}

// serverTLS completes the TLS configuration of a server.
func (n *Network) serverTLS(host string, c config) (*tls.Config, error) {
	cfg := c.tls.Clone()
	if cfg == nil {
		cfg = new(tls.Config)
	}
	if len(cfg.Certificates) == 0 && cfg.GetCertificate == nil && cfg.GetConfigForClient == nil {
		cert, err := n.ca.mint(host)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	if c.http2 {
		cfg.NextProtos = []string{"h2", "http/1.1"}
	}
	if cfg.NextProtos == nil {
		cfg.NextProtos = []string{"http/1.1"}
	}
	return cfg, nil
}
