package login

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// What an error of a login may be, to be matched with [errors.Is].
var (
	// ErrTokenNotFound says that there is no token where [Config].Token or Cookies expects it, or that it is no text.
	ErrTokenNotFound = errors.New("there is no token in the answer")
	// ErrBadExpiry says that there is no time where [Config].Expiry expects it.
	ErrBadExpiry = errors.New("there is no expiry in the answer, or none that can be read")
	// ErrValueNotFound says that there is no value where a [Step].Save expects it.
	ErrValueNotFound = errors.New("there is no value to save in the answer")
	// ErrRefused says that [Step].Ok is not true.
	ErrRefused = errors.New("the answer says that the step has failed")
)

// Error is a step of a login that failed. It holds no secret and nothing of the answer but its status. A status of 401
// or 403, and [ErrRefused], is [auth.ErrClientRejected]; a renewal that is refused, with no steps to fall back to, is
// [auth.ErrInvalidGrant].
type Error struct {
	// Step is the index of the step.
	Step int
	// Renew says that it is one of [Config].Renew.
	Renew bool
	// Status is that of the answer; 0 if there was none.
	Status int
	// RetryAfter is how long the server asks to wait; 0 if it does not.
	RetryAfter time.Duration
	// Err is the cause; nil if the status is all there is to say.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	steps := "Steps"
	if e.Renew {
		steps = "Renew"
	}
	text := fmt.Sprintf("login: %s[%d]", steps, e.Step)
	if e.Status != 0 {
		text += fmt.Sprintf(": the server answered with status %d", e.Status)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// MissingError names all names in templates that have no value. Nothing was sent.
type MissingError struct {
	// Names are sorted.
	Names []string
}

// Error implements error.
func (e *MissingError) Error() string {
	return "login: no value for " + strings.Join(e.Names, ", ") + ": set it in Params or in Secrets"
}

// ConfigError is one fault of a [Config].
type ConfigError struct {
	// Field is what is wrong, such as "Steps[0].Path".
	Field string
	// Err is the cause.
	Err error
}

// Error implements error.
func (e *ConfigError) Error() string { return "login: " + e.Field + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// masked is an error whose text had a secret in it. What it wraps is found, and not shown.
type masked struct {
	text string
	err  error
}

// Error implements error.
func (e *masked) Error() string { return e.text }

// Is lets errors.Is look further.
func (e *masked) Is(target error) bool { return errors.Is(e.err, target) }

// As lets errors.As look further.
func (e *masked) As(target any) bool { return errors.As(e.err, target) }

// RetryDelay returns RetryAfter. An [auth.Manager] heeds it.
func (e *Error) RetryDelay() time.Duration { return e.RetryAfter }
