package connection_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// sourceOf opens a body of request that reads from r.
func sourceOf(size int64, r io.Reader) request.Body {
	return request.Open("text/plain", size, func() (io.ReadCloser, error) { return io.NopCloser(r), nil })
}

// late gives its first reader, and after a while the second.
type late struct {
	first, second io.Reader
	after         time.Duration
}

func (l *late) Read(p []byte) (int, error) {
	n, err := l.first.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	time.Sleep(l.after)
	l.after = 0
	return l.second.Read(p)
}

// forever gives the same bytes again and again.
type forever struct{ b byte }

func (f forever) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = f.b
	}
	return len(p), nil
}

// What is longer than it said never arrives whole.
func TestBodyLongerThanDeclared(t *testing.T) {
	t.Parallel()
	const size = 8000
	text := strings.Repeat("x", size)
	for name, body := range map[string]func() request.Body{
		"at once": func() request.Body { return sourceOf(size, strings.NewReader(text+"more")) },
		"later": func() request.Body {
			return sourceOf(size, &late{strings.NewReader(text), strings.NewReader("m"), time.Second})
		},
		"for ever":  func() request.Body { return sourceOf(size, forever{'x'}) },
		"from zero": func() request.Body { return sourceOf(0, strings.NewReader("m")) },
	} {
		bubble(t, "L2 "+name, func(t *testing.T) {
			var whole int
			srv := connectiontest.NewServer(t, http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
				if _, err := io.Copy(io.Discard, req.Body); err == nil {
					whole++
				}
			}))
			conn := connectTo(t, srv, connection.WithRetry(connection.Retry{Max: 2}))
			err := request.Put(conn, "/x").Body(body()).Exec(t.Context())
			if err == nil || !strings.Contains(err.Error(), "longer than was declared") {
				t.Errorf("error %v", err)
			}
			srv.Close()
			if whole != 0 || len(srv.Requests()) > 1 {
				t.Errorf("the server got %d whole bodies in %d requests", whole, len(srv.Requests()))
			}
		})
	}
	bubble(t, "L2 a source of no bytes that fails", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(204))
		failing := errors.New("disk on fire")
		err := request.Put(connectTo(t, srv), "/x").Body(sourceOf(0, iotest.ErrReader(failing))).Exec(t.Context())
		if !errors.Is(err, failing) {
			t.Errorf("error %v", err)
		}
		sent(t, srv, 0)
	})
}

// A source that blocks, whether it can be closed or not, holds a call no longer than its context.
func TestBlockingOnce(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(r io.Reader) io.Reader{
		"cannot be closed":           func(r io.Reader) io.Reader { return struct{ io.Reader }{r} },
		"goes on when it is closed":  func(r io.Reader) io.Reader { return io.NopCloser(struct{ io.Reader }{r}) },
		"ends when it is closed":     func(r io.Reader) io.Reader { return r },
		"brings nothing for a while": func(r io.Reader) io.Reader { return io.MultiReader(strings.NewReader("a"), r) },
	} {
		bubble(t, "F37 a source that "+name, func(t *testing.T) {
			r, w := io.Pipe()
			srv := connectiontest.NewServer(t, status(204))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			err := request.Post(connectTo(t, srv), "/x").Body(request.Once("text/plain", wrap(r))).Exec(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
				t.Errorf("%v after %v", err, time.Since(began))
			}
			_ = w.Close()
			synctest.Wait()
		})
	}
}

// nothing reads nothing, and has no end.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

// A body that says that it is empty is looked at within the limits of the attempt.
func TestBodyOfNoBytes(t *testing.T) {
	t.Parallel()
	bubble(t, "F37 a source that blocks", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(204))
		r, _ := io.Pipe()
		body := request.Open("text/plain", 0, func() (io.ReadCloser, error) { return r, nil })
		err := request.Put(connectTo(t, srv), "/x").Body(body).Timeout(time.Second).Exec(t.Context())
		if te, ok := errors.AsType[*connection.TimeoutError](err); !ok || te.Phase != connection.PhaseAttempt {
			t.Errorf("error %v, want that of the attempt limit", err)
		}
	})
	bubble(t, "F37 a source of empty reads", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(204))
		err := request.Put(connectTo(t, srv), "/x").Body(sourceOf(0, nothing{})).Exec(t.Context())
		if !errors.Is(err, io.ErrNoProgress) {
			t.Errorf("error %v", err)
		}
	})
	bubble(t, "D4 a redirect keeps the type of an empty body", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(status(307).Header("Location", "/y"), status(204)))
		err := request.Put(connectTo(t, srv), "/x").Body(request.Bytes("image/png", nil)).Exec(t.Context())
		if err != nil || srv.Requests()[1].Header.Get("Content-Type") != "image/png" {
			t.Errorf("%v, %v", err, srv.Requests())
		}
	})
}

// What another request has failed with is not what this one has failed with.
func TestErrorOfAnotherRequest(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, status(204))
	conn := connectTo(t, srv)
	foreign := &request.ResponseError{Status: 404, Body: []byte(`{}`)}
	failing := secrets.Func(func(context.Context) (secrets.Value, error) { return secrets.Value{}, foreign })
	for name, b := range map[string]request.Builder{
		"the secret of a path": request.Delete(conn, "/x/{id}").PathSecret("id", failing),
		"an authenticator":     request.Delete(conn, "/x").Auth(auth.Func(func(*http.Request) error { return foreign })),
		"a body": request.Put(conn, "/x").Body(request.Open("", 1, func() (io.ReadCloser, error) {
			return nil, foreign
		})),
	} {
		t.Run("G9 "+name, func(t *testing.T) {
			t.Parallel()
			err := b.Exec(t.Context())
			_, hasBody := request.ErrorBody[map[string]any](err)
			if err == nil || errors.Is(err, request.Status(404)) || errors.Is(err, request.StageStatus) || hasBody {
				t.Errorf("error %v", err)
			}
		})
	}
}

// net/http takes X-Idempotency-Key for what Idempotency-Key is, and so does the policy.
func TestOtherIdempotencyKey(t *testing.T) {
	t.Parallel()
	bubble(t, "D1 X-Idempotency-Key", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(status(503), status(204)))
		conn := connectTo(t, srv, connection.WithRetry(connection.Retry{Max: 1}))
		if err := request.Post(conn, "/x").Text("a").Header("X-Idempotency-Key", "k").Exec(t.Context()); err != nil {
			t.Error(err)
		}
		sent(t, srv, 2)
	})
}

// A panic of a source ends in the caller, and leaves nothing behind: the bubble would not end.
func TestOpenPanics(t *testing.T) {
	t.Parallel()
	bubble(t, "J4 a panic in Open", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(204))
		conn := connectTo(t, srv, connection.WithTimeouts(connection.Timeouts{Attempt: connection.NoTimeout}))
		defer func() {
			if recover() == nil {
				t.Error("there was no panic")
			}
			sent(t, srv, 0)
		}()
		body := request.Open("text/plain", 1, func() (io.ReadCloser, error) { panic("no") })
		_ = request.Put(conn, "/x").Body(body).Exec(&ownContext{Context: t.Context(), done: make(chan struct{})})
	})
}

// ownContext is of a type that package context has to watch in a goroutine.
type ownContext struct {
	context.Context

	done chan struct{}
}

func (c *ownContext) Done() <-chan struct{} { return c.done }

// The secret of a path is masked in records of the next page, and where it shares its segment.
func TestPathSecretInRecords(t *testing.T) {
	t.Parallel()
	const secret = "110201543:AAHdqTcvCH"
	srv := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Query().Get("page") == "" {
			w.Header().Set("Link", "<"+req.URL.EscapedPath()+`?page=2>; rel="next"`)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `["`+secret+`"]`)
	}))
	var records bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&records, nil))
	conn := connectTo(t, srv, connection.WithLogger(logger), connection.WithDebug(logger))
	first := request.Get(conn, "/bot{id}-{token}/items").Path("id", "7").PathSecret("token", secrets.Static(secret))
	pages := 0
	for _, err := range request.Pages(t.Context(), first, request.LinkHeader[[]string]()) {
		if err != nil {
			t.Fatal(err)
		}
		pages++
	}
	if text := records.String(); pages != 2 || strings.Contains(text, "AAHdqTcvCH") {
		t.Errorf("G2 %d pages, and the records are\n%s", pages, text)
	}
}

// A service that repeats a key in a way that cannot be taken out ends the run, and no text has it.
func TestKeyInAnotherForm(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]string{
		"another name": "/x?page=2&key=" + canary,
		"a path":       "/x/" + canary + "/2",
		"a nested URL": "/x?self=%2Fx%3Fkey%3D" + canary,
		"an escape":    "/x?off=100%25&key=canary%252B7f3a9c",
	} {
		t.Run("A4 "+name, func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewServer(t, connectiontest.JSON(200, []int{1}).Header("Link", "<"+link+`>; rel="next"`))
			conn := connectTo(t, srv, connection.WithAuth(auth.APIKey(secrets.Static(canary), auth.InQuery("api_key"))))
			n := 0
			var last error
			for page, err := range request.Pages(t.Context(), request.Get(conn, "/x"), request.LinkHeader[[]int]()) {
				last = err
				n++
				if err == nil && page.Cursor != "" {
					t.Errorf("the cursor is %s", page.Cursor)
				}
			}
			if n != 2 || !errors.Is(last, request.StagePage) || strings.Contains(last.Error(), canary) {
				t.Errorf("%d pages, and then %v", n-1, last)
			}
			sent(t, srv, 1)
		})
	}
}

// What net/http quotes of an answer may repeat the request.
func TestQuotedAnswers(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"a trailer":            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + canary + "\r\n\r\n",
		"a header line":        "HTTP/1.1 200 OK\r\n" + canary + "\r\n\r\n",
		"a transfer encoding":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + canary + "\r\n\r\n",
		"a length":             "HTTP/1.1 200 OK\r\nContent-Length: " + canary + "\r\n\r\n",
		"a status":             "HTTP/1.1 " + canary + " OK\r\n\r\n",
		"something else whole": canary + "\r\n\r\n",
	} {
		t.Run("G9 "+name, func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewNetwork(t).ServeRaw("http://127.0.0.1:8080", func(conn net.Conn) {
				_, _ = conn.Read(make([]byte, 4<<10))
				_, _ = io.WriteString(conn, answer)
			})
			var records bytes.Buffer
			logger := slog.New(slog.NewJSONHandler(&records, nil))
			conn := connectTo(t, srv, connection.WithLogger(logger))
			_, err := request.Do[string](t.Context(), request.Get(conn, "/x"))
			if err == nil || strings.Contains(err.Error(), canary) || strings.Contains(records.String(), canary) {
				t.Errorf("error %v, records %s", err, records.String())
			}
		})
	}
}
