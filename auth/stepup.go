package auth

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/restconn/restconn/internal/challenge"
	"github.com/restconn/restconn/internal/redact"
)

// StepUpError says that the token of a request is good, but not for this: the user has to allow more, or to
// authenticate in another way. Renewing the token would not help. It has what the login is to be for that would.
type StepUpError struct {
	// Code is "insufficient_scope" (RFC 6750, section 3.1) or "insufficient_user_authentication" (RFC 9470, section
	// 3).
	Code string
	// Scopes are those that the request needs, if the service has told.
	Scopes []string
	// ACRValues are the authentication context classes of which one is needed, the preferred one first.
	ACRValues []string
	// MaxAge is how long ago the user may have authenticated, if HasMaxAge says that there is a limit.
	MaxAge    time.Duration
	HasMaxAge bool
}

const (
	codeScope = "insufficient_scope"
	codeUser  = "insufficient_user_authentication"
)

// Error implements error.
func (e *StepUpError) Error() string {
	text := "the token is not sufficient: " + e.Code
	if len(e.Scopes) > 0 {
		text += ": scopes " + redact.Line(strings.Join(e.Scopes, " "))
	}
	return text
}

// StepUp returns what the answer of a service says that its token lacks, and nil if it says nothing of that kind. The
// result is to be compared with nil before it becomes an error: a nil *StepUpError in an error is not nil.
func StepUp(status int, header http.Header) *StepUpError {
	if status != http.StatusUnauthorized && status != http.StatusForbidden {
		return nil
	}
	return lack(header)
}

// lack is StepUp whatever the status.
func lack(header http.Header) *StepUpError {
	for _, c := range challenge.Parse(header.Values("WWW-Authenticate")) {
		code := c.Param("error")
		if code != codeScope && code != codeUser || !c.Is("Bearer") && !c.Is("DPoP") {
			continue
		}
		e := &StepUpError{Code: code, Scopes: words(c.Param("scope")), ACRValues: words(c.Param("acr_values"))}
		if age, err := strconv.ParseUint(c.Param("max_age"), 10, 31); err == nil {
			e.MaxAge, e.HasMaxAge = time.Duration(age)*time.Second, true // 68 years at most
		}
		return e
	}
	return nil
}

// words returns the words of a parameter that are of visible ASCII characters; of too many, or too long ones, none.
func words(text string) []string {
	const most, mostBytes = 100, 4 << 10
	all := strings.Fields(text)
	isForeign := func(r rune) bool { return r < ' ' || r >= 0x7f || r == '\\' || r == '"' }
	if len(all) > most || len(text) > mostBytes || strings.ContainsFunc(text, isForeign) {
		return nil
	}
	return all
}
