package connection_test

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// silently is a policy of so many retries of a 408, each attempt of which is sent once more.
func silently(n int) connection.Retry {
	return connection.Retry{Max: n, On: connection.OnStatus(408), Silent408: true}
}

// attempts sends a GET, and returns its status and the number of its attempts.
func attempts(t *testing.T, conn *connection.Connection) (code, n int) {
	t.Helper()
	full, err := request.Full[string](t.Context(), request.Get(conn, "/things").ExpectStatus(200, 408, 503))
	if err != nil {
		t.Fatal(err)
	}
	return full.Status, full.Attempts
}

func TestSilent408(t *testing.T) {
	t.Parallel()
	ok, late := connectiontest.JSON(200, "ok"), connectiontest.JSON(408, "late")
	down := connectiontest.JSON(503, "down")
	for _, c := range []struct {
		name                   string
		policy                 connection.Retry
		replies                []http.Handler
		code, attempts, served int
	}{
		{"I-40 408 and then 200", silently(0), []http.Handler{late, ok}, 200, 1, 2},
		{"I-40 408 twice", silently(0), []http.Handler{late, late, ok}, 408, 1, 2},
		{"I-40 always 408, with a retry", silently(1), []http.Handler{late}, 408, 2, 4},
		{"I-40 always 408, with three retries", silently(3), []http.Handler{late}, 408, 4, 8},
		{"I-40 408 twice, with a retry of what is no 408", connection.Retry{Max: 1, Silent408: true},
			[]http.Handler{late}, 408, 1, 2},
		{"I-40 408 and then 503", silently(0), []http.Handler{late, down}, 503, 1, 2},
		{"I-40 408 and then 503, which is retried", connection.Retry{Max: 1, Silent408: true},
			[]http.Handler{late, down, ok}, 200, 2, 3},
		{"I-40 503 is not sent again", silently(0), []http.Handler{down}, 503, 1, 1},
		{"I-40 by default 408 is the answer", connection.Retry{}, []http.Handler{late}, 408, 1, 1},
		{"I-40 not with Retry-After", silently(0), []http.Handler{late.Header("Retry-After", "1"), ok}, 408, 1, 1},
		{"I-40 with Retry-After 0", silently(0), []http.Handler{late.Header("Retry-After", "0"), ok}, 200, 1, 2},
		{"I-40 with a Retry-After that cannot be read", silently(0),
			[]http.Handler{late.Header("Retry-After", "soon"), ok}, 200, 1, 2},
		{"I-40 not with milliseconds to wait", silently(0),
			[]http.Handler{late.Header("Retry-After-Ms", "1"), ok}, 408, 1, 1},
		{"I-40 with Retry-After where that is ignored", connection.Retry{Silent408: true, IgnoreRetryAfter: true},
			[]http.Handler{late.Header("Retry-After", "1"), ok}, 200, 1, 2},
	} {
		bubble(t, c.name, func(t *testing.T) {
			srv := connectiontest.NewServer(t, connectiontest.Sequence(c.replies...))
			began := time.Now()
			code, n := attempts(t, connectTo(t, srv, connection.WithRetry(c.policy)))
			if code != c.code || n != c.attempts {
				t.Errorf("status %d after %d attempts, want %d after %d", code, n, c.code, c.attempts)
			}
			sent(t, srv, c.served)
			passed(t, began, 0)
		})
	}
}

// TestSilent408Repeatable is about requests that may not be sent again, or cannot.
func TestSilent408Repeatable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		build func(conn *connection.Connection) request.Builder
		want  int
	}{
		{"I-40 PUT with a body", func(conn *connection.Connection) request.Builder {
			return request.Put(conn, "/things").Text("body")
		}, 2},
		{"I-40 not POST", func(conn *connection.Connection) request.Builder {
			return request.Post(conn, "/things").Text("body")
		}, 1},
		{"I-40 POST with an Idempotency-Key", func(conn *connection.Connection) request.Builder {
			return request.Post(conn, "/things").Text("body").Idempotent()
		}, 2},
		{"I-40 POST by its own Retry", func(conn *connection.Connection) request.Builder {
			return request.Post(conn, "/things").Text("body").Retry(connection.Retry{Silent408: true})
		}, 2},
		{"I-40 not by a request's own Retry that does not say so", func(conn *connection.Connection) request.Builder {
			return request.Put(conn, "/things").Text("body").Retry(connection.Retry{})
		}, 1},
	} {
		bubble(t, c.name, func(t *testing.T) {
			srv := connectiontest.NewServer(t, status(408))
			conn := connectTo(t, srv, connection.WithRetry(silently(0)))
			if err := c.build(conn).Exec(t.Context()); !errors.Is(err, request.Status(408)) {
				t.Errorf("error %v, want a 408", err)
			}
			sent(t, srv, c.want)
			first := srv.Requests()[0].Header.Get("Idempotency-Key")
			for i, r := range srv.Requests() {
				if string(r.Body) != "body" || r.Header.Get("Idempotency-Key") != first {
					t.Errorf("request %d: body %q, key %q, want those of the first", i, r.Body, r.Header.Get("Idempotency-Key"))
				}
			}
		})
	}
	for name, middleware := range map[string]connection.Option{
		"without middleware": connection.WithMiddleware(), "behind middleware": connection.WithMiddleware(pass),
	} {
		bubble(t, "I-40 a body is opened anew "+name, func(t *testing.T) {
			srv := connectiontest.NewServer(t, connectiontest.Sequence(status(408), status(204)))
			conn := connectTo(t, srv, connection.WithRetry(silently(0)), middleware)
			resp, err := conn.Do(newRequest(t.Context(), t, "PUT", strings.NewReader("body")))
			answered(t, resp, err, 204)
			sent(t, srv, 2)
			for i, r := range srv.Requests() {
				if string(r.Body) != "body" {
					t.Errorf("body of request %d: %q", i, r.Body)
				}
			}
		})
		bubble(t, "I-40 a body that can be read only once is sent once "+name, func(t *testing.T) {
			srv := connectiontest.NewServer(t, status(408))
			conn := connectTo(t, srv, connection.WithRetry(silently(0)), middleware)
			once := io.MultiReader(strings.NewReader("body"))
			resp, err := conn.Do(newRequest(t.Context(), t, "PUT", once))
			answered(t, resp, err, 408)
			sent(t, srv, 1)
		})
	}
	bubble(t, "I-40 a body that middleware has put on the request is sent once", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(408))
		conn := connectTo(t, srv, connection.WithRetry(silently(0)), connection.WithMiddleware(
			func(next http.RoundTripper) http.RoundTripper {
				return roundTrip(func(req *http.Request) (*http.Response, error) {
					req = req.Clone(req.Context())
					req.Body, req.ContentLength = io.NopCloser(strings.NewReader("other")), 5
					return next.RoundTrip(req)
				})
			}))
		resp, err := conn.Do(newRequest(t.Context(), t, "PUT", strings.NewReader("body")))
		answered(t, resp, err, 408)
		sent(t, srv, 1)
	})
}

// pass is middleware that does nothing.
func pass(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(req *http.Request) (*http.Response, error) { return next.RoundTrip(req.Clone(req.Context())) })
}

// TestSilent408Again is about what is sent the second time.
func TestSilent408Again(t *testing.T) {
	t.Parallel()
	bubble(t, "I-40 with new credentials, and with what middleware adds once", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(status(408), status(204)))
		add := func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(req *http.Request) (*http.Response, error) {
				req = req.Clone(req.Context())
				req.Header.Add("X-Added", "1")
				return next.RoundTrip(req)
			})
		}
		conn := connectTo(t, srv, connection.WithRetry(silently(0)), connection.WithAuth(newCounting()),
			connection.WithMiddleware(add), connection.WithAttemptMiddleware(add))
		resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
		answered(t, resp, err, 204)
		for i, r := range srv.Requests() {
			if got := r.Header["X-Nonce"]; len(got) != 1 || got[0] != strconv.Itoa(i+1) {
				t.Errorf("request %d: nonce %q", i, got)
			}
			if got := r.Header["X-Added"]; len(got) != 2 {
				t.Errorf("request %d: %d headers of the two middlewares", i, len(got))
			}
		}
		sent(t, srv, 2)
	})
	bubble(t, "I-40 from the first redirect on", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(
			status(302).Header("Location", "sub/moved"), status(408),
			status(302).Header("Location", "sub/moved"), status(204)))
		conn := connectTo(t, srv, connection.WithRetry(silently(0)), connection.WithAuth(newCounting()))
		resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
		answered(t, resp, err, 204)
		var targets []string
		for i, r := range srv.Requests() {
			targets = append(targets, r.Target)
			if r.Header.Get("X-Nonce") != strconv.Itoa(i+1) {
				t.Errorf("request %d: nonce %q", i, r.Header.Get("X-Nonce"))
			}
		}
		if diff := cmp.Diff([]string{"/things", "/sub/moved", "/things", "/sub/moved"}, targets); diff != "" {
			t.Error(diff)
		}
		if got := resp.Request.URL.Path; got != "/sub/moved" {
			t.Errorf("the response is that of %s", got)
		}
	})
	bubble(t, "I-40 each is logged, as one attempt", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(status(408), status(204)))
		logs := new(collector)
		conn := connectTo(t, srv, connection.WithRetry(silently(0)), connection.WithLogger(slog.New(logs)))
		resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
		answered(t, resp, err, 204)
		var got []string
		for _, r := range logs.texts() {
			got = append(got, r["attempt"]+" "+r["status"])
		}
		if diff := cmp.Diff([]string{"1 408", "1 204"}, got); diff != "" {
			t.Error(diff)
		}
	})
	bubble(t, "I-40 on another connection where the server closes the first", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(status(408).Header("Connection", "close"), status(204)))
		resp, err := connectTo(t, srv, connection.WithRetry(silently(0))).Do(newRequest(t.Context(), t, "GET", nil))
		answered(t, resp, err, 204)
		if got := srv.Conns(); got != 2 {
			t.Errorf("%d connections, want 2", got)
		}
	})
	bubble(t, "I-40 on the same connection where it does not, with the first body closed", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(connectiontest.Text(408, "too late"), status(204)))
		open := 0
		count := func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(req *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(req)
				if err == nil {
					open++
					resp.Body = &closeCounter{ReadCloser: resp.Body, closed: func() { open-- }}
				}
				return resp, err
			})
		}
		conn := connectTo(t, srv, connection.WithRetry(silently(0)), connection.WithAttemptMiddleware(count))
		resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
		answered(t, resp, err, 204)
		if open != 0 || srv.Conns() != 1 {
			t.Errorf("%d bodies open, %d connections; want 0 and 1", open, srv.Conns())
		}
	})
	bubble(t, "I-40 within the limit of the attempt", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(status(408).Delay(40*time.Second),
			status(204).Delay(40*time.Second)))
		limit := connection.WithTimeouts(connection.Timeouts{Attempt: time.Minute})
		began := time.Now()
		_, err := connectTo(t, srv, connection.WithRetry(silently(0)), limit).Do(newRequest(t.Context(), t, "GET", nil))
		if te, ok := errors.AsType[*connection.TimeoutError](err); !ok || te.Phase != connection.PhaseAttempt {
			t.Errorf("error %v, want that of the attempt limit", err)
		}
		passed(t, began, time.Minute)
		sent(t, srv, 2)
	})
	bubble(t, "I-40 a body that stalls does not hold it up for long", func(t *testing.T) {
		var n atomic.Int32
		srv := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) > 1 {
				w.WriteHeader(204)
				return
			}
			w.Header().Set("Content-Length", "10")
			w.WriteHeader(408)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}))
		began := time.Now()
		resp, err := connectTo(t, srv, connection.WithRetry(silently(0))).Do(newRequest(t.Context(), t, "GET", nil))
		answered(t, resp, err, 204)
		passed(t, began, time.Second)
	})
	bubble(t, "I-40 what fails is the outcome of the attempt, and is retried as such", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(status(408), connectiontest.Cut(), status(204)))
		resp, err := connectTo(t, srv, connection.WithRetry(silently(1))).Do(newRequest(t.Context(), t, "GET", nil))
		answered(t, resp, err, 204)
		sent(t, srv, 3)
	})
	bubble(t, "D2 I-40 a POST of which the server has seen the first is not Unsent", func(t *testing.T) {
		var srv *connectiontest.Server
		srv = connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			srv.Refuse()
			w.Header().Set("Connection", "close")
			w.WriteHeader(408)
		}))
		post := request.Post(connectTo(t, srv), "/things").Text("body").Retry(connection.Retry{Silent408: true})
		err := post.Exec(t.Context())
		te, ok := errors.AsType[*connection.TransportError](err)
		if _, refused := errors.AsType[*net.OpError](err); !ok || !refused || te.Unsent {
			t.Errorf("error %v: want a refused dial that is not Unsent", err)
		}
		sent(t, srv, 1)
	})
}

// TestSilent408Allocations: a call that is not answered with 408 does not pay for it.
func TestSilent408Allocations(t *testing.T) { //nolint:paralleltest // other tests allocate
	answer := roundTrip(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 204, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
	})
	count := func(policy connection.Retry) float64 {
		conn := connect(t, "https://api.example.test", connection.WithTransport(answer), connection.WithRetry(policy))
		return testing.AllocsPerRun(200, func() {
			resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
		})
	}
	if off, on := count(connection.Retry{}), count(connection.Retry{Silent408: true}); off != on {
		t.Errorf("I-40 %v allocations without Silent408, %v with it", off, on)
	}
}
