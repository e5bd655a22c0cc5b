package oauth2flow

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/tokencall"
	"github.com/restconn/restconn/secrets"
)

// renewal says what a grant does with refresh tokens.
type renewal uint8

const (
	renewAnew    renewal = iota // it is made anew, and keeps no refresh token
	renewRefresh                // it is made anew without a refresh token, and where that is refused
	renewOnly                   // it has nothing but the refresh token
)

// flow describes a grant.
type flow struct {
	kind    string
	renewal renewal
	// fill adds what the exchange is made with; nil for renewOnly.
	fill func(ctx context.Context, req *tokenRequest) error
	// accept looks at the answer; nil for no more than usual.
	accept func(o *object) error
	// initial is the first refresh token; nil if there is none.
	initial secrets.Provider
	// anonymous says that the client need not be known.
	anonymous bool
	// exposed says that the exchange has secrets among its parameters.
	exposed bool
	// config tells this grant from others of its kind.
	config []string
	traits auth.Traits
	faults []error
}

// grant is a flow of a client. It never changes, so that it is safe for concurrent use.
type grant struct {
	flow
	client *Client
	fault  error             // what Validate tells
	caller *tokencall.Caller // nil if the grant is not bound
}

// revocable is a grant whose tokens can be revoked.
type revocable struct{ *grant }

// newGrant returns f as a grant of c.
func newGrant(c Client, f flow) auth.Grant {
	g := &grant{flow: f, client: c.clone()}
	g.fault = g.validate()
	g.traits.Config = g.client.config(append([]string{f.kind}, f.config...))
	return g.wrap()
}

// wrap adds what a grant can do for this client only.
func (g *grant) wrap() auth.Grant {
	if g.client.RevocationURL != "" {
		return revocable{grant: g}
	}
	return g
}

// Obtain implements [auth.Grant].
func (g *grant) Obtain(ctx context.Context, prev *auth.Token) (*auth.Token, error) {
	if g.fault != nil {
		return nil, g.fault
	}
	refresh, err := g.refreshToken(ctx, prev)
	if err != nil {
		return nil, fmt.Errorf("oauth2flow: %w", err)
	}
	if refresh != "" {
		t, err := g.refresh(ctx, refresh, prev)
		if g.renewal == renewOnly || !errors.Is(err, auth.ErrInvalidGrant) {
			return t, err
		}
	}
	if g.fill == nil {
		return nil, fmt.Errorf("oauth2flow: %w: there is no refresh token", auth.ErrLoginRequired)
	}
	return g.exchange(ctx)
}

// refreshToken returns the refresh token to use; empty for none.
func (g *grant) refreshToken(ctx context.Context, prev *auth.Token) (string, error) {
	switch {
	case g.renewal == renewAnew:
		return "", nil
	case prev != nil && prev.Refresh.Reveal() != "":
		return prev.Refresh.Reveal(), nil
	case g.initial != nil:
		return reveal(ctx, "refresh token", g.initial)
	default:
		return "", nil
	}
}

// exchange makes the exchange of the grant itself.
func (g *grant) exchange(ctx context.Context) (*auth.Token, error) {
	t, err := g.call(ctx, g.client.TokenURL, nil, func(req *tokenRequest) error {
		g.client.addScopes(req)
		return g.fill(ctx, req)
	}, g.accept)
	if err == nil && g.renewal == renewAnew {
		t.Refresh = secrets.Value{}
	}
	return t, err
}

// refresh makes a new token of a refresh token (RFC 6749, section 6). What the answer leaves out is as it was.
func (g *grant) refresh(ctx context.Context, refresh string, prev *auth.Token) (*auth.Token, error) {
	t, err := g.call(ctx, g.client.refreshURL(), prev, func(req *tokenRequest) error {
		req.add(fieldGrantType, "refresh_token")
		req.add(fieldRefreshToken, refresh)
		if g.renewal == renewOnly {
			g.client.addScopes(req)
		}
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	if t.Refresh.Reveal() == "" {
		t.Refresh = secrets.Static(refresh)
	}
	if prev != nil {
		inherit(t, prev)
	}
	return t, nil
}

// inherit copies to t what a refresh did not tell again.
func inherit(t, prev *auth.Token) {
	if len(t.Scopes) == 0 {
		t.Scopes = prev.Scopes
	}
	extra := maps.Clone(t.Extra)
	for name, value := range prev.Extra {
		if extra == nil {
			extra = make(map[string]secrets.Value, len(prev.Extra))
		}
		if _, ok := extra[name]; !ok && name != "id_token" && len(extra) < mostExtra {
			extra[name] = value
		}
	}
	t.Extra = extra
}

// call sends one request to the token endpoint, and returns the token of the answer.
func (g *grant) call(
	ctx context.Context, target string, before *auth.Token,
	fill func(req *tokenRequest) error, accept func(o *object) error,
) (*auth.Token, error) {
	req := g.client.newRequest(target)
	if err := fill(req); err != nil {
		return nil, fmt.Errorf("oauth2flow: %w", err)
	}
	if err := req.authenticate(ctx, g.client); err != nil {
		return nil, err
	}
	req.extend(g.client)
	a, o, err := g.client.send(ctx, g.caller, req, g.client.Encoding)
	if err != nil {
		return nil, err
	}
	t, err := g.client.token(a, o)
	if err == nil {
		err = g.client.checkScopes(t.Scopes, before)
	}
	if err == nil && accept != nil {
		err = accept(o)
	}
	if err != nil {
		return nil, &AnswerError{Status: a.Status, Err: err}
	}
	return t, nil
}

// Traits implements [auth.Grant].
func (g *grant) Traits() auth.Traits { return g.traits }

// Validate implements [auth.Validator].
func (g *grant) Validate() error { return g.fault }

// BindGrant implements [auth.GrantBinder].
func (g *grant) BindGrant(host auth.Host) (auth.Grant, error) {
	caller, err := tokencall.New(g.client.endpoint(), host.Client)
	if err != nil {
		return nil, fmt.Errorf("oauth2flow: Endpoint: %w", err)
	}
	bound := *g
	bound.caller = caller
	return bound.wrap(), nil
}

// Close closes the connections of a bound grant that are its own.
func (g *grant) Close() error {
	if g.caller == nil {
		return nil
	}
	return g.caller.Close()
}

// String implements [fmt.Stringer].
func (g *grant) String() string { return describe(g.kind, g.client.ID, g.client.TokenURL) }

// Revoke implements [auth.Revoker]: the refresh token first, which ends what was made of it as well, and then the
// access token. One of the two that cannot be revoked does not keep the other.
func (g revocable) Revoke(ctx context.Context, t *auth.Token) error {
	if t == nil {
		return nil
	}
	if g.fault != nil {
		return g.fault
	}
	return errors.Join(
		g.client.revoke(ctx, g.caller, t.Refresh, "refresh_token"),
		g.client.revoke(ctx, g.caller, t.Value, "access_token"),
	)
}
