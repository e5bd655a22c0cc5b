package connection

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/restconn/restconn/internal/origin"
)

// RetryBudget bounds the retries to a host that fails all the time, so that they do not add to what it suffers from.
// Each host (origin: scheme, host name and port) has a bucket of tokens, which is full at the beginning. A retry
// takes Cost tokens, and where they are not there, there is no further attempt: the call ends with what is at hand,
// and [Attempt.Stopped] says why. A call that succeeds at the first attempt gives Refund tokens back, one that
// succeeds later the Cost of its last retry, as the SDKs of AWS have it. A field that is 0 has its default.
//
// A success is an answer that the policy does not retry, below 500, and neither 408 nor 429. Calls whose Max is 0
// neither take tokens nor give any. What is sent again within an attempt (after a challenge, after a redirect, by
// [Retry.Silent408]) costs nothing.
type RetryBudget struct {
	// Tokens is what a full bucket holds. The default is 500.
	Tokens int
	// Cost is what a retry takes. The default is 5, so that 100 retries empty a full bucket.
	Cost int
	// Refund is what a call that succeeds at the first attempt gives back. The default is 1.
	Refund int
}

const (
	defaultTokens = 500
	defaultCost   = 5
	defaultRefund = 1
	// mostTokens bounds what is counted, so that no sum overflows.
	mostTokens = 1 << 30
	// mostBuckets is how many hosts besides that of the base URL have a bucket at once. One of them is forgotten for
	// the next, and then has a full one again.
	mostBuckets = 256
)

// WithRetryBudget sets how many retries each host is sent. It applies to the retries of single requests as well. The
// default is RetryBudget{Tokens: 500, Cost: 5, Refund: 1}. The buckets are those of the connection and of all that
// are derived from it, unless one is given a budget of its own.
func WithRetryBudget(b RetryBudget) Option {
	return option{"WithRetryBudget", func(cfg *config) error {
		cfg.budget = newBudget(b)
		return cfg.budget.validate()
	}}
}

// WithoutRetryBudget lets every call retry as often as its policy says, however many fail.
func WithoutRetryBudget() Option {
	return option{"WithoutRetryBudget", func(cfg *config) error {
		cfg.budget = nil
		return nil
	}}
}

// budget holds the buckets of a connection and of those derived from it. A nil budget has no bounds.
type budget struct {
	RetryBudget

	home tokenBucket // of the base URL, where its host is always the same

	mu     sync.Mutex
	others map[origin.Origin]*tokenBucket // those that are not full
	used   atomic.Bool                    // somebody has asked for one of others
}

func newBudget(b RetryBudget) *budget {
	if b.Tokens == 0 {
		b.Tokens = defaultTokens
	}
	if b.Cost == 0 {
		b.Cost = defaultCost
	}
	if b.Refund == 0 {
		b.Refund = defaultRefund
	}
	return &budget{RetryBudget: b}
}

func (b *budget) validate() error {
	if b.Tokens < 0 || b.Cost < 0 || b.Refund < 0 || b.Tokens > mostTokens {
		return fmt.Errorf("a number is negative, or Tokens is greater than %d", mostTokens)
	}
	if b.Cost > b.Tokens {
		return errors.New("Cost is greater than Tokens, so that nothing would ever be retried: use NoRetry")
	}
	return nil
}

func (b *budget) String() string {
	if b == nil {
		return "none"
	}
	return fmt.Sprintf("%d tokens per host, %d per retry, %d back per success", b.Tokens, b.Cost, b.Refund)
}

// take takes the tokens for a retry to u; false if they are not there.
func (b *budget) take(c *Connection, u *url.URL) bool {
	switch {
	case b == nil:
		return true
	case c.isHome(u) && !c.roams:
		return b.home.take(b.Cost, b.Tokens)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used.Store(true)
	return b.bucket(c, u).take(b.Cost, b.Tokens)
}

// bucket returns the bucket of a host that is not written as that of the base URL is. The caller holds the lock.
func (b *budget) bucket(c *Connection, u *url.URL) *tokenBucket {
	o, _ := origin.Of(u) // what has none is never sent
	if o == c.home && !c.roams {
		return &b.home
	}
	if own := b.others[o]; own != nil {
		return own
	}
	if len(b.others) == mostBuckets { // the next one is as good as full: so it is with a host that nobody has asked
		for other := range b.others {
			delete(b.others, other)
			break
		}
	}
	if b.others == nil {
		b.others = make(map[origin.Origin]*tokenBucket)
	}
	own := new(tokenBucket)
	b.others[o] = own
	return own
}

// give gives tokens back to the bucket of u.
func (b *budget) give(c *Connection, u *url.URL, tokens int) {
	switch {
	case b == nil:
	case c.isHome(u) && !c.roams:
		b.home.give(tokens)
	case b.used.Load():
		b.mu.Lock()
		defer b.mu.Unlock()
		if own := b.bucket(c, u); own.give(tokens) {
			maps.DeleteFunc(b.others, func(_ origin.Origin, other *tokenBucket) bool { return other == own })
		}
	}
}

// tokenBucket counts the tokens that are missing, so that the zero bucket is a full one. It is safe for concurrent
// use.
type tokenBucket struct{ missing atomic.Int64 }

func (b *tokenBucket) take(tokens, capacity int) bool {
	for {
		missing := b.missing.Load()
		if missing+int64(tokens) > int64(capacity) {
			return false
		}
		if b.missing.CompareAndSwap(missing, missing+int64(tokens)) {
			return true
		}
	}
}

// give reports whether the bucket is full.
func (b *tokenBucket) give(tokens int) bool {
	for {
		missing := b.missing.Load()
		if missing == 0 {
			return true
		}
		left := max(0, missing-int64(tokens))
		if b.missing.CompareAndSwap(missing, left) {
			return left == 0
		}
	}
}
