package bench

import (
	"context"
	"slices"
	"sync"
	"time"
)

// StormCallers is how many goroutines want a token at once.
const StormCallers = 1000

// Storm is many callers who want a token at once, each for a request of his own.
type Storm struct {
	Name string
	// Note says what the figures do not.
	Note string

	lifetime, age time.Duration // of the token that is there before; without a lifetime there is none
	pause         time.Duration // between that token and the storm
	latency       time.Duration // of an exchange in the storm
	err           error         // of the same
	deadline      time.Duration // of each caller; 0 for none
	leads         bool          // one more caller has begun an exchange before
	cancel        time.Duration // when he is cancelled; 0 for not at all
}

// Storms returns the storms. That of [StormValid] is what others are compared with.
func Storms() []Storm {
	const latency = 50 * time.Millisecond
	return []Storm{
		{Name: StormValid, lifetime: goodLifetime, latency: latency},
		{
			Name: StormExpired, Note: "the token has ended; an exchange takes 50 ms",
			lifetime: 250 * time.Millisecond, pause: 300 * time.Millisecond, latency: latency,
		},
		{
			Name: StormExpiring,
			Note: "of a lifetime of 5 s, 1.2 s are left; an exchange takes 50 ms. Within 30 s of the last one azcore makes" +
				" none as long as the token has not ended",
			lifetime: 5 * time.Second, age: 3800 * time.Millisecond, latency: latency,
		},
		{
			Name:    StormFailing,
			Note:    "there is no token; an exchange fails after 50 ms, and from the first second on at once, to come to an end",
			latency: latency, err: errDown,
		},
		{
			Name:    StormCancel,
			Note:    "one more caller has begun the exchange of 50 ms, and is cancelled after 20 ms; he is not among the failed",
			latency: latency, leads: true, cancel: 20 * time.Millisecond,
		},
		{
			Name:    StormWaiter,
			Note:    "one more caller has begun an exchange of 500 ms, and the others wait for 100 ms: all of them should fail",
			latency: 500 * time.Millisecond, leads: true, deadline: 100 * time.Millisecond,
		},
	}
}

// FindStorm returns the storm of that name.
func FindStorm(name string) (Storm, bool) {
	storms := Storms()
	i := slices.IndexFunc(storms, func(s Storm) bool { return s.Name == name })
	if i < 0 {
		return Storm{}, false
	}
	return storms[i], true
}

// Outcome is what became of a storm.
type Outcome struct {
	// Latencies are how long after the beginning of the storm each caller was done, in order.
	Latencies []time.Duration
	// Failed is how many of them got no token.
	Failed int
	// Requests is how many exchanges there were, and Wasted how many of them were broken off.
	Requests, Wasted int
	// LeaderBack is how long the caller who was cancelled took to return.
	LeaderBack time.Duration
}

// Run lets the callers loose on a peer.
func (s Storm) Run(ctx context.Context, spec TokenSpec) (Outcome, error) {
	var issuer Issuer
	peer := spec.New(issuer.Obtain)
	defer peer.Close()
	if s.lifetime > 0 {
		issuer.reset(s.lifetime, s.age, 0, nil)
		if err := authorize(ctx, peer); err != nil {
			return Outcome{}, err
		}
		time.Sleep(s.pause)
	}
	issuer.reset(0, 0, s.latency, s.err)
	out := s.run(ctx, peer, issuer.began)
	time.Sleep(s.latency) // for what goes on in the background
	out.Requests, out.Wasted = issuer.counts()
	return out, nil
}

func (s Storm) run(ctx context.Context, peer TokenPeer, began <-chan struct{}) Outcome {
	lead, cancel := context.WithCancel(ctx)
	defer cancel()
	back := make(chan time.Time, 1)
	if s.leads {
		go func() {
			_ = authorize(lead, peer)
			back <- time.Now()
		}()
		<-began
	}
	wait := s.start(ctx, peer)
	var cancelled time.Time
	if s.cancel > 0 {
		time.Sleep(s.cancel)
		cancelled = time.Now()
		cancel()
	}
	out := wait()
	if s.leads {
		end := <-back
		if s.cancel > 0 {
			out.LeaderBack = end.Sub(cancelled)
		}
	}
	return out
}

// start sends the callers off, and returns a function that waits for them.
func (s Storm) start(ctx context.Context, peer TokenPeer) (wait func() Outcome) {
	latencies := make([]time.Duration, StormCallers)
	errs := make([]error, StormCallers)
	gate := make(chan struct{})
	var begin time.Time
	var all sync.WaitGroup
	for i := range StormCallers {
		all.Go(func() {
			<-gate
			errs[i] = s.call(ctx, peer)
			latencies[i] = time.Since(begin)
		})
	}
	begin = time.Now()
	close(gate)
	return func() Outcome {
		all.Wait()
		slices.Sort(latencies)
		served := 0
		for _, err := range errs {
			if err == nil {
				served++
			}
		}
		return Outcome{Latencies: latencies, Failed: StormCallers - served}
	}
}

// call is what one caller does.
func (s Storm) call(ctx context.Context, peer TokenPeer) error {
	if s.deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.deadline)
		defer cancel()
	}
	return authorize(ctx, peer)
}
