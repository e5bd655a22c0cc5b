package request

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/internal/retrytime"
)

// Stage names the step at which a request failed. Each error of this package matches its stage: errors.Is(err,
// StageSend).
type Stage string //nolint:errname // a target of errors.Is, and no error of its own

// The steps of a request, in their order.
const (
	// StageBuild means that the request is wrong; nothing was sent.
	StageBuild Stage = "build" //nolint:errname // a Stage
	// StageAuth means that there is no credential for the request.
	StageAuth Stage = "auth" //nolint:errname // a Stage
	// StageSend means that no response came.
	StageSend Stage = "send" //nolint:errname // a Stage
	// StageStatus means that the response is not a success.
	StageStatus Stage = "status" //nolint:errname // a Stage
	// StageRead means that the body of the response broke off, or is too large.
	StageRead Stage = "read" //nolint:errname // a Stage
	// StageDecode means that the body is not what was asked for.
	StageDecode Stage = "decode" //nolint:errname // a Stage
	// StagePage means that a page is there, and what follows it is not asked for.
	StagePage Stage = "page" //nolint:errname // a Stage
	// StageSave means that a file could not be written.
	StageSave Stage = "save" //nolint:errname // a Stage
)

// Error lets a Stage be the target of errors.Is.
func (s Stage) Error() string { return string(s) }

// ErrTooLarge means that a response body is longer than [connection.WithMaxBody] allows.
var ErrTooLarge = errors.New("the response body is longer than WithMaxBody allows")

// Error says which request failed, at which stage, and why. Its text holds no query, no body and no secret.
type Error struct {
	Stage  Stage
	Method string
	// URL is without query, and with the template in the place of a secret path.
	URL string
	// Attempts is the number of attempts that were made.
	Attempts int
	Err      error
}

func (e *Error) Error() string {
	request := strings.TrimSpace(redact.Printable(e.Method) + " " + e.URL)
	if request == "" {
		return e.Err.Error()
	}
	return request + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches the stage.
func (e *Error) Is(target error) bool { return target == e.Stage }

// Status is the target of errors.Is that any [*ResponseError] with that status matches.
//
//	if errors.Is(err, request.Status(404)) { ... }
type Status int //nolint:errname // the same

// Error lets a Status be the target of errors.Is.
func (s Status) Error() string { return statusText(int(s)) }

func statusText(code int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code)))
}

// ResponseError is a response that is not a success. Its text holds status, method and URL, and nothing that the server
// wrote.
type ResponseError struct {
	Status int
	Header http.Header `json:"-"`
	// Body is the beginning of the response body, up to 64 KiB.
	Body   []byte `json:"-"`
	Method string
	// URL is without query, and with the template in the place of a secret path.
	URL string
	// History holds all attempts, oldest first; this response is the last.
	History []connection.Attempt
	// Err says more than the status: what the function given to Check returned, a [*DownloadError], and so on; nil if the
	// status alone decided.
	Err error

	codec connection.Codec
}

func (e *ResponseError) Error() string {
	text := e.Method + " " + e.URL + ": " + statusText(e.Status)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	n := len(e.History)
	if n > 1 {
		text += fmt.Sprintf(" (after %d attempts)", n)
	}
	if n > 0 && e.History[n-1].Stopped != "" {
		text += " (not tried again: " + e.History[n-1].Stopped + ")"
	}
	return text
}

// Format writes the text of Error for every verb: what the server wrote may hold secrets.
func (e *ResponseError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// Unwrap returns Err and, if the service says that the token is not sufficient, an [*auth.StepUpError].
func (e *ResponseError) Unwrap() []error {
	var causes []error
	if e.Err != nil {
		causes = append(causes, e.Err)
	}
	if lack := auth.StepUp(e.Status, e.Header); lack != nil {
		causes = append(causes, lack)
	}
	return causes
}

// Is matches [StageStatus], and a [Status] of the same number.
func (e *ResponseError) Is(target error) bool {
	return target == StageStatus || target == Status(e.Status)
}

// DecodeError is a successful response whose body is not what was asked for.
type DecodeError struct {
	Status      int
	Header      http.Header `json:"-"`
	ContentType string
	// Body is the beginning of the response body, up to 64 KiB.
	Body   []byte `json:"-"`
	Method string
	URL    string
	Err    error
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("%s %s: decode %d response of type %q: %s",
		e.Method, e.URL, e.Status, redact.Line(e.ContentType), redact.Line(e.Err.Error()))
}

// Format writes the text of Error for every verb: what the server wrote may hold secrets.
func (e *DecodeError) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// Unwrap returns the cause.
func (e *DecodeError) Unwrap() error { return e.Err }

// Is matches [StageDecode].
func (e *DecodeError) Is(target error) bool { return target == StageDecode }

// ErrorBody decodes the body of the [*ResponseError] in err: as JSON if its Content-Type says so, and otherwise with
// the codec of the request, whatever its Content-Type. It reports false where there is no such error, or no body that
// fits E. With application/problem+json E can be [Problem].
func ErrorBody[E any](err error) (E, bool) {
	var v, zero E
	re, ok := errors.AsType[*ResponseError](err)
	if !ok {
		return zero, false
	}
	codec := re.codec
	if media, _ := parseType(typeOf(re.Header)); !codec.IsJSON() && isFormat(connection.Codec{}, media) {
		codec = connection.Codec{}
	}
	if absence(codec, trimBOM(re.Body)) != nil || decodeValue(codec, slices.Clone(re.Body), &v) != nil {
		return zero, false
	}
	return v, true
}

// stageOf tells at which stage the pipeline failed. Before the first attempt nothing was sent.
func stageOf(err error, attempts int) Stage {
	_, isAuth := errors.AsType[*auth.Error](err)
	switch {
	case attempts == 0 && !isContext(err):
		return StageBuild
	case isAuth:
		return StageAuth
	}
	return StageSend
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// isolated returns the cause of an error of a request that has no response. An error of this package in it, as an
// authenticator or the source of a secret or a body may return it, is that of another request, and what it matches says
// nothing of this one.
func isolated(err error) error {
	_, failed := errors.AsType[*Error](err)
	_, refused := errors.AsType[*ResponseError](err)
	_, unread := errors.AsType[*DecodeError](err)
	if failed || refused || unread {
		return &inner{err}
	}
	return err
}

// inner hides the errors of this package that are in another.
type inner struct{ err error }

func (e *inner) Error() string { return e.err.Error() }

// Is lets everything through but stages and statuses.
func (e *inner) Is(target error) bool {
	switch target.(type) {
	case Stage, Status:
		return false
	}
	return errors.Is(e.err, target)
}

// As lets everything through but the errors of this package.
func (e *inner) As(target any) bool {
	switch target.(type) {
	case **Error, **ResponseError, **DecodeError:
		return false
	}
	return errors.As(e.err, target)
}

// passing reports whether a request that ended with err may have a better end later. Only err itself counts: an error
// inside it may be that of another request, as of the one that was to get a token.
func passing(err error) bool {
	switch e := err.(type) { //nolint:errorlint // see above
	case *ResponseError:
		return e.Status/100 == 5 || e.Status == http.StatusTooManyRequests
	case *Error:
		_, broken := errors.AsType[*connection.TransportError](err)
		_, late := errors.AsType[*connection.TimeoutError](err)
		_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
		return e.Stage == StageSend && (broken || late) && !untrusted
	}
	return false
}

// retryAfter returns how long the response that err stands for asks to wait; 0 if it does not.
func retryAfter(err error) time.Duration {
	e, ok := err.(*ResponseError) //nolint:errorlint // as in passing
	if !ok {
		return 0
	}
	asked, _ := retrytime.After(e.Header, time.Now())
	return asked
}

// amended returns a copy of err, which may be shared, with another cause.
func amended(err error, cause func(was error) error) error {
	switch e := err.(type) { //nolint:errorlint // as in passing
	case *ResponseError:
		c := *e
		c.Err = cause(c.Err)
		return &c
	case *Error:
		c := *e
		c.Err = cause(c.Err)
		return &c
	}
	return err
}
