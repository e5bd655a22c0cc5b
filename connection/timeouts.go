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

	// Dial bounds the making of a connection: looking up the name, TCP, and the handshakes with a proxy. The default is
	// 30 s. What is made for a request that has gone meanwhile has one more second. Dial, TLSHandshake and ResponseHeader
	// belong to the pool: they are set in [New], not on a request or a derived connection, and not beside WithTransport or
	// WithHTTPClient. They hold for token calls, too.
	Dial time.Duration
	// TLSHandshake bounds the TLS handshake with the service. The default is 10 s.
	TLSHandshake time.Duration
	// ResponseHeader bounds the time from the end of a request to the headers of its response. There is none by
	// default.
	ResponseHeader time.Duration
}

const (
	defaultAttempt      = 60 * time.Second
	defaultIdle         = 60 * time.Second
	defaultDial         = 30 * time.Second
	defaultTLSHandshake = 10 * time.Second
)

func defaultTimeouts() Timeouts {
	return Timeouts{
		Attempt: defaultAttempt, Total: NoTimeout, Idle: defaultIdle,
		Dial: defaultDial, TLSHandshake: defaultTLSHandshake, ResponseHeader: NoTimeout,
	}
}

func (t Timeouts) validate() error {
	if min(t.Attempt, t.Total, t.Idle, t.Dial, t.TLSHandshake, t.ResponseHeader) < 0 {
		return errors.New("a timeout is negative: use NoTimeout for no limit")
	}
	return nil
}

// ofPool reports whether one of the limits is set that belong to the pool.
func (t Timeouts) ofPool() bool { return t.Dial != 0 || t.TLSHandshake != 0 || t.ResponseHeader != 0 }

// over returns t with the fields that it leaves open taken from base.
func (t Timeouts) over(base Timeouts) Timeouts {
	pick := func(own, base time.Duration) time.Duration {
		if own == 0 {
			return base
		}
		return own
	}
	return Timeouts{
		Attempt:        pick(t.Attempt, base.Attempt),
		Total:          pick(t.Total, base.Total),
		Idle:           pick(t.Idle, base.Idle),
		Dial:           pick(t.Dial, base.Dial),
		TLSHandshake:   pick(t.TLSHandshake, base.TLSHandshake),
		ResponseHeader: pick(t.ResponseHeader, base.ResponseHeader),
	}
}

// shorter returns t with the limits of a call that are shorter in other.
func (t Timeouts) shorter(other Timeouts) Timeouts {
	t.Attempt = min(t.Attempt, other.Attempt)
	t.Total = min(t.Total, other.Total)
	t.Idle = min(t.Idle, other.Idle)
	return t
}
