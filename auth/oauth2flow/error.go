package oauth2flow

import (
	"cmp"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/oauth2"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/internal/retrytime"
	"github.com/restconn/restconn/internal/tokencall"
)

// Faults of an answer, to be matched with [errors.Is].
var (
	// ErrRedirect says that the server redirects. Token calls are not sent elsewhere.
	ErrRedirect = tokencall.ErrRedirect
	// ErrTooLarge says that an answer has more than 1 MiB.
	ErrTooLarge = tokencall.ErrTooLarge
	// ErrTokenType says that the token is of a type that is not accepted, see [Client].AcceptTokenTypes.
	ErrTokenType error = &misfit{"the token is of another type than Bearer; AcceptTokenTypes accepts others"}
	// ErrScopes says that fewer scopes were granted than [Client].RequireScopes asks for, or more than there were
	// before a refresh.
	ErrScopes error = &misfit{"the granted scopes are not those that were asked for"}
)

// misfit is an answer that does not fit the configuration, so that a repetition brings the same.
type misfit struct{ text string }

// Error implements error.
func (e *misfit) Error() string { return e.text }

// Is makes it an [auth.ErrClientRejected].
func (*misfit) Is(target error) bool { return target == auth.ErrClientRejected }

const (
	mostCode        = 64
	mostDescription = 200
)

// Error is an answer that is an error (RFC 6749, section 5.2): of a status that is no success, or one that says so
// itself. It matches [auth.ErrInvalidGrant] or [auth.ErrClientRejected] by its code. Without a code it says nothing
// about the client or the grant, whatever its status. [*oauth2.RetrieveError] is found in it too, without a body.
//
// What the server wrote is in one line of printable characters, and the secrets of the request are masked in it.
type Error struct {
	// URL is where the call was sent, without its query.
	URL string
	// Status is the HTTP status.
	Status int
	// Code is such as "invalid_grant"; empty if there is none.
	Code string
	// Description is the beginning of what the server says about it, at most 200 bytes.
	Description string
	// URI leads to more, if the server says so. It has at most 200 bytes.
	URI string
	// RetryAfter is how long the server wants to be left alone; 0 if it has not said.
	RetryAfter time.Duration
}

// Error implements error.
func (e *Error) Error() string {
	text := "oauth2flow: " + cmp.Or(e.URL, "the authorization server") + " answered " + strconv.Itoa(e.Status)
	if e.Code != "" {
		text += ": " + e.Code
	}
	if e.Description != "" {
		text += ": " + e.Description
	}
	switch e.Code {
	case "invalid_client":
		text += "; check ID, Secret and Auth: InBody() or InHeader()"
	case "unauthorized_client", "unsupported_grant_type":
		text += "; the client may not use this grant at this server"
	}
	return text
}

// Unwrap returns the error of package oauth2 and, by the code, a sentinel of package auth.
func (e *Error) Unwrap() []error {
	all := []error{&oauth2.RetrieveError{
		Response: &http.Response{
			Status:     strconv.Itoa(e.Status) + " " + http.StatusText(e.Status),
			StatusCode: e.Status,
			Header:     make(http.Header),
			Body:       http.NoBody,
		},
		ErrorCode:        e.Code,
		ErrorDescription: e.Description,
		ErrorURI:         e.URI,
	}}
	if meaning := meaningOf(e.Code); meaning != nil {
		all = append(all, meaning)
	}
	return all
}

// meaningOf returns what an error code means to a manager (RFC 6749, section 5.2); nil for a passing fault.
func meaningOf(code string) error {
	switch code {
	case "invalid_grant":
		return auth.ErrInvalidGrant
	case "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope":
		return auth.ErrClientRejected
	}
	return nil
}

// AnswerError is an answer that is none of an authorization server: another format, a redirect, a token that cannot
// be used. It shows nothing of the answer. [ErrTokenType] and [ErrScopes] match [auth.ErrClientRejected]: a
// repetition would bring the same.
type AnswerError struct {
	// URL is where the call was sent, without its query.
	URL string
	// Status is the HTTP status.
	Status int
	// Err says what is wrong, such as [ErrNotJSON], [ErrRedirect], [ErrTooLarge], [ErrTokenType] or [ErrScopes].
	Err error
}

// Error implements error.
func (e *AnswerError) Error() string {
	text := "oauth2flow: the answer of " + cmp.Or(e.URL, "the authorization server") +
		", of status " + strconv.Itoa(e.Status) + ", cannot be used"
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *AnswerError) Unwrap() error { return e.Err }

// unusable returns the error of an answer that cannot be used because of err.
func unusable(a *tokencall.Answer, req *tokenRequest, err error) *AnswerError {
	return &AnswerError{URL: req.shown(), Status: a.Status, Err: err}
}

// refusal returns the error that an answer is. o is nil if its body cannot be read.
func refusal(a *tokencall.Answer, o *object, req *tokenRequest) *Error {
	scrub := req.scrubber()
	e := &Error{URL: req.shown(), Status: a.Status}
	e.RetryAfter, _ = retrytime.After(a.Header, a.Received)
	if o == nil {
		return e
	}
	if code, _ := o.scalar("error"); len(code) <= mostCode && redact.Line(scrub.Echo(code)) == code {
		e.Code = code
	}
	description, _ := o.text("error_description")
	e.Description = excerpt(description, scrub)
	uri, _ := o.text("error_uri")
	e.URI = excerpt(uri, scrub)
	return e
}

// excerpt returns the beginning of what a server wrote, in one line and without secrets.
func excerpt(text string, scrub redact.Scrubber) string {
	line := redact.Printable(scrub.Echo(text))
	if len(line) <= mostDescription {
		return line
	}
	const mark = "[...]"
	return cut(line, mostDescription-len(mark)) + mark
}

// cut returns at most n bytes of text, in whole characters.
func cut(text string, n int) string {
	for n > 0 && text[n]&0xc0 == 0x80 {
		n--
	}
	return text[:n]
}

// RetryDelay returns RetryAfter. An [auth.Manager] heeds it.
func (e *Error) RetryDelay() time.Duration { return e.RetryAfter }
