package bench

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	goodLifetime = time.Hour

	// patience is how long after its beginning a storm goes on with exchanges that take their time: a peer that has
	// 1,000 callers ask one after the other would take a minute.
	patience = time.Second
)

var errDown = errors.New("the server of tokens is down")

// Issuer stands for the server of tokens. It counts the exchanges. The zero Issuer issues tokens that live for an hour,
// at once.
type Issuer struct {
	mu       sync.Mutex
	lifetime time.Duration // 0 for that of a good token
	age      time.Duration // of a token when it is issued
	latency  time.Duration
	err      error
	since    time.Time     // when the storm began
	began    chan struct{} // closed by the first exchange of the storm
	requests int
	wasted   int
}

// reset sets what is issued from now on, and begins to count.
func (i *Issuer) reset(lifetime, age, latency time.Duration, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lifetime, i.age, i.latency, i.err = lifetime, age, latency, err
	i.since, i.began = time.Now(), make(chan struct{})
	i.requests, i.wasted = 0, 0
}

// Obtain is an [Obtain].
func (i *Issuer) Obtain(ctx context.Context) (Issued, error) {
	latency, failure := i.enter()
	timer := time.NewTimer(latency)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		i.leave()
		return Issued{}, ctx.Err()
	}
	if failure != nil {
		return Issued{}, failure
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	obtained := time.Now().Add(-i.age)
	lifetime := i.lifetime
	if lifetime == 0 {
		lifetime = goodLifetime
	}
	return Issued{Text: AccessToken, Obtained: obtained, Expiry: obtained.Add(lifetime)}, nil
}

// enter counts an exchange, and returns how it goes.
func (i *Issuer) enter() (latency time.Duration, failure error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.requests++
	if i.requests == 1 && i.began != nil {
		close(i.began)
	}
	if time.Since(i.since) > patience {
		return 0, i.err
	}
	return i.latency, i.err
}

// leave counts an exchange that was broken off.
func (i *Issuer) leave() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.wasted++
}

// counts returns how many exchanges there were, and how many of them were broken off.
func (i *Issuer) counts() (requests, wasted int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.requests, i.wasted
}
