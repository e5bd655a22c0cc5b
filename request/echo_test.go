package request_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// ledger is a log that several goroutines may write and read.
type ledger struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *ledger) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *ledger) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// canaries are what the requests of these tests carry: the server writes them into its answers. Those in the path stand
// in errors, and are not among them.
var canaries = []string{"tokencanary", "querycanary", "keycanary"}

// wantNoEcho checks that nothing that the server wrote stands in the text.
func wantNoEcho(t *testing.T, where, text string) {
	t.Helper()
	for _, canary := range append(canaries, "servercanary") {
		if strings.Contains(text, canary) {
			t.Errorf("%s has %s in it: %s", where, canary, text)
		}
	}
}

// echoed opens a connection to a server that carries canaries, and logs all it can.
func echoed(t *testing.T, srv *connectiontest.Server, log io.Writer) request.Builder {
	t.Helper()
	logger := slog.New(slog.NewJSONHandler(log, nil))
	conn := connectTo(t, srv, "", connection.WithLogger(logger), connection.WithDebug(logger),
		connection.WithAuth(auth.All(auth.Bearer(auth.Static(secrets.Static("tokencanary"))),
			auth.APIKey(secrets.Static("keycanary"), auth.InQuery("key")))))
	return request.Get(conn, "/x").Query("q", "querycanary")
}

// echoes answers each request with what write makes of what the request carried: credential and query, in one line.
func echoes(t *testing.T, answer string) *connectiontest.Server {
	t.Helper()
	return connectiontest.NewNetwork(t).ServeRaw(homeURL, func(conn net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		echo := req.Header.Get("Authorization") + " " + req.RequestURI + " servercanary"
		_, _ = io.WriteString(conn, strings.ReplaceAll(answer, "ECHO", echo))
	})
}

// What a malformed answer repeats of the request is in no error and in no record.
func TestEchoOfTheRequest(t *testing.T) {
	t.Parallel()
	const inChunks = okHead + "Transfer-Encoding: chunked\r\n"
	const body = "\r\n8\r\n{\"id\":7}\r\n0\r\n"
	for name, c := range map[string]struct {
		answer string
		stage  request.Stage
	}{
		"I17 a trailer without a colon":      {inChunks + body + "ECHO\r\n\r\n", request.StageRead},
		"I17 a trailer whose name is none":   {inChunks + body + "ECHO: b\r\n\r\n", request.StageRead},
		"I17 a trailer with a control byte":  {inChunks + body + "X-A: ECHO\x00\r\n\r\n", request.StageRead},
		"I17 a first trailer that is folded": {inChunks + body + " ECHO\r\n\r\n", request.StageRead},
		"I17 a trailer that may not be announced": {
			inChunks + "Trailer: Content-Length, ECHO\r\n" + body + "\r\n", request.StageSend,
		},
		"I18 a size of a chunk":             {inChunks + "\r\nECHO\r\n{\"id\":7}\r\n0\r\n\r\n", request.StageRead},
		"I16 a header without a colon":      {okHead + "ECHO\r\n" + id7, request.StageSend},
		"I16 a header whose name is none":   {okHead + "ECHO: b\r\n" + id7, request.StageSend},
		"I16 a header with a control byte":  {okHead + "X-A: ECHO\x00\r\n" + id7, request.StageSend},
		"I16 a first header that is folded": {"HTTP/1.1 200 OK\r\n ECHO\r\n" + id7, request.StageSend},
		"I16 a transfer coding":             {okHead + "Transfer-Encoding: ECHO\r\n" + id7, request.StageSend},
		"I16 two transfer codings": {
			okHead + "Transfer-Encoding: ECHO\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", request.StageSend,
		},
		"I16 a Content-Length":                {okHead + "Content-Length: ECHO\r\n\r\n{}", request.StageSend},
		"I16 two Content-Length":              {okHead + "Content-Length: ECHO\r\n" + id7, request.StageSend},
		"I16 a status line":                   {"ECHO\r\n" + id7, request.StageSend},
		"I16 a status line of another server": {"HTTP/1.1 20x ECHO\r\n" + id7, request.StageSend},
		"I16 a version":                       {"HTTP/ECHO 200 OK\r\n" + id7, request.StageSend},
		"I16 a status line with quotes":       {"\"ECHO\\\" \"ECHO\" `ECHO` 'ECHO'\r\n" + id7, request.StageSend},
		"I16 an interim answer":               {"HTTP/1.1 103 Early Hints\r\nECHO\r\n\r\n" + okHead + id7, request.StageSend},
	} {
		t.Run("G9 "+name, func(t *testing.T) {
			t.Parallel()
			srv, log := echoes(t, c.answer), new(ledger)
			b := echoed(t, srv, log)
			_, doErr := request.Do[account](t.Context(), b)
			for terminal, err := range map[string]error{
				"Do": doErr, "Exec": b.Exec(t.Context()),
				"JSONLines": last(request.JSONLines[account](t.Context(), b)),
			} {
				wantStage[*request.Error](t, err, c.stage)
				wantNoEcho(t, terminal, err.Error())
				wantNoEcho(t, terminal+" printed", fmt.Sprintf("%v %+v %s %q", err, err, err, err))
			}
			wantNoEcho(t, "the log", log.String())
			if raw := srv.Requests()[0].Raw; !strings.Contains(raw, "tokencanary") ||
				!strings.Contains(raw, "q=querycanary&key=keycanary") || !strings.Contains(log.String(), `"msg":"http request"`) {
				t.Errorf("the request was\n%s\nand the log\n%s", raw, log.String())
			}
		})
	}
}

// goAway reads frames of HTTP/2 (RFC 9113, section 4.1) up to the first request, which it has seen, and goes away.
func goAway(conn net.Conn, code byte, debug string) {
	const headers, goAway, settings = 1, 7, 4
	write := func(kind byte, payload string) {
		frame := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))[1:]
		frame = append(frame, kind, 0, 0, 0, 0, 0)
		_, _ = conn.Write(append(frame, payload...))
	}
	_, _ = io.CopyN(io.Discard, conn, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
	write(settings, "")
	for head := make([]byte, 9); head[3] != headers; {
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		_, _ = io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(append([]byte{0}, head[:3]...))))
	}
	write(goAway, "\x00\x00\x00\x01\x00\x00\x00"+string(code)+debug)
}

// What an HTTP/2 server says when it goes away is in no error either.
func TestEchoOfGoAway(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]byte{"NO_ERROR": 0, "PROTOCOL_ERROR": 1, "ENHANCE_YOUR_CALM": 11} {
		t.Run("G9 I16 a GOAWAY of "+name, func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewNetwork(t).ServeRaw("http://127.0.0.1:8080", func(conn net.Conn) {
				goAway(conn, code, "Bearer tokencanary /x?q=querycanary servercanary")
			})
			log := new(ledger)
			logger := slog.New(slog.NewJSONHandler(log, nil))
			conn := connectTo(t, srv, "", connection.WithHTTPVersion(connection.HTTP2Unencrypted),
				connection.WithLogger(logger), connection.WithDebug(logger))
			err := request.Post(conn, "/x").Query("q", "querycanary").Exec(t.Context())
			wantStage[*request.Error](t, err, request.StageSend)
			wantNoEcho(t, "the error", err.Error())
			wantNoEcho(t, "the error printed", fmt.Sprintf("%v %+v %s %q", err, err, err, err))
			wantNoEcho(t, "the log", log.String())
			if !strings.Contains(err.Error(), "ErrCode="+name) || log.String() == "" {
				t.Errorf("error %v does not say %s", err, name)
			}
		})
	}
}
