package connection_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// waits returns how long a call with the policy has waited before each of its retries, as the clock shows it.
func waits(t *testing.T, policy connection.Retry) []time.Duration {
	t.Helper()
	var last time.Time
	var all []time.Duration
	srv := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !last.IsZero() {
			all = append(all, time.Since(last))
		}
		last = time.Now()
		w.WriteHeader(503)
	}))
	err := request.Get(connectTo(t, srv), "/things").Retry(policy).Exec(t.Context())
	re, ok := errors.AsType[*request.ResponseError](err)
	if !ok || len(re.History) != policy.Max+1 || len(all) != policy.Max {
		t.Fatalf("error %v, %d waits", err, len(all))
	}
	for i, d := range all {
		if re.History[i].Wait != d {
			t.Errorf("wait %d: the history says %v, the clock %v", i, re.History[i].Wait, d)
		}
	}
	return all
}

func TestWait(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]connection.Wait{"nil": nil, "Constant(0)": connection.Constant(0)} {
		bubble(t, "a wait of "+name+" takes no time", func(t *testing.T) {
			for i, d := range waits(t, connection.Retry{Max: 3, Wait: w}) {
				if d != 0 {
					t.Errorf("wait %d: %v", i, d)
				}
			}
		})
	}
	bubble(t, "Constant waits the same every time", func(t *testing.T) {
		for i, d := range waits(t, connection.Retry{Max: 3, Wait: connection.Constant(7 * time.Second)}) {
			if d != 7*time.Second {
				t.Errorf("wait %d: %v", i, d)
			}
		}
	})
	for _, c := range []struct {
		name           string
		wait           connection.Wait
		first, longest time.Duration
	}{
		{"Exponential", connection.Exponential(), 200 * time.Millisecond, 30 * time.Second},
		{"ExponentialFrom", connection.ExponentialFrom(time.Second, 10*time.Second), time.Second, 10 * time.Second},
		{"ExponentialFrom one delay", connection.ExponentialFrom(time.Second, time.Second), time.Second, time.Second},
		{"ExponentialFrom without a greatest delay", connection.ExponentialFrom(time.Second, math.MaxInt64),
			time.Second, math.MaxInt64},
	} {
		bubble(t, c.name+" doubles, up to a limit, and adds up to a fifth", func(t *testing.T) {
			want, spread := c.first, false
			for i, d := range waits(t, connection.Retry{Max: 12, Wait: c.wait}) {
				if d < want-time.Microsecond || d > want+want/5+time.Microsecond {
					t.Errorf("wait %d: %v, want %v and up to a fifth more", i, d, want)
				}
				spread = spread || d != want
				if want *= 2; want > c.longest {
					want = c.longest
				}
			}
			if !spread {
				t.Error("no wait has anything at random")
			}
		})
	}
	for name, w := range map[string]connection.Wait{
		"Constant negative":             connection.Constant(-1),
		"ExponentialFrom zero":          connection.ExponentialFrom(0, time.Second),
		"ExponentialFrom negative":      connection.ExponentialFrom(-1, time.Second),
		"ExponentialFrom falling":       connection.ExponentialFrom(time.Second, time.Millisecond),
		"ExponentialFrom nothing":       connection.ExponentialFrom(0, 0),
		"ExponentialFrom both negative": connection.ExponentialFrom(-2, -1),
	} {
		t.Run(name+" is an OptionError", func(t *testing.T) {
			t.Parallel()
			_, err := connection.New("https://api.example.test", connection.WithRetry(connection.Retry{Max: 1, Wait: w}))
			if oe, ok := errors.AsType[*connection.OptionError](err); !ok || oe.Option != "WithRetry" {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	const stop = -1
	second := connection.Retry{Max: 1, Wait: connection.Constant(time.Second)}
	for _, c := range []struct {
		name   string
		policy connection.Retry
		values func() []string
		want   time.Duration // stop: no second attempt
	}{
		{"D4 Retry-After is a floor", second, of("30"), 30 * time.Second},
		{"D4 Retry-After below the wait changes nothing", second, of("0"), time.Second},
		{"D4 Retry-After at the cap", second, of("60"), time.Minute},
		{"D4 Retry-After over the cap ends the call at once", second, of("61"), stop},
		{"D4 Retry-After of an hour ends the call at once", second, of("3600"), stop},
		{"D4 Retry-After beyond an int64 ends the call at once", second, of("99999999999999999999"), stop},
		{"D4 Retry-After negative is ignored", second, of("-5"), time.Second},
		{"D4 Retry-After 1e9 is ignored", second, of("1e9"), time.Second},
		{"D4 Retry-After garbage is ignored", second, of("soon"), time.Second},
		{"D4 Retry-After of 200 KB is ignored", second, of(strings.Repeat("7", 200<<10)), time.Second},
		{"D4 Retry-After twice: the longest counts", second, of("3", "7"), 7 * time.Second},
		{"D4 Retry-After twice, one of them over the cap", second, of("3", "3600"), stop},
		{"D4 Retry-After twice, one of them garbage", second, of("soon", "7"), 7 * time.Second},
		{"D20 Retry-After as a date", second, func() []string { return []string{in(30 * time.Second)} }, 30 * time.Second},
		{"D20 Retry-After as a date that has passed", second,
			func() []string { return []string{in(-time.Hour)} }, time.Second},
		{"D20 Retry-After as a date an hour ahead, as of a clock that is off", second,
			func() []string { return []string{in(time.Hour)} }, stop},
		{"D4 Retry-After as a date in 2099", second, of("Thu, 01 Jan 2099 00:00:00 GMT"), stop},
		{"D4 Retry-After without a wait of one's own", connection.Retry{Max: 1}, of("5"), 5 * time.Second},
		{"D4 a cap of one's own that is lower", connection.Retry{Max: 1, MaxRetryAfter: 2 * time.Second}, of("3"), stop},
		{"D4 a cap of one's own that is higher", connection.Retry{Max: 1, MaxRetryAfter: 2 * time.Hour},
			of("3600"), time.Hour},
		{"D4 IgnoreRetryAfter", connection.Retry{Max: 1, IgnoreRetryAfter: true}, of("3600"), 0},
	} {
		bubble(t, c.name, func(t *testing.T) {
			values := c.values()
			srv := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Retry-After"] = values
				w.WriteHeader(503)
				_, _ = w.Write([]byte("later"))
			}))
			conn := connectTo(t, srv, connection.WithRetry(c.policy))
			requests := 2
			if c.want == stop {
				requests = 1
			}
			began := time.Now()
			resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
			if got := answered(t, resp, err, 503); got != "later" {
				t.Errorf("body %q", got)
			}
			sent(t, srv, requests)
			passed(t, began, max(c.want, 0))
			if c.want != stop {
				return
			}
			resp, err = conn.HTTPClient().Get(srv.URL)
			answered(t, resp, err, 503)
			err = request.Get(conn, "/things").Exec(t.Context())
			re, ok := errors.AsType[*request.ResponseError](err)
			if !ok || re.Status != 503 || string(re.Body) != "later" || len(re.History) != 1 {
				t.Errorf("error %v, want a 503 with its body and one attempt", err)
			}
			if ok && re.Header.Get("Retry-After") != values[0] {
				t.Errorf("Retry-After %q in the error, want %q", re.Header["Retry-After"], values)
			}
			passed(t, began, 0)
		})
	}
	bubble(t, "D4 Retry-After of a 429 counts where a 429 is retried", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(status(429).Header("Retry-After", "5"), status(204)))
		conn := connectTo(t, srv, connection.WithRetry(connection.Retry{Max: 1, On: connection.OnStatus(429)}))
		began := time.Now()
		resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
		answered(t, resp, err, 204)
		passed(t, began, 5*time.Second)
	})
	bubble(t, "D4 Retry-After of a success makes nobody wait", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(200).Header("Retry-After", "5"))
		began := time.Now()
		resp, err := connectTo(t, srv, retries(3)).Do(newRequest(t.Context(), t, "GET", nil))
		answered(t, resp, err, 200)
		passed(t, began, 0)
		sent(t, srv, 1)
	})
}

func of(values ...string) func() []string { return func() []string { return values } }

func TestWaitPastDeadline(t *testing.T) {
	t.Parallel()
	minute := connection.WithRetry(connection.Retry{Max: 3, Wait: connection.Constant(30 * time.Second)})
	for name, reply := range map[string]connectiontest.Reply{
		"the wait": status(503), "Retry-After": status(503).Header("Retry-After", "45"),
	} {
		bubble(t, "D5 "+name+" would outlast the caller's deadline: the response is returned now", func(t *testing.T) {
			srv := connectiontest.NewServer(t, reply)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			began := time.Now()
			resp, err := connectTo(t, srv, minute).Do(newRequest(ctx, t, "GET", nil))
			answered(t, resp, err, 503)
			passed(t, began, 0)
			sent(t, srv, 1)
		})
		bubble(t, "D5 "+name+" would outlast the total limit: the response is returned now", func(t *testing.T) {
			srv := connectiontest.NewServer(t, reply)
			total := connection.WithTimeouts(connection.Timeouts{Total: 30 * time.Second})
			began := time.Now()
			resp, err := connectTo(t, srv, minute, total).Do(newRequest(t.Context(), t, "GET", nil))
			answered(t, resp, err, 503)
			passed(t, began, 0)
			sent(t, srv, 1)
		})
	}
	bubble(t, "D5 a wait within the deadline is made", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(503))
		ctx, cancel := context.WithTimeout(t.Context(), 61*time.Second)
		defer cancel()
		began := time.Now()
		resp, err := connectTo(t, srv, minute).Do(newRequest(ctx, t, "GET", nil))
		answered(t, resp, err, 503)
		passed(t, began, time.Minute)
		sent(t, srv, 3)
	})
	bubble(t, "D5 without a response the error is returned now", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Cut())
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		_, err := connectTo(t, srv, minute).Do(newRequest(ctx, t, "GET", nil))
		if err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want what the attempt failed with", err)
		}
		passed(t, began, 0)
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	reason := errors.New("the user has left")
	hour := connection.WithRetry(connection.Retry{Max: 3, Wait: connection.Constant(time.Hour)})
	patient := connection.WithTimeouts(connection.Timeouts{Attempt: connection.NoTimeout, Idle: connection.NoTimeout})
	never := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	stalled := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = w.Write([]byte("half "))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	for _, c := range []struct {
		name    string
		handler http.Handler
		fault   func(*connectiontest.Server)
	}{
		{"while it waits for the next attempt", status(503), nil},
		{"while it waits after a network error", connectiontest.Cut(), nil},
		{"while it dials", status(204), (*connectiontest.Server).Hang},
		{"while it waits for the headers", never, nil},
		{"while it reads the body", stalled, nil},
		{"while it drains the body of a 503", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10")
			w.WriteHeader(503)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}), nil},
	} {
		bubble(t, "D13 the caller leaves "+c.name, func(t *testing.T) {
			srv := connectiontest.NewServer(t, c.handler)
			if c.fault != nil {
				c.fault(srv)
			}
			conn := connectTo(t, srv, hour, patient)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			time.AfterFunc(time.Second, func() { cancel(reason) })
			began := time.Now()
			_, err := request.Do[string](ctx, request.Get(conn, "/things"))
			if got := time.Since(began) - time.Second; got < 0 || got > 10*time.Millisecond {
				t.Errorf("the call returned %v after the end of its context", got)
			}
			if !errors.Is(err, reason) || !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want the cause of the caller's context", err)
			}
			if _, ok := errors.AsType[*connection.TimeoutError](err); ok {
				t.Errorf("error %v is a *TimeoutError", err)
			}
			synctest.Wait()
			requests := len(srv.Requests())
			time.Sleep(3 * time.Hour)
			sent(t, srv, requests)
		})
	}
	bubble(t, "D13 a wait that was cancelled keeps what it waited for", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(503))
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(reason) })
		_, err := connectTo(t, srv, hour).Do(newRequest(ctx, t, "GET", nil))
		re, ok := errors.AsType[*connection.RetryError](err)
		if !ok || len(re.History) != 1 || re.History[0].Status != 503 || !errors.Is(err, reason) {
			t.Errorf("error %v, want a *RetryError with the 503", err)
		}
	})
	bubble(t, "D13 the attempt limit does not go on in the wait", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(503))
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(10*time.Minute, func() { cancel(reason) }) // long after the attempt limit of a minute
		_, err := connectTo(t, srv, hour).Do(newRequest(ctx, t, "GET", nil))
		if _, ok := errors.AsType[*connection.TimeoutError](err); ok || !errors.Is(err, reason) {
			t.Errorf("error %v, want the cause of the caller's context", err)
		}
	})
	bubble(t, "D13 a context that has ended before the call: nothing is sent", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(204))
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(reason)
		began := time.Now()
		_, err := connectTo(t, srv, hour).Do(newRequest(ctx, t, "GET", nil))
		if !errors.Is(err, reason) {
			t.Errorf("error %v, want the cause", err)
		}
		passed(t, began, 0)
		sent(t, srv, 0)
	})
}
