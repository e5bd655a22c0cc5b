package connection

import (
	"context"
	"maps"
	"math"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/restconn/restconn/internal/origin"
	"github.com/restconn/restconn/internal/wait"
)

// mostHosts is how many hosts have a bucket at once.
const mostHosts = 1024

// hostBuckets are the buckets of the hosts of a connection and those derived from it.
type hostBuckets struct {
	perSecond float64
	burst     int

	mu      sync.Mutex
	buckets map[origin.Origin]*bucket
}

func newHostBuckets(perSecond float64, burst int) *hostBuckets {
	return &hostBuckets{perSecond: perSecond, burst: burst, buckets: make(map[origin.Origin]*bucket)}
}

// of returns the bucket of a host. URLs without an origin, which nothing sends, share one.
func (h *hostBuckets) of(u *url.URL) *bucket {
	o, _ := origin.Of(u)
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.buckets[o]
	if b == nil {
		if len(h.buckets) >= mostHosts {
			h.forget(now)
		}
		b = &bucket{limiter: rate.NewLimiter(rate.Limit(h.perSecond), h.burst)}
		h.buckets[o] = b
	}
	b.used = now
	return b
}

// forget drops the buckets that are full, which lose nothing by it; if there is none, the one used longest ago.
func (h *hostBuckets) forget(now time.Time) {
	before := len(h.buckets)
	maps.DeleteFunc(h.buckets, func(_ origin.Origin, b *bucket) bool { return b.full(now) })
	if len(h.buckets) < before {
		return
	}
	var oldest origin.Origin
	var used time.Time
	for o, b := range h.buckets {
		if used.IsZero() || b.used.Before(used) {
			oldest, used = o, b.used
		}
	}
	delete(h.buckets, oldest)
}

// bucket is the token bucket of one host, and the queue before it. Only the first in the queue has a reservation: were
// there one for each, then a crowd that gives up together would leave its reservations behind, which a limiter takes
// back only from the last one, and the host would stay shut for as long as the whole crowd would have taken.
type bucket struct {
	used time.Time // guarded by hostBuckets.mu

	mu      sync.Mutex
	limiter *rate.Limiter
	queue   []*waiter
	token   *rate.Reservation // of the first in the queue
	due     time.Time         // when that token is there
}

// waiter is a request in the queue.
type waiter struct {
	since time.Time
	turn  chan time.Time // gets the time of its token when it is the first
}

// full reports whether the bucket is as good as a new one.
func (b *bucket) full(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue) == 0 && b.limiter.TokensAt(now) >= float64(b.limiter.Burst())
}

// join takes a token; if there is none, it returns the place in the queue where one is waited for. If that would take
// as long as the time that is left, or longer, nothing is taken, and ok is false.
func (b *bucket) join(left time.Duration) (w *waiter, delay time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if n := len(b.queue); n > 0 {
		delay = after(n, b.limiter.Limit(), max(0, b.due.Sub(now)))
		if delay >= left {
			return nil, delay, false
		}
		w = &waiter{since: now, turn: make(chan time.Time, 1)}
		b.queue = append(b.queue, w)
		return w, delay, true
	}
	token := b.limiter.ReserveN(now, 1)
	delay = token.DelayFrom(now)
	switch {
	case delay == 0:
		return nil, 0, true
	case delay >= left:
		token.CancelAt(now)
		return nil, delay, false
	}
	w = &waiter{since: now, turn: make(chan time.Time, 1)}
	b.queue = append(b.queue, w)
	b.token, b.due = token, now.Add(delay)
	w.turn <- b.due
	return w, delay, true
}

// after returns the time until n more tokens have fallen into the bucket when first has passed.
func after(n int, limit rate.Limit, first time.Duration) time.Duration {
	d := float64(n) / float64(limit) * float64(time.Second)
	if d >= float64(math.MaxInt64-first) {
		return math.MaxInt64
	}
	return first + time.Duration(d)
}

// await waits until the token of w is there, or gives its place up when the context ends.
func (b *bucket) await(ctx context.Context, w *waiter) error {
	var due time.Time
	select {
	case due = <-w.turn:
	case <-ctx.Done():
		b.leave(w)
		return wait.Ended(ctx)
	}
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
		b.pass()
		return nil
	case <-ctx.Done():
		b.leave(w)
		return wait.Ended(ctx)
	}
}

// pass takes the first out of the queue, with its token, and reserves one for the next. The reservation counts from the
// moment of the last token, and not from now: a goroutine that wakes up late does not slow down those behind it.
func (b *bucket) pass() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = slices.Delete(b.queue, 0, 1)
	if len(b.queue) == 0 {
		return
	}
	next := b.queue[0]
	from := b.due
	if next.since.After(from) {
		from = next.since
	}
	b.token = b.limiter.ReserveN(from, 1)
	b.due = from.Add(b.token.DelayFrom(from))
	next.turn <- b.due
}

// leave takes w out of the queue. What the first has reserved goes to the next, or back into the bucket.
func (b *bucket) leave(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.queue, w)
	b.queue = slices.Delete(b.queue, i, i+1)
	switch {
	case i > 0:
	case len(b.queue) > 0:
		b.queue[0].turn <- b.due
	default:
		b.token.CancelAt(time.Now())
	}
}
