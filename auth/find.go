package auth

import (
	"fmt"
	"iter"
)

var errNilAuthenticator = fmt.Errorf("%w: the Authenticator is nil; auth.None() stands for none", ErrNoCredential)

// Find returns what implements T among a and the Authenticators that it wraps, in the order in which they apply. A T
// answers for all it wraps, so the search does not go on below it. Nil has nothing to find.
func Find[T any](a Authenticator) iter.Seq[T] {
	return func(yield func(T) bool) { find(a, yield) }
}

// find reports whether the search goes on.
func find[T any](a Authenticator, yield func(T) bool) bool {
	if a == nil {
		return true
	}
	if t, ok := a.(T); ok {
		return yield(t)
	}
	for _, inner := range unwrap(a) {
		if !find(inner, yield) {
			return false
		}
	}
	return true
}

// unwrap returns what a wraps, nil members included.
func unwrap(a Authenticator) []Authenticator {
	switch a := a.(type) {
	case interface{ Unwrap() Authenticator }:
		return []Authenticator{a.Unwrap()}
	case interface{ Unwrap() []Authenticator }:
		return a.Unwrap()
	default:
		return nil
	}
}

// Validate tells everything that is known to be wrong with a: the faults of each [Validator] among it and the
// Authenticators that it wraps, joined. The built-in ones validate their providers and token sources too, if these
// have a Validate() error method. A nil Authenticator or provider is an error: anonymity is spelled [None].
func Validate(a Authenticator) error {
	if a == nil {
		return fail("", errNilAuthenticator)
	}
	if v, ok := a.(Validator); ok {
		return fail("", v.Validate())
	}
	var faults []error
	for _, inner := range unwrap(a) {
		faults = append(faults, Validate(inner))
	}
	return failAll("", faults...)
}

// Bind returns what a becomes on host: what its Bind method returns if it is a [Binder], and else a itself. If a is
// no Binder but wraps one, that is an error: the wrapper would go on using the one that is not bound.
//
// The result is to be closed if a is a Binder and the result an [io.Closer].
func Bind(a Authenticator, host Host) (Authenticator, error) {
	if a == nil {
		return nil, fail("", errNilAuthenticator)
	}
	if b, ok := a.(Binder); ok {
		bound, err := b.Bind(host)
		if err == nil && bound == nil {
			err = fmt.Errorf("%T was bound to nil", a)
		}
		if err != nil {
			return nil, fail("", err)
		}
		return bound, nil
	}
	for b := range Find[Binder](a) {
		return nil, fail("", fmt.Errorf("%T wraps %T, which has a Bind method, and has none itself", a, b))
	}
	return a, nil
}
