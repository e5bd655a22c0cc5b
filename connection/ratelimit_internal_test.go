package connection

import (
	"fmt"
	"net/url"
	"testing"
	"testing/synctest"
	"time"
)

func hostURL(i int) *url.URL { return &url.URL{Scheme: "https", Host: fmt.Sprintf("h%d.test", i)} }

// take takes a token of a host, and reports whether there was one.
func take(h *hostBuckets, u *url.URL) bool {
	w, _, ok := h.of(u).join(0)
	return ok && w == nil
}

// A goroutine that wakes up late does not slow down those who wait behind it.
func TestLateWaiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, began := newHostBuckets(1, 1).of(hostURL(0)), time.Now()
		for range 3 {
			if _, _, ok := b.join(NoTimeout); !ok {
				t.Fatal("it may not wait")
			}
		}
		time.Sleep(5 * time.Second / 2) // while the first token was there after 1 s, and the second after 2 s
		if w, delay, _ := b.join(NoTimeout); w == nil || delay > 2*time.Second {
			t.Errorf("the last one is told to wait for %v", delay)
		}
		b.pass()
		if due := (<-b.queue[0].turn).Sub(began); due != 2*time.Second {
			t.Errorf("the next token is there after %v", due)
		}
	})
}

func TestHostsAreForgotten(t *testing.T) {
	t.Parallel()
	t.Run("full buckets first", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			h := newHostBuckets(1, 1)
			home := hostURL(-1)
			take(h, home)
			time.Sleep(time.Second / 2)
			for i := range mostHosts - 1 {
				h.of(hostURL(i)) // and takes nothing: it stays full
			}
			h.of(hostURL(mostHosts))
			if len(h.buckets) != 2 || take(h, home) {
				t.Errorf("%d buckets are left, want that of the last host and the one that is not full", len(h.buckets))
			}
		})
	})
	t.Run("then the one used longest ago", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			h := newHostBuckets(1e-6, 1)
			for i := range 3 * mostHosts {
				if !take(h, hostURL(i)) {
					t.Fatalf("host %d has no token", i)
				}
				if i > 0 && take(h, hostURL(0)) {
					t.Fatal("the host that was used last is forgotten")
				}
				if len(h.buckets) > mostHosts {
					t.Fatalf("there are %d buckets", len(h.buckets))
				}
				time.Sleep(time.Millisecond)
			}
		})
	})
	t.Run("one with a queue is not full", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			h := newHostBuckets(1, 1)
			b := h.of(hostURL(0))
			b.join(NoTimeout)
			b.join(NoTimeout)
			if b.full(time.Now().Add(time.Hour)) {
				t.Error("it is")
			}
		})
	})
}
