package connection_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
)

const (
	homeHTTP = "http://127.0.0.1:8080" // the origin of plainServer
	tenth    = 100 * time.Millisecond
)

// arrivals records when requests came.
type arrivals struct {
	began time.Time
	mu    sync.Mutex
	times []time.Duration
}

func (a *arrivals) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	_, _ = io.Copy(io.Discard, req.Body)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.times = append(a.times, time.Since(a.began))
	w.WriteHeader(http.StatusNoContent)
}

func (a *arrivals) want(t *testing.T, want ...time.Duration) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if diff := cmp.Diff(want, a.times); diff != "" {
		t.Errorf("requests arrived at other times (-want +got)\n%s", diff)
	}
}

// limited serves arrivals to a connection with a rate limit.
func limited(
	t *testing.T, perSecond float64, burst int, options ...connection.Option,
) (*arrivals, *connection.Connection) {
	t.Helper()
	a := &arrivals{began: time.Now()}
	return a, connectTo(t, plainServer(t, a), append(options, connection.WithRateLimit(perSecond, burst))...)
}

// get sends a request, and closes its answer.
func get(ctx context.Context, t *testing.T, conn *connection.Connection) error {
	t.Helper()
	resp, err := conn.Do(newRequest(ctx, t, "GET", nil))
	if err == nil {
		_ = resp.Body.Close()
	}
	return err
}

func mustGet(t *testing.T, conn *connection.Connection) {
	t.Helper()
	if err := get(t.Context(), t, conn); err != nil {
		t.Error(err)
	}
}

// crowd sends n requests at once, and returns what waits for their errors.
func crowd(ctx context.Context, t *testing.T, conn *connection.Connection, n int) func() []error {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = get(ctx, t, conn) })
	}
	synctest.Wait()
	return func() []error {
		wg.Wait()
		return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	}
}

// refusal checks that err is the limit's for plainServer.
func refusal(t *testing.T, err error, wait time.Duration) {
	t.Helper()
	e, ok := errors.AsType[*connection.RateLimitError](err)
	if !ok || e.Wait != wait || "http://"+e.Host != homeHTTP {
		t.Fatalf("error %v, want a RateLimitError of %v", err, wait)
	}
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		t.Errorf("error %v is not context.DeadlineExceeded alone", err)
	}
	if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
		t.Errorf("error %v is not a net.Error that timed out", err)
	}
	if text := err.Error(); !strings.Contains(text, e.Host) || !strings.Contains(text, wait.String()) {
		t.Errorf("text %q does not name host and wait", text)
	}
}

func TestRateLimitPaces(t *testing.T) {
	t.Parallel()
	bubble(t, "one after the other", func(t *testing.T) {
		a, conn := limited(t, 10, 3)
		for range 6 {
			mustGet(t, conn)
		}
		a.want(t, 0, 0, 0, tenth, 2*tenth, 3*tenth)
	})
	bubble(t, "all at once", func(t *testing.T) {
		a, conn := limited(t, 10, 3)
		if errs := crowd(t.Context(), t, conn, 6)(); len(errs) > 0 {
			t.Error(errs)
		}
		a.want(t, 0, 0, 0, tenth, 2*tenth, 3*tenth)
	})
	bubble(t, "less than one a second", func(t *testing.T) {
		a, conn := limited(t, 0.25, 1)
		for range 3 {
			mustGet(t, conn)
		}
		a.want(t, 0, 4*time.Second, 8*time.Second)
	})
	bubble(t, "a rest fills the bucket, and no more than that", func(t *testing.T) {
		a, conn := limited(t, 10, 2)
		for range 3 {
			mustGet(t, conn)
		}
		time.Sleep(time.Hour)
		began := time.Since(a.began)
		for range 3 {
			mustGet(t, conn)
		}
		a.want(t, 0, 0, tenth, began, began, began+tenth)
	})
	bubble(t, "without the option nothing waits", func(t *testing.T) {
		a := &arrivals{began: time.Now()}
		conn := connectTo(t, plainServer(t, a))
		for range 50 {
			mustGet(t, conn)
		}
		a.want(t, make([]time.Duration, 50)...)
	})
}

func TestRateLimitPerHost(t *testing.T) {
	t.Parallel()
	const other, port = "http://127.0.0.2:8080", "http://127.0.0.1:8081"
	bubble(t, "host and port have buckets of their own", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		servers := make([]*arrivals, 3)
		for i, origin := range []string{homeHTTP, other, port} {
			servers[i] = &arrivals{began: time.Now()}
			n.Serve(origin, servers[i])
		}
		conn := connect(t, homeHTTP, n.Option(), connection.WithTrustedOrigins(other, port), connection.WithRateLimit(1, 1))
		for range 2 {
			for _, target := range []string{"/x", other + "/x", port + "/x"} {
				mustAsk(t, conn, "GET", target, "")
			}
		}
		servers[0].want(t, 0, time.Second)
		servers[1].want(t, 0, time.Second)
		servers[2].want(t, 0, time.Second)
	})
	bubble(t, "spellings of one origin have one", func(t *testing.T) {
		a := &arrivals{began: time.Now()}
		n := connectiontest.NewNetwork(t)
		n.Serve("http://localhost", a)
		conn := connect(t, "http://localhost", n.Option(), connection.WithRateLimit(1, 1))
		for _, target := range []string{"/x", "http://LOCALHOST/x", "http://localhost:80/x"} {
			mustAsk(t, conn, "GET", target, "")
		}
		a.want(t, 0, time.Second, 2*time.Second)
	})
}

func TestRateLimitOfAttemptsAndHops(t *testing.T) {
	t.Parallel()
	const s = time.Second
	bubble(t, "every attempt takes a token", func(t *testing.T) {
		srv := plainServer(t, status(503))
		conn := connectTo(t, srv, connection.WithRateLimit(0.5, 1), connection.WithRetry(connection.Retry{Max: 3}))
		began := time.Now()
		resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
		answered(t, resp, err, 503)
		sent(t, srv, 4)
		passed(t, began, 6*s)
	})
	bubble(t, "the wait of a retry counts towards the next token", func(t *testing.T) {
		srv := plainServer(t, connectiontest.Sequence(status(503), status(204)))
		began := time.Now()
		resp, err := connectTo(t, srv, connection.WithRateLimit(0.5, 1), retries(1)).
			Do(newRequest(t.Context(), t, "GET", nil))
		answered(t, resp, err, 204)
		passed(t, began, 2*s)
	})
	bubble(t, "every hop takes one of the host it goes to", func(t *testing.T) {
		const other = "http://127.0.0.2:8080"
		n := connectiontest.NewNetwork(t)
		a := &arrivals{began: time.Now()}
		n.Serve(homeHTTP, routes{
			"/a": redirectTo(302, "/b"), "/b": redirectTo(307, other+"/c"), "/d": redirectTo(302, other+"/c"),
		})
		n.Serve(other, a)
		conn := connect(t, homeHTTP, n.Option(), connection.WithRateLimit(1, 1))
		mustAsk(t, conn, "GET", "/a", "")
		mustAsk(t, conn, "GET", "/d", "")
		a.want(t, s, 2*s)
	})
	bubble(t, "attempt middleware sees the request after its wait", func(t *testing.T) {
		var seen []time.Duration
		began := time.Now()
		_, conn := limited(t, 1, 1, connection.WithAttemptMiddleware(func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				seen = append(seen, time.Since(began))
				return next.RoundTrip(r)
			})
		}))
		mustGet(t, conn)
		mustGet(t, conn)
		if diff := cmp.Diff([]time.Duration{0, s}, seen); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRateLimitGivenUp(t *testing.T) {
	t.Parallel()
	const s = time.Second
	bubble(t, "a cancelled wait ends at once, and leaves its token", func(t *testing.T) {
		a, conn := limited(t, 0.125, 1)
		mustGet(t, conn)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(4*s, func() { cancel(errPatience) })
		began := time.Now()
		err := get(ctx, t, conn)
		if !errors.Is(err, context.Canceled) || !errors.Is(err, errPatience) {
			t.Errorf("error %v, want the cause of the cancellation", err)
		}
		passed(t, began, 4*s)
		mustGet(t, conn)
		a.want(t, 0, 8*s)
	})
	bubble(t, "those behind one that gives up move up", func(t *testing.T) {
		for _, quitter := range []int{0, 1, 2} {
			a, conn := limited(t, 1, 1)
			mustGet(t, conn)
			var waits []func() []error
			for i := range 3 {
				ctx, cancel := context.WithCancel(t.Context())
				t.Cleanup(cancel)
				if i == quitter {
					time.AfterFunc(s/2, cancel)
				}
				waits = append(waits, crowd(ctx, t, conn, 1))
			}
			for i, wait := range waits {
				if got := len(wait()) > 0; got != (i == quitter) {
					t.Errorf("%d failed: %t", i, got)
				}
			}
			a.want(t, 0, s, 2*s)
			mustGet(t, conn)
			a.want(t, 0, s, 2*s, 3*s)
		}
	})
	bubble(t, "a crowd that gives up leaves nothing behind", func(t *testing.T) {
		a, conn := limited(t, 1, 1)
		mustGet(t, conn)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		wait := crowd(ctx, t, conn, 100)
		time.Sleep(s / 2)
		cancel()
		if errs := wait(); len(errs) != 100 {
			t.Errorf("%d of 100 have given up", len(errs))
		}
		mustGet(t, conn)
		a.want(t, 0, s)
	})
	bubble(t, "an ended context takes no token", func(t *testing.T) {
		a, conn := limited(t, 1, 1)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := get(ctx, t, conn); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		mustGet(t, conn)
		a.want(t, 0)
	})
}

var errPatience = errors.New("patience is at its end")

func TestRateLimitTooLong(t *testing.T) {
	t.Parallel()
	const s = time.Second
	within := func(t *testing.T, d time.Duration) context.Context {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), d)
		t.Cleanup(cancel)
		return ctx
	}
	bubble(t, "a deadline that is too near ends the call at once, unsent", func(t *testing.T) {
		a, conn := limited(t, 0.1, 1, retries(5))
		mustGet(t, conn)
		began := time.Now()
		for range 3 { // none of which takes a token
			refusal(t, get(within(t, 10*s), t, conn), 10*s)
		}
		passed(t, began, 0)
		if err := get(within(t, 10*s+1), t, conn); err != nil {
			t.Error(err)
		}
		a.want(t, 0, 10*s)
	})
	bubble(t, "so does Total", func(t *testing.T) {
		a, conn := limited(t, 0.1, 1, limits(connection.Timeouts{Total: 10 * s}), retries(5))
		mustGet(t, conn)
		began := time.Now()
		refusal(t, get(t.Context(), t, conn), 10*s)
		passed(t, began, 0)
		time.Sleep(time.Nanosecond)
		mustGet(t, conn)
		a.want(t, 0, 10*s)
	})
	bubble(t, "the queue counts", func(t *testing.T) {
		a, conn := limited(t, 1, 1)
		wait := crowd(t.Context(), t, conn, 4)
		refusal(t, get(within(t, 4*s), t, conn), 4*s)
		if err := get(within(t, 4*s+1), t, conn); err != nil {
			t.Error(err)
		}
		wait()
		a.want(t, 0, s, 2*s, 3*s, 4*s)
	})
	bubble(t, "a wait for ever is none", func(t *testing.T) {
		a, conn := limited(t, 1e-12, 1)
		mustGet(t, conn)
		refusal(t, get(within(t, time.Hour), t, conn), math.MaxInt64)
		a.want(t, 0)
	})
	bubble(t, "it is final, and in the history", func(t *testing.T) {
		srv := plainServer(t, status(503))
		conn := connectTo(t, srv, connection.WithRateLimit(0.1, 1), limits(connection.Timeouts{Total: 5 * s}), retries(5))
		began := time.Now()
		err := get(t.Context(), t, conn)
		refusal(t, err, 9*s)
		if re, ok := errors.AsType[*connection.RetryError](err); !ok || len(re.History) != 2 || re.History[0].Status != 503 {
			t.Errorf("error %v, want a RetryError with both attempts", err)
		}
		sent(t, srv, 1)
		passed(t, began, s)
	})
	bubble(t, "on a hop it names the host of the hop", func(t *testing.T) {
		const other = "http://127.0.0.2:8080"
		n := connectiontest.NewNetwork(t)
		n.Serve(homeHTTP, redirectTo(302, other+"/x?secret="+canary))
		a := &arrivals{began: time.Now()}
		n.Serve(other, a)
		conn := connect(t, homeHTTP, n.Option(), connection.WithTrustedOrigins(other), connection.WithRateLimit(0.5, 1))
		mustAsk(t, conn, "GET", other, "")
		err := get(within(t, s), t, conn)
		e, ok := errors.AsType[*connection.RateLimitError](err)
		if !ok || e.Host != "127.0.0.2:8080" || holdsCanary(err.Error()) {
			t.Errorf("error %v", err)
		}
		a.want(t, 0)
	})
	for _, length := range []int64{5, -1} {
		bubble(t, fmt.Sprintf("a body of length %d is closed", length), func(t *testing.T) {
			a, conn := limited(t, 0.1, 1)
			mustGet(t, conn)
			books := &ledger{}
			req := newRequest(within(t, s), t, "POST", books.reader(strings.NewReader("hello")))
			req.ContentLength = length
			_, err := conn.Do(req)
			refusal(t, err, 10*s)
			books.check(t, 1)
			again := newRequest(within(t, s), t, "PUT", nil)
			again.GetBody, again.ContentLength = books.open("hello"), length
			again.Body, _ = again.GetBody()
			_, err = conn.Do(again)
			refusal(t, err, 10*s)
			books.check(t, 3)
			a.want(t, 0)
		})
	}
}

func TestRateLimitAndTimeouts(t *testing.T) {
	t.Parallel()
	const s = time.Second
	short := limits(connection.Timeouts{Attempt: s, Idle: s})
	bubble(t, "a wait does not count towards the attempt", func(t *testing.T) {
		a, conn := limited(t, 0.1, 1, short)
		mustGet(t, conn)
		mustGet(t, conn)
		a.want(t, 0, 10*s)
	})
	bubble(t, "which has its whole time after it", func(t *testing.T) {
		conn := connectTo(t, plainServer(t, connectiontest.Sequence(status(204), silent)), short,
			connection.WithRateLimit(0.1, 1))
		mustGet(t, conn)
		began := time.Now()
		timedOut(t, get(t.Context(), t, conn), connection.PhaseAttempt, s)
		passed(t, began, 11*s)
	})
	bubble(t, "nor does it make a long upload idle", func(t *testing.T) {
		a, conn := limited(t, 0.1, 1, short)
		mustGet(t, conn)
		body, writer := io.Pipe()
		time.AfterFunc(10*s+s/2, func() { _ = writer.Close() })
		resp, err := conn.Do(newRequest(t.Context(), t, "POST", body))
		answered(t, resp, err, 204)
		a.want(t, 0, 10*s+s/2)
	})
	bubble(t, "which is idle after it", func(t *testing.T) {
		_, conn := limited(t, 0.1, 1, limits(connection.Timeouts{Attempt: time.Hour, Idle: s}))
		mustGet(t, conn)
		body, writer := io.Pipe()
		t.Cleanup(func() { _ = writer.Close() })
		began := time.Now()
		_, err := conn.Do(newRequest(t.Context(), t, "POST", body))
		timedOut(t, err, connection.PhaseIdle, s)
		passed(t, began, 11*s)
	})
	bubble(t, "nor does the end of an upload to the hop before", func(t *testing.T) {
		a := &arrivals{began: time.Now()}
		conn := connectTo(t, plainServer(t, routes{"/things": early, "/b": a}), short, connection.WithRateLimit(0.1, 1))
		resp, err := conn.Do(newRequest(t.Context(), t, "POST", &tardy{after: s / 2}))
		answered(t, resp, err, 204)
		a.want(t, 10*s)
	})
	bubble(t, "Total counts it", func(t *testing.T) {
		conn := connectTo(t, plainServer(t, connectiontest.Sequence(status(204), silent)),
			limits(connection.Timeouts{Total: 12 * s}), connection.WithRateLimit(0.1, 1))
		mustGet(t, conn)
		began := time.Now()
		timedOut(t, get(t.Context(), t, conn), connection.PhaseTotal, 12*s)
		passed(t, began, 12*s)
	})
}

// early redirects to /b before the request has come to its end.
var early = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	_ = http.NewResponseController(w).EnableFullDuplex()
	w.Header().Set("Connection", "close")
	w.Header().Set("Location", "/b")
	w.WriteHeader(http.StatusSeeOther)
})

// tardy is a body of one byte whose reader takes its time, and does not mind being closed.
type tardy struct{ after time.Duration }

func (b *tardy) Read(p []byte) (int, error) {
	if b.after == 0 {
		return 0, io.EOF
	}
	time.Sleep(b.after)
	b.after = 0
	return copy(p, "x"), nil
}

func TestRateLimitUnderLoad(t *testing.T) {
	t.Parallel()
	const perSecond, burst, callers, each = 100, 10, 200, 3
	bubble(t, "no window has more than the limit", func(t *testing.T) {
		a, conn := limited(t, perSecond, burst)
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				time.Sleep(time.Duration(i%7) * time.Millisecond)
				for call := range each {
					ctx, cancel := context.WithCancel(t.Context())
					if (i+call)%5 == 0 {
						time.AfterFunc(time.Duration(i)*10*time.Millisecond+time.Millisecond/2, cancel)
					}
					_ = get(ctx, t, conn)
					cancel()
				}
			})
		}
		wg.Wait()
		if len(a.times) < callers*each*4/5 || len(a.times) > callers*each {
			t.Errorf("%d requests arrived", len(a.times))
		}
		for i := range a.times {
			for j := i; j < len(a.times); j++ {
				window := (a.times[j] - a.times[i]).Seconds()
				if most := burst + perSecond*window; float64(j-i+1) > most+1e-6 {
					t.Fatalf("%d requests in %v s, at most %v are allowed", j-i+1, window, most)
				}
			}
		}
		// And no slot is lost: there are callers enough at all times.
		if took, want := a.times[len(a.times)-1].Seconds(), float64(len(a.times)-burst)/perSecond; took > want+1e-6 {
			t.Errorf("it took %v s, want %v", took, want)
		}
	})
}

func TestRateLimitIsShared(t *testing.T) {
	t.Parallel()
	const s = time.Second
	derive := func(t *testing.T, conn *connection.Connection, options ...connection.Option) *connection.Connection {
		t.Helper()
		d, err := conn.With(options...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		return d
	}
	bubble(t, "by a derived connection", func(t *testing.T) {
		a, conn := limited(t, 1, 1)
		mustGet(t, conn)
		mustGet(t, derive(t, derive(t, conn), connection.WithMaxRedirects(1)))
		mustGet(t, conn)
		a.want(t, 0, s, 2*s)
	})
	bubble(t, "but not by one with a limit of its own", func(t *testing.T) {
		a, conn := limited(t, 1, 1)
		mustGet(t, conn)
		own := derive(t, conn, connection.WithRateLimit(2, 1))
		mustGet(t, own)
		mustGet(t, own)
		mustGet(t, conn)
		a.want(t, 0, 0, s/2, s)
	})
	bubble(t, "nor by another connection with the same option", func(t *testing.T) {
		a := &arrivals{began: time.Now()}
		srv, option := plainServer(t, a), connection.WithRateLimit(1, 1)
		mustGet(t, connectTo(t, srv, option))
		mustGet(t, connectTo(t, srv, option))
		a.want(t, 0, 0)
	})
}

func TestRateLimitOption(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		perSecond float64
		burst     int
		want      string
	}{
		"no rate":         {0, 1, "rate"},
		"a negative one":  {-1, 1, "rate"},
		"not a number":    {math.NaN(), 1, "rate"},
		"an infinite one": {math.Inf(1), 1, "rate"},
		"no burst":        {1, 0, "burst"},
		"a negative one ": {1, -1, "burst"},
		"both":            {0, 0, "burst"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := connection.New("https://a.test", connection.WithRateLimit(c.perSecond, c.burst))
			if got := optionFaults(err); len(got) != 1 || got[0] != "WithRateLimit" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one of WithRateLimit about the %s", err, c.want)
			}
		})
	}
	conn := connect(t, "https://a.test", connection.WithRateLimit(2.5, 10))
	if got := conn.Describe().RateLimit; got != "2.5 per second and host, burst 10" {
		t.Errorf("it is described as %q", got)
	}
	if got := conn.Describe().String(); !strings.Contains(got, "rate limit: 2.5 per second") {
		t.Errorf("the description is\n%s", got)
	}
	if got := connect(t, "https://a.test").Describe().String(); strings.Contains(got, "rate limit") {
		t.Errorf("the description of a connection without is\n%s", got)
	}
}
