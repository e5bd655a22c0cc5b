package connection

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/restconn/restconn/internal/redact"
)

// Sentinels for errors.Is.
var (
	// ErrClosed is returned by every call after [Connection.Close].
	ErrClosed = errors.New("connection is closed")
	// ErrNotReplayable means that a request would have to be sent again, or might have to, and its body can be read only
	// once.
	ErrNotReplayable = errors.New("the body can be read only once, and may be needed again: open it anew for every " +
		"attempt (request.Open, or GetBody of an http.Request), or send it with NoRetry")
	// ErrNoTestPath is returned by [Connection.Test] of a connection without [WithTestPath].
	ErrNoTestPath = errors.New("no test path is set: use WithTestPath")
	// ErrInsecure means that a credential would have gone over plain http to another machine.
	ErrInsecure = errors.New("credentials are not sent over plain http: use https, or WithInsecureHTTP")
	// ErrTooManyRedirects means that the server redirected more often than [WithMaxRedirects] allows.
	ErrTooManyRedirects = errors.New("too many redirects")
)

// OptionError says which option of [New], [Connection.With] or a [Call] is wrong, and why. It holds no option value.
type OptionError struct {
	// Option is the name of the option, such as "WithRetry", or "base URL".
	Option string
	Err    error
}

// errUnmade is the fault of a Connection that is the zero value.
var errUnmade = &OptionError{Option: "connection", Err: errors.New("it was not made by New")}

// optionURL names the URL of a call in an OptionError.
const optionURL = "URL"

func (e *OptionError) Error() string { return fmt.Sprintf("connection: %s: %v", e.Option, e.Err) }
func (e *OptionError) Unwrap() error { return e.Err }

// OriginError means that a URL lies outside the connection's origins, or that a host is none of [WithBaseHosts].
// Nothing was sent.
type OriginError struct {
	// Origin is the foreign origin, Home the connection's own.
	Origin, Home string
}

func (e *OriginError) Error() string {
	return fmt.Sprintf("%s is not an origin of this connection (%s): "+
		"name it in WithTrustedOrigins, or send the request bare with auth.None()", redact.Printable(e.Origin), e.Home)
}

// RedirectError means that a redirect was not followed because it would have been unsafe or endless.
type RedirectError struct {
	// Status is the status of the redirect; Host the host it points to, if that could be read.
	Status int
	Host   string
	Err    error
}

func (e *RedirectError) Error() string {
	if e.Host == "" {
		return fmt.Sprintf("redirect %d: %v", e.Status, e.Err)
	}
	return fmt.Sprintf("redirect %d to %s: %v", e.Status, e.Host, e.Err)
}

func (e *RedirectError) Unwrap() error { return e.Err }

// Phase names one of the time limits of [Timeouts].
type Phase string

// The phases of a call that have a limit.
const (
	PhaseAttempt Phase = "attempt"
	PhaseTotal   Phase = "total"
	PhaseIdle    Phase = "idle"
	PhaseDial    Phase = "dial"
	PhaseTLS     Phase = "TLS handshake"
	PhaseHeader  Phase = "response header"
)

// TimeoutError means that one of the connection's own limits passed. errors.Is(err, context.DeadlineExceeded) holds.
// A deadline of the caller's context is not a TimeoutError.
type TimeoutError struct {
	Phase Phase
	Limit time.Duration
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%s timeout of %v passed", e.Phase, e.Limit)
}

// Is makes errors.Is(err, context.DeadlineExceeded) true.
func (e *TimeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// Timeout implements [net.Error].
func (e *TimeoutError) Timeout() bool { return true }

// Temporary implements [net.Error].
func (e *TimeoutError) Temporary() bool { return true }

// Attempt is what became of one attempt of a call.
type Attempt struct {
	// Status is 0 where no response came.
	Status int
	// Err is nil where a response came.
	Err error
	// Duration is how long the attempt took, up to the headers of its response. It is measured where there are retries.
	Duration time.Duration
	// Wait is the wait that followed, as it was meant even if it was cut short; 0 for the last attempt.
	Wait time.Duration
	// Stopped says why there was no further attempt, where the policy would have had another.
	Stopped string
}

func (a Attempt) String() string {
	if a.Err != nil {
		return a.Err.Error()
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status)))
}

// RetryError is returned when a call was tried more than once, or ended while it waited for that, or could not be tried
// again although the policy would have it, and no response is left to return.
type RetryError struct {
	// History holds all attempts, oldest first.
	History []Attempt
	// Err is what ended the call: the error of the last attempt, or the end of the caller's context.
	Err error
}

func (e *RetryError) Error() string {
	text := e.Err.Error()
	if parts := causes(e.History); len(e.History) != 1 {
		text += fmt.Sprintf(" (after %d attempts: %s)", len(e.History), strings.Join(parts, "; "))
	} else if parts[0] != text {
		text += " (after 1 attempt: " + parts[0] + ")"
	}
	if n := len(e.History); n > 0 && e.History[n-1].Stopped != "" {
		text += " (not tried again: " + e.History[n-1].Stopped + ")"
	}
	return text
}

// Timeout reports whether what ended the call is a timeout, so that an error of a client of net/http says so, too.
func (e *RetryError) Timeout() bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.Err)
	return ok && t.Timeout()
}

// causes returns what became of the attempts, with a count where it was the same several times in a row.
func causes(history []Attempt) []string {
	var parts []string
	for i := 0; i < len(history); {
		text, n := history[i].String(), 1
		for i+n < len(history) && history[i+n].String() == text {
			n++
		}
		if i += n; n > 1 {
			text = fmt.Sprintf("%d x %s", n, text)
		}
		if len(parts) == mostCauses {
			return append(parts, "and so on")
		}
		parts = append(parts, text)
	}
	return parts
}

// mostCauses is how many causes the text of a RetryError has; its History has all.
const mostCauses = 10

// Unwrap returns what ended the call, and the causes of all attempts.
func (e *RetryError) Unwrap() []error {
	errs := []error{e.Err}
	for _, a := range e.History {
		if a.Err != nil {
			errs = append(errs, a.Err)
		}
	}
	return errs
}
