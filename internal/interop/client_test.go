package interop_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/interop/servers"
	"github.com/restconn/restconn/internal/wait"
	"github.com/restconn/restconn/request"
)

// dialing opens a connection of the library, without a proxy of the environment, that trusts the authority of the
// servers. It is closed after the test.
func dialing(t *testing.T, base string, options ...connection.Option) *connection.Connection {
	t.Helper()
	return opened(t, base, append([]connection.Option{
		connection.WithTrustedCA(certificates(t).CA.PEM), connection.WithProxy(connection.Proxy{Mode: connection.ProxyNone}),
	}, options...)...)
}

// opened opens a connection that is closed after the test.
func opened(t *testing.T, base string, options ...connection.Option) *connection.Connection {
	t.Helper()
	conn, err := connection.New(base, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// seen is an echo that has come.
func seen(t *testing.T, b request.Builder) servers.Echo {
	t.Helper()
	e, err := request.Do[servers.Echo](within(t, time.Minute), b)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// fails sends a request that is to fail.
func fails(t *testing.T, b request.Builder) error {
	t.Helper()
	err := b.Exec(within(t, time.Minute))
	if err == nil {
		t.Fatalf("%v: no error", b)
	}
	return err
}

// as returns the error of a type in err.
func as[E error](t *testing.T, err error) E {
	t.Helper()
	e, ok := errors.AsType[E](err)
	if !ok {
		t.Fatalf("got %v (%T), want a %T in it", err, err, e)
	}
	return e
}

// wants fails a test without an error of a type in err.
func wants[E error](t *testing.T, err error) {
	t.Helper()
	_ = as[E](t, err)
}

// wantResponse wants the error of a response with this status.
func wantResponse(t *testing.T, err error, status int) {
	t.Helper()
	if got := as[*request.ResponseError](t, err); got.Status != status {
		t.Fatalf("status %d, want %d: %v", got.Status, status, err)
	}
}

// wantTimeout wants the limit of a phase.
func wantTimeout(t *testing.T, err error, phase connection.Phase) {
	t.Helper()
	if got := as[*connection.TimeoutError](t, err); got.Phase != phase || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got the phase %q, want %q: %v", got.Phase, phase, err)
	}
}

// marked gives a request a name of its own.
func marked(b request.Builder) (request.Builder, string) {
	id := rand.Text()
	return b.Header("X-Id", id), id
}

// requests returns the requests of a name that nginx has seen. Before, it waits until nginx is done with one that is
// sent now.
func requests(t *testing.T, s *servers.Server, id string) []servers.Seen {
	t.Helper()
	last := rand.Text()
	wantStatus(t, 200, plainClient(t), s.URL+"/echo", func(r *http.Request) { r.Header.Set("X-Id", last) })
	var all []servers.Seen
	eventually(t, "nginx writes down what it has seen", func() bool {
		all = nil
		log, err := s.Seen()
		if err != nil {
			t.Fatal(err)
		}
		done := false
		for _, r := range log {
			done = done || r.ID == last
			if r.ID == id {
				all = append(all, r)
			}
		}
		return done
	})
	return all
}

// wantRequests wants that nginx has seen a request so often. One that broke off it writes down only when the
// connection is closed.
func wantRequests(t *testing.T, s *servers.Server, id string, n int) []servers.Seen {
	t.Helper()
	var got []servers.Seen
	eventually(t, "nginx is done with a request", func() bool {
		got = requests(t, s, id)
		return len(got) >= n
	})
	if len(got) != n {
		t.Errorf("nginx has seen %d requests, want %d: %+v", len(got), n, got)
	}
	return got
}

// eventually waits for a condition, for half a minute.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx := within(t, 30*time.Second)
	for !condition() {
		if wait.For(ctx, 5*time.Millisecond) != nil {
			t.Fatal("it took too long that ", what)
		}
	}
}

// before does something before each attempt, which it is told the number of.
func before(act func(attempt int64)) connection.Option {
	return connection.WithAttemptMiddleware(func(next http.RoundTripper) http.RoundTripper {
		var attempts atomic.Int64
		return tripper(func(req *http.Request) (*http.Response, error) {
			act(attempts.Add(1))
			return next.RoundTrip(req)
		})
	})
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// threeTimes is a policy of three retries that come soon.
func threeTimes() connection.Option {
	return connection.WithRetry(connection.Retry{Max: 3, Wait: connection.Constant(time.Millisecond)})
}
