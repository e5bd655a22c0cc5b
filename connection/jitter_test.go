package connection_test

import (
	"math"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
)

// TestFullJitter draws so much that a bound which a right implementation breaks once in 1e9 runs is close to the mean:
// the bounds are those of Chernoff for the number of draws.
func TestFullJitter(t *testing.T) {
	t.Parallel()
	bubble(t, "D12 ten clients with the same fault come back at different times", func(t *testing.T) {
		const rounds, clients, slot = 200, 10, 10 * time.Millisecond
		var mu sync.Mutex
		var came []time.Time
		srv := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			came = append(came, time.Now())
			w.WriteHeader(503)
		}))
		conn := connectTo(t, srv, connection.WithoutRetryBudget(),
			connection.WithRetry(connection.Retry{Max: 1, Wait: connection.FullJitter(10*time.Second, time.Minute)}))
		together := 0
		for range rounds {
			came = nil
			began := time.Now()
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() {
					resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
					answered(t, resp, err, 503)
				})
			}
			wg.Wait()
			slices.SortFunc(came, time.Time.Compare)
			back := came[clients:] // the first ten are those with the fault
			slots := make(map[time.Duration]bool)
			for _, at := range back {
				slots[at.Sub(began)/slot] = true
			}
			if len(back) != clients || back[0].Before(began) || back[clients-1].Sub(began) > 10*time.Second {
				t.Fatalf("%d clients came back, between %v and %v", len(back), back[0].Sub(began), back[clients-1].Sub(began))
			}
			if len(slots) < clients {
				together++
			}
		}
		// By chance, two of ten are in one of 1000 slots in 4.4 % of the rounds, 8.8 of 200.
		t.Logf("in %d of %d rounds, two of %d clients came back within the same %v", together, rounds, clients, slot)
		if together > 36 {
			t.Errorf("in %d of %d rounds, clients came back together", together, rounds)
		}
	})
	t.Run("D12 every time up to the limit is as likely as any other, and the limit doubles", func(t *testing.T) {
		t.Parallel()
		const draws, parts = 2000, 10
		limits := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 7 * time.Second, 7 * time.Second}
		counts := make([][parts]int, len(limits))
		for range draws {
			delays := connection.Delays(connection.FullJitter(time.Second, 7*time.Second))
			for i, limit := range limits {
				d := delays()
				if d < 0 || d > limit {
					t.Fatalf("delay %d is %v, want at most %v", i+1, d, limit)
				}
				counts[i][min(parts-1, int(parts*d/limit))]++
			}
		}
		for i, c := range counts { // 200 are to be expected in each tenth
			if slices.Min(c[:]) < 80 || slices.Max(c[:]) > 340 {
				t.Errorf("delay %d falls into the tenths of %v so often: %v", i+1, limits[i], c)
			}
		}
	})
	t.Run("D12 two calls draw for themselves", func(t *testing.T) {
		t.Parallel()
		w := connection.FullJitter(math.MaxInt64, math.MaxInt64)
		a, b := connection.Delays(w), connection.Delays(w)
		same := 0
		for range 4 {
			x, y := a(), b()
			if x == y {
				same++
			}
			if x < 0 || y < 0 {
				t.Errorf("delays %v and %v", x, y)
			}
		}
		if same == 4 {
			t.Error("the delays of two calls are the same")
		}
	})
	for name, w := range map[string]connection.Wait{
		"zero": connection.FullJitter(0, time.Second), "negative": connection.FullJitter(-1, time.Second),
		"falling": connection.FullJitter(time.Second, time.Millisecond),
	} {
		t.Run("FullJitter "+name+" is an OptionError", func(t *testing.T) {
			t.Parallel()
			_, err := connection.New("https://api.example.test", connection.WithRetry(connection.Retry{Max: 1, Wait: w}))
			if faults := optionFaults(err); !slices.Equal(faults, []string{"WithRetry"}) {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("FullJitter says what it is", func(t *testing.T) {
		t.Parallel()
		policy := connection.Retry{Wait: connection.FullJitter(time.Second, time.Minute)}
		d := connect(t, "https://api.example.test", connection.WithRetry(policy)).Describe()
		if d.RetryWait != "full jitter 1s to 1m0s" {
			t.Errorf("RetryWait %q", d.RetryWait)
		}
	})
}
