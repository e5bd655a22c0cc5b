package signing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/restconn/restconn/auth"
)

// Func makes an [auth.Authenticator] of a function that signs: it reads what it needs from the [Request], and writes
// the signature with [Request.SetHeader] or [Request.AddQuery]. It is called once per attempt; ctx is that of the
// request.
//
// It is safe for concurrent use if the function is. Its errors become [*auth.Error] with scheme "signing", and have to
// hold no secret. A nil Func is an error.
type Func func(ctx context.Context, r *Request) error

var _ interface {
	auth.Authenticator
	auth.Validator
} = Func(nil)

var errNilFunc = errors.New("the function is nil")

// Authenticate implements [auth.Authenticator].
func (f Func) Authenticate(req *http.Request) error {
	if f == nil {
		return fail(errNilFunc)
	}
	r, err := newRequest(req)
	if err != nil {
		return fail(err)
	}
	if err := f(req.Context(), r); err != nil {
		return fail(err)
	}
	return failAll(r.faults)
}

// Validate implements [auth.Validator].
func (f Func) Validate() error {
	if f == nil {
		return fail(errNilFunc)
	}
	return nil
}

// String implements [fmt.Stringer].
func (f Func) String() string { return "signing.Func" }

// signer is what the constructors return.
type signer struct {
	description string // without secrets
	faults      []error
	sign        Func
}

// Authenticate implements [auth.Authenticator].
func (s *signer) Authenticate(req *http.Request) error {
	if len(s.faults) > 0 {
		return failAll(s.faults)
	}
	return s.sign.Authenticate(req)
}

// Validate implements [auth.Validator].
func (s *signer) Validate() error { return failAll(s.faults) }

// String implements [fmt.Stringer].
func (s *signer) String() string { return s.description }

// Format implements [fmt.Formatter], so that no verb reaches the other fields.
func (s *signer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.description) }
