package connectiontest

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// window is how many bytes one direction of a connection holds before a write blocks.
const window = 64 << 10

// hostPort is an address as it was dialed: what a dial error shows.
type hostPort string

func (hostPort) Network() string  { return "tcp" }
func (a hostPort) String() string { return string(a) }

// conn is one end of an in-memory connection. It behaves like a TCP connection: both directions are buffered and
// bounded, either end may close its writing half, what was written before a close can still be read after it, and
// a blocked Read or Write ends with its deadline or with Close.
//
// Whatever blocks does so in sync.Cond.Wait, which a testing/synctest bubble counts as durably blocked.
type conn struct {
	in, out       *stream // in is the peer's out, and the other way round
	local, remote net.Addr
	once          *sync.Once // shared by both ends: the first to close ends the connection
	ended         func()
}

// pipe returns the two ends of a new connection. It calls ended, once, when the first of them is closed.
func pipe(client, server net.Addr, ended func()) (clientEnd, serverEnd *conn) {
	up, down, once := newStream(), newStream(), new(sync.Once)
	return &conn{in: down, out: up, local: client, remote: server, once: once, ended: ended},
		&conn{in: up, out: down, local: server, remote: client, once: once, ended: ended}
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = c.fault("read", err)
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	if err != nil {
		err = c.fault("write", err)
	}
	return n, err
}

// Close closes both halves. The peer reads what is still under way to it, and then io.EOF; it can write no more.
func (c *conn) Close() error { return c.close(false) }

// CloseWrite closes the writing half: the peer reads what is still under way to it, and then io.EOF.
func (c *conn) CloseWrite() error {
	if !c.out.end(false) {
		return c.fault("close", net.ErrClosed)
	}
	return nil
}

// reset closes both halves and drops what is under way. The peer sees ECONNRESET.
func (c *conn) reset() error { return c.close(true) }

func (c *conn) close(reset bool) error {
	c.out.end(reset)
	if !c.in.abandon(reset) {
		return c.fault("close", net.ErrClosed)
	}
	c.once.Do(c.ended)
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetReadDeadline(t time.Time) error  { return c.in.setDeadline(&c.in.readBy, t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.out.setDeadline(&c.out.writeBy, t) }

func (c *conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t) // neither can fail
	return c.SetWriteDeadline(t)
}

func (c *conn) fault(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// stream is one direction of a connection, between the end that writes it and the end that reads it.
type stream struct {
	mu      sync.Mutex
	changed sync.Cond // any field below

	buf       ring // written and not read
	writing   bool // a Write is under way: its bytes stay together, as on a TCP connection
	ended     bool // by the writer: io.EOF follows buf
	abandoned bool // by the reader: nothing more can be written
	broken    bool // by a reset

	readBy, writeBy deadline
}

type deadline struct {
	timer  *time.Timer
	passed bool
}

// ring is a queue of at most window bytes.
type ring struct {
	data []byte // window long once it has been written to
	r, n int    // where the queue begins, and how long it is
}

// write appends as much of p as there is room for.
func (b *ring) write(p []byte) int {
	if b.data == nil {
		b.data = make([]byte, window)
	}
	p = p[:min(len(p), window-b.n)]
	w := (b.r + b.n) % window
	k := copy(b.data[w:], p)
	copy(b.data, p[k:])
	b.n += len(p)
	return len(p)
}

// read takes as much of the queue as p has room for.
func (b *ring) read(p []byte) int {
	p = p[:min(len(p), b.n)]
	k := copy(p, b.data[b.r:])
	copy(p[k:], b.data)
	b.r = (b.r + len(p)) % window
	b.n -= len(p)
	return len(p)
}

func newStream() *stream {
	s := new(stream)
	s.changed.L = &s.mu
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.abandoned:
			return 0, net.ErrClosed
		case s.readBy.passed:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case s.buf.n > 0:
			n := s.buf.read(p)
			s.changed.Broadcast()
			return n, nil
		case s.broken:
			return 0, os.NewSyscallError("read", syscall.ECONNRESET)
		case s.ended:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	written, mine := 0, false
	defer func() {
		if mine {
			s.writing = false
			s.changed.Broadcast()
		}
	}()
	for {
		switch {
		case s.ended:
			return written, net.ErrClosed
		case s.writeBy.passed:
			return written, os.ErrDeadlineExceeded
		case s.broken:
			return written, os.NewSyscallError("write", syscall.ECONNRESET)
		case s.abandoned:
			return written, os.NewSyscallError("write", syscall.EPIPE)
		case written == len(p):
			return written, nil
		case s.writing && !mine, s.buf.n == window:
			s.changed.Wait()
		default:
			s.writing, mine = true, true
			written += s.buf.write(p[written:])
			s.changed.Broadcast()
		}
	}
}

// end is the writer's close. It reports whether it was the first.
func (s *stream) end(broken bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.ended
	s.ended = true
	if broken {
		s.broken = true
		s.buf = ring{}
	}
	s.writeBy.stop()
	s.changed.Broadcast()
	return first
}

// abandon is the reader's close. It reports whether it was the first.
func (s *stream) abandon(broken bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.abandoned
	s.abandoned = true
	s.broken = s.broken || broken
	s.buf = ring{}
	s.readBy.stop()
	s.changed.Broadcast()
	return first
}

func (s *stream) setDeadline(d *deadline, t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.stop()
	d.passed = false
	if !t.IsZero() {
		if wait := time.Until(t); wait <= 0 {
			d.passed = true
		} else {
			var timer *time.Timer
			timer = time.AfterFunc(wait, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				if d.timer == timer { // not replaced since
					d.passed = true
					s.changed.Broadcast()
				}
			})
			d.timer = timer
		}
	}
	s.changed.Broadcast()
	return nil
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
