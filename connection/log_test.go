package connection_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// collector is a slog.Handler that keeps what it is given as it is, where the handlers of log/slog would escape it.
type collector struct {
	mu   sync.Mutex
	list []slog.Record
}

func (c *collector) Enabled(context.Context, slog.Level) bool { return true }
func (c *collector) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c *collector) WithGroup(string) slog.Handler            { return c }

func (c *collector) Handle(_ context.Context, r slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, r)
	return nil
}

// texts returns the attributes of all records, by the path of their names.
func (c *collector) texts() []map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []map[string]string
	for _, r := range c.list {
		m := map[string]string{"level": r.Level.String()}
		r.Attrs(func(a slog.Attr) bool {
			flatten(m, "", a)
			return true
		})
		list = append(list, m)
	}
	return list
}

func flatten(m map[string]string, prefix string, a slog.Attr) {
	if a.Value.Kind() != slog.KindGroup {
		m[prefix+a.Key] = a.Value.String()
		return
	}
	for _, b := range a.Value.Group() {
		flatten(m, prefix+a.Key+".", b)
	}
}

// logged opens a connection that is logged both ways.
func logged(
	t *testing.T, s *connectiontest.Server, opts ...connection.Option,
) (_ *connection.Connection, brief, debug *collector) {
	t.Helper()
	brief, debug = new(collector), new(collector)
	opts = append([]connection.Option{
		s.Network().Option(), connection.WithLogger(slog.New(brief)), connection.WithDebug(slog.New(debug)),
	}, opts...)
	return connect(t, s.URL, opts...), brief, debug
}

func TestLogSilence(t *testing.T) { //nolint:paralleltest // it takes the standard error output of the process
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, out, standard := os.Stderr, os.Stdout, slog.Default()
	restore := func() {
		os.Stderr, os.Stdout = stderr, out
		log.SetOutput(stderr)
		slog.SetDefault(standard)
	}
	defer restore()
	os.Stderr, os.Stdout = w, w
	slog.SetDefault(slog.New(slog.NewTextHandler(w, nil)))
	log.SetOutput(w)

	s := connectiontest.NewServer(t, connectiontest.Status(http.StatusServiceUnavailable))
	conn := connectTo(t, s, connection.WithRetry(connection.Retry{Max: 2}),
		connection.WithAuth(auth.Basic("svc", secrets.Static("pw"))))
	_ = request.Get(conn, "/x").Exec(t.Context())
	s.Refuse()
	_ = request.Get(conn, "/x").Exec(t.Context())
	_ = conn.Close()
	restore()
	_ = w.Close()
	text, err := io.ReadAll(r)
	if err != nil || len(text) > 0 {
		t.Errorf("G7 without a logger there is %q, %v; want nothing", text, err)
	}
}

func TestLogRecord(t *testing.T) {
	t.Parallel()
	t.Run("G7 there is one record per attempt, with what is harmless", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			busy := connectiontest.Text(http.StatusServiceUnavailable, "later").Delay(time.Second)
			s := connectiontest.NewServer(t, connectiontest.Sequence(busy, busy,
				connectiontest.Status(http.StatusNoContent).Header("Set-Cookie", "sid=abcd").Header("X-Request-Id", "r-1")))
			conn, brief, debug := logged(t, s, connection.WithName("crm"),
				connection.WithRetry(connection.Retry{Max: 5, Wait: connection.Constant(time.Minute)}))
			err := request.Get(conn, "/users/{id}").Path("id", "7").Query("q", "needle").
				Header("X-Custom", "custom-value").Header("Accept-Language", "de").Exec(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := []map[string]string{}
			for i, status := range []string{"503", "503", "204"} {
				m := map[string]string{
					"level": "WARN", "connection": "crm", "method": "GET", "url": s.URL + "/users/7",
					"attempt": strconv.Itoa(i + 1), "status": status, "duration": "1s",
					"request_header.Accept":          "application/json, text/plain, */*",
					"request_header.Accept-Language": "de",
					"request_header.User-Agent":      "restconn",
					"request_header.X-Custom":        "[REDACTED]",
				}
				if status == "204" {
					m["level"], m["duration"] = "INFO", "0s"
					m["response_header.Set-Cookie"], m["response_header.X-Request-Id"] = "[REDACTED]", "r-1"
				}
				want = append(want, m)
			}
			varying := []string{
				"response_header.Date", "response_header.Content-Type", "response_header.Content-Length",
				"response_body.size", "response_body.text",
			}
			ignore := cmp.FilterPath(func(p cmp.Path) bool {
				k, ok := p.Last().(cmp.MapIndex)
				return ok && slices.Contains(varying, k.Key().String())
			}, cmp.Ignore())
			for name, c := range map[string]*collector{"WithLogger": brief, "WithDebug": debug} {
				if diff := cmp.Diff(want, c.texts(), ignore); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
			if got := debug.texts()[0]["response_body.text"]; got != "later" {
				t.Errorf("the body in the record is %q", got)
			}
			if got := brief.texts()[0]["response_body.text"]; got != "" {
				t.Errorf("WithLogger shows the body %q", got)
			}
		})
	})
	t.Run("G7 an attempt without answer has a record with its error", func(t *testing.T) {
		t.Parallel()
		s := connectiontest.NewServer(t, connectiontest.Status(http.StatusOK))
		s.Refuse()
		conn, brief, debug := logged(t, s, connection.WithRetry(connection.Retry{Max: 2}))
		_ = request.Get(conn, "/x").Query("q", "needle").Exec(t.Context())
		for _, c := range []*collector{brief, debug} {
			records := c.texts()
			if len(records) != 3 {
				t.Fatalf("there are %d records, want 3", len(records))
			}
			for _, r := range records {
				if r["level"] != "WARN" || !strings.Contains(r["error"], "refused") || strings.Contains(fmt.Sprint(r), "needle") {
					t.Errorf("the record is %v", r)
				}
			}
		}
	})
	t.Run("G7 a path secret is in no record, not even after a redirect", func(t *testing.T) {
		t.Parallel()
		s := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if !strings.HasSuffix(req.URL.Path, "/") {
				w.Header().Set("Location", req.URL.Path+"/")
				w.WriteHeader(http.StatusPermanentRedirect)
			}
			_, _ = io.WriteString(w, "there is no "+req.URL.Path+"; you are s3cr3t-path")
		}))
		conn, brief, debug := logged(t, s)
		b := request.Get(conn, "/bot{token}/me").PathSecret("token", secrets.Static("s3cr3t-path"))
		if err := b.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*collector{brief, debug} {
			records := c.texts()
			if len(records) != 2 || strings.Contains(fmt.Sprint(records), "s3cr3t-path") {
				t.Errorf("the records are %v", records)
			}
			if got, want := records[0]["url"], s.URL+"/bot{token}/me"; got != want {
				t.Errorf("the URL is %s, want %s", got, want)
			}
		}
	})
}

func TestDebugBodies(t *testing.T) {
	t.Parallel()
	t.Run("G8 10 KiB of each body are shown, and all is sent and read", func(t *testing.T) {
		t.Parallel()
		const size = 1 << 20
		s := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			_, _ = io.Copy(w, req.Body)
		}))
		conn, _, debug := logged(t, s)
		got, err := request.Do[string](t.Context(), request.Post(conn, "/x").Text(strings.Repeat("0123456789", size/10)))
		if err != nil || len(got) != size/10*10 {
			t.Fatalf("%d bytes came back, %v", len(got), err)
		}
		r := debug.texts()[0]
		for _, body := range []string{"request_body", "response_body"} {
			if n := len(r[body+".text"]); n != 10<<10 || r[body+".size"] != strconv.Itoa(size/10*10) {
				t.Errorf("%s shows %d bytes of %s", body, n, r[body+".size"])
			}
		}
	})
	t.Run("G8 secrets in forms and JSON are masked; multipart and binary are not shown", func(t *testing.T) {
		t.Parallel()
		var parts bytes.Buffer
		m := multipart.NewWriter(&parts)
		_ = m.WriteField("note", "hidden-0001")
		_ = m.Close()
		for name, body := range map[string]struct {
			body  request.Body
			shown string
		}{
			"JSON": {request.JSON(map[string]any{
				"note": "plain-text", "password": "hidden-0001", "api_keys": []string{"hidden-0002", "hidden-0003"},
				"credentials": map[string]string{"user": "hidden-0004", "value": "hidden-0005"},
			}), "plain-text"},
			"form":      {request.Form(url.Values{"note": {"plain"}, "client_secret": {"hidden-0001"}}), "note=plain"},
			"XML":       {request.Bytes("text/xml", []byte(`<a><b>plain</b><Token><c>hidden-01</c></Token></a>`)), "plain"},
			"multipart": {request.Bytes(m.FormDataContentType(), parts.Bytes()), "[REDACTED]"},
			"binary":    {request.Bytes("application/x", []byte("hidden-0001\xff\xfe")), "[REDACTED]"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					w.Header().Set("Content-Type", req.Header.Get("Content-Type"))
					_, _ = io.Copy(w, req.Body)
				}))
				conn, _, debug := logged(t, s)
				if _, err := request.Do[[]byte](t.Context(), request.Post(conn, "/x").Body(body.body)); err != nil {
					t.Fatal(err)
				}
				r := debug.texts()[0]
				for _, key := range []string{"request_body.text", "response_body.text"} {
					if strings.Contains(r[key], "hidden") || !strings.Contains(r[key], body.shown) {
						t.Errorf("%s is %s", key, r[key])
					}
				}
			})
		}
	})
	t.Run("G8 Debug of one request is for that request", func(t *testing.T) {
		t.Parallel()
		s := connectiontest.NewServer(t, connectiontest.Text(http.StatusOK, "hello"))
		conn := connectTo(t, s)
		c := new(collector)
		for _, b := range []request.Builder{request.Get(conn, "/a"), request.Get(conn, "/b").Debug(slog.New(c))} {
			if err := b.Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if r := c.texts(); len(r) != 1 || r[0]["url"] != s.URL+"/b" || r[0]["response_body.text"] != "hello" {
			t.Errorf("the records are %v", r)
		}
	})
	t.Run("G8 a stream is neither consumed nor delayed", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { // in which a wait for each other is a failure at once
			seen := make(chan struct{})
			s := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				rc := http.NewResponseController(w)
				_ = rc.EnableFullDuplex()
				p := make([]byte, 1)
				for { // every byte is answered before the next one is sent
					n, err := req.Body.Read(p)
					if n == 0 || err != nil {
						return
					}
					_, _ = w.Write(p)
					_ = rc.Flush()
					select {
					case <-seen:
					case <-req.Context().Done():
						return
					}
				}
			}))
			conn, _, debug := logged(t, s)
			r, w := io.Pipe()
			go func() { _, _ = io.WriteString(w, "d") }()
			resp, err := request.Post(conn, "/x").Body(request.Once("text/plain", r)).Stream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []byte("data: 1\n\n") {
				if want != 'd' {
					if _, err := w.Write([]byte{want}); err != nil {
						t.Fatal(err)
					}
				}
				var got [1]byte
				if _, err := io.ReadFull(resp.Body, got[:]); err != nil || got[0] != want {
					t.Fatalf("got %q, %v; want %q", got, err, want)
				}
				seen <- struct{}{}
			}
			if n := len(debug.texts()); n != 0 {
				t.Errorf("%d records of an open stream", n)
			}
			_ = w.Close()
			_ = resp.Body.Close()
			_ = resp.Body.Close()
			if r := debug.texts(); len(r) != 1 || r[0]["response_body.text"] != `data: 1\n\n` {
				t.Errorf("the records are %v", r)
			}
		})
	})
	t.Run("G9 a credential that was cut in two is not shown by half", func(t *testing.T) {
		t.Parallel()
		const token = "abcdefghijklmnopqrstuvwxyz0123456789"
		s := connectiontest.NewServer(t, connectiontest.Text(http.StatusOK, strings.Repeat(".", 10<<10-20)+token))
		conn, _, debug := logged(t, s, connection.WithAuth(auth.Bearer(auth.Static(secrets.Static(token)))))
		if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := debug.texts()[0]["response_body.text"]; strings.Contains(got, "abcd") || len(got) < 10<<10-20 {
			t.Errorf("the record ends with %s", got[max(0, len(got)-60):])
		}
	})
}

// forgery is what a server writes to make a log say something else: line ends, terminal codes, direction marks.
const forgery = "a\r\nlevel=ERROR\x1b[31m\u2028\u202e\x00end"

func TestLogInjection(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20)
	ansi := "a\x1b[31m\u2028\u202eend"
	for name, answer := range map[string]string{
		"G10 reason phrase":    "HTTP/1.1 404 " + ansi + "\r\nContent-Length: 0\r\n\r\n",
		"G10 harmless header":  "HTTP/1.1 404 X\r\nContent-Length: 0\r\nX-Request-Id: " + ansi + "\r\n\r\n",
		"G10 content type":     "HTTP/1.1 200 X\r\nContent-Length: 2\r\nContent-Type: " + ansi + "\r\n\r\n{}",
		"G10 body":             fmt.Sprintf("HTTP/1.1 404 X\r\nContent-Length: %d\r\n\r\n%s", len(forgery), forgery),
		"G10 location":         "HTTP/1.1 302 X\r\nContent-Length: 0\r\nLocation: https://x%E2%80%A8y.test/%0A\r\n\r\n",
		"G10 no header":        "HTTP/1.1 200 X\r\n" + ansi + "\r\n\r\n",
		"G10 no answer":        ansi + "\r\n\r\n",
		"G10 1 MB header":      "HTTP/1.1 404 X\r\nContent-Length: 0\r\nServer: " + long + "\r\n\r\n",
		"G10 1 MB header name": "HTTP/1.1 404 X\r\nContent-Length: 0\r\n" + long + ": 1\r\n\r\n",
		"G10 1 MB type":        "HTTP/1.1 200 X\r\nContent-Length: 2\r\nContent-Type: " + long + "\r\n\r\n{}",
		"G10 1 MB location":    "HTTP/1.1 302 X\r\nContent-Length: 0\r\nLocation: /" + long + "\r\n\r\n",
		"G10 1 MB no header":   "HTTP/1.1 404 X\r\n" + long + "\r\n\r\n",
		"G10 1 MB reason":      "HTTP/1.1 404 " + long + "\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := connectiontest.NewNetwork(t).ServeRaw("https://api.example.test", func(conn net.Conn) {
				for {
					if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
						return
					}
					if _, err := io.WriteString(conn, answer); err != nil {
						return
					}
				}
			})
			conn, brief, debug := logged(t, s)
			_, err := request.Do[struct{}](t.Context(), request.Get(conn, "/x"))
			if err == nil {
				t.Fatal("there is no error")
			}
			oneLine(t, "error", err.Error(), 8<<10)
			for _, c := range []*collector{brief, debug} {
				for _, r := range c.texts() {
					for key, text := range r {
						oneLine(t, "name of an attribute", key, 8<<10)
						oneLine(t, key[:min(len(key), 100)], text, 64<<10)
					}
				}
				if len(c.texts()) == 0 {
					t.Error("there is no record")
				}
			}
		})
	}
}

func oneLine(t *testing.T, where, text string, most int) {
	t.Helper()
	if len(text) > most {
		t.Errorf("%s has %d bytes: %.100s...", where, len(text), text)
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("%s is not in one line, at %q", where, text[i:min(len(text), i+20)])
	}
}
