package oauth2flow

import (
	"context"
	"fmt"

	"github.com/restconn/restconn/auth"
)

// proceed makes of a token what [Authorization].Then makes of it. If that fails, the refresh token, which may be a
// new one, is returned beside the error.
func (g *grant) proceed(ctx context.Context, t *auth.Token) (*auth.Token, error) {
	if g.then == nil {
		return t, nil
	}
	next, err := g.then.Obtain(ctx, t)
	if err != nil {
		return refreshOf(t), fmt.Errorf("oauth2flow: Authorization.Then: %w", err)
	}
	return heir(next, t), nil
}

// renewOtherwise renews a token by [Authorization].Renew.
func (g *grant) renewOtherwise(ctx context.Context, prev *auth.Token) (*auth.Token, error) {
	t, err := g.renew.Obtain(ctx, prev)
	if err != nil {
		return t, fmt.Errorf("oauth2flow: Authorization.Renew: %w", err)
	}
	return heir(t, prev), nil
}

// heir returns t with what it does not say itself and prev does.
func heir(t, prev *auth.Token) *auth.Token {
	own := *t
	if own.Refresh.Reveal() == "" {
		own.Refresh = prev.Refresh
	}
	inherit(&own, prev)
	return &own
}

// refreshOf returns a token that has nothing but the refresh token of t; nil if there is none.
func refreshOf(t *auth.Token) *auth.Token {
	if t.Refresh.Reveal() == "" {
		return nil
	}
	return &auth.Token{Refresh: t.Refresh}
}

// settle ends the renewal of a login: what was obtained has to be of the same user, and may have to be exchanged.
func (g *grant) settle(ctx context.Context, t, prev *auth.Token) (*auth.Token, error) {
	if g.openID != nil {
		want := IDTokenWant{ClientID: g.client.ID, AccessToken: t.Value}
		if err := g.openID.identify(ctx, t, prev, want); err != nil {
			return refreshOf(t), fmt.Errorf("oauth2flow: %w", err)
		}
	}
	return g.proceed(ctx, t)
}
