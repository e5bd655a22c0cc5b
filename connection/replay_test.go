package connection_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// ledger counts how often bodies were opened, and closed.
type ledger struct{ opened, closed atomic.Int32 }

// open returns a factory of bodies with that content.
func (l *ledger) open(content string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return l.reader(strings.NewReader(content)), nil }
}

// reader returns a body that fails the ledger when it is closed twice.
func (l *ledger) reader(r io.Reader) io.ReadCloser {
	l.opened.Add(1)
	return &closeCounter{ReadCloser: io.NopCloser(r), closed: func() { l.closed.Add(1) }}
}

// check checks that so many bodies were opened and each was closed once.
func (l *ledger) check(t *testing.T, opened int32) {
	t.Helper()
	synctest.Wait() // a transport may close a body after it has returned
	if o, c := l.opened.Load(), l.closed.Load(); o != opened || c != opened {
		t.Errorf("bodies: %d opened, %d closed, want %d", o, c, opened)
	}
}

func TestReplayConcurrently(t *testing.T) {
	t.Parallel()
	const calls = 200
	bubble(t, "D8 200 goroutines, 503 and then 200, every body arrives whole and at its own", func(t *testing.T) {
		seen := struct {
			sync.Mutex
			count map[string]int
		}{count: map[string]int{}}
		srv := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hash := sha256.New()
			_, _ = io.Copy(hash, r.Body)
			if got := hex.EncodeToString(hash.Sum(nil)); got != r.Header.Get("X-Sum") {
				t.Errorf("a body with the sum %s came with %s", got, r.Header.Get("X-Sum"))
			}
			seen.Lock()
			seen.count[r.Header.Get("X-Sum")]++
			n := seen.count[r.Header.Get("X-Sum")]
			seen.Unlock()
			if n == 1 {
				w.WriteHeader(503)
			}
			fmt.Fprint(w, r.Header.Get("X-Sum"))
		}))
		policy := connection.WithRetry(connection.Retry{Max: 2, Wait: connection.Exponential()})
		conn := connectTo(t, srv, policy, connection.WithoutRetryBudget())
		var wg sync.WaitGroup
		var books ledger
		for i := range calls {
			wg.Go(func() {
				content := strings.Repeat(fmt.Sprintf("%d-", i), 100+i*50) // up to 40 KB, and
				if i%10 == 0 {
					content = strings.Repeat(content, 4) // a long body
				}
				sum := sha256.Sum256([]byte(content))
				b := request.Put(conn, "/things").Header("X-Sum", hex.EncodeToString(sum[:]))
				switch i % 3 {
				case 0:
					books.opened.Add(-2)
					books.closed.Add(-2)
					b = b.Body(request.Open("text/plain", int64(len(content)), books.open(content)))
				case 1:
					b = b.Text(content)
				default:
					b = b.Bytes("text/plain", []byte(content))
				}
				got, err := request.Do[string](t.Context(), b)
				if err != nil || got != hex.EncodeToString(sum[:]) {
					t.Errorf("call %d: %q, %v", i, got, err)
				}
			})
		}
		wg.Wait()
		if n := len(seen.count); n != calls {
			t.Errorf("%d bodies, want %d", n, calls)
		}
		for _, n := range slices.Collect(maps.Values(seen.count)) {
			if n != 2 {
				t.Errorf("a body came %d times, want 2", n)
			}
		}
		books.check(t, 0)
	})
}

func TestBodyClosedOnce(t *testing.T) {
	t.Parallel()
	small, long := "small", strings.Repeat("long ", 40_000)
	again := connection.Retry{Max: 2, Wait: connection.Constant(time.Second)}
	lost := errors.New("lost")
	type replies = []http.Handler
	for _, c := range []struct {
		name    string
		replies replies // the last one stays
		options []connection.Option
		prepare func(srv *connectiontest.Server, conn *connection.Connection)
		opened  int32
	}{
		{"answered", replies{status(204)}, nil, nil, 1},
		{"answered at the third attempt", replies{status(503), connectiontest.Cut(), status(204)}, nil, nil, 3},
		{"never answered well", replies{status(503)}, nil, nil, 3},
		{"cut", replies{connectiontest.Cut()}, nil, nil, 3},
		{"redirected with its body",
			replies{status(307).Header("Location", "/else"), status(204)}, nil, nil, 2},
		{"redirected without its body",
			replies{status(303).Header("Location", "/else"), status(204)}, nil, nil, 1},
		{"redirected to another origin",
			replies{status(307).Header("Location", "https://evil.example.test/")}, nil, nil, 1},
		{"challenged", replies{status(401), status(204)},
			[]connection.Option{connection.WithAuth(newCounting())}, nil, 2},
		{"without credential", replies{status(204)}, []connection.Option{
			connection.WithAuth(auth.Func(func(*http.Request) error { return lost })),
		}, nil, 1},
		{"refused", replies{status(204)}, nil,
			func(srv *connectiontest.Server, _ *connection.Connection) { srv.Refuse() }, 3},
		{"on a closed connection", replies{status(204)}, nil,
			func(_ *connectiontest.Server, conn *connection.Connection) { _ = conn.Close() }, 0},
		{"with middleware", replies{status(503), status(204)}, []connection.Option{
			connection.WithMiddleware(func(next http.RoundTripper) http.RoundTripper { return next }),
		}, nil, 2},
	} {
		for size, content := range map[string]string{"small": small, "long": long} {
			bubble(t, "D7 a "+size+" body, "+c.name, func(t *testing.T) {
				srv := connectiontest.NewServer(t, connectiontest.Sequence(c.replies...))
				conn := connectTo(t, srv, append(c.options, connection.WithRetry(again))...)
				if c.prepare != nil {
					c.prepare(srv, conn)
				}
				var books ledger
				body := request.Open("text/plain", int64(len(content)), books.open(content))
				_ = request.Put(conn, "/things").Body(body).Exec(t.Context())
				books.check(t, c.opened)
				for i, r := range srv.Requests() {
					if len(r.Body) != 0 && string(r.Body) != content {
						t.Errorf("request %d has a body of %d bytes, want %d", i, len(r.Body), len(content))
					}
				}
			})
			bubble(t, "D7 a "+size+" body that is there once, "+c.name, func(t *testing.T) {
				srv := connectiontest.NewServer(t, connectiontest.Sequence(c.replies...))
				conn := connectTo(t, srv, append(c.options, connection.WithRetry(again))...)
				if c.prepare != nil {
					c.prepare(srv, conn)
				}
				for _, send := range []func(*http.Request) (*http.Response, error){conn.Do, conn.HTTPClient().Do} {
					var books ledger
					req := newRequest(t.Context(), t, "POST", books.reader(strings.NewReader(content)))
					req.URL.Scheme, req.URL.Host = "https", "api.example.test"
					if resp, err := send(req); err == nil {
						_ = resp.Body.Close()
					}
					books.check(t, 1)
				}
			})
		}
	}
	bubble(t, "D7 a GetBody that is there leaves the first body unread and closed", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(status(503), status(204)))
		conn := connectTo(t, srv, connection.WithRetry(again))
		var books ledger
		req := newRequest(t.Context(), t, "PUT", books.reader(strings.NewReader(small)))
		req.GetBody = books.open(small)
		resp, err := conn.Do(req)
		answered(t, resp, err, 204)
		books.check(t, 3)
		sent(t, srv, 2)
	})
	bubble(t, "D7 the caller leaves while the body is being sent", func(t *testing.T) {
		srv := connectiontest.NewServer(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var books ledger
		endless := request.Open("text/plain", -1, func() (io.ReadCloser, error) {
			return books.reader(&source{n: 1 << 30, piece: 1 << 10}), nil
		})
		err := request.Put(connectTo(t, srv), "/things").Body(endless).Exec(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		srv.Down()
		books.check(t, 1)
	})
}

func TestBodyFails(t *testing.T) {
	t.Parallel()
	gone := errors.New("the file is gone")
	for name, first := range map[string]connectiontest.Reply{
		"a 503": status(503), "a 401": status(401), "a 307": status(307).Header("Location", "/else"),
	} {
		bubble(t, "D7 the body cannot be opened again after "+name, func(t *testing.T) {
			srv := connectiontest.NewServer(t, connectiontest.Sequence(first, status(204)))
			conn := connectTo(t, srv, connection.WithAuth(newCounting()), retries(5))
			var books ledger
			body := request.Open("text/plain", 4, func() (io.ReadCloser, error) {
				if books.opened.Load() > 0 {
					return nil, gone
				}
				return books.open("body")()
			})
			began := time.Now()
			err := request.Put(conn, "/things").Body(body).Exec(t.Context())
			if !errors.Is(err, gone) || !errors.Is(err, request.StageSend) {
				t.Errorf("error %v, want that of the factory", err)
			}
			books.check(t, 1)
			sent(t, srv, 1)
			wait := time.Duration(0)
			if name == "a 503" {
				wait = time.Second
				re, ok := errors.AsType[*connection.RetryError](err)
				if !ok || len(re.History) != 2 || re.History[0].Status != 503 {
					t.Errorf("error %v, want a *RetryError that knows of the 503", err)
				}
			}
			passed(t, began, wait)
		})
	}
	bubble(t, "D7 the body cannot be opened at all", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(204))
		for _, open := range []func() (io.ReadCloser, error){
			func() (io.ReadCloser, error) { return nil, gone },
			func() (io.ReadCloser, error) { return nil, nil }, //nolint:nilnil // a fault of the caller
		} {
			body := request.Open("text/plain", 4, open)
			began := time.Now()
			if err := request.Put(connectTo(t, srv, retries(5)), "/things").Body(body).Exec(t.Context()); err == nil {
				t.Error("no error")
			}
			passed(t, began, 0)
		}
		sent(t, srv, 0)
	})
	for _, length := range []int64{10, 100 << 10, -1} {
		bubble(t, fmt.Sprintf("D7 the body breaks off at the second attempt, length %d", length), func(t *testing.T) {
			var whole atomic.Int32
			srv := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(io.Discard, r.Body); err == nil {
					whole.Add(1)
				}
				w.WriteHeader(503)
			}))
			var books ledger
			size := max(length, 100)
			body := request.Open("text/plain", length, func() (io.ReadCloser, error) {
				r := io.LimitReader(endless{}, size)
				if books.opened.Load() > 0 {
					r = io.MultiReader(io.LimitReader(endless{}, size/2), broken{gone})
				}
				return books.reader(r), nil
			})
			if length == 10 {
				size = 10
			}
			policy := connection.WithRetry(connection.Retry{Max: 1})
			err := request.Put(connectTo(t, srv, policy), "/things").Body(body).Exec(t.Context())
			if !errors.Is(err, gone) {
				t.Errorf("error %v, want that of the reader", err)
			}
			if got := whole.Load(); got != 1 {
				t.Errorf("%d bodies were whole to the server, want 1", got)
			}
			books.check(t, 2)
		})
	}
}

// endless reads zeros.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// broken reads an error.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func TestNotReplayable(t *testing.T) {
	t.Parallel()
	pipe := func() io.Reader { return io.MultiReader(strings.NewReader("body")) }
	doors := func(conn *connection.Connection) map[string]func(t *testing.T, method string) error {
		send := func(do func(*http.Request) (*http.Response, error)) func(*testing.T, string) error {
			return func(t *testing.T, method string) error {
				req := newRequest(t.Context(), t, method, pipe())
				req.URL.Scheme, req.URL.Host = "https", "api.example.test"
				resp, err := do(req)
				if err == nil {
					_ = resp.Body.Close()
				}
				return err
			}
		}
		return map[string]func(t *testing.T, method string) error{
			"Do": send(conn.Do), "HTTPClient": send(conn.HTTPClient().Do),
			"request.Once": func(t *testing.T, method string) error {
				return request.New(conn, method, "/things").Body(request.Once("text/plain", pipe())).Exec(t.Context())
			},
		}
	}
	for _, door := range []string{"Do", "HTTPClient", "request.Once"} {
		bubble(t, "D6 a body that is there once is refused where a retry may need it: "+door, func(t *testing.T) {
			srv := connectiontest.NewServer(t, status(204))
			err := doors(connectTo(t, srv, retries(1)))[door](t, "PUT")
			if !errors.Is(err, connection.ErrNotReplayable) {
				t.Errorf("error %v, want ErrNotReplayable", err)
			}
			if door == "request.Once" && !errors.Is(err, request.StageBuild) {
				t.Errorf("error %v is not of StageBuild", err)
			}
			if got := srv.Conns(); got != 0 {
				t.Errorf("%d connections, want none", got)
			}
		})
		bubble(t, "D6 it is sent where there is no retry: "+door, func(t *testing.T) {
			srv := connectiontest.NewServer(t, status(204))
			if err := doors(connectTo(t, srv))[door](t, "PUT"); err != nil {
				t.Error(err)
			}
			sent(t, srv, 1)
		})
		bubble(t, "D6 it is sent where the method is not retried: "+door, func(t *testing.T) {
			srv := connectiontest.NewServer(t, status(503))
			err := doors(connectTo(t, srv, retries(1)))[door](t, "POST")
			if door == "request.Once" != errors.Is(err, request.Status(503)) {
				t.Errorf("error %v", err)
			}
			sent(t, srv, 1)
			if got := string(srv.Requests()[0].Body); got != "body" {
				t.Errorf("body %q", got)
			}
		})
		bubble(t, "D6 nobody waits for a second attempt that cannot be: "+door, func(t *testing.T) {
			srv := connectiontest.NewServer(t, status(204))
			srv.Refuse()
			began := time.Now()
			err := doors(connectTo(t, srv, retries(3)))[door](t, "POST")
			if err == nil || errors.Is(err, connection.ErrNotReplayable) {
				t.Errorf("error %v, want that of the dial", err)
			}
			passed(t, began, 0)
			if got := srv.Conns(); got != 0 {
				t.Errorf("%d connections, want none", got)
			}
		})
		bubble(t, "D7 a 401 is handed back where the body cannot be sent again: "+door, func(t *testing.T) {
			srv := connectiontest.NewServer(t, status(401))
			a := newCounting()
			err := doors(connectTo(t, srv, connection.WithAuth(a)))[door](t, "POST")
			if door == "request.Once" && !errors.Is(err, request.Status(401)) || door != "request.Once" && err != nil {
				t.Errorf("error %v, want the 401", err)
			}
			sent(t, srv, 1)
			if got := a.challenges.Load(); got != 1 {
				t.Errorf("the authenticator has learned of %d rejections, want 1", got)
			}
		})
	}
	bubble(t, "D6 a retry set on the request refuses a POST, too", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(204))
		b := request.Post(connectTo(t, srv), "/things").Body(request.Once("text/plain", pipe()))
		if err := b.Retry(connection.Retry{Max: 1}).Exec(t.Context()); !errors.Is(err, connection.ErrNotReplayable) {
			t.Errorf("error %v, want ErrNotReplayable", err)
		}
		b = b.Body(request.Once("text/plain", pipe()))
		if err := b.Idempotent().Exec(t.Context()); err != nil {
			t.Errorf("without a retry: %v", err)
		}
		sent(t, srv, 1)
	})
	bubble(t, "D6 a body that was sent is refused the second time, and not sent empty", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(204))
		b := request.Post(connectTo(t, srv), "/things").Body(request.Once("text/plain", strings.NewReader("abc")))
		form := request.Post(connectTo(t, srv), "/things").
			Body(request.Multipart().FileFrom("log", request.Once("text/plain", strings.NewReader("abc"))))
		for _, b := range []request.Builder{b, form} {
			if err := b.Exec(t.Context()); err != nil {
				t.Error(err)
			}
			err := b.Exec(t.Context())
			if !errors.Is(err, connection.ErrNotReplayable) || !errors.Is(err, request.StageBuild) {
				t.Errorf("error %v, want ErrNotReplayable", err)
			}
		}
		sent(t, srv, 2)
	})
	bubble(t, "D7 a 401 is followed by the same body", func(t *testing.T) {
		for _, content := range []string{"small", strings.Repeat("long ", 40_000)} {
			srv := connectiontest.NewServer(t, connectiontest.Sequence(status(401), status(204)))
			conn := connectTo(t, srv, connection.WithAuth(newCounting()))
			if err := request.Post(conn, "/things").Text(content).Exec(t.Context()); err != nil {
				t.Error(err)
			}
			sent(t, srv, 2)
			for i, r := range srv.Requests() {
				if string(r.Body) != content || r.Header.Get("X-Nonce") != strconv.Itoa(i+1) {
					t.Errorf("request %d: %d bytes, nonce %q", i, len(r.Body), r.Header.Get("X-Nonce"))
				}
			}
		}
	})
}

func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	early := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, 1<<10)
		w.WriteHeader(413)
		_, _ = w.Write([]byte("too much"))
	})
	for _, size := range []int64{8 << 20, -1} {
		bubble(t, fmt.Sprintf("D19 a 413 in the middle of an upload of length %d", size), func(t *testing.T) {
			srv := connectiontest.NewServer(t, early)
			conn := connectTo(t, srv, retries(3))
			var books ledger
			body := request.Open("application/octet-stream", size, func() (io.ReadCloser, error) {
				return books.reader(bytes.NewReader(make([]byte, 8<<20))), nil
			})
			for i := range 3 {
				began := time.Now()
				err := request.Put(conn, "/things").Body(body).Exec(t.Context())
				re, ok := errors.AsType[*request.ResponseError](err)
				if !ok || re.Status != 413 || string(re.Body) != "too much" {
					t.Errorf("error %v, want the 413", err)
				}
				books.check(t, int32(i+1))
				if took := time.Since(began); took > time.Second {
					t.Errorf("it took %v", took)
				}
			}
			sent(t, srv, 3)
			if got := srv.Conns(); got != 3 {
				t.Errorf("%d connections, want 3: one on which a body broke off is not used again", got)
			}
		})
	}
	bubble(t, "D19 Expect: 100-continue that is answered with a final status", func(t *testing.T) {
		srv := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(417)
		}))
		transport := srv.Network().Transport()
		transport.ExpectContinueTimeout = time.Second
		conn := connect(t, srv.URL, connection.WithTransport(transport))
		for range 2 {
			req := newRequest(t.Context(), t, "PUT", bytes.NewReader(make([]byte, 1<<20)))
			req.Header.Set("Expect", "100-continue")
			resp, err := conn.Do(req)
			answered(t, resp, err, 417)
		}
		for i, r := range srv.Requests() {
			if len(r.Body) != 0 {
				t.Errorf("request %d: %d bytes of a body that nobody wants", i, len(r.Body))
			}
		}
	})
}
