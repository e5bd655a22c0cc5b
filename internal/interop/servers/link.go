package servers

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Weather is what happens to what a server sends.
type Weather struct {
	// Mute loses it: the connection stays open and silent.
	Mute bool
	// Latency is how much later each piece arrives.
	Latency time.Duration
	// Slice is how many bytes a piece has at most; 0 is what a read returns.
	Slice int
	// Cut ends the connection when more than After bytes have come over it. Those After bytes still arrive.
	Cut   bool
	After int64
	// Reset makes that end a reset (RST). Otherwise it looks like the end of what the server had to say (FIN).
	Reset bool
}

// Link is a stretch of network before a server. It is safe for concurrent use. Whoever starts one stops it.
type Link struct {
	upstream, address string

	mu       sync.Mutex
	weather  Weather
	accepted int
	listener net.Listener     // nil while the link is down
	conns    map[net.Conn]int // the numbers of those that are open, of both sides
	down     chan struct{}    // closed when the link goes down
	all      sync.WaitGroup
}

// NewLink starts a link to a host and port. At first the weather is fine.
func NewLink(ctx context.Context, upstream string) (*Link, error) {
	l := &Link{upstream: upstream, address: "127.0.0.1:0"}
	if err := l.Up(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// Address is the host and port of the link. It stays the same while the link is down.
func (l *Link) Address() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.address
}

// Accepted is how many connections were made to the link.
func (l *Link) Accepted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accepted
}

// Open is how many of the first n connections to the link are open.
func (l *Link) Open(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	open := make(map[int]bool)
	for _, number := range l.conns {
		if number <= n {
			open[number] = true
		}
	}
	return len(open)
}

// Set changes the weather, also for connections that are open.
func (l *Link) Set(w Weather) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.weather = w
}

func (l *Link) now() Weather {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.weather
}

// Up takes connections. It is called once after [Link.Down].
func (l *Link) Up(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", l.Address())
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener, l.address = listener, listener.Addr().String()
	l.conns, l.down = make(map[net.Conn]int), make(chan struct{})
	l.all.Go(func() { l.serve(listener) })
	return nil
}

// Down ends all connections, and refuses new ones. It returns when nothing of them is left.
func (l *Link) Down() {
	l.mu.Lock()
	if l.listener != nil {
		_ = l.listener.Close()
		close(l.down)
		for conn := range l.conns {
			_ = conn.Close()
		}
		l.listener = nil
	}
	l.mu.Unlock()
	l.all.Wait()
}

// serve joins each connection to one of its own to the server.
func (l *Link) serve(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		l.all.Go(func() { l.join(client) })
	}
}

func (l *Link) join(client net.Conn) {
	server, err := new(net.Dialer).DialContext(context.Background(), "tcp", l.upstream)
	if err != nil {
		_ = client.Close()
		return
	}
	if !l.keep(client, server) {
		return
	}
	defer l.drop(client, server)
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(server, client)
		endWrite(server)
	})
	both.Go(func() {
		if !l.answer(client, server) {
			_ = client.Close()
			_ = server.Close()
			return
		}
		endWrite(client)
	})
	both.Wait()
}

// keep remembers connections, or closes them if the link went down.
func (l *Link) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted++
	for _, conn := range conns {
		if l.listener == nil {
			_ = conn.Close()
			continue
		}
		l.conns[conn] = l.accepted
	}
	return l.listener != nil
}

func (l *Link) drop(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close()
		delete(l.conns, conn)
	}
}

// answer copies what the server sends, through the weather. It returns whether it came to the end of it.
func (l *Link) answer(client, server net.Conn) bool {
	var sent int64
	for {
		buf := make([]byte, 32<<10)
		if slice := l.now().Slice; slice > 0 && slice < len(buf) {
			buf = buf[:slice]
		}
		n, err := server.Read(buf)
		if err != nil {
			return errors.Is(err, io.EOF)
		}
		w := l.now() // it can have changed while the server was silent
		if w.Mute {
			continue
		}
		if !l.wait(w.Latency) {
			return false
		}
		piece := buf[:n]
		if left := max(0, w.After-sent); w.Cut && int64(n) > left {
			_, _ = client.Write(piece[:left])
			if tcp, ok := client.(*net.TCPConn); ok && w.Reset {
				_ = tcp.SetLinger(0)
			}
			return false
		}
		if _, err := client.Write(piece); err != nil {
			return false
		}
		sent += int64(n)
	}
}

// wait waits, and returns whether the link is still up.
func (l *Link) wait(d time.Duration) bool {
	l.mu.Lock()
	down := l.down
	l.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-down:
		return false
	}
}

// endWrite tells the other side that nothing more comes.
func endWrite(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
}
