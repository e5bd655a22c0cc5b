package connection

import (
	"errors"
	"math"
	"time"
)

// NoTimeout in a field of [Timeouts] means that there is no such limit.
const NoTimeout = time.Duration(math.MaxInt64)

// Timeouts are the limits of a call. They compose with each other, with those of the request and with the deadline of
// the caller's context: the shortest wins, and the [TimeoutError] names it. A zero field leaves what was there
// before; a negative one is an error.
type Timeouts struct {
	// Attempt bounds one attempt. Where the answer is decoded it covers the attempt whole, with the body; on a stream it
	// covers all up to the response headers. The default is 60 s.
	Attempt time.Duration
	// Total bounds a call with all its attempts and waits; on a stream, up to the response headers. There is none by
	// default.
	Total time.Duration
	// Idle is the longest time without a byte while a request body of unknown length or more than 64 KiB is being sent,
	// and while a read of an open stream is waiting. There it takes the place of Attempt. The default is 60 s.
	Idle time.Duration
}

const (
	defaultAttempt = 60 * time.Second
	defaultIdle    = 60 * time.Second
)

func (t Timeouts) validate() error {
	if t.Attempt < 0 || t.Total < 0 || t.Idle < 0 {
		return errors.New("a timeout is negative: use NoTimeout for no limit")
	}
	return nil
}

// over returns t with the fields that it leaves open taken from base.
func (t Timeouts) over(base Timeouts) Timeouts {
	pick := func(own, base time.Duration) time.Duration {
		if own == 0 {
			return base
		}
		return own
	}
	return Timeouts{
		Attempt: pick(t.Attempt, base.Attempt),
		Total:   pick(t.Total, base.Total),
		Idle:    pick(t.Idle, base.Idle),
	}
}

// shorter returns the shorter of each pair of limits.
func (t Timeouts) shorter(other Timeouts) Timeouts {
	return Timeouts{
		Attempt: min(t.Attempt, other.Attempt),
		Total:   min(t.Total, other.Total),
		Idle:    min(t.Idle, other.Idle),
	}
}
