package connection_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// frames is the server's end of an HTTP/2 connection, frame by frame.
type frames struct {
	*http2.Framer

	t      *testing.T
	conn   net.Conn
	number int // of the connection, from 1
}

// serveFrames serves https://api.example.test with HTTP/2, by hand. settings are what the server wants
// on the first connection.
func serveFrames(
	t *testing.T, n *connectiontest.Network, settings []http2.Setting, serve func(f *frames),
) *connectiontest.Server {
	t.Helper()
	cfg := shows(n.Certificate("api.example.test"), "h2")
	number := 0
	return n.ServeRaw("http://api.example.test:443", func(raw net.Conn) {
		number++
		f := &frames{t: t, number: number}
		conn := tls.Server(raw, cfg)
		preface := make([]byte, len(http2.ClientPreface))
		if _, err := io.ReadFull(conn, preface); err != nil || string(preface) != http2.ClientPreface {
			t.Errorf("preface %q, %v", preface, err)
			return
		}
		f.conn, f.Framer = conn, http2.NewFramer(conn, conn)
		if number > 1 {
			settings = nil
		}
		_ = f.WriteSettings(settings...)
		serve(f)
	})
}

// request reads up to the next request, and returns its stream.
func (f *frames) request() (uint32, error) {
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return 0, err
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				_ = f.WritePing(true, frame.Data)
			}
		case *http2.HeadersFrame:
			return frame.StreamID, nil
		}
	}
}

// answer sends response headers, and the end of the response if it is to be there.
func (f *frames) answer(stream uint32, end bool) {
	var block bytes.Buffer
	_ = hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	_ = f.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end,
	})
}

// healthy answers all requests, and pings.
func (f *frames) healthy() {
	for {
		stream, err := f.request()
		if err != nil {
			return
		}
		f.answer(stream, true)
	}
}

// mute reads and says nothing.
func (f *frames) mute() { _, _ = io.Copy(io.Discard, f.conn) }

func TestHTTP2DeadPeer(t *testing.T) {
	t.Parallel()
	const found = 25 * time.Second
	get := func(t *testing.T, conn *connection.Connection) error {
		t.Helper()
		return request.Get(conn, "/x").Exec(t.Context())
	}
	for _, c := range []struct {
		name   string
		answer func(f *frames, stream uint32) // the second request
		stream bool
	}{
		{"J8 a peer that falls silent is found by pings", func(*frames, uint32) {}, false},
		{"J8 also in the middle of a body", func(f *frames, stream uint32) {
			f.answer(stream, false)
			_ = f.WriteData(stream, false, []byte("half"))
		}, true},
	} {
		bubble(t, c.name, func(t *testing.T) {
			n := connectiontest.NewNetwork(t)
			srv := serveFrames(t, n, nil, func(f *frames) {
				if f.number > 1 {
					f.healthy()
					return
				}
				stream, _ := f.request()
				f.answer(stream, true)
				stream, _ = f.request()
				c.answer(f, stream)
				f.mute()
			})
			conn := connect(t, apiOrigin, n.Option())
			if err := get(t, conn); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			began := time.Now()
			var err error
			if c.stream {
				resp, openErr := request.Get(conn, "/x").Stream(t.Context())
				if openErr != nil {
					t.Fatal(openErr)
				}
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			} else {
				err = get(t, conn)
				_ = wantError[*connection.TransportError](t, err)
			}
			if took := time.Since(began); err == nil || took > found || took < 10*time.Second {
				t.Errorf("error %v after %v, want one within %v", err, took, found)
			}
			began = time.Now()
			if err := get(t, conn); err != nil {
				t.Error(err)
			}
			passed(t, began, 0)
			conns(t, srv, 2)
		})
	}
	bubble(t, "J8 a peer that answers pings may take its time", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		srv := n.ServeH2(apiOrigin, status(204).Delay(50*time.Second))
		if err := get(t, connectTo(t, srv)); err != nil {
			t.Error(err)
		}
		conns(t, srv, 1)
	})
}

func TestHTTP2Faults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		settings []http2.Setting
		serve    func(f *frames) // the first connection
		fails    string          // a pattern for the error of the first request; "" if it succeeds
		conns    int
	}{
		{"J8 GOAWAY in the middle of a stream lets it finish", nil, func(f *frames) {
			stream, _ := f.request()
			f.answer(stream, false)
			_ = f.WriteGoAway(stream, http2.ErrCodeNo, nil)
			time.Sleep(time.Second)
			_ = f.WriteData(stream, true, []byte("whole"))
			f.mute()
		}, "", 2},
		{"J8 GOAWAY before a stream was looked at sends it again elsewhere", nil, func(f *frames) {
			_, _ = f.request()
			_ = f.WriteGoAway(0, http2.ErrCodeNo, nil)
			f.mute()
		}, "", 2},
		{"J8 GOAWAY in anger, with secrets, ends the request", nil, func(f *frames) {
			stream, _ := f.request()
			_ = f.WriteGoAway(stream, http2.ErrCodeEnhanceYourCalm, []byte(canary+"\x1b[31m"))
			_ = f.conn.Close()
		}, "ENHANCE_YOUR_CALM", 2},
		{"J8 RST of a stream that was refused sends it again", nil, func(f *frames) {
			stream, _ := f.request()
			_ = f.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
			f.healthy()
		}, "", 1},
		{"J8 RST of a stream ends it", nil, func(f *frames) {
			stream, _ := f.request()
			_ = f.WriteRSTStream(stream, http2.ErrCodeInternal)
			f.healthy()
		}, "INTERNAL_ERROR", 1},
		{"J8 RST in the middle of a body ends it", nil, func(f *frames) {
			stream, _ := f.request()
			f.answer(stream, false)
			_ = f.WriteData(stream, false, []byte("half"))
			_ = f.WriteRSTStream(stream, http2.ErrCodeInternal)
			f.healthy()
		}, "INTERNAL_ERROR", 1},
		{
			"J8 frames of no size", []http2.Setting{{ID: http2.SettingMaxFrameSize, Val: 0}},
			(*frames).mute, "PROTOCOL_ERROR|could not be established", 2,
		},
		{ // if the client learns it in time, it looks for another connection
			"J8 no streams at all", []http2.Setting{{ID: http2.SettingMaxConcurrentStreams, Val: 0}},
			(*frames).mute, "^$|client connection lost", 2,
		},
		{"J8 a flood of settings that nobody wants to see confirmed", nil, func(f *frames) {
			over := make(chan struct{})
			go func() {
				defer close(over)
				f.mute()
			}()
			for range 100_000 {
				if f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 16}) != nil {
					return
				}
			}
			<-over
		}, "client connection lost", 2},
	} {
		bubble(t, c.name, func(t *testing.T) {
			n := connectiontest.NewNetwork(t)
			srv := serveFrames(t, n, c.settings, func(f *frames) {
				if f.number > 1 {
					f.healthy()
					return
				}
				c.serve(f)
			})
			conn := connect(t, apiOrigin, n.Option())
			began := time.Now()
			b := request.Put(conn, "/x").Text("twenty bytes of text")
			_, err := request.Do[string](t.Context(), b)
			if _, again := request.Do[string](t.Context(), b); again != nil {
				t.Errorf("the next request: %v", again)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
			text := ""
			if err != nil {
				text = err.Error()
			}
			if c.fails == "" && err != nil || !regexp.MustCompile(c.fails).MatchString(text) {
				t.Errorf("error %v, want %q", err, c.fails)
			}
			if holdsCanary(text) || strings.Contains(text, "\x1b") {
				t.Errorf("error %q", text)
			}
			if te, ok := errors.AsType[*connection.TransportError](err); ok && te.Unsent {
				t.Error("Unsent is true")
			}
			if got := srv.Conns(); got > c.conns {
				t.Errorf("%d connections, want at most %d", got, c.conns)
			}
		})
	}
}
