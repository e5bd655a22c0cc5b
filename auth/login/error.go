package login

import (
	"errors"
	"fmt"
	"slices"
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
	// Where says for each of Names where it stands, such as "Steps[0].JSON".
	Where map[string][]string
	// Near has for each of Names the known name that is most like it, if there is one.
	Near map[string]string
}

// add notes a name.
func (e *MissingError) add(name string, places []string, near string) {
	if e.Where == nil {
		e.Where, e.Near = map[string][]string{}, map[string]string{}
	}
	if !slices.Contains(e.Names, name) {
		e.Names = append(e.Names, name)
		slices.Sort(e.Names)
	}
	for _, where := range places {
		if !slices.Contains(e.Where[name], where) { // BaseURL is of both plans
			e.Where[name] = append(e.Where[name], where)
		}
	}
	if near != "" {
		e.Near[name] = near
	}
}

// orNil returns the error if there is one.
func (e *MissingError) orNil() error {
	if len(e.Names) == 0 {
		return nil
	}
	return e
}

// Error implements error.
func (e *MissingError) Error() string {
	named := make([]string, len(e.Names))
	renews := false
	for i, name := range e.Names {
		more := e.Where[name]
		renews = renews || slices.ContainsFunc(more, func(where string) bool { return strings.HasPrefix(where, "Renew") })
		if near := e.Near[name]; near != "" {
			more = append(slices.Clip(more), "did you mean "+near+"?")
		}
		named[i] = name
		if len(more) > 0 {
			named[i] += " (" + strings.Join(more, ", ") + ")"
		}
	}
	text := "login: no value for " + strings.Join(named, ", ") + ": set it in Params or in Secrets"
	if renews {
		text += "; what the answers of a login tell is kept for Renew by Extra"
	}
	return text
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
