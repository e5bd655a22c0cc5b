package auth

import (
	"fmt"
	"net/http"
	"slices"
)

// RejectionOption is an option of [Bearer] and [TokenFunc].
type RejectionOption interface {
	BearerOption
	statuses() []int
}

// RejectedBy sets the statuses that say that the token was rejected, in place of 401: some services answer with 403
// or 400. Each is from 400 to 499.
func RejectedBy(statuses ...int) RejectionOption { return rejectedBy(slices.Clone(statuses)) }

type rejectedBy []int

func (o rejectedBy) String() string  { return fmt.Sprintf("RejectedBy%v", []int(o)) }
func (o rejectedBy) statuses() []int { return o }
func (rejectedBy) ofBearer()         {}

// rejections are the statuses that say that a token was rejected: 401 if there are none.
type rejections []int

// rejectionsOf returns what the option sets.
func rejectionsOf(o RejectionOption) (rejections, error) {
	r := rejections(o.statuses())
	if len(r) == 0 || slices.ContainsFunc(r, func(status int) bool { return status < 400 || status > 499 }) {
		return r, fmt.Errorf("%v: the statuses are from 400 to 499", o)
	}
	return r, nil
}

// include reports whether the answer says that the token was rejected, and that another would not be as well: one
// that lacks a scope would (see [StepUpError]).
func (r rejections) include(resp *http.Response) bool {
	known := resp.StatusCode == http.StatusUnauthorized
	if len(r) > 0 {
		known = slices.Contains(r, resp.StatusCode)
	}
	return known && lack(resp.Header) == nil
}
