package secrets

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// First returns the Provider that asks the given ones in turn, at every call, and answers with the first secret it
// gets.
//
// It goes on to the next after [ErrNotFound] only; any other error is returned at once, so that a fault of the
// preferred place is not hidden by what an outdated one still holds. [ErrEmpty] is such a fault. If none has the
// secret, the error names all references, and wraps what each of them said. No provider at all, and a nil one, is
// [ErrInvalid].
func First(providers ...Provider) Provider { return first(slices.Clone(providers)) }

type first []Provider

// Secret implements [Provider].
func (f first) Secret(ctx context.Context) (Value, error) {
	if err := f.fault(); err != nil {
		return Value{}, err
	}
	missing := make(notFoundError, 0, len(f))
	for _, p := range f {
		v, err := p.Secret(ctx)
		if err == nil {
			return v, nil
		}
		err = wrap(reference(p), err)
		if !errors.Is(err, ErrNotFound) {
			return Value{}, err
		}
		missing = append(missing, err)
	}
	return Value{}, &Error{Ref: f.String(), Err: missing}
}

// Validate implements [Validator]. It joins the faults of all providers.
func (f first) Validate() error {
	if err := f.fault(); err != nil {
		return err
	}
	var faults []error
	for _, p := range f {
		faults = append(faults, Validate(p))
	}
	return errors.Join(faults...)
}

// fault returns what is wrong with f itself.
func (f first) fault() error {
	if len(f) == 0 {
		return &Error{Ref: f.String(), Err: invalid("there is no provider")}
	}
	if i := slices.Index(f, nil); i >= 0 {
		return &Error{Ref: f.String(), Err: invalid("provider " + strconv.Itoa(i+1) + " is nil")}
	}
	return nil
}

// String returns the references of all providers: "first(env:API_PASS, file:/run/secrets/api-pass)".
func (f first) String() string {
	refs := make([]string, len(f))
	for i, p := range f {
		refs[i] = reference(p)
	}
	return "first(" + strings.Join(refs, ", ") + ")"
}

// notFoundError holds what each provider of a [First] said.
type notFoundError []error

func (e notFoundError) Error() string   { return "none of them has the secret" }
func (e notFoundError) Unwrap() []error { return e }
