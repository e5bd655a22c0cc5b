package connection_test

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
)

// peer is an HTTP/2 server that ends its streams with what is next in ends, and answers 200 when there is nothing.
type peer struct {
	ends    []end
	streams atomic.Int32
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
	n := int(p.streams.Add(1))
	if n > len(p.ends) {
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

// TestResend holds net/http to send again only what may be sent again, as it does by itself.
func TestResend(t *testing.T) {
	t.Parallel()
	always := []end{protocolError, protocolError, protocolError, protocolError, protocolError, protocolError}
	for _, c := range []struct {
		name, method, body string
		ends               []end
		streams            int32
		ok                 bool
	}{
		{"D2 J8 a POST whose stream is reset with PROTOCOL_ERROR is not sent again", "POST", "x", always, 1, false},
		{"D2 J8 nor is a POST without a body", "POST", "", always, 1, false},
		{"D2 J8 nor is a PATCH", "PATCH", "x", always, 1, false},
		{"J8 a POST that is refused is sent again", "POST", "x", []end{refused}, 2, true},
		{"J8 a POST that came too late for a server that goes away is sent again", "POST", "x", []end{goAway}, 2, true},
		{"J8 a POST that is refused all the time is given up", "POST", "x",
			[]end{refused, refused, refused, refused, refused, refused}, 4, false},
		{"J8 a GET is not sent again without end", "GET", "", append(always, always...), 4, false},
		{"J8 a GET that came too late is sent again", "GET", "", []end{goAway}, 2, true},
	} {
		for _, own := range []bool{true, false} {
			name := c.name
			switch {
			case own:
			case c.method == "GET":
				continue // what net/http makes of that is the caller's choice
			default:
				name += ", over a transport of the caller's"
			}
			bubble(t, name, func(t *testing.T) {
				p := &peer{ends: c.ends}
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
