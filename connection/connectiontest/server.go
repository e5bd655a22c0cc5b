package connectiontest

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Server is one server of a [Network]. It is safe for concurrent use.
type Server struct {
	URL string // the origin: scheme, host and, if it was given, port

	network *Network
	addr    string // host:port
	config  config
	http    *http.Server // nil for a raw server
	log     journal

	ctx    context.Context // of every handler; ended by Close
	cancel context.CancelFunc
	accept chan net.Conn // to http.Server

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when fault or closed changes
	fault   fault
	closed  bool
	conns   int                      // accepted so far
	open    map[*conn]struct{}       // the server's ends
	busy    int                      // goroutines that Close waits for
	idle    sync.Cond                // busy is 0
	running map[*http.Request]string // what the handlers that Close waits for are answering
}

// config is what the methods of Network that add a server differ in.
type config struct {
	handler http.Handler
	raw     func(net.Conn)
	http2   bool
	tls     *tls.Config // complete for https, nil for http
}

// fault is what happens to those who dial.
type fault int

const (
	healthy fault = iota
	refusing
	hanging
)

func newServer(n *Network, origin *url.URL, addr string, cfg config) *Server {
	s := &Server{
		URL: origin.String(), network: n, addr: addr, config: cfg,
		accept: make(chan net.Conn), changed: make(chan struct{}),
		open: make(map[*conn]struct{}), running: make(map[*http.Request]string),
	}
	s.idle.L = &s.mu
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if cfg.raw != nil {
		return s
	}
	s.http = &http.Server{
		Handler:                      http.HandlerFunc(s.handle),
		DisableGeneralOptionsHandler: true, // "OPTIONS *" is the handler's, like everything else
		Protocols:                    new(http.Protocols),
		BaseContext:                  func(net.Listener) context.Context { return s.ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
		ConnState: s.connState,
		ErrorLog:  log.New(testLog{s}, "", 0),
	}
	s.http.Protocols.SetHTTP1(true)
	// TLS ends before http.Server sees the connection, so that to it HTTP/2 over TLS looks like HTTP/2 without.
	s.http.Protocols.SetUnencryptedHTTP2(cfg.http2 || cfg.tls != nil && slices.Contains(cfg.tls.NextProtos, "h2"))
	return s
}

func (s *Server) start() {
	if s.http == nil {
		return
	}
	s.add(1)
	go func() {
		defer s.add(-1)
		_ = s.http.Serve(listener{s}) // it ends with ErrServerClosed, when the server is closed
	}()
}

// Network returns the network that the server is part of.
func (s *Server) Network() *Network { return s.network }

// Requests returns the requests that the server has read so far, in the order in which their heads arrived. A request
// is there as soon as its head has been read, and complete when its answer is: once a client has read the whole answer,
// Requests has all that the handler, and net/http behind it, read of the request.
//
// What a raw server reads is recorded in the same way. What follows a hijacking, or a CONNECT to a raw server, is not.
func (s *Server) Requests() []Request { return s.log.requests() }

// Conns returns the number of connections that the server has accepted so far, those included that never got through
// the TLS handshake.
func (s *Server) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

// OpenConns returns the number of connections that neither side has closed.
func (s *Server) OpenConns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// Refuse makes the server refuse new connections, until [Server.Up]. The open ones live on.
func (s *Server) Refuse() { s.setFault(refusing) }

// Hang makes the server answer no dial, until [Server.Up] or the end of the dialer's context. The open connections live
// on. A request that gives up leaves its dial behind: net/http keeps the connection, should there ever be one, for the
// next request.
func (s *Server) Hang() { s.setFault(hanging) }

// Down takes the server down, like a process that was killed: open connections are reset, new ones are refused, until
// [Server.Up].
func (s *Server) Down() {
	s.setFault(refusing)
	for _, c := range s.openConns() {
		_ = c.reset()
	}
}

// Up ends the effect of [Server.Refuse], [Server.Hang] and [Server.Down].
func (s *Server) Up() { s.setFault(healthy) }

// Close takes the server out of the network: it ends the contexts of the handlers, closes all connections, and waits
// until all handlers have returned. The requests it has read remain. A handler must not call it.
func (s *Server) Close() {
	s.network.forget(s)
	s.mu.Lock()
	s.closed = true
	s.notify()
	s.mu.Unlock()

	s.cancel()
	for _, c := range s.openConns() {
		_ = c.Close()
	}
	if s.http != nil {
		_ = s.http.Close() // nothing is left to fail
	}

	slow := time.AfterFunc(5*time.Second, s.logRunning)
	defer slow.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.busy > 0 {
		s.idle.Wait()
	}
}

// logRunning tells the tester what Close is waiting for.
func (s *Server) logRunning() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy == 0 {
		return
	}
	what := []string{"a connection"}
	if len(s.running) > 0 {
		what = what[:0]
		for _, label := range s.running {
			what = append(what, label)
		}
		slices.Sort(what)
	}
	s.network.tb.Logf("connectiontest: Close of %s is waiting for the handlers of: %s", s.URL, strings.Join(what, ", "))
}

func (s *Server) setFault(f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
	s.notify()
}

// notify wakes those who hang in dial. It needs s.mu.
func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Server) openConns() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*conn, 0, len(s.open))
	for c := range s.open {
		all = append(all, c)
	}
	return all
}

// add counts a goroutine that Close waits for.
func (s *Server) add(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy += n; s.busy == 0 {
		s.idle.Broadcast()
	}
}

func (s *Server) dial(ctx context.Context) (net.Conn, error) {
	client := s.network.clientAddr()
	for {
		s.mu.Lock()
		if s.closed || s.fault == refusing {
			s.mu.Unlock()
			return nil, refused()
		}
		if s.fault == healthy {
			c := s.connect(client)
			s.mu.Unlock()
			return c, nil
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// connect makes a connection and returns the client's end. It needs s.mu.
func (s *Server) connect(client net.Addr) net.Conn {
	var serverEnd *conn
	clientEnd, serverEnd := pipe(client, s.netAddr(), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, serverEnd)
	})
	s.conns++
	s.open[serverEnd] = struct{}{}
	s.busy++
	go s.receive(serverEnd, s.conns)
	return clientEnd
}

// netAddr returns the address of the server as a connection shows it.
func (s *Server) netAddr() net.Addr {
	host, port, _ := net.SplitHostPort(s.addr)
	addr := &net.TCPAddr{IP: net.ParseIP(host)}
	if addr.IP == nil {
		addr.IP = net.IPv4(198, 51, 100, 1) // set aside for documentation
	}
	_, _ = fmt.Sscan(port, &addr.Port) // a URL has no port that is not a number
	return addr
}

// receive does the TLS handshake and hands the connection on.
func (s *Server) receive(c *conn, number int) {
	defer s.add(-1)
	sc := &serverConn{Conn: c, wire: c, scanner: scanner{
		journal: &s.log, conn: number, tls: s.config.tls != nil, raw: s.config.raw != nil,
	}}
	if s.config.tls != nil {
		secure := tls.Server(c, s.config.tls)
		if err := secure.Handshake(); err != nil {
			_ = c.Close()
			return
		}
		state := secure.ConnectionState()
		sc.Conn, sc.state = secure, &state
	}
	if s.config.raw != nil {
		defer func() { _ = sc.Close() }()
		s.config.raw(sc)
		return
	}
	select {
	case s.accept <- sc:
	case <-s.ctx.Done():
		_ = sc.Close()
	}
}

// handle wraps the handler.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.busy++
	s.running[r] = r.Method + " " + r.URL.Path
	s.mu.Unlock()
	defer s.add(-1)
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.running, r)
	}()
	if c, ok := r.Context().Value(connKey{}).(*serverConn); ok {
		r.TLS = c.state
		if r.ProtoMajor == 2 {
			r.Body = s.log.http2(r, c.scanner.conn, c.state != nil)
		}
	}
	s.config.handler.ServeHTTP(w, r)
}

// connState counts the goroutine that http.Server has for each connection.
func (s *Server) connState(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.add(1)
	case http.StateHijacked:
		if c, ok := c.(*serverConn); ok {
			c.scanner.stop()
		}
		s.add(-1)
	case http.StateClosed:
		s.add(-1)
	}
}

// connKey is the context key under which a request finds its connection.
type connKey struct{}

// serverConn is a connection as the server's side has it: after TLS, and recorded.
type serverConn struct {
	net.Conn // wire, or TLS over it
	wire     *conn
	state    *tls.ConnectionState // nil without TLS
	scanner  scanner
}

func (c *serverConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.scanner.feed(p[:n])
	return n, err
}

// CloseWrite is what http.Server calls when it closes a connection on which the client may still be writing.
func (c *serverConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c *serverConn) reset() error { return c.wire.reset() }

// Reset cuts a connection as a TCP reset does: what is under way is lost, and the peer's next read or write fails with
// ECONNRESET, where after Close it would read to an orderly end. conn is that of a raw server, or of a hijacking; any
// other is closed.
func Reset(conn net.Conn) error {
	if c, ok := conn.(interface{ reset() error }); ok {
		return c.reset()
	}
	return conn.Close()
}

// listener is where http.Server gets its connections.
type listener struct{ s *Server }

func (l listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.s.accept:
		return c, nil
	case <-l.s.ctx.Done():
		return nil, net.ErrClosed
	}
}

func (l listener) Close() error   { return nil } // Server.Close ends the context
func (l listener) Addr() net.Addr { return l.s.netAddr() }

// testLog writes what http.Server logs to the log of the test, while the server is open.
type testLog struct{ s *Server }

func (l testLog) Write(p []byte) (int, error) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	if l.s.busy > 0 {
		l.s.network.tb.Logf("%s: %s", l.s.URL, strings.TrimSuffix(string(p), "\n"))
	}
	return len(p), nil
}
