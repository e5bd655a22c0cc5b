package conformance_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

const (
	quick = 50 * time.Millisecond
	slow  = 200 * time.Millisecond
)

func TestInformaticaConnectionTimeout(t *testing.T) {
	t.Parallel()
	timed(t, "I-34 headers that are late end the attempt, and its connection is closed", func(r *Row) {
		left := false
		s := r.serve(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
			select {
			case <-req.Context().Done():
				left = true
			case <-time.After(slow):
			}
		}))
		conn := r.open(s, attempts(quick))
		timesOut(r, request.Get(conn, "/x"), quick)
		synctest.Wait()
		r.Sent(s, 1)
		r.Equal("the server saw the client leave", left, true)
		r.Equal("open connections", s.OpenConns(), 0)
	})
	timed(t, "I-34 headers in time are an answer", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusNoContent).Delay(slow))
		r.NoError(request.Get(r.open(s, attempts(slow+1)), "/x").Exec(r.ctx()))
		r.Sent(s, 1)
	})
	timed(t, "I-34 the limit covers the dial", func(r *Row) {
		s := r.serve()
		s.Hang()
		conn := r.open(s, attempts(quick))
		timesOut(r, request.Get(conn, "/x"), quick)
		r.Sent(s, 0)
	})
	timed(t, "I-34 the limit covers the TLS handshake", func(r *Row) {
		late := &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			select {
			case <-hello.Context().Done():
			case <-time.After(slow):
			}
			return nil, nil //nolint:nilnil // the configuration that there is
		}}
		s := connectiontest.NewNetwork(r).ServeTLS("https://api.example.test", connectiontest.Status(200), late)
		conn := r.open(s, attempts(quick))
		timesOut(r, request.Get(conn, "/x"), quick)
		r.Sent(s, 0)
	})
	// Where the answer is decoded the limit covers its body too; a stream is bounded up to its headers.
	timed(t, "I-34 the limit covers the body of a decoded answer", func(r *Row) {
		s := r.serve(slowBody(slow))
		conn := r.open(s, attempts(quick))
		timesOut(r, request.Get(conn, "/x"), quick)
		r.Sent(s, 1)
	})
	timed(t, "I-34 the limit does not cover the body of a stream", func(r *Row) {
		s := r.serve(slowBody(slow))
		resp, err := request.Get(r.open(s, attempts(quick)), "/x").Stream(r.ctx())
		r.NoError(err)
		body, err := io.ReadAll(resp.Body)
		r.NoError(errors.Join(err, resp.Body.Close()))
		r.Equal("body", string(body), "head tail")
	})
	timed(t, "I-34 each attempt has the whole limit", func(r *Row) {
		s := r.serve(
			connectiontest.Status(http.StatusNoContent).Delay(slow),
			connectiontest.Status(http.StatusNoContent).Delay(quick-1),
		)
		conn := r.open(s, attempts(quick), connection.WithRetry(connection.Retry{Max: 1}))
		full, err := request.Full[struct{}](r.ctx(), request.Get(conn, "/x"))
		r.NoError(err)
		r.Equal("attempts", full.Attempts, 2)
		r.Sent(s, 2)
	})

	row(t, "I-35 the limit is 60 s unless another is set", func(r *Row) {
		r.Equal("limit", r.open(r.serve()).Describe().Timeouts.Attempt, 60*time.Second)
		unset := r.open(r.serve(), connection.WithTimeouts(connection.Timeouts{}))
		r.Equal("limit of the zero value", unset.Describe().Timeouts.Attempt, 60*time.Second)
		set := r.open(r.serve(), attempts(5*time.Second))
		r.Equal("limit that was set", set.Describe().Timeouts.Attempt, 5*time.Second)
	})
	timed(t, "I-35 an answer after 60 s is too late, and one just before is not", func(r *Row) {
		s := r.serve(
			connectiontest.Status(http.StatusNoContent).Delay(60*time.Second-1),
			connectiontest.Status(http.StatusNoContent).Delay(60*time.Second+1),
		)
		conn := r.open(s)
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		timesOut(r, request.Get(conn, "/x"), 60*time.Second)
		r.Sent(s, 2)
	})
	timed(t, "I-35 no limit at all is said in words", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusNoContent).Delay(24 * time.Hour))
		r.NoError(request.Get(r.open(s, attempts(connection.NoTimeout)), "/x").Exec(r.ctx()))
		r.Sent(s, 1)
		r.rejects("WithTimeouts", home, attempts(-1))
	})
}

// slowBody sends the headers and a part of the body at once, and the rest after d.
func slowBody(d time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "head ")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-time.After(d):
			_, _ = io.WriteString(w, "tail")
		case <-req.Context().Done():
		}
	})
}

func TestInformaticaShortestTimeout(t *testing.T) {
	t.Parallel()
	row(t, "I-36 of the limits of connection and request the shorter wins", func(r *Row) {
		for name, c := range map[string]struct{ conn, request, want time.Duration }{
			"the request's":           {conn: 60 * time.Second, request: quick, want: quick},
			"the connection's":        {conn: 10 * time.Millisecond, request: quick, want: 10 * time.Millisecond},
			"the request has none":    {conn: quick, want: quick},
			"the request wants none":  {conn: quick, request: connection.NoTimeout, want: quick},
			"the connection has none": {conn: connection.NoTimeout, request: quick, want: quick},
		} {
			r.Case(name, func(r *Row) {
				bubble(r, func(r *Row) {
					s := r.serve(connectiontest.Status(http.StatusNoContent).Delay(time.Hour))
					timesOut(r, request.Get(r.open(s, attempts(c.conn)), "/x").Timeout(c.request), c.want)
					r.Sent(s, 1)
				})
			})
		}
	})
	timed(t, "I-36 a limit for all attempts wins if it is the shortest", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusNoContent).Delay(time.Hour))
		conn := r.open(s, connection.WithTimeouts(connection.Timeouts{Attempt: slow, Total: quick}))
		get := request.Get(conn, "/x")
		for limit, b := range map[time.Duration]request.Builder{
			quick:     get,
			quick / 2: get.Timeouts(connection.Timeouts{Total: quick / 2}),
		} {
			began := time.Now()
			e := as[*connection.TimeoutError](r, b.Exec(r.ctx()))
			r.Equal("error", *e, connection.TimeoutError{Phase: connection.PhaseTotal, Limit: limit})
			r.Equal("time that passed", time.Since(began), limit)
		}
	})
	timed(t, "I-36 the deadline of the caller's context wins if it is the shortest", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusNoContent).Delay(time.Hour))
		ctx, cancel := context.WithTimeout(r.ctx(), quick/2)
		defer cancel()
		began := time.Now()
		err := request.Get(r.open(s, attempts(slow)), "/x").Timeout(quick).Exec(ctx)
		r.Equal("time that passed", time.Since(began), quick/2)
		r.Is(err, context.DeadlineExceeded)
		_, ours := errors.AsType[*connection.TimeoutError](err)
		r.Equal("the error claims a limit of the connection", ours, false)
	})
	timed(t, "I-36 a deadline that is further away changes nothing", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusNoContent).Delay(time.Hour))
		ctx, cancel := context.WithTimeout(r.ctx(), slow)
		defer cancel()
		get := request.Get(r.open(s), "/x").Timeout(quick)
		began := time.Now()
		r.Equal("error", as[*connection.TimeoutError](r, get.Exec(ctx)).Phase, connection.PhaseAttempt)
		r.Equal("time that passed", time.Since(began), quick)
	})
}

// onSeries is how Informatica retries. It never follows a redirect.
func onSeries(most int) connection.Option {
	return connection.Options(
		connection.WithRetry(connection.Retry{Max: most, On: connection.OnSeries(1, 3, 4, 5)}),
		connection.WithMaxRedirects(0),
	)
}

func TestInformaticaRetryAttempts(t *testing.T) {
	t.Parallel()
	row(t, "I-37 every answer of the 300, 400 and 500 series is tried again", func(r *Row) {
		for _, status := range []int{300, 302, 304, 400, 404, 429, 499, 500, 503, 599} {
			r.Case(strconv.Itoa(status), func(r *Row) {
				first := connectiontest.Status(status)
				if status == http.StatusFound {
					first = redirectTo("/elsewhere")
				}
				s := r.serve(first, connectiontest.JSON(http.StatusOK, "ok"))
				full, err := request.Full[string](r.ctx(), request.Get(r.open(s, onSeries(1)), "/x"))
				r.NoError(err)
				r.Equal("attempts", full.Attempts, 2)
				for _, req := range r.Sent(s, 2) {
					r.Line(req, "GET /v1/x HTTP/1.1")
				}
			})
		}
	})
	// Of the 100 series a client of net/http sees 101 only: the others are never final. It switches the connection to
	// another protocol, and a server that waits for the client to speak that never closes it.
	timed(t, "I-37 101 is tried again at once, and at once an error if no attempt is left", func(r *Row) {
		n := 0
		s := connectiontest.NewNetwork(r).ServeRaw("https://api.example.test", func(conn net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
				return
			}
			n++
			if n == 2 {
				_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			_, _ = io.Copy(io.Discard, conn)
		})
		get := request.Get(r.open(s, onSeries(1)), "/x")
		began := time.Now()
		full, err := request.Full[struct{}](r.ctx(), get)
		r.NoError(err)
		r.Equal("attempts", full.Attempts, 2)
		r.Is(get.Retry(connection.NoRetry()).Exec(r.ctx()), request.Status(http.StatusSwitchingProtocols))
		r.Equal("time that passed", time.Since(began), time.Duration(0))
		r.Sent(s, 3)
	})
	row(t, "I-37 a success is not tried again", func(r *Row) {
		for _, status := range []int{200, 201, 204, 206, 299} {
			s := r.serve(connectiontest.Status(status))
			r.NoError(request.Get(r.open(s, onSeries(3)), "/x").Exec(r.ctx()))
			r.Sent(s, 1)
		}
	})
	row(t, "I-37 the number counts what comes after the first attempt", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusNotFound))
		err := request.Get(r.open(s, onSeries(2)), "/x").Exec(r.ctx())
		e := as[*request.ResponseError](r, err)
		r.Equal("status", e.Status, http.StatusNotFound)
		r.Equal("attempts", len(e.History), 3)
		r.Sent(s, 3)
	})
	row(t, "I-37 a series that is not named is not tried again", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusNotFound))
		conn := r.open(s, connection.WithRetry(connection.Retry{Max: 3, On: connection.OnSeries(1, 3, 5)}))
		r.Is(request.Get(conn, "/x").Exec(r.ctx()), request.Status(http.StatusNotFound))
		r.Sent(s, 1)
	})
	// The connection's policy leaves a POST alone that has reached the server; the request's own does not.
	row(t, "I-37 a POST is tried again if its own policy says so, with the same body", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusInternalServerError))
		post := request.Post(r.open(s, onSeries(1)), "/x").JSON(map[string]int{"n": 1})
		r.Is(post.Exec(r.ctx()), request.Status(http.StatusInternalServerError))
		r.Sent(s, 1)
		post = post.Retry(connection.Retry{Max: 1, On: connection.OnSeries(1, 3, 4, 5)})
		r.Is(post.Exec(r.ctx()), request.Status(http.StatusInternalServerError))
		for _, req := range r.Sent(s, 3) {
			r.Equal("body", string(req.Body), `{"n":1}`)
		}
	})
}

func TestInformaticaNoRetry(t *testing.T) {
	t.Parallel()
	row(t, "I-38 nothing is tried again unless that is asked for", func(r *Row) {
		for _, options := range [][]connection.Option{nil, {connection.WithRetry(connection.Retry{})}, {onSeries(0)}} {
			s := r.serve(connectiontest.Status(http.StatusInternalServerError))
			conn := r.open(s, options...)
			r.Equal("retries", conn.Describe().Retries, 0)
			err := request.Get(conn, "/x").Exec(r.ctx())
			r.Is(err, request.Status(http.StatusInternalServerError))
			r.Sent(s, 1)
		}
	})
	row(t, "I-38 a connection that is cut is not tried again either", func(r *Row) {
		s := r.serve(connectiontest.Cut())
		err := request.Get(r.open(s), "/x").Exec(r.ctx())
		r.Equal("attempts", as[*request.Error](r, err).Attempts, 1)
		r.Is(err, request.StageSend)
		r.Sent(s, 1)
	})
	row(t, "I-39 a request that asks for no retry overrides its connection", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusInternalServerError))
		get := request.Get(r.open(s, onSeries(2)), "/x")
		r.Is(get.Retry(connection.NoRetry()).Exec(r.ctx()), request.Status(http.StatusInternalServerError))
		r.Sent(s, 1)
		r.Is(get.Retry(connection.Retry{Max: 0}).Exec(r.ctx()), request.Status(http.StatusInternalServerError))
		r.Sent(s, 2)
		r.Is(get.Exec(r.ctx()), request.Status(http.StatusInternalServerError))
		r.Sent(s, 5)
	})
	row(t, "I-39 a derived connection that asks for no retry overrides the one it comes from", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusInternalServerError))
		derived, err := r.open(s, onSeries(2)).With(connection.WithRetry(connection.NoRetry()))
		r.NoError(err)
		r.Is(request.Get(derived, "/x").Exec(r.ctx()), request.Status(http.StatusInternalServerError))
		r.Sent(s, 1)
	})
	row(t, "I-39 a number below 0 is refused", func(r *Row) {
		r.rejects("WithRetry", home, connection.WithRetry(connection.Retry{Max: -1}))
		s := r.serve()
		err := request.Get(r.open(s), "/x").Retry(connection.Retry{Max: -1}).Exec(r.ctx())
		r.OptionError(err, "Retry")
		r.NothingSent(s)
	})
}

func TestInformaticaRetryDelay(t *testing.T) {
	t.Parallel()
	timed(t, "I-42 retries do not wait unless that is asked for", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusInternalServerError))
		began := time.Now()
		err := request.Get(r.open(s, onSeries(3)), "/x").Exec(r.ctx())
		r.Equal("time that passed", time.Since(began), time.Duration(0))
		for _, a := range as[*request.ResponseError](r, err).History {
			r.Equal("attempt", a, connection.Attempt{Status: http.StatusInternalServerError})
		}
		r.Sent(s, 4)
	})
	timed(t, "I-42 a delay that is set passes before each retry, and not before the first attempt", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusInternalServerError))
		retry := connection.Retry{Max: 3, Wait: connection.Constant(2 * time.Second)}
		began := time.Now()
		err := request.Get(r.open(s, connection.WithRetry(retry)), "/x").Exec(r.ctx())
		r.Equal("time that passed", time.Since(began), 6*time.Second)
		var waits []time.Duration
		for _, a := range as[*request.ResponseError](r, err).History {
			waits = append(waits, a.Wait)
		}
		r.Equal("waits", waits, []time.Duration{2 * time.Second, 2 * time.Second, 2 * time.Second, 0})
		r.Sent(s, 4)
	})
}
