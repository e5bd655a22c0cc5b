package connection_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

func hunter() connection.Option {
	return connection.WithAuth(auth.Bearer(auth.Static(secrets.Static("hunter2token"))))
}

// A host that folds to the home host in one alphabet and not in another.
func TestHostOutsideASCII(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	evil := n.Serve("https://xn--api-bec.example.com", status(200))
	away := http.RedirectHandler("https://ap\u0130.example.com/x", http.StatusTemporaryRedirect)
	n.Serve("https://api.example.com", away)
	conn := connect(t, "https://api.example.com", n.Option(), hunter())
	err := request.Post(conn, "/").Text("private").Exec(t.Context())
	if _, ok := errors.AsType[*connection.RedirectError](err); !ok {
		t.Errorf("A22 redirect: error %v, want a *RedirectError", err)
	}
	err = request.Get(conn, "https://ap\u0130.example.com/d").Exec(t.Context())
	if !errors.Is(err, request.StageBuild) {
		t.Errorf("A22 absolute URL: error %v, want one of StageBuild", err)
	}
	if _, err := connection.New("https://ap\u0130.example.com"); err == nil {
		t.Error("A22 base URL: there is no error")
	}
	if n := evil.Conns(); n != 0 {
		t.Errorf("the other host saw %d connections", n)
	}
}

// On a request of net/http, a ContentLength of 0 beside a body means that the length is not known.
func TestBodyOfUnknownLength(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodPost, http.MethodPut} {
		srv := connectiontest.NewServer(t, status(200))
		conn := connect(t, srv.URL, srv.Network().Option())
		open := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("payload")), nil }
		req := newRequest(t.Context(), t, method, nil)
		req.Body, _ = open()
		req.GetBody = open
		resp, err := conn.Do(req)
		answered(t, resp, err, 200)
		if got := string(srv.Requests()[0].Body); got != "payload" {
			t.Errorf("%s: the server got %q", method, got)
		}
	}
	srv := connectiontest.NewServer(t, status(200))
	conn := connect(t, srv.URL, srv.Network().Option())
	for _, size := range []int64{0, 3, 12} {
		body := request.Open("text/plain", size, func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader("payload")), nil
		})
		if err := request.Post(conn, "/").Body(body).Exec(t.Context()); err == nil {
			t.Errorf("a body of 7 bytes that is declared as %d is no error", size)
		}
	}
}

// HTTP/2 does not notice that a body is too short.
func TestShortUploadH2(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	n.ServeH2("https://api.example.test", http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
	}))
	conn := connect(t, "https://api.example.test", n.Option())
	body := request.Open("text/plain", 12, func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("payload")), nil
	})
	if err := request.Post(conn, "/").Body(body).Exec(t.Context()); err == nil {
		t.Error("a body of 7 bytes that is declared as 12 is no error")
	}
}

// A cause that is io.EOF is not the end of the body.
func TestCauseEOF(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{io.EOF, fmt.Errorf("client gone: %w", io.EOF)} {
		bubble(t, "D13 a cause that is "+cause.Error()+" does not end a body", func(t *testing.T) {
			n := connectiontest.NewNetwork(t)
			n.ServeRaw("https://api.example.test", func(conn net.Conn) {
				_, _ = io.ReadFull(conn, make([]byte, 20))
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npartial")
				_, _ = io.Copy(io.Discard, conn)
			})
			conn := connect(t, "https://api.example.test", n.Option())
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(200*time.Millisecond, func() { cancel(cause) })
			if v, err := request.Do[string](ctx, request.Get(conn, "/")); err == nil {
				t.Errorf("Do returns %q and no error", v)
			}
			ctx, cancel = context.WithCancelCause(t.Context())
			time.AfterFunc(200*time.Millisecond, func() { cancel(cause) })
			resp, err := request.Get(conn, "/").Stream(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(resp.Body); err == nil {
				t.Errorf("the stream is %q and no error", text)
			}
			_ = resp.Body.Close()
		})
	}
}

// A short body whose source stalls does not hold the call past its limits.
func TestStallingShortBody(t *testing.T) {
	t.Parallel()
	bubble(t, "D13 a short body that stalls ends with the caller's deadline", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(200))
		conn := connect(t, srv.URL, srv.Network().Option())
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		defer cancel()
		began := time.Now()
		err := request.Post(conn, "/").Body(request.Open("text/plain", 10, func() (io.ReadCloser, error) {
			r, w := io.Pipe()
			time.AfterFunc(time.Hour, func() { _ = w.Close() })
			return r, nil
		})).Exec(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 410*time.Millisecond {
			t.Errorf("error %v after %v", err, time.Since(began))
		}
	})
}

// A server that lies about the length gains neither a panic nor memory.
func TestLyingLength(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	n.ServeRaw("https://api.example.test", func(conn net.Conn) {
		_, _ = io.ReadFull(conn, make([]byte, 20))
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nx", int64(math.MaxInt64))
	})
	conn := connect(t, "https://api.example.test", n.Option(), connection.WithMaxBody(math.MaxInt64))
	if _, err := request.Do[string](t.Context(), request.Get(conn, "/")); !errors.Is(err, request.StageRead) {
		t.Errorf("error %v, want one of StageRead", err)
	}
}

// A client that keeps cookies gets none from a foreign server under the home URL.
func TestForeignCookies(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	n.Serve("https://evil.test", connectiontest.Status(200).Header("Set-Cookie", "sid=attacker"))
	home := n.Serve("https://api.example.test", http.RedirectHandler("https://evil.test/", http.StatusFound))
	client := connect(t, home.URL, n.Option()).HTTPClient()
	client.Jar, _ = cookiejar.New(nil)
	for range 2 {
		resp, err := client.Get(home.URL)
		answered(t, resp, err, 200)
	}
	for _, r := range home.Requests() {
		if r.Header.Get("Cookie") != "" {
			t.Errorf("A15 home was sent the cookie %q", r.Header.Get("Cookie"))
		}
	}
}

// A login redirect that nests the query that came, as nginx writes it.
func TestNestedCredential(t *testing.T) {
	t.Parallel()
	const key = "CANARY/1 +"
	for _, times := range []int{0, 1, 2} {
		n := connectiontest.NewNetwork(t)
		evil := n.Serve("https://login.test", status(200))
		home := n.Serve("https://api.example.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			next := req.URL.RequestURI()
			for range times {
				next = url.QueryEscape(next)
			}
			w.Header().Set("Location", "https://login.test/?next="+next)
			w.WriteHeader(http.StatusFound)
		}))
		inQuery := auth.APIKey(secrets.Static(key), auth.InQuery("api_key"))
		conn := connect(t, home.URL, n.Option(), connection.WithAuth(inQuery))
		_ = request.Get(conn, "/x").Exec(t.Context())
		for _, r := range evil.Requests() {
			if strings.Contains(r.Raw, "CANARY") {
				t.Errorf("A4 escaped %d times: the foreign server was sent %s", times, r.Target)
			}
		}
	}
}

// Middleware that does what it must not gets a typed error and no panic.
func TestMisbehavingMiddleware(t *testing.T) {
	t.Parallel()
	stranger := func(next http.RoundTripper) http.RoundTripper {
		return transport(func(req *http.Request) (*http.Response, error) {
			return next.RoundTrip(req.WithContext(context.Background()))
		})
	}
	nothing := func(http.RoundTripper) http.RoundTripper {
		return transport(func(*http.Request) (*http.Response, error) { return nil, nil })
	}
	hedge := func(next http.RoundTripper) http.RoundTripper {
		return transport(func(req *http.Request) (*http.Response, error) {
			second := make(chan error, 1)
			go func() {
				resp, err := next.RoundTrip(req)
				if err == nil {
					_ = resp.Body.Close()
				}
				second <- err
			}()
			resp, err := next.RoundTrip(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			return nil, errors.Join(err, <-second)
		})
	}
	for name, m := range map[string]connection.Middleware{"context": stranger, "nothing": nothing, "hedge": hedge} {
		for where, option := range map[string]connection.Option{
			"call": connection.WithMiddleware(m), "attempt": connection.WithAttemptMiddleware(m),
		} {
			t.Run(name+" "+where, func(t *testing.T) {
				t.Parallel()
				srv := connectiontest.NewServer(t, connectiontest.Status(200).Delay(20*time.Millisecond))
				conn := connect(t, srv.URL, srv.Network().Option(), option)
				if err := request.Get(conn, "/").Exec(t.Context()); err == nil {
					t.Error("there is no error")
				}
			})
		}
	}
}

// A body that a middleware has put on the request is sent as it is, or not at all.
func TestMiddlewareBody(t *testing.T) {
	t.Parallel()
	compress := func(next http.RoundTripper) http.RoundTripper {
		return transport(func(req *http.Request) (*http.Response, error) {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, _ = io.Copy(z, req.Body)
			_ = z.Close()
			req = req.Clone(req.Context())
			req.Body, req.ContentLength = io.NopCloser(&b), -1
			req.Header.Set("Content-Encoding", "gzip")
			return next.RoundTrip(req)
		})
	}
	srv := connectiontest.NewServer(t, connectiontest.Sequence(status(503), status(200)))
	conn := connect(t, srv.URL, srv.Network().Option(), retries(1), connection.WithMiddleware(compress))
	err := request.Put(conn, "/").Text("plain text").Exec(t.Context())
	for _, r := range srv.Requests() {
		if string(r.Body) == "plain text" {
			t.Errorf("L4 a request that says gzip has the body %q", r.Body)
		}
	}
	if !errors.Is(err, connection.ErrNotReplayable) {
		t.Errorf("error %v, want ErrNotReplayable", err)
	}
}

func TestNoDuplicatePOST(t *testing.T) {
	t.Parallel()
	t.Run("D1 an empty Idempotency-Key is an error", func(t *testing.T) {
		t.Parallel()
		srv := connectiontest.NewServer(t, status(503))
		conn := connect(t, srv.URL, srv.Network().Option(), retries(2))
		err := request.Post(conn, "/").Header("Idempotency-Key", " ").Exec(t.Context())
		if !errors.Is(err, request.StageBuild) || len(srv.Requests()) != 0 {
			t.Errorf("error %v after %d requests", err, len(srv.Requests()))
		}
	})
	t.Run("D1 a GET that a middleware makes a POST is sent once", func(t *testing.T) {
		t.Parallel()
		srv := connectiontest.NewServer(t, status(503))
		override := func(next http.RoundTripper) http.RoundTripper {
			return transport(func(req *http.Request) (*http.Response, error) {
				req = req.Clone(req.Context())
				req.Method = http.MethodPost
				return next.RoundTrip(req)
			})
		}
		conn := connect(t, srv.URL, srv.Network().Option(), retries(2), connection.WithMiddleware(override))
		_ = request.Get(conn, "/").Exec(t.Context())
		sent(t, srv, 1)
	})
	t.Run("D1 a key for all requests is refused", func(t *testing.T) {
		t.Parallel()
		_, err := connection.New("https://a.test", connection.WithHeader("Idempotency-Key", "constant"))
		if got := optionFaults(err); len(got) != 1 || got[0] != "WithHeader" {
			t.Errorf("error %v, want one of WithHeader", err)
		}
	})
}

// The bodies that are opened are closed, at the last redirect too.
func TestRedirectLimitClosesBodies(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, http.RedirectHandler("/again", http.StatusTemporaryRedirect))
	conn := connect(t, srv.URL, srv.Network().Option())
	var opened, closed atomic.Int32
	body := request.Open("text/plain", 2, func() (io.ReadCloser, error) {
		opened.Add(1)
		return closer{strings.NewReader("ab"), func() { closed.Add(1) }}, nil
	})
	err := request.Post(conn, "/").Body(body).Exec(t.Context())
	if !errors.Is(err, connection.ErrTooManyRedirects) || opened.Load() != 6 || closed.Load() != 6 {
		t.Errorf("error %v; %d bodies opened and %d closed, want 6 each", err, opened.Load(), closed.Load())
	}
}

type closer struct {
	io.Reader

	done func()
}

func (c closer) Close() error {
	c.done()
	return nil
}

// A secret path stays masked where the request is built here and sent by Do.
func TestSecretPathThroughDo(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	srv := connectiontest.NewServer(t, status(404))
	conn := connect(t, srv.URL, srv.Network().Option(), connection.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	req, err := request.Get(conn, "/bot{t}").PathSecret("t", secrets.Static("CANARYpath")).Request(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	resp, err := conn.Do(req)
	answered(t, resp, err, 404)
	if strings.Contains(log.String(), "CANARYpath") {
		t.Errorf("G2 the log is %s", log.String())
	}
}

// The body of a 503 that stalls is not waited for.
func TestStalledBodyIsDiscarded(t *testing.T) {
	t.Parallel()
	bubble(t, "J1 a stalled body holds the next attempt for a second at most", func(t *testing.T) {
		var n atomic.Int32
		srv := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if n.Add(1) == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				_ = http.NewResponseController(w).Flush()
				<-req.Context().Done()
			}
		}))
		conn := connect(t, srv.URL, srv.Network().Option(), connection.WithRetry(connection.Retry{Max: 1}))
		began := time.Now()
		if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
			t.Error(err)
		}
		passed(t, began, time.Second)
	})
}

// An authenticator changes headers and query, and nothing else.
func TestAuthenticatorOverreach(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]auth.Func{
		"method": func(req *http.Request) error { req.Method = http.MethodDelete; return nil },
		"path":   func(req *http.Request) error { req.URL.Path = "/admin"; return nil },
		"host":   func(req *http.Request) error { req.Host = "evil.test"; return nil },
		"origin": func(req *http.Request) error { req.URL.Host = "evil.test"; return nil },
		"no URL": func(req *http.Request) error { req.URL = nil; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewServer(t, status(200))
			conn := connect(t, srv.URL, srv.Network().Option(), connection.WithAuth(f))
			if err := request.Get(conn, "/").Exec(t.Context()); !errors.Is(err, request.StageAuth) || srv.Conns() != 0 {
				t.Errorf("error %v after %d connections", err, srv.Conns())
			}
		})
	}
}
