package connection

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// Outcome is what a [Condition] judges. Exactly one of Response and Err is set.
type Outcome struct {
	// Request is the request of the call. It is not to be changed.
	Request *http.Request
	// Response is the answer. Its body is not to be read.
	Response *http.Response
	Err      error
	// Attempt counts from 1.
	Attempt int
}

// Condition tells which outcomes are worth another attempt. The zero Condition is [OnServerErrors].
//
//	connection.OnAny(connection.OnServerErrors(), connection.OnStatus(429))
type Condition struct {
	match func(Outcome) bool
	err   error
}

// OnServerErrors is the default: every status from 500 to 599, and network errors.
func OnServerErrors() Condition { return OnSeries(5) }

// OnAllErrors accepts every outcome but a 2xx: also 4xx, and 3xx that were not followed.
func OnAllErrors() Condition {
	return OnFunc(func(o Outcome) bool { return o.Err != nil || o.Response.StatusCode/100 != 2 })
}

// OnSeries accepts network errors and the statuses of whole series, from 1 to 5: 5 stands for 500 to 599. Of the
// informational series only 101 is ever seen by a client of net/http.
func OnSeries(series ...int) Condition {
	series = slices.Clone(series)
	c := OnFunc(func(o Outcome) bool { return o.Err != nil || slices.Contains(series, o.Response.StatusCode/100) })
	if len(series) == 0 || slices.Min(series) < 1 || slices.Max(series) > 5 {
		c.err = errors.New("OnSeries: a series is a number from 1 to 5; for single statuses use OnStatus")
	}
	return c
}

// OnStatus accepts network errors and the given statuses.
func OnStatus(codes ...int) Condition {
	codes = slices.Clone(codes)
	c := OnFunc(func(o Outcome) bool { return o.Err != nil || slices.Contains(codes, o.Response.StatusCode) })
	if len(codes) == 0 || slices.Min(codes) < leastStatus || slices.Max(codes) > mostStatus {
		c.err = errors.New("OnStatus: a status is a number from 100 to 999")
	}
	return c
}

// OnStatusRange accepts network errors and the statuses from first to last, both included.
func OnStatusRange(first, last int) Condition {
	c := OnFunc(func(o Outcome) bool {
		return o.Err != nil || first <= o.Response.StatusCode && o.Response.StatusCode <= last
	})
	if first < leastStatus || last < first || last > mostStatus {
		c.err = fmt.Errorf("OnStatusRange: %d to %d is no range of statuses", first, last)
	}
	return c
}

const leastStatus, mostStatus = 100, 999

// OnAny accepts what one of the conditions accepts.
func OnAny(conditions ...Condition) Condition {
	conditions = slices.Clone(conditions)
	c := OnFunc(func(o Outcome) bool {
		return slices.ContainsFunc(conditions, func(c Condition) bool { return c.accepts(o) })
	})
	if len(conditions) == 0 {
		c.err = errors.New("OnAny: there are no conditions")
	}
	for _, member := range conditions {
		c.err = errors.Join(c.err, member.err)
	}
	return c
}

// OnFunc accepts what f accepts. f is called by several goroutines at once.
func OnFunc(f func(Outcome) bool) Condition {
	if f == nil {
		return Condition{err: errors.New("OnFunc: the function is nil")}
	}
	return Condition{match: f}
}

func (c Condition) accepts(o Outcome) bool {
	if c.match == nil {
		c = OnServerErrors()
	}
	return c.match(o)
}
