package auth

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/restconn/restconn/secrets"
)

// Token is an access token, and what came with it. It is shared by all who got it, so nobody changes it.
type Token struct {
	// Value is the text of the token.
	Value secrets.Value
	// Expiry is when the token ends. The zero time means that nobody knows.
	Expiry time.Time
	// Obtained is when the token was issued. The zero time stands for the moment at which a [Manager] first sees it.
	Obtained time.Time
	// RenewableFrom is the earliest time at which the server renews the token, for services that ask for an age. The
	// zero time means at once.
	RenewableFrom time.Time
	// Refresh is the refresh token (RFC 6749, section 1.5), and the zero Value if there is none.
	Refresh secrets.Value
	// Scopes are what was granted, if the server said so.
	Scopes []string
	// Extra holds other values of the answer by their name, such as an API host or a session id.
	Extra map[string]secrets.Value
}

// Want says what a token has to be good for. The zero Want is any token that is not expired.
type Want struct {
	// Not is the text of a token that the server rejected: the answer is another one, or an error. It is a condition
	// and not a command, so that of many callers that saw the same rejection only one renews, in this process and in
	// others. The zero Value excludes nothing.
	Not secrets.Value
	// MinTTL is how long the token has to be valid for, if its expiry is known.
	MinTTL time.Duration
}

// TokenSource is where tokens come from. It is asked once per attempt of a request, and is expected to keep what it
// got.
//
// Implementations are safe for concurrent use, and their errors hold no secret. ctx bounds that caller's wait and
// nobody else's. A source that cannot satisfy [Want].Not answers [ErrNotRenewable]; one that has no token at all
// answers [ErrNoToken]. After it answered a Want with another token, it keeps to that one.
type TokenSource interface {
	Token(ctx context.Context, want Want) (*Token, error)
}

// SourceBinder is a TokenSource that needs something of the connection that asks it.
type SourceBinder interface {
	TokenSource
	// BindSource returns a source that is bound to the host, and shares its tokens with the receiver. If it is an
	// io.Closer, whoever bound it closes it.
	BindSource(host Host) (TokenSource, error)
}

// Static returns the source of a token that was issued by other means, and that cannot be renewed. The provider is
// asked each time, so that a token that is replaced where it is kept is used without a restart; the expiry is
// unknown.
//
// An empty token is [ErrNoToken], at the time of the call. If the token is the one that was rejected, the answer is
// [ErrNotRenewable].
func Static(p secrets.Provider) TokenSource {
	return &static{description: "Static token", provider: p}
}

type static struct {
	description
	provider secrets.Provider
	last     atomic.Pointer[Token]
}

// Token implements [TokenSource].
func (s *static) Token(ctx context.Context, want Want) (*Token, error) {
	text, err := resolve(ctx, s.provider)
	switch {
	case err != nil:
		return nil, err
	case text == "":
		return nil, ErrNoToken
	case text == want.Not.Reveal():
		return nil, ErrNotRenewable
	}
	t := s.last.Load()
	if t == nil || t.Value.Reveal() != text {
		t = &Token{Value: secrets.Static(text)}
		s.last.Store(t)
	}
	return t, nil
}

// Validate implements [Validator].
func (s *static) Validate() error { return validateSource("token", s.provider) }

// tokenOf asks source for a token, which is never empty.
func tokenOf(ctx context.Context, source TokenSource, want Want) (*Token, error) {
	if source == nil {
		return nil, fmt.Errorf("%w: the token source is nil", ErrNoCredential)
	}
	t, err := source.Token(ctx, want)
	if err != nil {
		return nil, err
	}
	if t == nil || t.Value.Reveal() == "" {
		return nil, ErrNoToken
	}
	return t, nil
}
