package connection_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

func TestTimeoutsCompose(t *testing.T) {
	t.Parallel()
	const s = time.Second
	places := map[string]struct {
		phases []connection.Phase
		serve  func(t *testing.T) *connectiontest.Server
	}{
		"in the dial": {
			[]connection.Phase{connection.PhaseAttempt, connection.PhaseTotal, connection.PhaseDial},
			func(t *testing.T) *connectiontest.Server {
				srv := connectiontest.NewServer(t, status(204))
				srv.Hang()
				return srv
			},
		},
		"in the handshake": {
			[]connection.Phase{connection.PhaseAttempt, connection.PhaseTotal, connection.PhaseTLS},
			func(t *testing.T) *connectiontest.Server {
				n := connectiontest.NewNetwork(t)
				return n.ServeRaw("http://api.example.test:443", func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
			},
		},
		"in a silent HTTP/1 server": {
			[]connection.Phase{connection.PhaseAttempt, connection.PhaseTotal, connection.PhaseHeader},
			func(t *testing.T) *connectiontest.Server { return connectiontest.NewServer(t, silent) },
		},
		"in a silent HTTP/2 server": {
			[]connection.Phase{connection.PhaseAttempt, connection.PhaseTotal, connection.PhaseHeader},
			func(t *testing.T) *connectiontest.Server {
				return connectiontest.NewNetwork(t).ServeH2(apiOrigin, silent)
			},
		},
	}
	for place, c := range places {
		for _, phase := range c.phases {
			for _, n := range []int{0, 2} {
				name := "D14 of all limits the shortest ends a call " + place + ", once: " + string(phase)
				bubble(t, name+map[bool]string{true: ", with retries"}[n > 0], func(t *testing.T) {
					srv := c.serve(t)
					l := connection.Timeouts{Attempt: 20 * s, Total: 40 * s, Idle: 20 * s, Dial: 20 * s, TLSHandshake: 20 * s,
						ResponseHeader: 20 * s}
					for p, field := range map[connection.Phase]*time.Duration{
						connection.PhaseAttempt: &l.Attempt, connection.PhaseTotal: &l.Total, connection.PhaseDial: &l.Dial,
						connection.PhaseTLS: &l.TLSHandshake, connection.PhaseHeader: &l.ResponseHeader,
					} {
						if p == phase {
							*field = 5 * s
						}
					}
					conn := connect(t, apiOrigin, srv.Network().Option(), limits(l), retries(n))
					ctx, cancel := context.WithTimeout(t.Context(), 60*s)
					defer cancel()
					began := time.Now()
					_, err := text(ctx, conn)
					timedOut(t, err, phase, 5*s)
					want := time.Duration(1+n)*5*s + time.Duration(n)*s
					if phase == connection.PhaseTotal {
						want = 5 * s
					}
					passed(t, began, want)
					srv.Down()
				})
			}
		}
		bubble(t, "D14 the caller's deadline ends a call "+place+", and is none of ours", func(t *testing.T) {
			srv := c.serve(t)
			conn := connect(t, apiOrigin, srv.Network().Option(), limits(connection.Timeouts{
				Attempt: 20 * s, Total: 40 * s, Dial: 20 * s, TLSHandshake: 20 * s, ResponseHeader: 20 * s,
			}))
			ctx, cancel := context.WithTimeout(t.Context(), 5*s)
			defer cancel()
			began := time.Now()
			_, err := text(ctx, conn)
			if _, ok := errors.AsType[*connection.TimeoutError](err); ok || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v, want the caller's deadline", err)
			}
			passed(t, began, 5*s)
			srv.Down()
		})
	}
	bubble(t, "D15 a handshake is bounded by 10 s, and a dial by 30 s", func(t *testing.T) {
		for place, want := range map[string]connection.TimeoutError{
			"in the dial":      {Phase: connection.PhaseDial, Limit: 30 * s},
			"in the handshake": {Phase: connection.PhaseTLS, Limit: 10 * s},
		} {
			srv := places[place].serve(t)
			began := time.Now()
			_, err := text(t.Context(), connect(t, apiOrigin, srv.Network().Option()))
			timedOut(t, err, want.Phase, want.Limit)
			passed(t, began, want.Limit)
			srv.Down()
		}
	})
	bubble(t, "D14 headers that come are not late, whatever the body does", func(t *testing.T) {
		for _, h2 := range []bool{false, true} {
			n := connectiontest.NewNetwork(t)
			serve := n.Serve
			if h2 {
				serve = n.ServeH2
			}
			srv := serve(apiOrigin, drip(200, 5, 5, 4*s))
			conn := connect(t, apiOrigin, n.Option(), limits(connection.Timeouts{ResponseHeader: 5 * s}))
			if got, err := text(t.Context(), conn); err != nil || got != "xxxxx" {
				t.Errorf("%q, %v", got, err)
			}
			srv.Close()
		}
	})
	bubble(t, "D14 a dialer that notices the deadline itself", func(t *testing.T) {
		for range 30 {
			conn := connect(t, apiOrigin, directly,
				limits(connection.Timeouts{Dial: 5 * s}),
				connection.WithDialContext(func(ctx context.Context, _, _ string) (net.Conn, error) {
					ends, _ := ctx.Deadline()
					time.Sleep(time.Until(ends))
					return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
				}))
			_, err := text(t.Context(), conn)
			timedOut(t, err, connection.PhaseDial, 5*s)
		}
	})
	bubble(t, "D15 without limits a dial may take a year", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(204))
		none := connection.Timeouts{
			Attempt: connection.NoTimeout, Dial: connection.NoTimeout, TLSHandshake: connection.NoTimeout,
			ResponseHeader: connection.NoTimeout,
		}
		srv.Hang()
		time.AfterFunc(365*24*time.Hour, srv.Up)
		if err := request.Get(behind(t, srv, limits(none)), "/x").Exec(t.Context()); err != nil {
			t.Error(err)
		}
	})
	bubble(t, "D14 the limits hold for token calls", func(t *testing.T) {
		for place, phase := range map[string]connection.Phase{
			"in the dial": connection.PhaseDial, "in the handshake": connection.PhaseTLS,
			"in a silent HTTP/1 server": connection.PhaseHeader, "in a silent HTTP/2 server": connection.PhaseHeader,
		} {
			srv := places[place].serve(t)
			srv.Network().Serve("https://other.example.test", status(204))
			conn := connect(t, "https://other.example.test", srv.Network().Option(),
				limits(connection.Timeouts{Dial: 5 * s, TLSHandshake: 5 * s, ResponseHeader: 5 * s}),
				connection.WithAuth(grant(t, apiOrigin, auth.Endpoint{})))
			began := time.Now()
			_, err := text(t.Context(), conn)
			te, ok := errors.AsType[*connection.TimeoutError](err)
			if !ok || te.Phase != phase || te.Limit != 5*s {
				t.Errorf("%s: error %v, want the %s timeout", place, err, phase)
			}
			passed(t, began, 5*s)
			srv.Down()
			_ = conn.Close()
		}
	})
}

func TestTimeoutsOfThePool(t *testing.T) {
	t.Parallel()
	t.Run("J8 the limits of the pool are not for a request", func(t *testing.T) {
		t.Parallel()
		srv := connectiontest.NewServer(t, status(204))
		conn := behind(t, srv)
		for _, l := range []connection.Timeouts{
			{Dial: 1}, {TLSHandshake: 1}, {ResponseHeader: 1}, {ResponseHeader: connection.NoTimeout},
		} {
			err := request.Get(conn, "/x").Timeouts(l).Exec(t.Context())
			if oe, ok := errors.AsType[*connection.OptionError](err); !ok || oe.Option != "Timeouts" {
				t.Errorf("%+v: error %v", l, err)
			}
		}
		if srv.Conns() != 0 {
			t.Error("something was sent")
		}
	})
	t.Run("J8 a negative one is an error", func(t *testing.T) {
		t.Parallel()
		for _, l := range []connection.Timeouts{{Dial: -1}, {TLSHandshake: -1}, {ResponseHeader: -1}} {
			_, err := connection.New(apiOrigin, directly, limits(l))
			if got := optionFaults(err); !slices.Equal(got, []string{"WithTimeouts"}) {
				t.Errorf("%+v: error %v", l, err)
			}
		}
	})
	t.Run("J8 they are described, but for a transport that is the caller's", func(t *testing.T) {
		t.Parallel()
		const s = time.Second
		l := limits(connection.Timeouts{Dial: 7 * s, TLSHandshake: 8 * s, ResponseHeader: 9 * s})
		d := connect(t, apiOrigin, l, directly).Describe()
		for _, want := range []string{"dial timeout: 7s", "TLS handshake timeout: 8s", "response header timeout: 9s"} {
			if !strings.Contains(d.String(), want) {
				t.Errorf("%q is not in %s", want, d)
			}
		}
		d = connect(t, apiOrigin, connection.WithTransport(http.NewFileTransport(http.Dir(".")))).Describe()
		if d.Timeouts.Dial != 0 || d.Timeouts.TLSHandshake != 0 || d.Timeouts.ResponseHeader != 0 {
			t.Errorf("the timeouts are %+v", d.Timeouts)
		}
	})
}
