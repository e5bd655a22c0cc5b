package signing

import (
	"errors"

	"github.com/restconn/restconn/auth"
)

// What an [auth.Error] of this package may wrap, beside what package auth has.
var (
	// ErrBodyOnce says that the body can be read only once, so that it cannot be both signed and sent. Give a body that
	// can be opened again: request.Open in place of request.Once, or an http.Request with GetBody.
	ErrBodyOnce = errors.New("the body can be read only once, and has to be read twice to be signed: give one that " +
		"can be opened again (request.Open, or GetBody of an http.Request)")
	// ErrBodyTooLong says that the body is longer than what is signed in memory. A digest has no such limit.
	ErrBodyTooLong = errors.New("the body is too long to be signed as it is: raise MaxBody, or sign its digest")
)

// fail makes an [*auth.Error] of err, unless it is or wraps one already.
func fail(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*auth.Error](err); ok {
		return err
	}
	return &auth.Error{Scheme: "signing", Err: err}
}

// failAll joins faults, each as an [*auth.Error]. It is nil if all of them are.
func failAll(faults []error) error {
	failed := make([]error, len(faults))
	for i, fault := range faults {
		failed[i] = fail(fault)
	}
	return errors.Join(failed...)
}

// cause returns err without the scheme of another Authenticator that was put to use here.
func cause(err error) error {
	if e, ok := errors.AsType[*auth.Error](err); ok {
		return e.Err
	}
	return err
}
