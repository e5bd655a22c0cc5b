package oauth2flow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/secrets"
)

// settle ends the renewal of a login: what was obtained has to be of the same user, and may have to be exchanged.
// Beside an error there is what is left to renew with.
func (g *grant) settle(ctx context.Context, t, prev *auth.Token) (*auth.Token, error) {
	if g.openID != nil {
		want := IDTokenWant{ClientID: g.client.ID, AccessToken: t.Value}
		if err := g.openID.identify(ctx, t, prev, want); err != nil {
			return due(remainder(t, prev)), fmt.Errorf("oauth2flow: %w", err)
		}
	}
	return g.proceed(ctx, t)
}

// proceed makes of a token what [Authorization].Then makes of it. Beside an error there is what is left to renew with.
func (g *grant) proceed(ctx context.Context, t *auth.Token) (*auth.Token, error) {
	if g.then == nil {
		return t, nil
	}
	next, err := g.then.Obtain(ctx, t)
	if err = errors.Join(err, lacking(next, err)); err != nil {
		return remainder(t, t), g.outside("Then", err, t)
	}
	own := g.heir(next, t)
	if g.openID != nil { // nobody has verified one that Then brings
		delete(own.Extra, ExtraIDToken)
	}
	if id, ok := t.Extra[ExtraIDToken]; ok {
		own.Extra[ExtraIDToken] = id
	}
	return own, nil
}

// renewOtherwise renews a token by [Authorization].Renew.
func (g *grant) renewOtherwise(ctx context.Context, prev *auth.Token) (*auth.Token, error) {
	t, err := g.renew.Obtain(ctx, prev)
	if err = errors.Join(err, lacking(t, err)); err != nil {
		return remainder(t, prev), g.outside("Renew", err, prev)
	}
	own := g.heir(t, prev)
	if err := g.identifyRenewed(ctx, own, prev); err != nil {
		return due(remainder(own, prev)), fmt.Errorf("oauth2flow: %w", err)
	}
	return own, nil
}

// identifyRenewed verifies the ID token that Renew has brought, which may also be the one before.
func (g *grant) identifyRenewed(ctx context.Context, t, prev *auth.Token) error {
	if g.openID == nil {
		return nil
	}
	o := *g.openID
	o.AsToken = o.AsToken && g.then == nil
	if raw := t.Extra[ExtraIDToken].Reveal(); raw == "" || isDue(prev) || raw != prev.Extra[ExtraIDToken].Reveal() {
		return o.identify(ctx, t, prev, IDTokenWant{ClientID: g.client.ID, AccessToken: t.Value})
	}
	if o.AsToken {
		return errNoIDToken
	}
	return nil
}

// lacking is the fault of a grant that has answered with no token, unless it has failed.
func lacking(t *auth.Token, err error) error {
	if err == nil && (t == nil || t.Value.Reveal() == "") {
		return auth.ErrNoToken
	}
	return nil
}

// heir returns t with what it does not say itself and prev does.
func (g *grant) heir(t, prev *auth.Token) *auth.Token {
	own := *t
	if own.Refresh.Reveal() == "" {
		own.Refresh = prev.Refresh
	}
	g.inherit(&own, prev)
	return &own
}

// remainder returns what is left of t to renew with, as what prev was; nil if that is nothing.
func remainder(t, prev *auth.Token) *auth.Token {
	if !hasRefresh(t) {
		return nil
	}
	return &auth.Token{Refresh: t.Refresh, Scopes: prev.Scopes, Extra: maps.Clone(prev.Extra)}
}

// outside returns the error of a grant that is not of this package, without the secrets that it was handed.
func (g *grant) outside(name string, err error, handed *auth.Token) error {
	err = fmt.Errorf("oauth2flow: Authorization.%s: %w", name, err)
	hidden := []string{handed.Value.Reveal(), handed.Refresh.Reveal()}
	for name, value := range handed.Extra {
		if name != ExtraIssuer && name != g.serverParam {
			hidden = append(hidden, value.Reveal())
		}
	}
	text := err.Error()
	if shown := redact.NewScrubber(nil, "", "", hidden).Echo(text); shown != text {
		return &maskedError{text: shown, err: err}
	}
	return err
}

// maskedError is an error whose text had a secret in it. What it wraps is found, and not shown.
type maskedError struct {
	text string
	err  error
}

// Error implements error.
func (e *maskedError) Error() string { return e.text }

// Is lets errors.Is look further.
func (e *maskedError) Is(target error) bool { return errors.Is(e.err, target) }

// As lets errors.As look further.
func (e *maskedError) As(target any) bool { return errors.As(e.err, target) }

// inherit copies to t what it does not say itself. What only a login says is as it was.
func (g *grant) inherit(t, prev *auth.Token) {
	if len(t.Scopes) == 0 {
		t.Scopes = prev.Scopes
	}
	extra := make(map[string]secrets.Value, len(t.Extra)+len(prev.Extra))
	maps.Copy(extra, t.Extra)
	for _, name := range g.ofLogin() {
		delete(extra, name)
		if value, ok := prev.Extra[name]; ok {
			extra[name] = value
		}
	}
	for _, name := range g.keep {
		if value, ok := prev.Extra[name]; ok && extra[name].Reveal() == "" {
			extra[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(prev.Extra)) {
		if _, ok := extra[name]; !ok && name != ExtraIDToken && len(extra) < mostExtra {
			extra[name] = prev.Extra[name]
		}
	}
	t.Extra = extra
}

// ofLogin returns the names in Extra that no later answer changes.
func (g *grant) ofLogin() []string {
	names := []string{ExtraIssuer, ExtraSubject, extraDue}
	if g.serverParam != "" {
		names = append(names, g.serverParam)
	}
	return names
}
