package connection

import (
	"io"
	"net"
	"sync/atomic"
	"time"
)

// sweepEvery is how often a generation that is over looks for connections that nobody uses any more.
const sweepEvery = time.Second

// over reports whether nobody is to keep connections of the generation.
func (g *generation) over() bool { return g.pool.current.Load() != g || g.pool.users.Load() == 0 }

// sweep closes the connections that nobody uses. Where the generation is over it does so again until none is left:
// net/http by itself closes those of HTTP/1 when they come back, unless a request that was late has gone to it since,
// and keeps those of HTTP/2 until the idle timeout.
func (g *generation) sweep() {
	g.closeIdle()
	g.watch()
}

// watch has a generation that is over swept as long as it has connections.
func (g *generation) watch() {
	if g.over() && g.open() && !g.sweeping.Swap(true) {
		time.AfterFunc(sweepEvery, func() {
			g.sweeping.Store(false)
			g.sweep()
		})
	}
}

// open reports whether there are connections.
func (g *generation) open() bool {
	for l := range g.made() {
		if l.open.Load() > 0 {
			return true
		}
	}
	return false
}

// count makes conn one of the connections of the lane.
func (l *lane) count(conn net.Conn) net.Conn {
	l.open.Add(1)
	l.generation.watch()
	return &countedConn{Conn: conn, lane: l}
}

// countedConn is a connection that is counted until it is closed.
type countedConn struct {
	net.Conn

	lane   *lane
	closed atomic.Bool
}

// ReadFrom leaves it to the connection how to send a file.
func (c *countedConn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

func (c *countedConn) Close() error {
	if !c.closed.Swap(true) {
		c.lane.open.Add(-1)
	}
	return c.Conn.Close()
}
