package secrets

import (
	"errors"
	"fmt"
)

// Errors that an [*Error] wraps, for [errors.Is].
var (
	// ErrNotFound says that the place does not have the secret: an unset variable, a missing file. [First] goes on to
	// the next provider after this error and no other.
	ErrNotFound = errors.New("there is no such secret")
	// ErrEmpty says that there is nothing but white space where the secret should be.
	ErrEmpty = errors.New("the secret is empty or white space")
	// ErrTooLarge says that a file is larger than 64 KiB.
	ErrTooLarge = errors.New("the file is larger than 64 KiB")
	// ErrNotRegular says that a path leads to a directory, a pipe, a socket or a device.
	ErrNotRegular = errors.New("not a regular file")
	// ErrPermissions says that a file is open to others than its owner. It is not [io/fs.ErrPermission], which says
	// that the file is closed to this process.
	ErrPermissions = errors.New("the file is open to others")
	// ErrScheme says that a reference has no scheme, or one that [Parse] does not know.
	ErrScheme = errors.New("known references are env:NAME and file:/path")
	// ErrInvalid says that a provider cannot work in any environment: it was made of a nil function, an empty name, a
	// duration that is not positive. [Validate] finds it without asking for the secret.
	ErrInvalid = errors.New("invalid provider")
)

// Error tells from where a secret was to come and why it did not. It holds no secret.
type Error struct {
	// Ref is the reference, such as "env:API_PASS", "file:/run/secrets/api-pass" or "cached(func)". What could be a
	// secret that was pasted in the place of a reference is left out, so that Ref may be "env", or empty.
	Ref string
	// Err is the cause. It is never nil in an error of this package.
	Err error
}

// Error implements error: "secrets: env:API_PASS: there is no such secret: set the environment variable".
func (e *Error) Error() string {
	if e.Ref == "" {
		return fmt.Sprintf("secrets: %v", e.Err)
	}
	return fmt.Sprintf("secrets: %s: %v", e.Ref, e.Err)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// wrap returns err with the reference on it, unless err is nil or has one already.
func wrap(ref string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{Ref: ref, Err: err}
}

func invalid(why string) error { return fmt.Errorf("%w: %s", ErrInvalid, why) }
