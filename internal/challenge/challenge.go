// Package challenge reads the challenges in WWW-Authenticate and Proxy-Authenticate fields (RFC 9110, section 11.6.1).
package challenge

import (
	"net/http"
	"strings"
)

// What is read at most. What lies beyond is ignored.
const (
	maxInput      = 64 << 10 // bytes, in all fields together
	maxChallenges = 64
	maxParams     = 64 // of one challenge
)

// Challenge is one challenge. It has a Token68 or Params, or neither.
type Challenge struct {
	// Scheme is as it was written; case does not count.
	Scheme string
	// Token68 is what some schemes have in place of parameters, such as Negotiate (RFC 9110, section 11.2).
	Token68 string
	// Params are in the order in which they were written.
	Params []Param
}

// Param is one parameter of a challenge.
type Param struct {
	// Name is as it was written; case does not count.
	Name string
	// Value is without quotes and escapes.
	Value string
}

// Is reports whether the challenge is of that scheme, in any case.
func (c Challenge) Is(scheme string) bool { return strings.EqualFold(c.Scheme, scheme) }

// Param returns the value of the first parameter of that name, in any case; empty if there is none.
func (c Challenge) Param(name string) string {
	for _, p := range c.Params {
		if strings.EqualFold(p.Name, name) {
			return p.Value
		}
	}
	return ""
}

// Parse reads the values of all WWW-Authenticate fields of a message, in time linear to their length. Of a value that
// is malformed, what stands before the fault is returned, and the next value is read. Of the input, 64 KiB are read,
// of these 64 challenges, and 64 parameters of each.
func Parse(values []string) []Challenge {
	var all []Challenge
	left := maxInput
	for _, value := range values {
		if left <= 0 || len(all) >= maxChallenges {
			break
		}
		text := value
		if len(text) > left {
			// What the limit cuts through is not read: the name of a scheme may go on behind it. Within quotes, the
			// comma leaves a string without an end, which is not read either.
			text = text[:strings.LastIndexByte(text[:left], ',')+1]
		}
		left -= len(value)
		all, _ = (&parser{rest: text}).run(all)
	}
	return all
}

// ParseWhole is [Parse] for those who would answer a challenge: one in which there is a fault is left out, and so is a
// value that the limit of the input cuts. It reads the credentials of an Authorization field as well, which are written
// the same way (RFC 9110, section 11.6.2).
func ParseWhole(values []string) []Challenge {
	var all []Challenge
	left := maxInput
	for _, value := range values {
		if left -= len(value); left < 0 || len(all) >= maxChallenges {
			break
		}
		var whole bool
		if all, whole = (&parser{rest: value}).run(all); !whole {
			all = all[:len(all)-1]
		}
	}
	return all
}

// Error returns the error parameter of the challenges of that scheme, such as "insufficient_scope" (RFC 6750, section
// 3.1): the first that is not empty. header is that of a response.
func Error(header http.Header, scheme string) string {
	for _, c := range Parse(header.Values("WWW-Authenticate")) {
		if text := c.Param("error"); text != "" && c.Is(scheme) {
			return text
		}
	}
	return ""
}
