package request_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

// rawServer answers with any bytes over a real socket, so that the client has the transport that it has by default,
// with its limits.
type rawServer struct {
	listener net.Listener
	conns    atomic.Int64
	serving  sync.WaitGroup
}

// replies returns a request to a server that answers every request with what write writes, and leaves the connection
// open until the client closes it.
func replies(t *testing.T, write func(w io.Writer)) (request.Builder, *rawServer) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawServer{listener: listener}
	s.serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.conns.Add(1)
			s.serving.Go(func() { answerAll(conn, write) })
		}
	})
	conn, err := connection.New("http://"+listener.Addr().String(),
		connection.WithTimeouts(connection.Timeouts{Attempt: 20 * time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // the server has to see that the client closes everything
		_ = conn.Close()
		_ = listener.Close()
		s.serving.Wait()
	})
	return request.Get(conn, "/x"), s
}

func answerAll(conn net.Conn, write func(w io.Writer)) {
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	for {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		w := bufio.NewWriter(conn)
		write(w)
		if w.Flush() != nil {
			return
		}
	}
}

// text writes a fixed text.
func text(s string) func(w io.Writer) {
	return func(w io.Writer) { _, _ = io.WriteString(w, s) }
}

const (
	okHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	id7    = "Content-Length: 8\r\n\r\n{\"id\":7}" // the rest of an answer
	long   = 400_000                               // of bytes: more than a head may have
)

var longText = strings.Repeat("a", long)

func TestHostileHeads(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"I16 NUL in a header value":               okHead + "X-A: a\x00b\r\n" + id7,
		"I16 NUL in a header name":                okHead + "X\x00A: b\r\n" + id7,
		"I16 a header without a colon":            okHead + "X-A\r\n" + id7,
		"I16 a first header that is folded":       "HTTP/1.1 200 OK\r\n X-A: b\r\n" + id7,
		"I16 two Content-Length that differ":      okHead + "Content-Length: 2\r\n" + id7,
		"I16 a Content-Length that is a list":     okHead + "Content-Length: 8, 8\r\n\r\n{\"id\":7}",
		"I16 a negative Content-Length":           okHead + "Content-Length: -8\r\n\r\n{\"id\":7}",
		"I16 a Content-Length with a plus":        okHead + "Content-Length: +8\r\n\r\n{\"id\":7}",
		"I2 a Content-Length of 2^63":             okHead + "Content-Length: 9223372036854775808\r\n\r\n{\"id\":7}",
		"I16 a transfer coding that is not known": okHead + "Transfer-Encoding: gzip\r\n" + id7,
		"I16 two transfer codings":                okHead + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"I16 a status line of another protocol":   "ICY 200 OK\r\n" + id7,
		"I16 a status of two digits":              "HTTP/1.1 20 OK\r\n" + id7,
		"I16 a status that is negative":           "HTTP/1.1 -20 OK\r\n" + id7,
		"I16 100 interim answers of 4 KB":         strings.Repeat(early(longText[:4000]), 100) + okHead + id7,
		"I16 a head of 400 KB in one field":       okHead + "X-A: " + longText + "\r\n" + id7,
		"I16 a head of 400 KB in many fields":     okHead + strings.Repeat("X-A: b\r\n", long/8) + id7,
		"I16 a status line of 400 KB":             "HTTP/1.1 200 " + longText + "\r\n" + id7,
		"I16 a body where the head should be":     `{"id":7}` + "\r\n\r\n",
		"I16 a head that never ends":              okHead + strings.Repeat("X-A: b\r\n", 8*long),
	} {
		t.Run(name+" is an error, and the connection is closed", func(t *testing.T) {
			t.Parallel()
			b, s := replies(t, text(answer))
			for range 2 {
				_, err := request.Do[account](t.Context(), b)
				wantStage[*request.Error](t, err, request.StageSend)
				if n := len(err.Error()); n > 3<<10 {
					t.Errorf("the text of the error has %d bytes", n)
				}
			}
			if got := s.conns.Load(); got != 2 {
				t.Errorf("two requests took %d connections, want 2", got)
			}
		})
	}
}

// early is an interim answer with a header.
func early(value string) string { return "HTTP/1.1 103 Early Hints\r\nX-A: " + value + "\r\n\r\n" }

// What net/http accepts. Each of these is read in the one way that leaves nothing to smuggle.
func TestOddHeads(t *testing.T) {
	t.Parallel()
	bareLF := strings.ReplaceAll(okHead+"X-A: b\r\n"+id7, "\r", "")
	for name, c := range map[string]struct {
		answer string
		conns  int64
		want   []string // the values of X-A
	}{
		"I16 a bare LF ends a line":                         {bareLF, 1, []string{"b"}},
		"I16 a folded line is one line":                     {okHead + "X-A: b\r\n c\r\n" + id7, 1, []string{"b c"}},
		"I16 two equal Content-Length are one":              {okHead + "Content-Length: 8\r\n" + id7, 1, nil},
		"I16 100 small interim answers are passed over":     {strings.Repeat(early("early"), 100) + okHead + id7, 1, nil},
		"I16 a name with a space behind it is another name": {okHead + "X-A : b\r\n" + id7, 1, nil},
		"I16 beside chunks a Content-Length does not count": {
			okHead + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"id\":7}\r\n0\r\n\r\n", 1, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, s := replies(t, text(c.answer))
			for range 2 {
				full, err := request.Full[account](t.Context(), b)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, full.Header["X-A"]); diff != "" || full.Value.ID != 7 {
					t.Errorf("%+v; X-A (-want +got):\n%s", full.Value, diff)
				}
			}
			if got := s.conns.Load(); got != c.conns {
				t.Errorf("two requests took %d connections, want %d", got, c.conns)
			}
		})
	}
	t.Run("I16 5,000 header fields within 256 KiB are kept", func(t *testing.T) {
		t.Parallel()
		b, _ := replies(t, text(okHead+strings.Repeat("X-A: b\r\n", 5000)+id7))
		full, err := request.Full[account](t.Context(), b)
		if err != nil || len(full.Header["X-A"]) != 5000 {
			t.Errorf("%v", err)
		}
	})
}

func TestTrailers(t *testing.T) {
	t.Parallel()
	const chunked = okHead + "Transfer-Encoding: chunked\r\n"
	const body = "8\r\n{\"id\":7}\r\n0\r\n"
	megabyte := strings.Repeat("a", mebibyte)
	for name, answer := range map[string]string{
		"I17 a trailer that was announced": chunked + "Trailer: X-A\r\n\r\n" + body + "X-A: trailing\r\n\r\n",
		"I17 a trailer that was not":       chunked + "\r\n" + body + "X-A: trailing\r\n\r\n",
		"I17 credentials and lengths in the trailer": chunked + "X-B: head\r\n\r\n" + body +
			"Authorization: Bearer trailing\r\nContent-Length: 3\r\nContent-Type: text/html\r\nX-B: trailing\r\n\r\n",
	} {
		t.Run(name+" does not get among the headers", func(t *testing.T) {
			t.Parallel()
			b, s := replies(t, text(answer))
			for range 2 {
				full, err := request.Full[account](t.Context(), b)
				if err != nil || full.Value.ID != 7 {
					t.Fatalf("%+v, %v", full, err)
				}
				for name, values := range full.Header {
					if got := strings.Join(values, ","); strings.Contains(got, "trailing") || name == "Content-Length" {
						t.Errorf("%s: %s", name, got)
					}
				}
				if got := full.Header.Get("Content-Type"); got != "application/json" {
					t.Errorf("the type is %q", got)
				}
			}
			if got := s.conns.Load(); got != 1 {
				t.Errorf("there were %d connections", got)
			}
		})
	}
	for name, answer := range map[string]string{
		"I17 a trailer of 1 MB":                   chunked + "\r\n" + body + "X-A: " + megabyte + "\r\n\r\n",
		"I17 a trailer of 1 MB in many fields":    chunked + "\r\n" + body + strings.Repeat("X-A: b\r\n", 1<<17) + "\r\n",
		"I17 a trailer without a colon":           chunked + "\r\n" + body + "X-A\r\n\r\n",
		"I18 chunk extensions of 64 KB per byte":  chunked + "\r\n" + strings.Repeat("1;"+longText[:64<<10]+"\r\n{\r\n", 8),
		"I18 chunk extensions of 1 KB per byte":   chunked + "\r\n" + strings.Repeat("1;"+longText[:1024]+"\r\n{\r\n", 99),
		"I18 an extension of 1 MB":                chunked + "\r\n8;" + megabyte + "\r\n{\"id\":7}\r\n0\r\n\r\n",
		"I18 a chunk that is longer than it says": chunked + "\r\n2\r\n{\"id\":7}\r\n0\r\n\r\n",
		"I18 a chunk of negative size":            chunked + "\r\n-8\r\n{\"id\":7}\r\n0\r\n\r\n",
		"I2 a chunk of 2^64 bytes":                chunked + "\r\n10000000000000000\r\n{\"id\":7}\r\n0\r\n\r\n",
		"I18 a chunk without size":                chunked + "\r\n\r\n{\"id\":7}\r\n0\r\n\r\n",
	} {
		t.Run(name+" is an error, and the connection is closed", func(t *testing.T) {
			t.Parallel()
			b, s := replies(t, text(answer))
			for range 2 {
				_, err := request.Do[account](t.Context(), b)
				wantStage[*request.Error](t, err, request.StageRead)
				if n := len(err.Error()); n > 3<<10 {
					t.Errorf("the text of the error has %d bytes", n)
				}
			}
			if got := s.conns.Load(); got != 2 {
				t.Errorf("two requests took %d connections, want 2", got)
			}
		})
	}
	t.Run("I2 chunks without end are refused at the limit", func(t *testing.T) {
		t.Parallel()
		b, _ := replies(t, func(w io.Writer) {
			_, _ = io.WriteString(w, chunked+"\r\n")
			for err := error(nil); err == nil; {
				_, err = io.WriteString(w, "1000\r\n"+longText[:0x1000]+"\r\n")
			}
		})
		_, err := request.Do[account](t.Context(), b)
		wantStage[*request.Error](t, err, request.StageRead)
		if !errors.Is(err, request.ErrTooLarge) {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("I2 a body that ends with the connection is refused at the limit", func(t *testing.T) {
		t.Parallel()
		b, _ := replies(t, func(w io.Writer) {
			_, _ = io.WriteString(w, okHead+"\r\n")
			for err := error(nil); err == nil; {
				_, err = io.WriteString(w, longText)
			}
		})
		if _, err := request.Do[[]byte](t.Context(), b); !errors.Is(err, request.ErrTooLarge) {
			t.Errorf("the error is %v", err)
		}
	})
}
