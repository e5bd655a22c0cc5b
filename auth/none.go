package auth

import "net/http"

// None returns the Authenticator of requests that carry no credential. Anonymity is always spelled out: a nil
// Authenticator is an error.
func None() Authenticator { return none{} }

// IsNone reports whether a is [None], or an [All] of nothing else.
func IsNone(a Authenticator) bool {
	switch a := a.(type) {
	case none:
		return true
	case *all:
		for _, member := range a.members {
			if !IsNone(member) {
				return false
			}
		}
		return len(a.members) > 0
	default:
		return false
	}
}

type none struct{}

// Authenticate implements [Authenticator]. It does nothing.
func (none) Authenticate(*http.Request) error { return nil }

// String implements [fmt.Stringer].
func (none) String() string { return "None" }
