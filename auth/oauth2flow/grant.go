package oauth2flow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

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
	// narrowing says that a refresh asks for the scopes of the client, which are then part of what was granted.
	narrowing bool
	// anonymous says that the client need not be known.
	anonymous bool
	// exposed says that the exchange has secrets among its parameters.
	exposed bool
	// openID has the ID tokens of a login verified; nil if there are none.
	openID *OpenID
	// exchanger, then and renew take the place of a call, or make another token of what it brings; nil for none.
	exchanger, then, renew auth.Grant
	// server returns where a call goes on behalf of a token; nil for where it is configured. serverParam is the name
	// in Extra that tells.
	server      func(target string, t *auth.Token) string
	serverParam string
	// keep are names in Extra that were kept of the answer to a login.
	keep []string
	// tokenless says that the grant may do without a token endpoint.
	tokenless bool
	// config tells this grant from others of its kind.
	config []string
	traits auth.Traits
	faults []error
}

// require notes a fault of a provider that has to be there.
func (f *flow) require(name string, p secrets.Provider) {
	if err := secrets.Validate(p); err != nil {
		f.faults = append(f.faults, fmt.Errorf("%s: %w", name, err))
	}
}

// grant is a flow of a client. It never changes, so that it is safe for concurrent use.
type grant struct {
	flow
	client *Client
	fault  error             // what Validate tells
	caller *tokencall.Caller // nil if the grant is not bound
	ways   *ways             // of a login; nil for other grants
}

// revocable is a grant whose tokens can be revoked.
type revocable struct{ *grant }

// newGrant returns f as a grant of c.
func newGrant(c Client, f flow) auth.Grant { return makeGrant(c.clone(), f).wrap() }

func makeGrant(c *Client, f flow) *grant {
	g := &grant{flow: f, client: c}
	g.fault = g.validate()
	g.traits.Config = g.client.config(append([]string{f.kind}, f.config...))
	return g
}

// signIn is a grant that a user's login begins, and a refresh token goes on with. Its login is the caller's to make.
type signIn struct{ *grant }

// newSignIn returns the grant of a login.
func newSignIn(c *Client, f flow) signIn {
	f.renewal, f.traits = renewOnly, auth.Traits{OneTime: true, Interactive: true}
	g := makeGrant(c, f)
	g.traits.Config = c.loginConfig(append([]string{f.kind}, f.config...))
	g.ways = new(ways)
	return signIn{g}
}

// during returns the grant as a login has it that asks for these scopes.
func (s signIn) during(scopes []string) *grant {
	g := *s.ways.last(s.grant)
	client := *g.client
	client.Scopes = scopes
	g.client = &client
	return &g
}

// noteScopes notes in the token of a login what was asked for, where the server has not told what it grants: a renewal
// is compared with it, and a later release may ask for something else.
func (s signIn) noteScopes(t *auth.Token, asked []string) {
	if len(t.Scopes) == 0 {
		t.Scopes = s.client.split(asked)
	}
}

// Revoke implements [auth.Revoker]. Without a [Client].RevocationURL there is nothing to revoke at.
func (s signIn) Revoke(ctx context.Context, t *auth.Token) error {
	switch {
	case s.grant == nil:
		return errNoGrant
	case s.client.RevocationURL == "":
		return nil
	}
	return revocable{s.ways.last(s.grant)}.Revoke(ctx, t)
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
	switch {
	case g.Validate() != nil:
		return nil, g.Validate()
	case g.renew != nil && prev != nil:
		return g.renewOtherwise(ctx, prev)
	case g.renewal == renewOnly:
		return g.keepOn(ctx, prev)
	case g.renewal == renewRefresh && hasRefresh(prev):
		t, err := g.refresh(ctx, prev.Refresh.Reveal(), prev)
		if !errors.Is(err, auth.ErrInvalidGrant) {
			return t, err
		}
	}
	return g.exchange(ctx)
}

// exchange makes the exchange of the grant itself.
func (g *grant) exchange(ctx context.Context) (*auth.Token, error) {
	t, err := g.call(ctx, g.client.TokenURL, nil, func(req *tokenRequest) error {
		g.client.addScopes(req)
		return g.fill(ctx, req)
	}, g.accept)
	if t == nil || g.renewal != renewAnew {
		return t, err
	}
	if err != nil {
		return nil, err
	}
	t.Refresh = secrets.Value{}
	return t, nil
}

// at returns where a call goes on behalf of a token.
func (g *grant) at(target string, t *auth.Token) string {
	if g.server == nil {
		return target
	}
	return g.server(target, t)
}

// call sends one request to the token endpoint, and returns the token of the answer. An answer that cannot be used
// may have taken the place of a refresh token all the same: then that is returned beside the error.
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
		err = g.requiring(before).checkScopes(t.Scopes, before)
	}
	if err == nil && accept != nil {
		err = accept(o)
	}
	if err != nil {
		return onlyRefresh(o), unusable(a, req, err)
	}
	return t, nil
}

// requiring returns the client as the renewal of before is held to it: a user who has logged in when there were fewer
// scopes has allowed those only.
func (g *grant) requiring(before *auth.Token) *Client {
	if g.ways == nil || before == nil || len(before.Scopes) == 0 {
		return g.client
	}
	own := *g.client
	own.Scopes = slices.DeleteFunc(own.split(own.Scopes), func(scope string) bool {
		return !slices.Contains(before.Scopes, scope)
	})
	return &own
}

// onlyRefresh returns a token without a text, that has the refresh token of an answer; nil if there is none.
func onlyRefresh(o *object) *auth.Token {
	refresh, err := tokenText(o, fieldRefreshToken)
	if err != nil {
		return nil
	}
	return &auth.Token{Refresh: secrets.Static(refresh)}
}

// Traits implements [auth.Grant].
func (g *grant) Traits() auth.Traits {
	if g == nil {
		return auth.Traits{}
	}
	return g.traits
}

// errNoGrant is what Validate tells of a grant that no constructor has made.
var errNoGrant = errors.New("oauth2flow: the grant is the zero value: a function whose name begins with New makes one")

// Validate implements [auth.Validator].
func (g *grant) Validate() error {
	if g == nil {
		return errNoGrant
	}
	return g.fault
}

// BindGrant implements [auth.GrantBinder].
func (g *grant) BindGrant(host auth.Host) (auth.Grant, error) {
	if g == nil {
		return nil, errNoGrant
	}
	cfg := g.client.endpoint()
	cfg.Logger, cfg.Connection = host.Logger, host.Connection
	caller, err := tokencall.New(cfg, host.Client)
	if err != nil {
		return nil, fmt.Errorf("oauth2flow: Endpoint: %w", err)
	}
	bound := *g
	bound.caller = caller
	for _, inner := range []*auth.Grant{&bound.exchanger, &bound.then, &bound.renew} {
		if *inner, err = bindGrant(*inner, host); err != nil {
			return nil, errors.Join(err, bound.Close())
		}
	}
	g.ways.add(&bound)
	return bound.wrap(), nil
}

// bindGrant binds a grant that may be nil, or have nothing to bind.
func bindGrant(g auth.Grant, host auth.Host) (auth.Grant, error) {
	if b, ok := g.(auth.GrantBinder); ok {
		return b.BindGrant(host)
	}
	return g, nil
}

// Close closes the connections of a bound grant that are its own.
func (g *grant) Close() error {
	if g == nil || g.caller == nil {
		return nil
	}
	g.ways.remove(g)
	faults := []error{g.caller.Close()}
	for _, inner := range []auth.Grant{g.exchanger, g.then, g.renew} {
		if c, ok := inner.(io.Closer); ok {
			faults = append(faults, c.Close())
		}
	}
	return errors.Join(faults...)
}

// String implements [fmt.Stringer].
func (g *grant) String() string {
	if g == nil {
		return "no grant"
	}
	return describe(g.kind, g.client.ID, g.client.TokenURL)
}

// Revoke implements [auth.Revoker]: the refresh token first, which ends what was made of it as well, and then the
// access token. One of the two that cannot be revoked does not keep the other.
func (g revocable) Revoke(ctx context.Context, t *auth.Token) error {
	if t == nil {
		return nil
	}
	if g.fault != nil {
		return g.fault
	}
	target, access := g.at(g.client.RevocationURL, t), t.Value
	if g.openID != nil && g.openID.AsToken && g.then == nil {
		access = t.Extra[ExtraAccessToken]
	}
	return errors.Join(
		g.client.revoke(ctx, g.caller, target, t.Refresh, "refresh_token"),
		g.client.revoke(ctx, g.caller, target, access, "access_token"),
	)
}
