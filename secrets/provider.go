package secrets

import (
	"context"
	"fmt"
)

// Provider is a place where a secret comes from. It is asked once per attempt of a request, so that a rotated secret
// is used without a restart.
//
// Implementations are safe for concurrent use, honour ctx, and return an [*Error] that names the reference and never
// the text. They may be a [Validator] too.
type Provider interface {
	Secret(ctx context.Context) (Value, error)
}

// Validator is a Provider that can tell at once that it was given nonsense, such as an empty name. Validate reads no
// secret and does no I/O.
type Validator interface {
	Validate() error
}

// Validate returns what can be told to be wrong with p without asking it for the secret: that it is nil, or the error
// of its own Validate method if it has one. It is for those who are given a Provider: authenticators call it from
// their own Validate, and connection.New calls that.
func Validate(p Provider) error {
	if p == nil {
		return &Error{Err: invalid("the provider is nil")}
	}
	if v, ok := p.(Validator); ok {
		return wrap(reference(p), v.Validate())
	}
	return nil
}

// Func makes a [Provider] of a function. An error that holds no [*Error] is wrapped in one. A nil Func answers with
// an error that is [ErrInvalid].
type Func func(ctx context.Context) (Value, error)

// Secret implements [Provider]: it calls f.
func (f Func) Secret(ctx context.Context) (Value, error) {
	if err := f.Validate(); err != nil {
		return Value{}, err
	}
	v, err := f(ctx)
	if err != nil {
		return Value{}, wrap(f.String(), err)
	}
	return v, nil
}

// Validate implements [Validator].
func (f Func) Validate() error {
	if f == nil {
		return &Error{Ref: f.String(), Err: invalid("the function is nil")}
	}
	return nil
}

// String returns "func", the reference in errors.
func (f Func) String() string { return "func" }

// reference returns the name of p in errors. Of a provider from elsewhere it is the type: its String method may not
// be as discreet as ours.
func reference(p Provider) string {
	switch p.(type) {
	case nil:
		return "nil"
	case Value:
		return "static"
	case Func, env, file, first, *cached:
		return fmt.Sprint(p)
	}
	return fmt.Sprintf("%T", p)
}
