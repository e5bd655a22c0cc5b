package oauth2flow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// ExtraInitial is the name in [auth.Token].Extra under which [Refresh] notes which initial refresh token a token goes
// back to: the beginning of its SHA-256, in hexadecimal.
const ExtraInitial = "initial_refresh_token_sha256"

// Refresh returns the grant of a refresh token that was issued by other means (RFC 6749, section 6). initial is the
// first one; it may be nil if the token that is to be renewed has one. From then on, the last that the server issued
// is used.
//
// A server that replaces the refresh token each time has to be combined with [auth.KeepIn]. Without a store, a
// restart sends initial again, which has been used up: the server refuses it, and most then revoke all that was made
// of it.
//
// If the last refresh token is refused, and initial is not the one that it goes back to ([ExtraInitial]), then
// initial is tried once: to replace a grant that is lost, configure a new refresh token and restart. An initial that
// was used is not sent again. If it is refused as well, or if there is none, the answer is [auth.ErrInvalidGrant];
// without any refresh token it is [auth.ErrLoginRequired].
//
// The grant is one-time: an exchange may use up the refresh token. Scopes, if there are any, are asked for each time,
// and cannot be more than what was granted.
func Refresh(c Client, initial secrets.Provider) auth.Grant {
	f := flow{
		kind:      "refresh token",
		renewal:   renewOnly,
		narrowing: true,
		initial:   initial,
		traits:    auth.Traits{OneTime: true, Interactive: initial == nil},
	}
	if initial != nil {
		f.require("initial refresh token", initial)
	}
	return newGrant(c, f)
}

// keepOn makes the exchange of [Refresh].
func (g *grant) keepOn(ctx context.Context, prev *auth.Token) (*auth.Token, error) {
	if !hasRefresh(prev) {
		initial, err := g.initialToken(ctx)
		switch {
		case err != nil:
			return nil, fmt.Errorf("oauth2flow: %w", err)
		case initial == "":
			return nil, fmt.Errorf("oauth2flow: %w: there is no refresh token", auth.ErrLoginRequired)
		}
		return g.begin(ctx, initial, prev)
	}
	if g.client.refreshURL() == "" { // of a login with another way to get its token
		return nil, fmt.Errorf("oauth2flow: %w: there is no TokenURL to renew at", auth.ErrLoginRequired)
	}
	t, err := g.refresh(ctx, prev.Refresh.Reveal(), prev)
	switch {
	case errors.Is(err, auth.ErrInvalidGrant):
		return g.replace(ctx, prev, err)
	case err == nil:
		t, err = g.settle(ctx, t, prev)
	}
	return descend(t, prev.Extra[ExtraInitial]), err
}

// begin makes a token of the initial refresh token.
func (g *grant) begin(ctx context.Context, initial string, prev *auth.Token) (*auth.Token, error) {
	t, err := g.refresh(ctx, initial, prev)
	return descend(t, fingerprint(initial)), err
}

// replace begins again, after prev was refused, if the initial refresh token was replaced as well.
func (g *grant) replace(ctx context.Context, prev *auth.Token, refused error) (*auth.Token, error) {
	initial, err := g.initialToken(ctx)
	switch {
	case errors.Is(err, secrets.ErrNotFound), errors.Is(err, secrets.ErrEmpty): // it was used and thrown away
		return nil, refused
	case err != nil:
		return nil, fmt.Errorf("oauth2flow: %w", err)
	case initial == "" || isUsed(initial, prev):
		return nil, refused
	}
	return g.begin(ctx, initial, nil)
}

// initialToken returns the initial refresh token; empty if there is none.
func (g *grant) initialToken(ctx context.Context) (string, error) {
	if g.initial == nil {
		return "", nil
	}
	return reveal(ctx, "refresh token", g.initial)
}

// isUsed reports whether an initial refresh token is what t goes back to.
func isUsed(initial string, t *auth.Token) bool {
	return t.Refresh.Reveal() == initial || t.Extra[ExtraInitial].Reveal() == fingerprint(initial).Reveal()
}

// fingerprint tells one initial refresh token from another.
func fingerprint(initial string) secrets.Value {
	const length = 8
	sum := sha256.Sum256([]byte(initial))
	return secrets.Static(hex.EncodeToString(sum[:length]))
}

// descend notes in a token of this exchange, if there is one, what it goes back to.
func descend(t *auth.Token, hash secrets.Value) *auth.Token {
	if t == nil {
		return nil
	}
	if hash.Reveal() == "" {
		delete(t.Extra, ExtraInitial)
		return t
	}
	if t.Extra == nil {
		t.Extra = make(map[string]secrets.Value, 1)
	}
	t.Extra[ExtraInitial] = hash
	return t
}

func hasRefresh(t *auth.Token) bool { return t != nil && t.Refresh.Reveal() != "" }

// refresh makes a new token of a refresh token (RFC 6749, section 6). What the answer leaves out is as it was. Beside
// an error there may be what is left of a token, see [grant.call].
func (g *grant) refresh(ctx context.Context, refresh string, prev *auth.Token) (*auth.Token, error) {
	t, err := g.call(ctx, g.client.refreshURL(), prev, func(req *tokenRequest) error {
		req.url = g.at(req.url, prev)
		req.add(fieldGrantType, "refresh_token")
		req.add(fieldRefreshToken, refresh)
		req.own = g.client.RefreshParams
		if g.narrowing {
			g.client.addScopes(req)
		}
		return nil
	}, nil)
	if t == nil {
		return nil, err
	}
	if t.Refresh.Reveal() == "" {
		t.Refresh = secrets.Static(refresh)
	}
	if prev != nil {
		g.inherit(t, prev)
	}
	return t, err
}
