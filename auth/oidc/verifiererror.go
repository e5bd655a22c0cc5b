package oidc

import "errors"

// Reasons for which an ID token, or what goes with it, is refused, to be matched with [errors.Is]. Other reasons, such
// as a claim that is missing, have a text only.
var (
	// ErrKeys says that the provider's keys cannot be fetched, so that nothing is known of the token.
	ErrKeys = errors.New("the keys of the provider cannot be fetched")
	// ErrSignature says that the token is not signed with a key of the provider, or not in a way that is allowed.
	ErrSignature = errors.New("its signature is not one of the provider")
	// ErrIssuer says that a token, or metadata, are of another issuer.
	ErrIssuer = errors.New("it is of another issuer")
	// ErrAudience says that the token is not for this client, or not for it alone.
	ErrAudience = errors.New("it is not for this client alone")
	// ErrExpired says that the token has expired.
	ErrExpired = errors.New("it has expired")
	// ErrNonce says that the token does not belong to this login.
	ErrNonce = errors.New("its nonce is not the one of this login")
	// ErrSubject says that the token of a renewal, or userinfo, is of another user.
	ErrSubject = errors.New("the subject is not the one that the ID token has named")
	// ErrAuthentication says that the user has authenticated too long ago, or not in the way that was asked for.
	ErrAuthentication = errors.New("the user's authentication is not what was asked for")

	errSize = errors.New("it is larger than 64 KiB")
	errForm = errors.New("it is not a signed token of three parts (RFC 7515, section 7.1); " +
		"encrypted ones are not supported")
	errRefused = errors.New("a claim is malformed, or there twice in different case")
)

// IDTokenError is an ID token that is refused. It holds nothing of the token but names of claims.
type IDTokenError struct {
	// Err is the reason.
	Err error
}

// Error implements error.
func (e *IDTokenError) Error() string { return "oidc: the ID token is refused: " + e.Err.Error() }

// Unwrap returns Err.
func (e *IDTokenError) Unwrap() error { return e.Err }
