package interop_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/interop/servers"
	"github.com/restconn/restconn/request"
)

// faultRoles are those that speak HTTP/2 over TLS, HTTP/1.1 over TLS, and HTTP/1.1 in clear text.
func faultRoles() []string { return []string{servers.TLS, servers.TLS11, servers.Plain} }

// quick are limits that pass soon.
func quick() connection.Option {
	return connection.WithTimeouts(connection.Timeouts{Attempt: 300 * time.Millisecond, Dial: 10 * time.Second})
}

// storm is weather that is bad for the first attempt after a connection was made.
func storm(l *servers.Link, w servers.Weather) connection.Option {
	return before(func(attempt int64) {
		if attempt == 2 {
			l.Set(w)
		} else {
			l.Set(servers.Weather{})
		}
	})
}

// TestStorms loses the answer to a request that the server has processed, on a connection that works.
func TestStorms(t *testing.T) {
	t.Parallel()
	s := server(t, servers.Nginx)
	for _, role := range faultRoles() {
		for name, w := range map[string]servers.Weather{
			"a reset": {Cut: true, Reset: true}, "an end": {Cut: true}, "silence": {Mute: true},
		} {
			t.Run(role+", "+name, func(t *testing.T) {
				t.Parallel()
				// in opens a connection, and fails it with the next request. Retries meet fair weather.
				in := func(t *testing.T, send func(*connection.Connection) request.Builder) (string, *servers.Link, error) {
					t.Helper()
					l, base := link(t, s.At[role])
					conn := dialing(t, base, storm(l, w), threeTimes(), quick())
					seen(t, request.Get(conn, "/echo"))
					b, id := marked(send(conn))
					return id, l, b.Exec(within(t, time.Minute))
				}
				for _, body := range []bool{true, false} {
					id, l, err := in(t, func(conn *connection.Connection) request.Builder {
						if body {
							return request.Post(conn, "/echo").JSON(1)
						}
						return request.Post(conn, "/echo")
					})
					if w.Mute {
						wantTimeout(t, err, connection.PhaseAttempt)
					} else if as[*connection.TransportError](t, err).Unsent {
						t.Errorf("a POST is said not to be sent: %v", err)
					}
					l.Down() // what nginx has not read by now, it never will
					if n := len(requests(t, s, id)); n > 1 {
						t.Errorf("a POST was sent %d times", n)
					}
				}
				for what, send := range map[string]func(*connection.Connection) request.Builder{
					"a GET": func(conn *connection.Connection) request.Builder { return request.Get(conn, "/echo") },
					"an idempotent POST": func(conn *connection.Connection) request.Builder {
						return request.Post(conn, "/echo").JSON(1).Idempotent()
					},
				} {
					id, _, err := in(t, send)
					if err != nil {
						t.Errorf("%s: %v", what, err)
					}
					// In HTTP/1.1, net/http sends such a request once more by itself if it was on a connection in use
					// before.
					if n := len(requests(t, s, id)); n < 1 || n > 3 {
						t.Errorf("%s was sent %d times", what, n)
					}
				}
			})
		}
	}
}

// TestBrokenBodies loses the second half of a body.
func TestBrokenBodies(t *testing.T) {
	t.Parallel()
	s := server(t, servers.Nginx)
	for _, role := range faultRoles() {
		for name, reset := range map[string]bool{"a reset": true, "an end": false} {
			t.Run(role+", "+name, func(t *testing.T) {
				t.Parallel()
				l, base := link(t, s.At[role])
				l.Set(servers.Weather{Cut: true, After: 40_000, Reset: reset})
				conn := dialing(t, base, threeTimes())
				b, id := marked(request.Get(conn, "/files/big.txt").Header("Accept-Encoding", "identity"))
				text, err := request.Do[string](within(t, time.Minute), b)
				if !errors.Is(err, request.StageRead) || text != "" {
					t.Errorf("%d bytes, %v", len(text), err)
				}
				if !reset && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%v", err)
				}
				wantRequests(t, s, id, 1) // its head had come

				path := filepath.Join(t.TempDir(), "big.txt")
				b, id = marked(request.Get(conn, "/files/big.txt"))
				size, err := request.Download(within(t, time.Minute), b, path)
				if err != nil || size != 60_000 {
					t.Errorf("downloaded %d bytes, %v", size, err)
				}
				if info, err := os.Stat(path); err != nil || info.Size() != size {
					t.Errorf("%v, %v", info, err)
				}
				all := requests(t, s, id)
				if len(all) < 2 || all[len(all)-1].Status != "206" {
					t.Errorf("the download was not resumed: %+v", all)
				}
			})
		}
	}
}

// TestNoAnswer is about connections that are cut before anything was sent, and those that stay silent from then on.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	s := server(t, servers.Nginx)
	for _, role := range faultRoles() {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			l, base := link(t, s.At[role])
			l.Down()
			conn := dialing(t, base, threeTimes(), quick())
			b, id := marked(request.Post(conn, "/echo").JSON(1))
			err := fails(t, b)
			if !errors.Is(err, syscall.ECONNREFUSED) || len(as[*connection.RetryError](t, err).History) != 4 {
				t.Errorf("refused: %v", err)
			}
			if err := l.Up(t.Context()); err != nil {
				t.Fatal(err)
			}
			seen(t, b)
			wantRequests(t, s, id, 1)

			l, base = link(t, s.At[role])
			l.Set(servers.Weather{Mute: true})
			b, id = marked(request.Post(dialing(t, base, threeTimes(), quick()), "/echo").JSON(1))
			err = fails(t, b)
			wantTimeout(t, err, connection.PhaseAttempt)
			l.Down()
			// In clear text, the request was sent before the silence. In TLS it was not, and could be sent four
			// times.
			if n := len(requests(t, s, id)); role == servers.Plain && n > 1 || role != servers.Plain && n != 0 {
				t.Errorf("nginx has seen %d requests", n)
			}
			b, _ = marked(request.Get(dialing(t, base, threeTimes(), quick()), "/echo"))
			if err := l.Up(t.Context()); err != nil {
				t.Fatal(err)
			}
			err = fails(t, b)
			wantTimeout(t, err, connection.PhaseAttempt)
			if n := len(as[*connection.RetryError](t, err).History); n != 4 {
				t.Errorf("a GET had %d attempts", n)
			}
		})
	}
}

func TestPhases(t *testing.T) {
	t.Parallel()
	s := server(t, servers.Nginx)
	const soon = 300 * time.Millisecond
	for _, tt := range []struct {
		name, role string
		limits     connection.Timeouts
		want       connection.Phase
		late       bool // the weather turns bad after a first request
	}{
		{"TLS handshake", servers.TLS, connection.Timeouts{TLSHandshake: soon}, connection.PhaseTLS, false},
		{"response header, HTTP/2", servers.TLS, connection.Timeouts{ResponseHeader: soon}, connection.PhaseHeader, true},
		{"response header", servers.TLS11, connection.Timeouts{ResponseHeader: soon}, connection.PhaseHeader, true},
		{"response header, plain", servers.Plain, connection.Timeouts{ResponseHeader: soon}, connection.PhaseHeader, true},
		{"attempt", servers.TLS, connection.Timeouts{Attempt: soon}, connection.PhaseAttempt, true},
		{"total", servers.TLS, connection.Timeouts{Total: soon}, connection.PhaseTotal, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, base := link(t, s.At[tt.role])
			conn := dialing(t, base, connection.WithTimeouts(tt.limits))
			if tt.late {
				seen(t, request.Get(conn, "/echo"))
			}
			l.Set(servers.Weather{Mute: true})
			b, id := marked(request.Post(conn, "/echo").JSON(1))
			wantTimeout(t, fails(t, b), tt.want)
			l.Down()
			if n := len(requests(t, s, id)); n > 1 || !tt.late && n != 0 {
				t.Errorf("nginx has seen %d requests", n)
			}
		})
	}
}

// TestLatencyAndSlices is about weather that is bad and no fault.
func TestLatencyAndSlices(t *testing.T) {
	t.Parallel()
	s := server(t, servers.Nginx)
	for _, role := range faultRoles() {
		for name, w := range map[string]servers.Weather{
			"latency": {Latency: 20 * time.Millisecond}, "slices": {Slice: 7},
		} {
			t.Run(role+", "+name, func(t *testing.T) {
				t.Parallel()
				l, base := link(t, s.At[role])
				l.Set(w)
				conn := dialing(t, base, threeTimes())
				b, id := marked(request.Post(conn, "/echo").JSON(1))
				seen(t, b)
				wantRequests(t, s, id, 1)
				for _, encoding := range []string{"identity", ""} {
					b, id = marked(request.Get(conn, "/files/big.txt"))
					if encoding != "" {
						b = b.Header("Accept-Encoding", encoding)
					}
					text, err := request.Do[string](within(t, time.Minute), b)
					if err != nil || len(text) != 60_000 {
						t.Errorf("%d bytes, %v", len(text), err)
					}
					wantRequests(t, s, id, 1)
				}
				if l.Accepted() > 2 {
					t.Errorf("%d connections", l.Accepted())
				}
			})
		}
	}
}

// TestRetryBudget has a host that cuts every connection.
func TestRetryBudget(t *testing.T) {
	t.Parallel()
	s := server(t, servers.Nginx)
	for _, role := range faultRoles() {
		t.Run("D10 "+role, func(t *testing.T) {
			t.Parallel()
			l, base := link(t, s.At[role])
			l.Set(servers.Weather{Cut: true, Reset: true})
			const tokens, cost, calls = 20, 5, 10
			conn := dialing(t, base, threeTimes(),
				connection.WithRetryBudget(connection.RetryBudget{Tokens: tokens, Cost: cost}))
			attempts := 0
			for range calls {
				err := fails(t, request.Get(conn, "/echo"))
				if !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("%v", err)
				}
				attempts++
				if retried, ok := errors.AsType[*connection.RetryError](err); ok {
					attempts += len(retried.History) - 1
				}
			}
			if attempts != calls+tokens/cost {
				t.Errorf("%d attempts", attempts)
			}
		})
	}
}

// TestSilentPeer takes as long as the library needs to find out that a peer is gone without a word: 25 seconds.
func TestSilentPeer(t *testing.T) {
	t.Parallel()
	s := server(t, servers.Nginx)
	ctx := within(t, 2*time.Minute)
	type outcome struct {
		method, id string
		link       *servers.Link
		err        error
	}
	methods := []string{http.MethodGet, http.MethodPost}
	outcomes := make(chan outcome, len(methods))
	for _, method := range methods {
		l, base := link(t, s.URL)
		// The limits of attempts would find out as well, but later.
		conn := dialing(t, base, storm(l, servers.Weather{Mute: true}), threeTimes(),
			connection.WithTimeouts(connection.Timeouts{Attempt: 2 * time.Minute}))
		seen(t, request.Get(conn, "/echo"))
		b, id := marked(request.New(conn, method, "/echo"))
		go func() { outcomes <- outcome{method, id, l, b.Exec(ctx)} }()
	}
	for range methods {
		o := <-outcomes
		t.Run("J8 "+o.method, func(t *testing.T) {
			t.Parallel()
			if _, ok := errors.AsType[*connection.TimeoutError](o.err); ok || ctx.Err() != nil {
				t.Fatalf("a limit has found it out, and not a ping: %v", o.err)
			}
			if o.method == http.MethodGet {
				if o.err != nil || o.link.Accepted() != 2 {
					t.Errorf("%v, after %d connections", o.err, o.link.Accepted())
				}
				wantRequests(t, s, o.id, 2)
				return
			}
			if as[*connection.TransportError](t, o.err).Unsent {
				t.Errorf("%v", o.err)
			}
			wantRequests(t, s, o.id, 1)
		})
	}
}
