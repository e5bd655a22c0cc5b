package connection_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// timedOut checks that err is the limit of that phase and nothing else.
func timedOut(t *testing.T, err error, phase connection.Phase, limit time.Duration) {
	t.Helper()
	te, ok := errors.AsType[*connection.TimeoutError](err)
	if !ok || te.Phase != phase || te.Limit != limit {
		t.Fatalf("error %v, want the %s timeout of %v", err, phase, limit)
	}
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		t.Errorf("error %v is not context.DeadlineExceeded alone", err)
	}
	if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
		t.Errorf("error %v is not a net.Error that timed out", err)
	}
	if text := err.Error(); !strings.Contains(text, string(phase)+" timeout of "+limit.String()) {
		t.Errorf("text %q does not name the limit", text)
	}
}

// silent reads the request and never answers.
var silent = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
})

// drip answers with n bytes, one after each pause; then it falls silent if n is not the whole length.
func drip(status, n, length int, pause time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		control := http.NewResponseController(w)
		_ = control.Flush()
		for range n {
			select {
			case <-time.After(pause):
			case <-r.Context().Done():
				return
			}
			_, _ = w.Write([]byte("x"))
			_ = control.Flush()
		}
		if n < length {
			<-r.Context().Done()
		}
	})
}

func limits(l connection.Timeouts) connection.Option { return connection.WithTimeouts(l) }

// text gets a decoded answer.
func text(ctx context.Context, conn *connection.Connection) (string, error) {
	return request.Do[string](ctx, request.Get(conn, "/things"))
}

func TestTimeoutDefault(t *testing.T) {
	t.Parallel()
	const limit = time.Minute
	bubble(t, "D15 a silent server ends every kind of call after a minute", func(t *testing.T) {
		srv := connectiontest.NewServer(t, silent)
		conn := connectTo(t, srv)
		for name, call := range map[string]func() error{
			"request.Do": func() error { _, err := text(t.Context(), conn); return err },
			"Exec":       func() error { return request.Get(conn, "/things").Exec(t.Context()) },
			"Stream":     func() error { _, err := request.Get(conn, "/things").Stream(t.Context()); return err },
			"Do":         func() error { _, err := conn.Do(newRequest(t.Context(), t, "GET", nil)); return err },
			"HTTPClient": func() error { _, err := conn.HTTPClient().Get(srv.URL); return err },
		} {
			began := time.Now()
			err := call()
			t.Log(name, err)
			timedOut(t, err, connection.PhaseAttempt, limit)
			passed(t, began, limit)
		}
	})
	bubble(t, "D15 a server that does not even accept", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(204))
		srv.Hang()
		began := time.Now()
		_, err := text(t.Context(), connectTo(t, srv))
		timedOut(t, err, connection.PhaseDial, 30*time.Second)
		passed(t, began, 30*time.Second)
	})
	bubble(t, "D15 a server that does not even accept, through HTTPClient", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(204))
		srv.Hang()
		_, err := connectTo(t, srv).HTTPClient().Do(newRequest(t.Context(), t, "GET", nil))
		if !os.IsTimeout(err) {
			t.Errorf("error %v is not a timeout to package os", err)
		}
	})
	bubble(t, "D15 a server that accepts and does not do TLS", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		srv := n.ServeRaw("http://api.example.test:443", func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
		transport := n.Transport()
		transport.TLSHandshakeTimeout = 0
		conn := connect(t, "https://api.example.test", connection.WithTransport(transport))
		began := time.Now()
		_, err := text(t.Context(), conn)
		timedOut(t, err, connection.PhaseAttempt, limit)
		passed(t, began, limit)
		srv.Down()
	})
	bubble(t, "D16 a decoded call whose body stalls is ended by the attempt limit", func(t *testing.T) {
		conn := connectTo(t, connectiontest.NewServer(t, drip(200, 3, 10, time.Second)))
		began := time.Now()
		_, err := text(t.Context(), conn)
		timedOut(t, err, connection.PhaseAttempt, limit)
		if !errors.Is(err, request.StageRead) {
			t.Errorf("error %v is not of StageRead", err)
		}
		passed(t, began, limit)
	})
	bubble(t, "D16 a decoded call whose body comes at 1 byte a second is ended by the attempt limit", func(t *testing.T) {
		conn := connectTo(t, connectiontest.NewServer(t, drip(200, 1000, 1000, time.Second)))
		began := time.Now()
		_, err := text(t.Context(), conn)
		timedOut(t, err, connection.PhaseAttempt, limit)
		passed(t, began, limit)
	})
	bubble(t, "D16 so is one whose error body comes slowly", func(t *testing.T) {
		conn := connectTo(t, connectiontest.NewServer(t, drip(404, 1000, 1000, time.Second)))
		began := time.Now()
		err := request.Get(conn, "/things").Exec(t.Context())
		if !errors.Is(err, request.Status(404)) {
			t.Errorf("error %v, want the 404 that is there", err)
		}
		passed(t, began, limit)
	})
}

func TestTimeoutShortestWins(t *testing.T) {
	t.Parallel()
	const s = time.Second
	again := connection.WithRetry(connection.Retry{Max: 3, Wait: connection.Constant(s)})
	for _, c := range []struct {
		name       string
		connection connection.Timeouts
		request    connection.Timeouts
		phase      connection.Phase
		want       time.Duration
	}{
		{"attempt", connection.Timeouts{Attempt: 5 * s, Total: 9 * s}, connection.Timeouts{}, connection.PhaseAttempt, 5 * s},
		{"total", connection.Timeouts{Attempt: 9 * s, Total: 5 * s}, connection.Timeouts{}, connection.PhaseTotal, 5 * s},
		{"attempt of the request", connection.Timeouts{Attempt: 9 * s, Total: 8 * s}, connection.Timeouts{Attempt: 2 * s},
			connection.PhaseAttempt, 2 * s},
		{"total of the request", connection.Timeouts{Attempt: 9 * s, Total: 8 * s}, connection.Timeouts{Total: 2 * s},
			connection.PhaseTotal, 2 * s},
		{"a request cannot lengthen", connection.Timeouts{Attempt: 5 * s},
			connection.Timeouts{Attempt: time.Hour, Total: connection.NoTimeout}, connection.PhaseAttempt, 5 * s},
		{"a request cannot lift", connection.Timeouts{Attempt: connection.NoTimeout, Total: 5 * s},
			connection.Timeouts{Total: connection.NoTimeout}, connection.PhaseTotal, 5 * s},
	} {
		bubble(t, "D14 "+c.name, func(t *testing.T) {
			conn := connectTo(t, connectiontest.NewServer(t, silent), limits(c.connection))
			began := time.Now()
			err := request.Get(conn, "/things").Timeouts(c.request).Exec(t.Context())
			timedOut(t, err, c.phase, c.want)
			passed(t, began, c.want)
		})
	}
	bubble(t, "D14 every attempt has its own limit, and the last timeout is the error", func(t *testing.T) {
		srv := connectiontest.NewServer(t, silent)
		conn := connectTo(t, srv, again, limits(connection.Timeouts{Attempt: 5 * s}))
		began := time.Now()
		_, err := text(t.Context(), conn)
		timedOut(t, err, connection.PhaseAttempt, 5*s)
		if re, ok := errors.AsType[*connection.RetryError](err); !ok || len(re.History) != 4 {
			t.Errorf("error %v, want a *RetryError of four attempts", err)
		}
		passed(t, began, 4*5*s+3*s)
		sent(t, srv, 4)
	})
	bubble(t, "D14 an attempt that timed out is followed by one that works", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(silent, connectiontest.Text(200, "well")))
		conn := connectTo(t, srv, again, limits(connection.Timeouts{Attempt: 5 * s}))
		if got, err := text(t.Context(), conn); err != nil || got != "well" {
			t.Errorf("%q, %v", got, err)
		}
	})
	bubble(t, "D14 the total limit spans attempts and waits, and keeps their causes", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(connectiontest.Cut(), status(503), silent))
		conn := connectTo(t, srv, again, limits(connection.Timeouts{Attempt: 30 * s, Total: 20 * s}))
		began := time.Now()
		_, err := text(t.Context(), conn)
		timedOut(t, err, connection.PhaseTotal, 20*s)
		re, ok := errors.AsType[*connection.RetryError](err)
		if !ok || len(re.History) != 3 || re.History[1].Status != 503 || !errors.Is(err, io.EOF) {
			t.Errorf("error %v, want a *RetryError with the history", err)
		}
		passed(t, began, 20*s)
	})
	bubble(t, "D14 the total limit covers the body of a decoded call", func(t *testing.T) {
		conn := connectTo(t, connectiontest.NewServer(t, drip(200, 1, 10, s)), limits(connection.Timeouts{Total: 5 * s}))
		began := time.Now()
		_, err := text(t.Context(), conn)
		timedOut(t, err, connection.PhaseTotal, 5*s)
		passed(t, began, 5*s)
	})
	for _, within := range []time.Duration{3 * s, 30 * s} {
		bubble(t, "D14 the deadline of the caller is not a TimeoutError; total "+within.String(), func(t *testing.T) {
			conn := connectTo(t, connectiontest.NewServer(t, silent), limits(connection.Timeouts{Attempt: within}))
			reason := errors.New("the batch window has closed")
			ctx, cancel := context.WithTimeoutCause(t.Context(), 10*s, reason)
			defer cancel()
			began := time.Now()
			_, err := text(ctx, conn)
			if within < 10*s {
				timedOut(t, err, connection.PhaseAttempt, within)
				passed(t, began, within)
				return
			}
			if _, ok := errors.AsType[*connection.TimeoutError](err); ok ||
				!errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, reason) {
				t.Errorf("error %v, want the caller's deadline and its cause", err)
			}
			passed(t, began, 10*s)
		})
	}
	bubble(t, "D14 a negative limit is an error, at the connection and at the request", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(204))
		for _, l := range []connection.Timeouts{{Attempt: -1}, {Total: -1}, {Idle: -1}} {
			if _, err := connection.New(srv.URL, limits(l)); err == nil {
				t.Errorf("New accepts %+v", l)
			}
			err := request.Get(connectTo(t, srv), "/things").Timeouts(l).Exec(t.Context())
			if oe, ok := errors.AsType[*connection.OptionError](err); !ok || oe.Option != "Timeouts" {
				t.Errorf("request with %+v: %v", l, err)
			}
		}
		sent(t, srv, 0)
	})
}

func TestTimeoutStream(t *testing.T) {
	t.Parallel()
	const s = time.Second
	short := limits(connection.Timeouts{Attempt: 5 * s, Total: 8 * s, Idle: 10 * s})
	open := func(t *testing.T, h http.Handler, options ...connection.Option) io.ReadCloser {
		t.Helper()
		conn := connectTo(t, connectiontest.NewServer(t, h), options...)
		resp, err := request.Get(conn, "/things").Stream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp.Body
	}
	bubble(t, "D16 a stream that drips lives on past the attempt and the total limit", func(t *testing.T) {
		began := time.Now()
		got, err := io.ReadAll(open(t, drip(200, 20, 20, 9*s), short))
		if err != nil || len(got) != 20 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		passed(t, began, 180*s)
	})
	bubble(t, "D14 a stream that falls silent is ended by the idle limit", func(t *testing.T) {
		began := time.Now()
		got, err := io.ReadAll(open(t, drip(200, 3, 20, 9*s), short))
		timedOut(t, err, connection.PhaseIdle, 10*s)
		if len(got) != 3 {
			t.Errorf("%d bytes before the end, want 3", len(got))
		}
		passed(t, began, 37*s)
	})
	bubble(t, "D14 the idle limit is a minute by default", func(t *testing.T) {
		began := time.Now()
		_, err := io.ReadAll(open(t, drip(200, 0, 1, 0)))
		timedOut(t, err, connection.PhaseIdle, time.Minute)
		passed(t, began, time.Minute)
	})
	bubble(t, "D14 a stream of Do is bounded in the same way", func(t *testing.T) {
		conn := connectTo(t, connectiontest.NewServer(t, drip(200, 3, 20, 9*s)), short)
		resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
		timedOut(t, err, connection.PhaseIdle, 10*s)
	})
	bubble(t, "D14 without limits a stream may be silent for a year", func(t *testing.T) {
		none := connection.Timeouts{Attempt: connection.NoTimeout, Idle: connection.NoTimeout}
		got, err := io.ReadAll(open(t, drip(200, 1, 1, 365*24*time.Hour), limits(none)))
		if err != nil || len(got) != 1 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
	bubble(t, "D14 a reader that takes its time is not an idle server", func(t *testing.T) {
		body := open(t, drip(200, 4, 4, s), short)
		for range 4 {
			if _, err := io.ReadFull(body, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		if n, err := body.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("%d bytes and %v at the end", n, err)
		}
	})
	bubble(t, "D14 the headers of a stream are bounded by the total limit", func(t *testing.T) {
		conn := connectTo(t, connectiontest.NewServer(t, silent), limits(connection.Timeouts{Total: 5 * s}))
		_, err := request.Get(conn, "/things").Stream(t.Context())
		timedOut(t, err, connection.PhaseTotal, 5*s)
	})
	bubble(t, "D13 the caller leaves a stream", func(t *testing.T) {
		conn := connectTo(t, connectiontest.NewServer(t, drip(200, 3, 20, s)), short)
		reason := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(5*s, func() { cancel(reason) })
		resp, err := request.Get(conn, "/things").Stream(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		began := time.Now()
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, reason) {
			t.Errorf("error %v, want the cause of the caller's context", err)
		}
		passed(t, began, 5*s)
	})
	bubble(t, "D13 closing a stream ends a read of it, and is not the caller's cancel", func(t *testing.T) {
		body := open(t, drip(200, 1, 20, s), short)
		ended := make(chan error)
		go func() {
			_, err := io.ReadAll(body)
			ended <- err
		}()
		time.Sleep(3 * s)
		began := time.Now()
		_ = body.Close()
		if err := <-ended; err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error of the read: %v", err)
		}
		if err := body.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
		passed(t, began, 0)
	})
}

// source is a body of n bytes, one piece after each pause.
type source struct {
	n, piece int
	pause    time.Duration
	closed   func()
}

func (s *source) Read(p []byte) (int, error) {
	if s.n == 0 {
		return 0, io.EOF
	}
	time.Sleep(s.pause)
	k := min(len(p), s.n, s.piece)
	clear(p[:k])
	s.n -= k
	return k, nil
}

func (s *source) Close() error {
	if s.closed != nil {
		s.closed()
	}
	return nil
}

func TestTimeoutUpload(t *testing.T) {
	t.Parallel()
	const (
		s     = time.Second
		large = 100 << 10
	)
	short := limits(connection.Timeouts{Attempt: 5 * s, Idle: 10 * s})
	upload := func(size int64, pause time.Duration) request.Body {
		return request.Open("application/octet-stream", size, func() (io.ReadCloser, error) {
			return &source{n: large, piece: large / 10, pause: pause}, nil
		})
	}
	received := func(w http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); n != large || err != nil {
			w.WriteHeader(400)
		}
	}
	for name, size := range map[string]int64{"of known length": large, "of unknown length": -1} {
		bubble(t, "D14 a long upload "+name+" that goes on outlives the attempt limit", func(t *testing.T) {
			conn := connectTo(t, connectiontest.NewServer(t, http.HandlerFunc(received)), short)
			began := time.Now()
			if err := request.Post(conn, "/things").Body(upload(size, 9*s)).Exec(t.Context()); err != nil {
				t.Error(err)
			}
			passed(t, began, 90*s)
		})
		bubble(t, "D14 a long upload "+name+" whose source stalls is ended by the idle limit", func(t *testing.T) {
			conn := connectTo(t, connectiontest.NewServer(t, http.HandlerFunc(received)), short)
			began := time.Now()
			stalled := request.Open("application/octet-stream", size, func() (io.ReadCloser, error) {
				r, _ := io.Pipe()
				return r, nil
			})
			err := request.Post(conn, "/things").Body(stalled).Exec(t.Context())
			timedOut(t, err, connection.PhaseIdle, 10*s)
			passed(t, began, 10*s)
		})
		bubble(t, "D13 the caller leaves a long upload "+name+" whose source stalls", func(t *testing.T) {
			conn := connectTo(t, connectiontest.NewServer(t, http.HandlerFunc(received)), short)
			ctx, cancel := context.WithTimeout(t.Context(), s)
			defer cancel()
			began := time.Now()
			r, _ := io.Pipe()
			req := newRequest(ctx, t, "POST", r)
			req.ContentLength = size
			if _, err := conn.Do(req); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v, want the caller's deadline", err)
			}
			passed(t, began, s)
		})
		bubble(t, "D14 after a long upload "+name+" the attempt limit rules again", func(t *testing.T) {
			conn := connectTo(t, connectiontest.NewServer(t, silent), short)
			began := time.Now()
			err := request.Post(conn, "/things").Body(upload(size, 2*s)).Exec(t.Context())
			timedOut(t, err, connection.PhaseAttempt, 5*s)
			passed(t, began, 25*s)
		})
	}
	bubble(t, "D14 a server that reads no further is ended by the idle limit", func(t *testing.T) {
		srv := connectiontest.NewServer(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = r.Body.Read(make([]byte, 1))
			<-r.Context().Done()
		}))
		body := request.Bytes("application/octet-stream", make([]byte, 4<<20))
		began := time.Now()
		err := request.Post(connectTo(t, srv, short), "/things").Body(body).Exec(t.Context())
		timedOut(t, err, connection.PhaseIdle, 10*s)
		passed(t, began, 10*s)
		srv.Down()
	})
	for name, first := range map[string]http.HandlerFunc{
		"a redirect": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(307)
		},
		"a challenge": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) },
		"a 503":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
	} {
		bubble(t, "D14 a long upload that is sent again after "+name+" outlives the attempt limit, too", func(t *testing.T) {
			h := connectiontest.Sequence(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				received(w, r)
				first(w, r)
			}), http.HandlerFunc(received))
			srv := connectiontest.NewServer(t, h)
			conn := connectTo(t, srv, short, connection.WithAuth(newCounting()))
			began := time.Now()
			b := request.Post(conn, "/things").Body(upload(large, 9*s)).Retry(connection.Retry{Max: 1})
			if err := b.Exec(t.Context()); err != nil {
				t.Error(err)
			}
			passed(t, began, 180*s)
			sent(t, srv, 2)
		})
	}
	bubble(t, "D14 the end of an upload does not bring the attempt limit over an open stream", func(t *testing.T) {
		srv := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			control := http.NewResponseController(w)
			_ = control.EnableFullDuplex()
			_ = control.Flush()
			_, _ = io.Copy(io.Discard, r.Body)
			time.Sleep(9 * s)
			_, _ = w.Write([]byte("done"))
		}))
		resp, err := request.Post(connectTo(t, srv, short), "/things").Body(upload(-1, s)).Stream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := answered(t, resp, nil, 200); got != "done" {
			t.Errorf("body %q", got)
		}
	})
}
