package oauth2flow

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/secrets"
)

// fail answers in place of a login that failed. ctx has the subject, if it is known. Of the error, the default shows
// what the authorization server says to the user, and what is wrong with the return of the request.
func (l *WebLogin) fail(ctx context.Context, w http.ResponseWriter, req *http.Request, status int, err error) {
	l.log(ctx, status, err)
	if l.web.Failed != nil {
		l.web.Failed(w, req, status, err)
		return
	}
	text := failedText(status)
	if refusal, ok := errors.AsType[*CallbackError](err); ok {
		text = refusal.told()
	} else if status == http.StatusBadRequest && errors.Is(err, errReturn) {
		text = "The parameter return is wrong: a path on this site is wanted, such as /orders/7."
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") //nolint:gosec // plain text, which no browser takes for anything else
}

// log writes the record of a login that failed.
func (l *WebLogin) log(ctx context.Context, status int, err error) {
	logger := l.web.Logger
	if logger == nil {
		logger = slog.Default() //nolint:forbidigo // as Web.Logger says: else a wrong secret would be seen by nobody
	}
	logger.LogAttrs(context.WithoutCancel(ctx), slog.LevelWarn, "login failed",
		slog.Int("status", status), slog.String("error", redact.Line(err.Error())),
		slog.String("subject", redact.Line(auth.Subject(ctx))))
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
	case errors.Is(err, ErrOtherUser):
		return http.StatusForbidden
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
