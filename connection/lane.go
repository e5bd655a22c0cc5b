package connection

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/restconn/restconn/internal/sendonce"
	"github.com/restconn/restconn/internal/tunnel"
)

const (
	keepAlive           = 30 * time.Second
	idleConnTimeout     = 90 * time.Second
	maxIdleConnsPerHost = 256
	maxHeaderBytes      = 256 << 10
	// A peer that is gone without a word is found out within the sum of the two.
	pingAfter   = 15 * time.Second
	pingTimeout = 10 * time.Second
)

// lane is a transport for requests that may share connections.
type lane struct {
	transport  *http.Transport
	pool       *pool
	generation *generation
	token      bool // it is for token calls
	route      route
	version    HTTPVersion
	secure     *tls.Config // of handshakes with servers
	roots      *x509.CertPool
	open       atomic.Int64 // connections
	http2      sync.Map     // hosts and ports that have spoken HTTP/2
	proxies    sync.Map     // host and port of an HTTP proxy to its URL: those that plain http goes through
}

// newLane returns a lane. net/http keeps two idle connections per host, and under parallel load opens a new one for
// most requests; this one keeps enough of them.
func newLane(g *generation, key laneKey, via *url.URL) *lane {
	p := g.pool
	l := &lane{pool: p, generation: g, token: key.token, route: g.proxy, roots: g.roots}
	if key.token {
		l.route = g.tokenProxy
	}
	if v := key.variant; v != nil {
		if v.roots != nil {
			l.roots = v.roots
		}
		if v.proxy != nil {
			l.route = only(via)
		}
	}
	if l.version = HTTP2Preferred; key.home {
		l.version = p.config.version
	}
	l.secure = l.tlsConfig(g, key)
	l.transport = &http.Transport{
		Proxy:                  l.plainProxy,
		DialContext:            l.dialPlain,
		DialTLSContext:         l.dialTLS,
		Protocols:              l.version.protocols(),
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		MaxIdleConnsPerHost:    maxIdleConnsPerHost,
		MaxConnsPerHost:        p.config.maxConns,
		IdleConnTimeout:        idleConnTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	if d := p.timeouts.ResponseHeader; d != NoTimeout {
		l.transport.ResponseHeaderTimeout = d
	}
	return l
}

// tlsConfig says how servers prove who they are, and how the client does.
func (l *lane) tlsConfig(g *generation, key laneKey) *tls.Config {
	cfg := &tls.Config{
		MinVersion: tls.VersionTLS12,
		RootCAs:    l.roots,
		NextProtos: l.version.offers(),
		// A variant with roots of its own is there to check them.
		InsecureSkipVerify: key.insecure && (key.variant == nil || key.variant.roots == nil), //nolint:gosec // as asked
	}
	if g.identity != nil && key.own {
		// Certificates would be shown only if the server has named their issuer, which many forget.
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return g.identity, nil }
	}
	pins := g.pool.config.pins
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		if !l.version.protocols().HTTP1() && state.NegotiatedProtocol != "h2" {
			return ErrNoHTTP2
		}
		if key.home && len(pins) > 0 {
			return pinned(state, pins)
		}
		return nil
	}
	return cfg
}

// roundTrip sends a request. That a proxy has refused is no answer of the service.
func (l *lane) roundTrip(req *http.Request) (*http.Response, error) {
	if l.version == HTTP2Required && req.URL.Scheme == "http" { // net/http would send HTTP/1.1
		return nil, refuse(req, &dialError{ErrNoHTTP2})
	}
	resp, err := l.send(req)
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" { // which our error says better
		err = op.Err
	}
	err = l.pool.timeout(err)
	if err != nil || resp.StatusCode != http.StatusProxyAuthRequired || req.URL.Scheme != "http" {
		return resp, err
	}
	u, err := l.plainProxy(req)
	if err != nil || u == nil {
		return resp, err
	}
	discardSoon(resp)
	return nil, &ProxyError{Proxy: u.Host, Status: resp.StatusCode, Err: tunnel.Refused(resp)}
}

// send leaves to net/http what may be sent twice, and what HTTP/2 has no part in.
func (l *lane) send(req *http.Request) (*http.Response, error) {
	speaksHTTP2 := l.version != HTTP11 && req.URL.Scheme == "https" || l.version == HTTP2Unencrypted
	if speaksHTTP2 && onlyOnce(req) {
		_, known := l.http2.Load(hostPort(req.URL))
		resp, err := sendonce.RoundTrip(l.transport, req, known || !l.version.protocols().HTTP1())
		if errors.Is(err, errDials) {
			err = &dialError{err} // there would have been no other connection had the server processed it
		}
		return resp, err
	}
	return l.transport.RoundTrip(req)
}

// plainProxy tells net/http where requests over plain http go that are not for a server itself. All other ways
// through a proxy begin in the dialer. net/http is not to speak TLS with a proxy: it would do so as with the service.
func (l *lane) plainProxy(req *http.Request) (*url.URL, error) {
	if l.route == nil || req.URL.Scheme != "http" {
		return nil, nil //nolint:nilnil // as net/http wants it
	}
	u, err := l.route(req.URL)
	if err != nil || u == nil || proxiesAll(u) {
		return nil, err
	}
	if l.version == HTTP2Unencrypted {
		return nil, errUnencryptedProxy
	}
	l.proxies.LoadOrStore(u.Host, u)
	plain := *u
	plain.Scheme = "http"
	return &plain, nil
}

var errUnencryptedProxy = errors.New("HTTP2Unencrypted does not go through an HTTP proxy")

// dialPlain makes the connection for a request over plain http.
func (l *lane) dialPlain(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := mayDial(ctx); err != nil {
		return nil, err
	}
	ctx, leave := l.whileWanted(ctx)
	defer leave()
	ctx, end := withLimit(ctx, PhaseDial, l.pool.timeouts.Dial)
	defer end()
	if proxy, ok := l.proxies.Load(addr); ok {
		u, _ := proxy.(*url.URL)
		conn, err := l.reach(ctx, network, u)
		return conn, dialed(ctx, err)
	}
	conn, err := l.connect(ctx, network, "http", addr)
	return conn, dialed(ctx, err)
}

// dialTLS makes the connection for a request over https.
func (l *lane) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := mayDial(ctx); err != nil {
		return nil, err
	}
	ctx, leave := l.whileWanted(ctx)
	defer leave()
	conn, err := func() (net.Conn, error) {
		ctx, end := withLimit(ctx, PhaseDial, l.pool.timeouts.Dial)
		defer end()
		conn, err := l.connect(ctx, network, "https", addr)
		return conn, dialed(ctx, err)
	}()
	if err != nil {
		return nil, err
	}
	conn, err = l.handshake(ctx, conn, addr, l.secure)
	if secured, ok := conn.(*tls.Conn); ok && secured.ConnectionState().NegotiatedProtocol == "h2" {
		l.http2.Store(addr, true)
	}
	return conn, err
}

// handshake speaks TLS on conn, and closes it if that fails.
func (l *lane) handshake(ctx context.Context, conn net.Conn, addr string, cfg *tls.Config) (net.Conn, error) {
	ctx, end := withLimit(ctx, PhaseTLS, l.pool.timeouts.TLSHandshake)
	defer end()
	return l.speakTLS(ctx, conn, addr, cfg)
}

// speakTLS is handshake without a limit of its own.
func (l *lane) speakTLS(ctx context.Context, conn net.Conn, addr string, cfg *tls.Config) (net.Conn, error) {
	cfg = cfg.Clone()
	cfg.ServerName, _, _ = net.SplitHostPort(addr)
	secured := tls.Client(conn, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, dialed(ctx, handshakeError(err, l.version))
	}
	return secured, nil
}

// handshakeError says what is wrong where a server speaks no TLS, or in it not what the client wants (RFC 7301,
// section 3.2).
func handshakeError(err error, version HTTPVersion) error {
	record, ok := errors.AsType[tls.RecordHeaderError](err)
	if ok && string(record.RecordHeader[:]) == "HTTP/" {
		return errPlainServer
	}
	if !version.protocols().HTTP1() && strings.HasSuffix(err.Error(), "no application protocol") {
		return ErrNoHTTP2
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the server has closed the connection in the TLS handshake: %w", err)
	}
	return err
}

var errPlainServer = errors.New("the server speaks plain http where https was expected")

// connect makes a connection to a server, through its proxy if there is one.
func (l *lane) connect(ctx context.Context, network, scheme, addr string) (net.Conn, error) {
	if l.route == nil {
		return l.dial(ctx, network, addr)
	}
	u, err := l.route(&url.URL{Scheme: scheme, Host: addr})
	if err != nil {
		return nil, err
	}
	if u == nil {
		return l.dial(ctx, network, addr)
	}
	if scheme == "http" && !proxiesAll(u) { // net/http was to go there by itself
		return nil, errPastProxy
	}
	conn, err := l.reach(ctx, network, u)
	if err != nil {
		return nil, err
	}
	through, err := tunnel.Open(ctx, conn, u, addr)
	if err != nil {
		_ = conn.Close()
		return nil, proxyError(u, err)
	}
	return through, nil
}

// dial makes a TCP connection, which the generation counts.
func (l *lane) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := l.pool.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return l.count(conn), nil
}

var errPastProxy = errors.New("the request would go past its proxy")

// reach makes a connection to a proxy.
func (l *lane) reach(ctx context.Context, network string, u *url.URL) (net.Conn, error) {
	conn, err := l.dial(ctx, network, u.Host)
	if err == nil && u.Scheme == "https" {
		conn, err = l.speakTLS(ctx, conn, u.Host, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: l.roots})
	}
	if err != nil {
		return nil, proxyError(u, err)
	}
	return conn, nil
}

func proxyError(u *url.URL, err error) error {
	e := &ProxyError{Proxy: u.Host, Err: err}
	if refused, ok := errors.AsType[*tunnel.RefusedError](err); ok {
		e.Status = refused.Status
	}
	return e
}

// withLimit bounds a phase.
func withLimit(ctx context.Context, phase Phase, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, &TimeoutError{Phase: phase, Limit: d})
}

// dialError says that nothing was sent on the connection that it is about.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// dialed marks the error of a phase. Where the limit of the phase has passed, that is the error.
func dialed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ends, ok := ctx.Deadline(); ok && !time.Now().Before(ends) {
		<-ctx.Done() // a dialer may notice the deadline before the context does
	}
	if timeout, ok := errors.AsType[*TimeoutError](context.Cause(ctx)); ok && !as[*TimeoutError](err) {
		if proxy, ok := errors.AsType[*ProxyError](err); ok {
			return &dialError{&ProxyError{Proxy: proxy.Proxy, Err: timeout}}
		}
		return &dialError{timeout}
	}
	return &dialError{err}
}
