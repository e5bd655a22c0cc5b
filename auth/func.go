package auth

import (
	"errors"
	"maps"
	"net/http"
)

// Func makes an Authenticator of a function, under the rules of [Authenticator].
//
//	sign := auth.Func(func(req *http.Request) error { req.Header.Set("X-Signature", mac(req)); return nil })
//
// A header that was there before has its old value afterwards: the caller's wins. What else the function does is up
// to it.
type Func func(req *http.Request) error

var errNilFunc = errors.New("the function is nil")

// Authenticate implements [Authenticator]. It calls f, and makes its error an [*Error].
func (f Func) Authenticate(req *http.Request) error {
	if f == nil {
		return fail("func", errNilFunc)
	}
	before := maps.Clone(req.Header)
	err := f(req)
	maps.Copy(req.Header, before)
	return fail("func", err)
}

// Validate implements [Validator]. A nil function is an error.
func (f Func) Validate() error {
	if f == nil {
		return fail("func", errNilFunc)
	}
	return nil
}

// String implements [fmt.Stringer].
func (f Func) String() string { return "Func" }
