package oauth2flow

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// fail answers in place of a login that failed. Of the error, the default shows what the authorization server says to
// the user, and nothing else.
func (l *WebLogin) fail(w http.ResponseWriter, req *http.Request, status int, err error) {
	if l.web.Failed != nil {
		l.web.Failed(w, req, err)
		return
	}
	text := failedText(status)
	if refusal, ok := errors.AsType[*CallbackError](err); ok {
		text = refusal.told()
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}

// told is what a user is told. The texts are in one line of printable characters each.
func (e *CallbackError) told() string {
	parts := []string{"The login was refused.", e.Code, e.Description}
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), " ")
}

// failedText is what a user is told.
func failedText(status int) string {
	switch status {
	case http.StatusForbidden:
		return "This request is refused."
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return "The login server did not do its part. Please try again later."
	case http.StatusInternalServerError:
		return "Something is wrong on this side. Please try again later."
	}
	return "No login belongs to this request. Please begin again."
}

// answerStatus is the status of a request that brings no answer.
func answerStatus(err error) int {
	switch {
	case errors.Is(err, errAnswerType):
		return http.StatusUnsupportedMediaType
	case errors.Is(err, errAnswerSize):
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// loginStatus is the status of a login that failed. begun says that the answer belongs to one.
func loginStatus(err error, begun bool) int {
	_, refused := errors.AsType[*CallbackError](err)
	_, unsent := errors.AsType[*secrets.Error](err)
	switch {
	case refused, errors.Is(err, ErrState), errors.Is(err, ErrIssuer), errors.Is(err, ErrCallback):
		return http.StatusBadRequest
	case !begun, unsent, errors.Is(err, auth.ErrNoCredential): // the PendingStore, or the secret of the client
		return http.StatusInternalServerError
	}
	return serverStatus(err)
}

// serverStatus is the status of a call to the authorization server that failed.
func serverStatus(err error) int {
	if errors.Is(err, context.DeadlineExceeded) {
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

// keepStatus is the status of a token that could not be kept.
func keepStatus(err error) int {
	if errors.Is(err, auth.ErrNoSubject) {
		return http.StatusForbidden
	}
	return http.StatusInternalServerError
}
