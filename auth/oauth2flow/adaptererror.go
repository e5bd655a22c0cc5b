package oauth2flow

import (
	"errors"
	"fmt"
	"regexp"

	"golang.org/x/oauth2"

	"github.com/restconn/restconn/internal/redact"
)

// SourceError says that an [oauth2.TokenSource] failed. Its text holds nothing that a server wrote but the error code
// (RFC 6749, section 5.2); the cause, whose own text may print the answer of the server, is there for [errors.As].
type SourceError struct {
	// Code is the error code of the server, such as invalid_grant; empty if there is none.
	Code string
	// Status is the status of the server's answer; 0 if there is none.
	Status int
	// Err is the cause, such as an [*oauth2.RetrieveError].
	Err error
}

// Error implements error.
func (e *SourceError) Error() string {
	const begin = "oauth2flow: the oauth2 source failed"
	if _, ok := errors.AsType[*oauth2.RetrieveError](e.Err); ok {
		text := begin
		if e.Status != 0 {
			text += fmt.Sprintf(": status %d", e.Status)
		}
		if e.Code != "" {
			text += ": " + e.Code
		}
		return text
	}
	if e.Err == nil {
		return begin
	}
	return begin + ": " + redact.Line(redact.Wire(e.Err).Error())
}

// Unwrap returns the cause, and what the code means to a manager: [auth.ErrInvalidGrant] or [auth.ErrClientRejected].
func (e *SourceError) Unwrap() []error {
	if meaning := meaningOf(e.Code); meaning != nil {
		return []error{meaning, e.Err}
	}
	return []error{e.Err}
}

// errorCode is what an error code looks like. Others may be anything, and are not shown.
var errorCode = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

func newSourceError(err error) *SourceError {
	e := &SourceError{Err: err}
	r, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return e
	}
	if r.Response != nil {
		e.Status = r.Response.StatusCode
	}
	if errorCode.MatchString(r.ErrorCode) {
		e.Code = r.ErrorCode
	}
	return e
}
