package auth

import "errors"

// What an [Error] may wrap, to be matched with [errors.Is].
var (
	// ErrNoCredential says that a credential is missing: a nil Authenticator or provider, an empty key, an empty
	// user.
	ErrNoCredential = errors.New("no credential")
	// ErrNoToken says that a [TokenSource] had no token, or an empty one.
	ErrNoToken = errors.New("no token")
	// ErrNotRenewable says that the server rejected a token and that its [TokenSource] has no other.
	ErrNotRenewable = errors.New("the token was rejected and cannot be renewed")
	// ErrMalformed says that a credential holds bytes that its place cannot carry, or too many of them.
	ErrMalformed = errors.New("malformed credential")
	// ErrInvalidGrant says that the server refuses what the exchange was made with: a refresh token, an assertion, a
	// password that is wrong, expired or revoked (RFC 6749, section 5.2).
	ErrInvalidGrant = errors.New("invalid grant")
	// ErrClientRejected says that the server refuses the client as it is configured (RFC 6749, section 5.2).
	ErrClientRejected = errors.New("the client was rejected")
	// ErrLoginRequired says that there is no token and no way to one without a user, or without a new configuration:
	// there never was one, or it was revoked, or lost in a crash.
	ErrLoginRequired = errors.New("a login is required")
	// ErrNoSubject says that the context of a call has no subject, see [WithSubject], and that the manager keeps
	// tokens for subjects only, see [PerSubject].
	ErrNoSubject = errors.New("the context has no subject: use auth.WithSubject")
	// ErrClosed says that the [Manager], or the connection that it was bound to, is closed.
	ErrClosed = errors.New("closed")
	// ErrParameterSet says that the request already has the query parameter that the credential is written to.
	ErrParameterSet = errors.New("query parameter is already set")
)

// Error is a credential that could not be put on a request, or that could not work at all. The request was not sent,
// or not sent again, and a retry would not help. It never holds a secret.
type Error struct {
	// Scheme names the scheme, such as "basic", "apikey" or "bearer". It is empty if there is none.
	Scheme string
	// Err is the cause.
	Err error
}

// Error implements error. The text begins with "auth: " and the scheme.
func (e *Error) Error() string {
	text := "auth"
	if e.Scheme != "" {
		text += ": " + e.Scheme
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// fail makes an [*Error] of err, unless it is or wraps one already.
func fail(scheme string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{Scheme: scheme, Err: err}
}

// failAll joins faults, each as an [*Error]. It is nil if all of them are.
func failAll(scheme string, faults ...error) error {
	failed := make([]error, len(faults))
	for i, fault := range faults {
		failed[i] = fail(scheme, fault)
	}
	return errors.Join(failed...)
}

// LoginRequiredError is the [ErrLoginRequired] of a [Manager], with what is needed to begin the login.
type LoginRequiredError struct {
	// Key is whose token is missing: its Subject is the user who has to log in.
	Key Key
	// Grant is that of the manager. One that takes a user has a Begin method, as *oauth2flow.AuthorizationCode has.
	Grant Grant
	// Err is the cause.
	Err error
}

// Error implements error.
func (e *LoginRequiredError) Error() string {
	if e.Err == nil {
		return ErrLoginRequired.Error()
	}
	return e.Err.Error()
}

// Unwrap returns the cause.
func (e *LoginRequiredError) Unwrap() error { return e.Err }
