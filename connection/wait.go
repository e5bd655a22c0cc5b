package connection

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Wait tells how long to wait before each retry: [Constant], [Exponential], [ExponentialFrom],
// [FullJitter].
type Wait interface {
	// start returns the delays of one call: backoff state is never shared.
	start() backoff.BackOff
	validate() error
	fmt.Stringer
}

// Constant waits d before every retry.
func Constant(d time.Duration) Wait { return constant(d) }

type constant time.Duration

func (c constant) start() backoff.BackOff { return backoff.NewConstantBackOff(time.Duration(c)) }

func (c constant) validate() error {
	if c < 0 {
		return errors.New("Constant: the delay is negative")
	}
	return nil
}

func (c constant) String() string { return "constant " + time.Duration(c).String() }

// Exponential waits 200 ms before the first retry and twice as long before each one after it, at most 30 s, and to each
// delay adds up to a fifth at random.
func Exponential() Wait { return ExponentialFrom(firstDelay, maxDelay) }

// ExponentialFrom is [Exponential] with a first and a greatest delay of your own.
func ExponentialFrom(first, longest time.Duration) Wait {
	return exponential{first: first, longest: longest}
}

const (
	firstDelay = 200 * time.Millisecond
	maxDelay   = 30 * time.Second
	growth     = 2
	// A delay of d with 0 to 20 % added is 1.1 d, give or take an eleventh of that.
	middle = 1.1
	spread = 1.0 / 11
)

// Delays returns the waits of one call, one after the other. It is for packages that try again on their own, as package
// request does.
func Delays(w Wait) func() time.Duration {
	if w == nil {
		w = constant(0)
	}
	delays := w.start()
	return func() time.Duration { return max(0, delays.NextBackOff()) }
}

type exponential struct{ first, longest time.Duration }

func (e exponential) start() backoff.BackOff {
	b := &backoff.ExponentialBackOff{
		InitialInterval:     scale(e.first),
		RandomizationFactor: spread,
		Multiplier:          growth,
		MaxInterval:         scale(e.longest),
		Clock:               backoff.SystemClock,
	}
	b.Reset()
	return b
}

// scale stays below what the delays could overflow at.
func scale(d time.Duration) time.Duration {
	return time.Duration(middle * float64(min(d, math.MaxInt64/growth)))
}

func (e exponential) validate() error {
	if e.first <= 0 || e.longest < e.first {
		return errors.New("ExponentialFrom: want 0 < first <= longest")
	}
	return nil
}

func (e exponential) String() string { return fmt.Sprintf("exponential %v to %v", e.first, e.longest) }

// FullJitter waits a random time before each retry: the first between 0 and first, and each one after it between 0 and
// twice as much, at most longest. Every time in between is as likely as any other, so that many clients which one fault
// has stopped do not come back together; the wait is half of that of [ExponentialFrom] on average, and may be none.
func FullJitter(first, longest time.Duration) Wait { return fullJitter{first: first, longest: longest} }

type fullJitter struct{ first, longest time.Duration }

// start makes delays of half the length, give or take all of that.
func (f fullJitter) start() backoff.BackOff {
	b := &backoff.ExponentialBackOff{
		InitialInterval:     f.first / growth,
		RandomizationFactor: 1,
		Multiplier:          growth,
		MaxInterval:         f.longest / growth,
		Clock:               backoff.SystemClock,
	}
	b.Reset()
	return b
}

func (f fullJitter) validate() error {
	if f.first <= 0 || f.longest < f.first {
		return errors.New("FullJitter: want 0 < first <= longest")
	}
	return nil
}

func (f fullJitter) String() string {
	return fmt.Sprintf("full jitter %v to %v", f.first, f.longest)
}
