package connection_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// switched is a server that answers with one status until it is told another.
type switched struct {
	code   atomic.Int32
	served atomic.Int32
}

func (s *switched) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.served.Add(1)
	w.WriteHeader(int(s.code.Load()))
}

// serve sends so many GETs, one after the other, while the server answers with code. It returns how many requests the
// server got.
func (s *switched) serve(t *testing.T, conn *connection.Connection, calls, code int) int {
	t.Helper()
	s.code.Store(int32(code))
	before := s.served.Load()
	for range calls {
		resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
		answered(t, resp, err, code)
	}
	return int(s.served.Load() - before)
}

// budget sets a budget of so many tokens of which a retry takes two and a success gives back one.
func budget(tokens int) connection.Option {
	return connection.WithRetryBudget(connection.RetryBudget{Tokens: tokens, Cost: 2})
}

func TestRetryStorm(t *testing.T) {
	t.Parallel()
	const calls, tokens, cost = 10_000, 500, 5
	bubble(t, "T9 D10 10,000 calls against 503, and the way back", func(t *testing.T) {
		s := new(switched)
		srv := connectiontest.NewServer(t, s)
		conn := connectTo(t, srv, retries(3))
		storm := s.serve(t, conn, calls, 503)
		t.Logf("%d calls against 503 made %d attempts", calls, storm)
		if most := calls + calls/10 + tokens/cost; storm > most {
			t.Errorf("%d attempts, want at most %d", storm, most)
		}
		if want := calls + tokens/cost; storm != want {
			t.Errorf("%d attempts, want %d: the bucket is there to be used", storm, want)
		}
		if got := s.serve(t, conn, 10, 503); got != 10 {
			t.Errorf("10 calls with an empty bucket made %d attempts", got)
		}
		if got := s.serve(t, conn, tokens, 200); got != tokens {
			t.Errorf("%d successes made %d attempts", tokens, got)
		}
		again := s.serve(t, conn, 200, 503)
		t.Logf("after %d successes, 200 calls against 503 made %d attempts", tokens, again)
		if want := 200 + tokens/cost; again != want {
			t.Errorf("%d attempts after %d successes, want %d: the full retry rate", again, tokens, want)
		}
	})
	bubble(t, "D10 10,000 calls without a budget make four attempts each", func(t *testing.T) {
		s := new(switched)
		srv := connectiontest.NewServer(t, s)
		conn := connectTo(t, srv, connection.WithRetry(connection.Retry{Max: 3}), connection.WithoutRetryBudget())
		if got := s.serve(t, conn, calls/10, 503); got != 4*calls/10 {
			t.Errorf("%d calls made %d attempts", calls/10, got)
		}
	})
	bubble(t, "D10 many at once take no more than there is", func(t *testing.T) {
		s := new(switched)
		s.code.Store(503)
		srv := connectiontest.NewServer(t, s)
		conn := connectTo(t, srv, retries(2))
		var wg sync.WaitGroup
		for range 300 {
			wg.Go(func() {
				resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
				answered(t, resp, err, 503)
			})
		}
		wg.Wait()
		if got := s.served.Load(); got != 300+tokens/cost {
			t.Errorf("300 calls made %d attempts, want %d", got, 300+tokens/cost)
		}
	})
}

// TestRetryBudget has two retries in each bucket.
func TestRetryBudget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		between func(t *testing.T, s *switched, conn *connection.Connection)
		want    int // retries of the calls that come then
	}{
		{"nothing", func(*testing.T, *switched, *connection.Connection) {}, 0},
		{"a success", func(t *testing.T, s *switched, conn *connection.Connection) { s.serve(t, conn, 1, 200) }, 0},
		{"two successes", func(t *testing.T, s *switched, conn *connection.Connection) { s.serve(t, conn, 2, 200) }, 1},
		{"twenty successes", func(t *testing.T, s *switched, conn *connection.Connection) { s.serve(t, conn, 20, 200) }, 2},
		{"twenty 404", func(t *testing.T, s *switched, conn *connection.Connection) { s.serve(t, conn, 20, 404) }, 2},
		{"twenty 429", func(t *testing.T, s *switched, conn *connection.Connection) { s.serve(t, conn, 20, 429) }, 0},
		{"twenty 408", func(t *testing.T, s *switched, conn *connection.Connection) { s.serve(t, conn, 20, 408) }, 0},
		{"twenty successes without retries", func(t *testing.T, s *switched, conn *connection.Connection) {
			s.code.Store(200)
			for range 20 {
				if err := request.Get(conn, "/").Retry(connection.NoRetry()).Exec(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}, 0},
		{"twenty successes of a derived connection", func(t *testing.T, s *switched, conn *connection.Connection) {
			derived, err := conn.With(connection.WithName("derived"))
			if err != nil {
				t.Fatal(err)
			}
			s.serve(t, derived, 20, 200)
		}, 2},
		{"twenty successes of one with a budget of its own", func(t *testing.T, s *switched, conn *connection.Connection) {
			derived, err := conn.With(budget(4))
			if err != nil {
				t.Fatal(err)
			}
			if got := s.serve(t, derived, 2, 503); got != 4 {
				t.Errorf("2 calls of the derived connection made %d attempts, want 4", got)
			}
			s.serve(t, derived, 20, 200)
		}, 0},
	} {
		bubble(t, "D10 "+c.name+" after the bucket was emptied", func(t *testing.T) {
			s := new(switched)
			conn := connectTo(t, connectiontest.NewServer(t, s), retries(1), budget(4))
			if got := s.serve(t, conn, 5, 503); got != 7 {
				t.Errorf("5 calls made %d attempts, want 7", got)
			}
			c.between(t, s, conn)
			if got := s.serve(t, conn, 5, 503); got != 5+c.want {
				t.Errorf("5 calls made %d attempts, want %d", got, 5+c.want)
			}
		})
	}
	bubble(t, "D10 a success of a retry gives back what the last retry took", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(
			status(503), status(503), status(200), // takes four and gives two back
			status(503), status(200), status(503), status(200), // as often as you like
			status(503)))
		conn := connectTo(t, srv, retries(2), budget(4))
		for _, code := range []int{200, 200, 200, 503} {
			resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
			answered(t, resp, err, code)
		}
		sent(t, srv, 9) // the last call has one retry left, of two
	})
	bubble(t, "D10 a retry that was not made is not paid for", func(t *testing.T) {
		s := new(switched)
		conn := connectTo(t, connectiontest.NewServer(t, s), retries(1), budget(4))
		s.code.Store(503)
		for range 5 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second/2, cancel)
			if _, err := conn.Do(newRequest(ctx, t, "GET", nil)); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		}
		if got := s.serve(t, conn, 5, 503); got != 7 {
			t.Errorf("5 calls made %d attempts, want 7", got)
		}
	})
	bubble(t, "D10 it applies to the Retry of a request", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(503))
		post := request.Post(connectTo(t, srv, budget(4)), "/").Retry(connection.Retry{Max: 3})
		for range 3 {
			if err := post.Exec(t.Context()); !errors.Is(err, request.Status(503)) {
				t.Errorf("error %v", err)
			}
		}
		sent(t, srv, 5)
	})
	bubble(t, "D10 a request that may not be repeated takes nothing", func(t *testing.T) {
		s := new(switched)
		conn := connectTo(t, connectiontest.NewServer(t, s), retries(1), budget(4))
		s.code.Store(503)
		for range 5 {
			resp, err := conn.Do(newRequest(t.Context(), t, "POST", nil))
			answered(t, resp, err, 503)
		}
		if got := s.serve(t, conn, 5, 503); got != 7 {
			t.Errorf("5 calls made %d attempts, want 7", got)
		}
	})
}

// TestRetryBudgetOutcome is about what a call returns that has no token.
func TestRetryBudgetOutcome(t *testing.T) {
	t.Parallel()
	const stopped = "the retry budget of api.example.test is used up"
	bubble(t, "D10 D21 the response at hand, with its body, and why", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Text(503, "down"))
		conn := connectTo(t, srv, retries(3), budget(2))
		err := request.Get(conn, "/").Exec(t.Context())
		re, ok := errors.AsType[*request.ResponseError](err)
		if !ok || len(re.History) != 2 || string(re.Body) != "down" || re.History[0].Stopped != "" ||
			re.History[1].Stopped != stopped || !strings.Contains(err.Error(), stopped) {
			t.Errorf("error %v (%+v)", err, re)
		}
		began := time.Now()
		resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
		if got := answered(t, resp, err, 503); got != "down" {
			t.Errorf("body %q", got)
		}
		passed(t, began, 0)
	})
	bubble(t, "D10 D21 the error at hand, and why", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(200))
		srv.Refuse()
		conn := connectTo(t, srv, retries(3), budget(4))
		_, err := conn.Do(newRequest(t.Context(), t, "POST", nil))
		re, ok := errors.AsType[*connection.RetryError](err)
		if !ok || len(re.History) != 3 || re.History[2].Stopped != stopped || !errors.Is(err, syscall.ECONNREFUSED) ||
			!strings.HasSuffix(err.Error(), "(not tried again: "+stopped+")") {
			t.Errorf("error %v", err)
		}
		x, err := conn.Send(t.Context(), connection.Call{Method: "GET", URL: *conn.BaseURL()})
		if h := x.History(); err == nil || len(h) != 1 || h[0].Stopped != stopped {
			t.Errorf("error %v, history %+v", err, h)
		}
	})
}

// TestRetryBudgetHosts: every host has a bucket, and there are no more of them than a program can afford.
func TestRetryBudgetHosts(t *testing.T) {
	t.Parallel()
	// calls sends so many GETs to a URL, and returns how many requests the server got.
	calls := func(t *testing.T, conn *connection.Connection, srv *connectiontest.Server, url string, n int) int {
		t.Helper()
		before := len(srv.Requests())
		for range n {
			_ = request.Get(conn, url).Auth(auth.None()).Exec(t.Context())
		}
		return len(srv.Requests()) - before
	}
	bubble(t, "D10 one host does not use up the budget of another", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		home := n.Serve("https://api.example.test", status(503))
		other := n.Serve("https://files.example.test", status(503))
		conn := connectTo(t, home, retries(1), budget(4), connection.WithTrustedOrigins(other.URL))
		for _, srv := range []*connectiontest.Server{home, other} {
			if got := calls(t, conn, srv, srv.URL+"/", 5); got != 7 {
				t.Errorf("5 calls to %s made %d attempts, want 7", srv.URL, got)
			}
		}
	})
	bubble(t, "D10 however an origin is written, its budget is one", func(t *testing.T) {
		home := connectiontest.NewServer(t, status(503))
		conn := connectTo(t, home, retries(1), budget(4))
		if got := calls(t, conn, home, "https://API.example.test:443/", 1); got != 2 {
			t.Errorf("a call made %d attempts, want 2", got)
		}
		if got := calls(t, conn, home, home.URL+"/", 5); got != 6 {
			t.Errorf("5 calls made %d attempts, want 6", got)
		}
	})
	bubble(t, "D10 hosts that are down take nothing from one that was never asked, however many", func(t *testing.T) {
		const many = 256 + 100
		n := connectiontest.NewNetwork(t)
		home := n.Serve("https://api.example.test", status(503))
		conn := connectTo(t, home, retries(1), budget(2))
		for i := range many {
			srv := n.Serve(fmt.Sprintf("http://host%d.example.test", i), status(503))
			if got := calls(t, conn, srv, srv.URL+"/", 1); got != 2 {
				t.Fatalf("a call to host %d made %d attempts, want 2", i, got)
			}
		}
	})
}

func TestRetryBudgetOptions(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]connection.RetryBudget{
		"negative tokens": {Tokens: -1}, "a negative cost": {Cost: -1}, "a negative refund": {Refund: -1},
		"a cost above the tokens": {Tokens: 4}, "more tokens than can be counted": {Tokens: 1 << 31},
	} {
		t.Run("D10 "+name+" is an OptionError", func(t *testing.T) {
			t.Parallel()
			_, err := connection.New("https://api.example.test", connection.WithRetryBudget(b))
			if oe, ok := errors.AsType[*connection.OptionError](err); !ok || oe.Option != "WithRetryBudget" {
				t.Errorf("error %v", err)
			}
		})
	}
	for want, options := range map[string][]connection.Option{
		"500 tokens per host, 5 per retry, 1 back per success": nil,
		"100 tokens per host, 2 per retry, 3 back per success": {
			connection.WithRetryBudget(connection.RetryBudget{Tokens: 100, Cost: 2, Refund: 3}),
		},
		"none": {budget(100), connection.WithoutRetryBudget()},
	} {
		t.Run("D10 Describe says "+want, func(t *testing.T) {
			t.Parallel()
			d := connect(t, "https://api.example.test", options...).Describe()
			if d.RetryBudget != want || !strings.Contains(d.String(), "\nretry budget: "+want+"\n") {
				t.Errorf("%q in\n%v", d.RetryBudget, d)
			}
		})
	}
}

// TestRetryBudgetAllocations: a call that needs no retry does not pay for the budget.
func TestRetryBudgetAllocations(t *testing.T) { //nolint:paralleltest // other tests allocate
	answer := roundTrip(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(http.NoBody), Request: req}, nil
	})
	count := func(options ...connection.Option) float64 {
		conn := connect(t, "https://api.example.test", append(options, connection.WithTransport(answer), retries(2))...)
		return testing.AllocsPerRun(200, func() {
			resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
		})
	}
	if with, without := count(), count(connection.WithoutRetryBudget()); with != without {
		t.Errorf("D10 %v allocations with a budget, %v without", with, without)
	}
}
