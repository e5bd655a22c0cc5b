package retrytime

import (
	"strings"
	"time"
)

// maxRateLimit is longer than any RateLimit field that says anything of use.
const maxRateLimit = 4096

// rateLimit reads RateLimit fields (draft-ietf-httpapi-ratelimit-headers), and returns the longest time until a quota
// that is used up is there again. The field is a list of quotas with parameters, "policy";r=0;t=10; in earlier versions
// it was a dictionary with one quota, limit=100, remaining=0, reset=10.
func rateLimit(values []string, limited bool) (longest time.Duration, found bool) {
	var old quota
	for _, v := range values {
		if len(v) > maxRateLimit {
			continue
		}
		for member := range split(v, ',') {
			q := newQuota(member)
			old.merge(member)
			if q.usedUp(limited) {
				longest, found = max(longest, q.reset), true
			}
		}
	}
	if old.usedUp(limited) {
		longest, found = max(longest, old.reset), true
	}
	return longest, found
}

// quota is what a RateLimit field says of one quota.
type quota struct {
	left, reset        time.Duration // left is a number, with the second as its unit
	leftKnown, isReset bool
}

// newQuota reads a member of a list: its parameters r and t.
func newQuota(member string) quota {
	var q quota
	first := true
	for part := range split(member, ';') {
		if name, value, ok := strings.Cut(part, "="); ok && !first {
			q.set(strings.TrimSpace(name), value, "r", "t")
		}
		first = false
	}
	return q
}

// merge takes over a member of a dictionary, without its parameters.
func (q *quota) merge(member string) {
	for part := range split(member, ';') {
		if name, value, ok := strings.Cut(part, "="); ok {
			q.set(strings.TrimSpace(name), value, "remaining", "reset")
		}
		return
	}
}

func (q *quota) set(name, value, left, reset string) {
	n, ok := number(strings.TrimSpace(value), time.Second)
	switch {
	case !ok:
	case name == left:
		q.left, q.leftKnown = n, true
	case name == reset:
		q.reset, q.isReset = n, true
	}
}

// usedUp reports whether it is known when the quota is there again, and nothing of it is left.
func (q *quota) usedUp(limited bool) bool {
	if q.leftKnown {
		return q.isReset && q.left == 0
	}
	return q.isReset && limited
}

// split yields the parts of v between separators that are not in a string (RFC 9651, section 3.3.3).
func split(v string, separator byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		quoted, begin := false, 0
		for i := 0; i < len(v); i++ {
			switch {
			case quoted && v[i] == '\\':
				i++
			case v[i] == '"':
				quoted = !quoted
			case v[i] == separator && !quoted:
				if !yield(v[begin:i]) {
					return
				}
				begin = i + 1
			}
		}
		yield(v[begin:])
	}
}
