package connection

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/internal/wait"
)

// WithRateLimit sends at most perSecond requests a second to one host, and at most burst at once. A host is scheme,
// name and port; it has a bucket of burst tokens, into which perSecond tokens fall in a second. Every attempt and every
// redirect that is followed takes one, before the attempt middleware, and waits for it in the order of arrival; the
// resend after a challenge and token calls take none. By default there is no limit.
//
// A wait ends with the context of the call, and its token is then the next one's. It does not count towards
// [Timeouts].Attempt, which starts anew after it, but towards Total. If it would outlast Total or the deadline of the
// context, the call ends at once with a [*RateLimitError], and nothing is sent.
//
// Derived connections share the buckets, unless they are given a WithRateLimit of their own. At most 1024 hosts are
// remembered: beyond that, those whose buckets are full are forgotten, or else the one used longest ago.
func WithRateLimit(perSecond float64, burst int) Option {
	return option{"WithRateLimit", func(cfg *config) error {
		var errs []error
		if !(perSecond > 0) || math.IsInf(perSecond, 0) { // also where it is not a number
			errs = append(errs, errors.New("the rate is not a positive finite number"))
		}
		if burst < 1 {
			errs = append(errs, errors.New("the burst is less than 1: no request could ever be sent"))
		}
		if len(errs) > 0 {
			return errors.Join(errs...)
		}
		cfg.hosts = newHostBuckets(perSecond, burst)
		return nil
	}}
}

// RateLimitError means that a request was not sent because its wait for [WithRateLimit] would have outlasted
// [Timeouts].Total or the deadline of the context. It is not retried. errors.Is(err, context.DeadlineExceeded) holds.
type RateLimitError struct {
	// Host is the host and, if it was given, the port that the request was for.
	Host string
	// Wait is how long the wait would have been.
	Wait time.Duration
}

func (e *RateLimitError) Error() string {
	return fmt.Sprintf("the rate limit for %s asks for a wait of %v, which would outlast the time that the call has: "+
		"nothing was sent", e.Host, e.Wait)
}

// Is makes errors.Is(err, context.DeadlineExceeded) true.
func (e *RateLimitError) Is(target error) bool { return target == context.DeadlineExceeded }

// Timeout implements [net.Error].
func (e *RateLimitError) Timeout() bool { return true }

// Temporary implements [net.Error].
func (e *RateLimitError) Temporary() bool { return true }

// rateStage lets each hop wait for a token of its host.
type rateStage struct {
	next  http.RoundTripper
	hosts *hostBuckets
}

func (s rateStage) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req)
	if x == nil {
		return nil, refuse(req, errContext)
	}
	if err := s.wait(req.Context(), x, req.URL); err != nil {
		return nil, refuse(req, err)
	}
	return s.next.RoundTrip(req)
}

// wait takes a token, and waits until it is there.
func (s rateStage) wait(ctx context.Context, x *Exchange, u *url.URL) error {
	if ctx.Err() != nil {
		return wait.Ended(ctx)
	}
	b := s.hosts.of(u)
	w, delay, ok := b.join(x.timeLeft(ctx))
	if !ok {
		return &RateLimitError{Host: redact.Printable(u.Host), Wait: delay}
	}
	if w == nil {
		return nil
	}
	x.attempt.hold()
	defer x.attempt.resume()
	return b.await(ctx, w)
}

// timeLeft returns how much time a request has until the deadline of its context or the total limit.
func (x *Exchange) timeLeft(ctx context.Context) time.Duration {
	left := NoTimeout
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	if x.total != nil {
		left = min(left, time.Until(x.total.ends))
	}
	return left
}

// String describes the limit; "" if there is none.
func (h *hostBuckets) String() string {
	if h == nil {
		return ""
	}
	return strconv.FormatFloat(h.perSecond, 'g', -1, 64) + " per second and host, burst " + strconv.Itoa(h.burst)
}
