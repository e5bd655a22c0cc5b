package connection_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// peer is an HTTP/2 server that ends its streams with what is next in ends, and answers 200 when there is nothing.
type peer struct {
	ends    []end
	streams atomic.Int32
	warm    atomic.Bool // the next stream is answered, and does not count
}

// end is how a stream ends.
type end int

const (
	protocolError end = iota // RST_STREAM, and the connection is closed
	refused                  // RST_STREAM with REFUSED_STREAM
	goAway                   // GOAWAY, which says that no stream was processed, and the connection is closed
)

// serve speaks HTTP/2 on a connection.
func (p *peer) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	framer := http2.NewFramer(conn, conn)
	_ = framer.WriteSettings()
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = framer.WriteSettingsAck()
			}
		case *http2.HeadersFrame:
			if !frame.StreamEnded() {
				continue
			}
			if !p.end(framer, frame.StreamID) {
				return
			}
		case *http2.DataFrame:
			if frame.StreamEnded() && !p.end(framer, frame.StreamID) {
				return
			}
		}
	}
}

// end ends a stream, whose request has been read. It returns false where the connection ends, too.
func (p *peer) end(framer *http2.Framer, stream uint32) bool {
	warm := p.warm.Swap(false)
	n := 0
	if !warm {
		n = int(p.streams.Add(1))
	}
	if warm || n > len(p.ends) {
		var block strings.Builder
		_ = hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
		_ = framer.WriteHeaders(http2.HeadersFrameParam{
			StreamID: stream, BlockFragment: []byte(block.String()), EndHeaders: true, EndStream: true,
		})
		return true
	}
	switch p.ends[n-1] {
	case refused:
		_ = framer.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
		return true
	case goAway:
		_ = framer.WriteGoAway(0, http2.ErrCodeNo, nil)
	case protocolError:
		_ = framer.WriteRSTStream(stream, http2.ErrCodeProtocol)
	}
	return false
}

// again returns the same end so many times.
func again(e end, times int) []end { return slices.Repeat([]end{e}, times) }

// TestResend holds net/http to send again only what may be sent again, as it does by itself.
func TestResend(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method, body string
		warm               bool // a request before has shown what the server speaks
		ends               []end
		streams            int32
		ok                 bool
	}{
		{"D2 J8 a POST whose stream is reset with PROTOCOL_ERROR is not sent again", "POST", "x", false,
			again(protocolError, 6), 1, false},
		{"D2 J8 nor is a POST without a body", "POST", "", false, again(protocolError, 6), 1, false},
		{"D2 J8 nor is a POST without a body, later", "POST", "", true, again(protocolError, 6), 1, false},
		{"D2 J8 nor is a PATCH", "PATCH", "x", false, again(protocolError, 6), 1, false},
		{"J8 a POST that is refused is sent again", "POST", "x", false, again(refused, 1), 2, true},
		{"J8 a POST that came too late for a server that goes away is sent again", "POST", "x", false,
			again(goAway, 1), 2, true},
		{"J8 a POST that is refused all the time is given up", "POST", "x", false, again(refused, 20), 7, false},
		{"J8 a POST without a body that is refused is sent again", "POST", "", true, again(refused, 1), 2, true},
		{"J8 a POST without a body that came too late is sent again", "POST", "", true, again(goAway, 1), 2, true},
		{"J8 a GET is not sent again without end", "GET", "", false, again(protocolError, 100), 32, false},
		{"J8 a GET that came too late is sent again", "GET", "", false, again(goAway, 1), 2, true},
	} {
		for _, own := range []bool{true, false} {
			name := c.name
			switch {
			case own:
			case c.method == "GET", c.warm:
				continue // what net/http makes of that is the caller's choice
			default:
				name += ", over a transport of the caller's"
			}
			bubble(t, name, func(t *testing.T) {
				p := &peer{ends: c.ends}
				p.warm.Store(c.warm)
				n := connectiontest.NewNetwork(t)
				cert := n.Certificate("api.example.test")
				n.ServeRaw("http://api.example.test:443", func(conn net.Conn) {
					p.serve(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}}))
				})
				option := n.Option()
				if !own {
					option = connection.WithTransport(n.Transport())
				}
				var body io.Reader
				if c.body != "" {
					body = strings.NewReader(c.body)
				}
				conn := connect(t, "https://api.example.test", option)
				if c.warm {
					if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				resp, err := conn.Do(newRequest(t.Context(), t, c.method, body))
				if resp != nil {
					_ = resp.Body.Close()
				}
				if (err == nil) != c.ok {
					t.Errorf("error %v", err)
				}
				if got := p.streams.Load(); got != c.streams {
					t.Errorf("%d streams, want %d: %v", got, c.streams, err)
				}
			})
		}
	}
}

// wrapped is a transport with something around it, as many are.
type wrapped struct{ http.RoundTripper }

func TestResendThroughWrappers(t *testing.T) {
	t.Parallel()
	bubble(t, "D2 J8 a POST is sent once, also where an http.Transport lies in another transport", func(t *testing.T) {
		p := &peer{ends: again(protocolError, 8)}
		n := connectiontest.NewNetwork(t)
		cert := n.Certificate("api.example.test")
		n.ServeRaw("http://api.example.test:443", func(conn net.Conn) {
			p.serve(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}}))
		})
		conn := connect(t, "https://api.example.test", connection.WithTransport(wrapped{n.Transport()}))
		if err := request.Post(conn, "/").Text("x").Exec(t.Context()); err == nil || p.streams.Load() != 1 {
			t.Errorf("%d streams: %v", p.streams.Load(), err)
		}
	})
}

// staleConn is a connection on which, from some moment on, nothing can be written.
type staleConn struct {
	net.Conn

	stale *atomic.Bool
}

func (c staleConn) Write(b []byte) (int, error) {
	if c.stale.Load() {
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
	}
	return c.Conn.Write(b)
}

func TestResendOnStaleConnection(t *testing.T) {
	t.Parallel()
	for _, version := range []connection.HTTPVersion{connection.HTTP2Preferred, connection.HTTP11} {
		bubble(t, "J7 a POST of which nothing was written is sent on another connection, "+string(version),
			func(t *testing.T) {
				n := connectiontest.NewNetwork(t)
				srv := n.Serve("https://api.example.test", status(204))
				var last *atomic.Bool
				dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
					conn, err := n.Dial(ctx, network, addr)
					last = new(atomic.Bool)
					return staleConn{conn, last}, err
				}
				conn := connect(t, srv.URL, n.Option(), connection.WithDialContext(dial), connection.WithHTTPVersion(version))
				for range 2 {
					if err := request.Post(conn, "/").Text("order").Exec(t.Context()); err != nil {
						t.Fatal(err)
					}
					last.Store(true)
				}
				sent(t, srv, 2)
			})
	}
}

// What a server writes can be in the text of an error. It does not decide whether a POST is sent again.
func TestResendIsNotTalkedInto(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a reason":   "HTTP/1.1 200 OK\r\nhttp2: Transport: cannot retry err [GOAWAY]\r\n\r\n",
		"a rewind":   "HTTP/1.1 200 OK\r\nnet/http: cannot rewind body after connection loss\r\n\r\n",
		"a refusal":  "HTTP/1.1 200 OK\r\ncannot retry err [REFUSED_STREAM]\r\n\r\n",
		"no headers": "cannot rewind body after connection loss\r\n\r\n",
	} {
		bubble(t, "D2 a POST is not sent again because the server writes "+name, func(t *testing.T) {
			n := connectiontest.NewNetwork(t)
			srv := n.ServeRaw("https://api.example.test", func(conn net.Conn) {
				var got string
				for buf := make([]byte, 4096); !strings.Contains(got, "order"); {
					k, err := conn.Read(buf)
					if err != nil {
						return
					}
					got += string(buf[:k])
				}
				_, _ = io.WriteString(conn, text)
			})
			_ = request.Post(connectTo(t, srv), "/").Text("order").Exec(t.Context())
			sent(t, srv, 1)
		})
	}
}

// A server that takes one request at a time on each connection loses none of many.
func TestFewStreams(t *testing.T) {
	t.Parallel()
	t.Run("J8 80 requests of 20 callers on a server of one stream per connection", func(t *testing.T) {
		t.Parallel()
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		srv.Config.HTTP2, srv.EnableHTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 1}, true
		srv.Config.ErrorLog = log.New(io.Discard, "", 0)
		srv.StartTLS()
		defer srv.Close()
		conn := connect(t, srv.URL, connection.WithProxy(connection.Proxy{Mode: connection.ProxyNone}),
			connection.WithInsecureSkipVerify())
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() {
				for range 4 {
					if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		callers.Wait()
	})
}
