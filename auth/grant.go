package auth

import (
	"context"
	"errors"
)

// Grant is one way to get a token: a grant of OAuth 2.0, a login request, or a function of one's own. It keeps
// nothing: that is what [Manage] is for.
//
// Implementations are safe for concurrent use, honour ctx, read no answer without a limit, and their errors hold no
// secret.
type Grant interface {
	// Obtain makes one exchange. prev is the token that is to be replaced, with its refresh token if it has one; nil
	// if there is none. An answer that brings no new refresh token while the old one stays good returns the old one.
	//
	// ctx ends with the [RenewalLimit], and not with a caller. [Subject] of it is whose token is wanted. Its other
	// values are those of whichever caller began the exchange: without [PerSubject] the token is for all, so nothing
	// about a caller may be taken from them.
	//
	// An error that is [ErrInvalidGrant] or [ErrClientRejected] says what a repetition would say as well. All others
	// are taken for a passing fault; one with a method RetryDelay() time.Duration says how long the server wants to
	// be left alone. A token beside an error is not used, but its refresh token is kept: the old one may be used up.
	Obtain(ctx context.Context, prev *Token) (*Token, error)
	// Traits tells what the manager has to know.
	Traits() Traits
}

// Traits tell how a [Grant] may be used.
type Traits struct {
	// OneTime says that an exchange uses up what it is made with, so that it is never repeated and, where several
	// processes share a store, made by one of them alone. An exchange of a token with a refresh token always is.
	OneTime bool
	// Interactive says that the first token takes a user. Obtain without a token to renew fails with
	// [ErrLoginRequired].
	Interactive bool
	// Retryable says that an exchange may be repeated at once after a passing fault, see [Retries].
	Retryable bool
	// Config identifies the configuration: tokens of two configurations never meet in a store. It is a hash, or a
	// text without secrets.
	Config string
}

// GrantBinder is a Grant that sends its calls with the client of the connection that asks, unless it was given one of
// its own.
type GrantBinder interface {
	Grant
	// BindGrant returns the grant as it works for the host. If it is an io.Closer, whoever bound it closes it.
	BindGrant(host Host) (Grant, error)
}

// Revoker is a Grant that can tell the server that a token is no longer needed (RFC 7009).
type Revoker interface {
	Revoke(ctx context.Context, t *Token) error
}

// GrantFunc makes a [Grant] of a function. It is not one-time unless the tokens that it returns have refresh tokens.
type GrantFunc func(ctx context.Context, prev *Token) (*Token, error)

var errNilGrant = errors.New("the grant is nil")

// Obtain implements [Grant].
func (f GrantFunc) Obtain(ctx context.Context, prev *Token) (*Token, error) {
	if f == nil {
		return nil, errNilGrant
	}
	return f(ctx, prev)
}

// Traits implements [Grant].
func (GrantFunc) Traits() Traits { return Traits{Retryable: true} }

// Validate implements [Validator].
func (f GrantFunc) Validate() error {
	if f == nil {
		return errNilGrant
	}
	return nil
}

// String implements [fmt.Stringer].
func (GrantFunc) String() string { return "GrantFunc" }
