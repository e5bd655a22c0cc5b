package oauth2flow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// ofAnswer makes the token of an answer.
func (g *grant) ofAnswer(ctx context.Context, p *pending, a *frontAnswer) (*auth.Token, error) {
	front, err := g.ofFront(ctx, p, a)
	t := front
	switch {
	case err != nil:
		return nil, err
	case a.code != "":
		if t, err = g.ofCode(ctx, p, a, front); err != nil {
			return nil, err
		}
	case front == nil:
		t = &auth.Token{Obtained: time.Now()}
	}
	kept := maps.Clone(a.kept)
	if front != nil {
		maps.Copy(kept, front.Extra)
	}
	maps.Copy(kept, t.Extra)
	if server, ok := a.kept[g.serverParam]; ok {
		kept[g.serverParam] = server
	}
	t.Extra = kept
	if t, err = g.proceed(ctx, t); err != nil {
		return nil, err // a refresh token beside it would be nobody's
	}
	return t, nil
}

// ofFront makes a token of the ID token that the browser has brought; nil if there is none.
func (g *grant) ofFront(ctx context.Context, p *pending, a *frontAnswer) (*auth.Token, error) {
	if a.idToken == "" {
		return nil, nil //nolint:nilnil // none is no fault
	}
	t := &auth.Token{
		Obtained: time.Now(), Extra: map[string]secrets.Value{ExtraIDToken: secrets.Static(a.idToken)},
	}
	want := p.want(g.client.ID)
	if a.code != "" {
		want.Code = secrets.Static(a.code)
	}
	if err := g.identifyLogin(ctx, p, t, nil, want); err != nil {
		return nil, err
	}
	if a.issuer != "" && t.Extra[ExtraIssuer].Reveal() != a.issuer {
		return nil, fmt.Errorf("oauth2flow: %w", ErrIssuer)
	}
	return t, nil
}

// ofCode makes a token of the code. front has the ID token that the browser has brought; nil if it has not.
func (g *grant) ofCode(ctx context.Context, p *pending, a *frontAnswer, front *auth.Token) (*auth.Token, error) {
	exchange := g.exchangeCode
	if g.exchanger != nil {
		exchange = g.exchangeOtherwise
	}
	t, err := exchange(ctx, p, a)
	if err != nil || g.openID == nil {
		return t, err
	}
	want := p.want(g.client.ID)
	want.AccessToken = t.Value
	if err := g.identifyLogin(ctx, p, t, front, want); err != nil {
		return nil, err
	}
	return t, nil
}

// identifyLogin verifies an ID token of a login, which may have to be of the user before.
func (g *grant) identifyLogin(ctx context.Context, p *pending, t, front *auth.Token, want IDTokenWant) error {
	err := g.openID.identify(ctx, t, front, want)
	if err == nil && !p.isOf(t) {
		err = ErrOtherUser
	}
	if err != nil {
		return fmt.Errorf("oauth2flow: %w", err)
	}
	return nil
}

// exchangeCode makes the exchange (RFC 6749, section 4.1.3).
func (g *grant) exchangeCode(ctx context.Context, p *pending, a *frontAnswer) (*auth.Token, error) {
	t, err := g.call(ctx, g.client.TokenURL, nil, func(req *tokenRequest) error {
		req.url = g.at(req.url, &auth.Token{Extra: a.kept})
		req.add(fieldGrantType, "authorization_code")
		req.add(fieldCode, a.code)
		req.add(fieldRedirect, p.RedirectURI)
		if p.Verifier != "" {
			req.add(fieldVerifier, p.Verifier)
		}
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// exchangeOtherwise has the exchange made by [Authorization].Exchange. What that was told of the login is not kept.
func (g *grant) exchangeOtherwise(ctx context.Context, p *pending, a *frontAnswer) (*auth.Token, error) {
	told := map[string]secrets.Value{
		fieldRedirect: secrets.Static(p.RedirectURI), fieldState: secrets.Static(a.state),
	}
	if p.Verifier != "" {
		told[fieldVerifier] = secrets.Static(p.Verifier)
	}
	handed := &auth.Token{Value: secrets.Static(a.code), Extra: maps.Clone(a.kept)}
	maps.Copy(handed.Extra, told)
	t, err := g.exchanger.Obtain(ctx, handed)
	if err = errors.Join(err, lacking(t, err)); err != nil {
		return nil, g.outside("Exchange", err, handed)
	}
	own := *t
	own.Extra = maps.Clone(t.Extra)
	maps.DeleteFunc(own.Extra, func(name string, value secrets.Value) bool {
		text, ok := told[name]
		return ok && value.Reveal() == text.Reveal()
	})
	noteIdentity(&own, "", "") // which is not its to tell
	if err := g.client.checkScopes(own.Scopes, nil); err != nil {
		return nil, g.outside("Exchange", err, handed)
	}
	return &own, nil
}
