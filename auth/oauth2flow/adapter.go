package oauth2flow

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/oauth2"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/flight"
	"github.com/restconn/restconn/secrets"
)

// sourceLimit is how long a caller waits for an [oauth2.TokenSource].
const sourceLimit = 30 * time.Second

// FromOAuth2 makes a token source of one of golang.org/x/oauth2. It is asked each time, and nothing is kept here:
// give it one that keeps its token, such as that of [oauth2.ReuseTokenSource] or of a Config, or else use
// [OAuth2Grant]. Nothing else of that package is used: its transport would send the token wherever a redirect leads.
//
// An oauth2 source knows no context, so that a call of it cannot be ended. There is one call at a time, which all who
// come meanwhile share, and each of them waits no longer than its own context lasts, and at most 30 s.
//
// The answer is [auth.ErrNotRenewable] if it is the token that was rejected, and [auth.ErrNoToken] if it is empty or
// has expired; how long it is still valid cannot be asked for. A token of another type than Bearer is refused, since
// the API would misread it (RFC 6749, section 7.1). A failure of src is a [*SourceError]. A nil src is reported by
// Validate.
//
// It is safe for concurrent use if src is.
func FromOAuth2(src oauth2.TokenSource) auth.TokenSource {
	if src == nil {
		return &fromOAuth2{}
	}
	return &fromOAuth2{source: src.Token}
}

// OAuth2Grant makes a grant, for [auth.Manage], of a function that makes one exchange with golang.org/x/oauth2, such
// as the Token method of a clientcredentials.Config. A refresh token of the answer is not kept, since the function
// could not use it. Types, expired tokens and errors are treated as in [FromOAuth2]. The exchange is not repeated
// after a fault, because nobody knows what the function does. A nil exchange is reported by Validate.
func OAuth2Grant(exchange func(ctx context.Context) (*oauth2.Token, error)) auth.Grant {
	return oauth2Grant(exchange)
}

// ToOAuth2 makes a source for golang.org/x/oauth2, and for the libraries that take one. Token asks src each time,
// with ctx, which has to last as long as the source is used. The type is Bearer, and the expiry is that of the token.
// Do not wrap it in [oauth2.ReuseTokenSource], which would keep a token that src has replaced.
func ToOAuth2(ctx context.Context, src auth.TokenSource) oauth2.TokenSource {
	return toOAuth2(func() (*oauth2.Token, error) {
		if src == nil {
			return nil, fmt.Errorf("oauth2flow: %w: the token source is nil", auth.ErrNoCredential)
		}
		t, err := src.Token(ctx, auth.Want{})
		if err != nil {
			return nil, err
		}
		if t == nil || t.Value.Reveal() == "" {
			return nil, fmt.Errorf("oauth2flow: %w", auth.ErrNoToken)
		}
		return TokenToOAuth2(t), nil
	})
}

type toOAuth2 func() (*oauth2.Token, error)

// Token implements [oauth2.TokenSource].
func (f toOAuth2) Token() (*oauth2.Token, error) { return f() }

// String implements [fmt.Stringer].
func (toOAuth2) String() string { return "ToOAuth2" }

// fromOAuth2 asks an oauth2 source, one call at a time.
type fromOAuth2 struct {
	source func() (*oauth2.Token, error) // nil if there is none; a method value, where no dumper follows
	flight flight.Group[struct{}, *auth.Token]
}

// Token implements [auth.TokenSource].
func (s *fromOAuth2) Token(ctx context.Context, want auth.Want) (*auth.Token, error) {
	t, err := s.ask(ctx)
	if err != nil {
		return nil, err
	}
	if not := want.Not.Reveal(); not != "" && t.Value.Reveal() == not {
		return nil, auth.ErrNotRenewable
	}
	return t, nil
}

func (s *fromOAuth2) ask(ctx context.Context) (*auth.Token, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	// The limit is one on each wait and not on the call: a call that hangs is waited for again, instead of leaving it
	// behind and starting another.
	waiting, cancel := context.WithTimeout(ctx, sourceLimit)
	defer cancel()
	t, err := s.flight.Do(waiting, struct{}{}, sourceLimit, func(context.Context) (*auth.Token, error) {
		return answer(s.source())
	})
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("oauth2flow: no answer of the oauth2 source within %v: %w", sourceLimit, err)
	}
	return t, err
}

// Validate implements [auth.Validator].
func (s *fromOAuth2) Validate() error {
	if s.source == nil {
		return fmt.Errorf("oauth2flow: %w: the oauth2 source is nil", auth.ErrNoCredential)
	}
	return nil
}

// String implements [fmt.Stringer].
func (*fromOAuth2) String() string { return "FromOAuth2" }

type oauth2Grant func(ctx context.Context) (*oauth2.Token, error)

// Obtain implements [auth.Grant].
func (g oauth2Grant) Obtain(ctx context.Context, _ *auth.Token) (*auth.Token, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	t, err := answer(g(ctx))
	if err != nil {
		return nil, err
	}
	t.Refresh = secrets.Value{}
	return t, nil
}

// Traits implements [auth.Grant].
func (oauth2Grant) Traits() auth.Traits { return auth.Traits{Config: "golang.org/x/oauth2"} }

// Validate implements [auth.Validator].
func (g oauth2Grant) Validate() error {
	if g == nil {
		return fmt.Errorf("oauth2flow: %w: the exchange is nil", auth.ErrNoCredential)
	}
	return nil
}

// String implements [fmt.Stringer].
func (oauth2Grant) String() string { return "OAuth2Grant" }

var errSourceType error = &misfit{"oauth2flow: the oauth2 source answered with a token that is not of the type Bearer"}

// answer returns the token of an exchange if it is one that can be sent as Bearer.
func answer(t *oauth2.Token, err error) (*auth.Token, error) {
	switch {
	case err != nil:
		return nil, newSourceError(err)
	case t == nil || t.AccessToken == "":
		return nil, fmt.Errorf("oauth2flow: %w: the oauth2 source answered with none", auth.ErrNoToken)
	case t.Type() != "Bearer":
		return nil, errSourceType
	case !t.Expiry.IsZero() && !time.Now().Before(t.Expiry):
		return nil, fmt.Errorf("oauth2flow: %w: that of the oauth2 source has expired", auth.ErrNoToken)
	}
	return TokenFromOAuth2(t), nil
}
