package login

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/tokencall"
)

const (
	nameToken   = "token"
	nameRefresh = "refresh"
)

// New returns the grant of a login.
//
// It is an [auth.GrantBinder]: its calls are sent by the client of the connection, unless Endpoint says otherwise,
// each within 30 s if the context has no deadline, and with an answer of at most 1 MiB. They are recorded by its
// logger, without a path that has a secret or a saved value in it. It is an [auth.Validator] that reports all faults of
// the configuration at once, each a [*ConfigError] or a [*MissingError], and Obtain fails with the same. With Renew its
// exchanges are one-time. It is an [io.Closer], for the idle connections that are its own.
//
// Errors of Obtain are [*Error], [*MissingError], those of a [secrets.Provider], of Start, or of the configuration's
// functions. Secrets of four bytes and more are masked in them. If the answers of a renewal bring a new refresh token
// but no token that can be used, Obtain returns a token beside the error, which has no text and the new refresh token.
// The grant is safe for concurrent use if the functions and providers of the configuration are.
func New(cfg Config) auth.Grant {
	g := &grant{config: snapshot(cfg)}
	g.fault = g.compile()
	g.traits = g.newTraits()
	g.caller = sync.OnceValues(func() (*tokencall.Caller, error) { return tokencall.New(callConfig(&g.config), nil) })
	return g
}

// snapshot copies what the caller may still change.
func snapshot(cfg Config) Config {
	cfg.Params, cfg.Secrets, cfg.Extra = maps.Clone(cfg.Params), maps.Clone(cfg.Secrets), maps.Clone(cfg.Extra)
	cfg.RenewRefused, cfg.Cookies = slices.Clone(cfg.RenewRefused), slices.Clone(cfg.Cookies)
	cfg.Steps, cfg.Renew = slices.Clone(cfg.Steps), slices.Clone(cfg.Renew)
	return cfg
}

// grant is a login. It is not changed once it was made.
type grant struct {
	config        Config
	fault         error
	traits        auth.Traits
	login, renew  plan
	token, expiry *expression
	refresh       *expression
	extra         map[string]*expression
	caller        func() (*tokencall.Caller, error)
	closers       []io.Closer
}

// Obtain implements [auth.Grant].
func (g *grant) Obtain(ctx context.Context, prev *auth.Token) (*auth.Token, error) {
	if g.fault != nil {
		return nil, g.fault
	}
	if g.canRenew(prev) {
		t, err := g.exchange(ctx, g.renew, prev)
		if err == nil || !g.refused(err) {
			return t, err
		}
		if g.traits.Interactive {
			return nil, rejected(err)
		}
	}
	if len(g.login.steps) == 0 {
		return nil, fmt.Errorf("login: %w", auth.ErrLoginRequired)
	}
	if g.config.Start == nil {
		return g.exchange(ctx, g.login, nil)
	}
	short, err := g.config.Start.Obtain(ctx, nil)
	if err != nil {
		return nil, err
	}
	if short == nil || short.Value.Reveal() == "" {
		return nil, fmt.Errorf("login: Start: %w", auth.ErrNoToken)
	}
	return g.exchange(ctx, g.login, short)
}

// canRenew reports whether there is a way to renew, and what it needs.
func (g *grant) canRenew(prev *auth.Token) bool {
	switch {
	case len(g.renew.steps) == 0 || prev == nil:
		return false
	case g.renew.uses(nameToken) && prev.Value.Reveal() == "":
		return false
	case g.renew.uses(nameRefresh) && prev.Refresh.Reveal() == "":
		return false
	}
	for name := range g.extra {
		if g.renew.uses(name) && !g.configured(name) && prev.Extra[name].Reveal() == "" {
			return false
		}
	}
	return true
}

// refused reports whether the server refuses to renew, so that another way is worth a try.
func (g *grant) refused(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	if len(g.config.RenewRefused) > 0 {
		return slices.Contains(g.config.RenewRefused, e.Status)
	}
	return slices.Contains([]int{400, 401, 403}, e.Status) || errors.Is(err, ErrRefused)
}

// rejected is the error of a renewal that was refused, and for which there is no other way.
func rejected(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	return &Error{Step: e.Step, Renew: e.Renew, Status: e.Status, RetryAfter: e.RetryAfter, Err: auth.ErrInvalidGrant}
}

// Traits implements [auth.Grant].
func (g *grant) Traits() auth.Traits { return g.traits }

func (g *grant) newTraits() auth.Traits {
	oneTime := len(g.renew.steps) > 0
	interactive := len(g.login.steps) == 0
	if g.config.Start != nil {
		interactive = interactive || g.config.Start.Traits().Interactive
	}
	return auth.Traits{OneTime: oneTime, Interactive: interactive, Retryable: !oneTime, Config: g.identity()}
}

// identity is a hash of what tells this login from others. Secrets count by their names, and by where they come from as
// far as they tell: of two constants nobody can tell.
func (g *grant) identity() string {
	cfg := &g.config
	references := make(map[string]string, len(cfg.Secrets))
	for name, p := range cfg.Secrets {
		references[name] = ""
		if s, ok := p.(fmt.Stringer); ok {
			references[name] = s.String()
		}
	}
	parts := []any{
		cfg.BaseURL, cfg.Params, references, cfg.Steps, cfg.Renew,
		cfg.Token, cfg.Expiry, cfg.ExpiryForm, cfg.Lifetime, cfg.NeverExpires, cfg.Refresh, cfg.Extra,
		cfg.Cookies, cfg.AllCookies, cfg.OnTokenResponse != nil, cfg.Compute != nil, cfg.MinAge,
	}
	if cfg.Start != nil {
		parts = append(parts, cfg.Start.Traits().Config)
	}
	hash := sha256.New()
	for _, part := range parts {
		data, err := json.Marshal(part)
		if err != nil { // of a JSON that has none, which is a fault of the configuration
			continue
		}
		_, _ = hash.Write(append(data, '\n'))
	}
	return "login:" + hex.EncodeToString(hash.Sum(nil))
}

// BindGrant implements [auth.GrantBinder].
func (g *grant) BindGrant(host auth.Host) (auth.Grant, error) {
	if g.fault != nil {
		return nil, g.fault
	}
	cfg := callConfig(&g.config)
	cfg.Logger, cfg.Connection = host.Logger, host.Connection
	caller, err := tokencall.New(cfg, host.Client)
	if err != nil {
		return nil, &ConfigError{Field: "Endpoint", Err: err}
	}
	bound := *g
	bound.caller = func() (*tokencall.Caller, error) { return caller, nil }
	bound.closers = nil
	if start, ok := g.config.Start.(auth.GrantBinder); ok {
		if bound.config.Start, err = start.BindGrant(host); err != nil {
			return nil, errors.Join(err, caller.Close())
		}
		if c, ok := bound.config.Start.(io.Closer); ok {
			bound.closers = []io.Closer{c}
		}
	}
	return &bound, nil
}

// Close implements [io.Closer]. It closes idle connections, and the grant can still be used.
func (g *grant) Close() error {
	closers := g.closers
	if caller, err := g.caller(); err == nil {
		closers = append(slices.Clip(closers), caller)
	}
	var faults []error
	for _, c := range closers {
		faults = append(faults, c.Close())
	}
	return errors.Join(faults...)
}

// Validate implements [auth.Validator].
func (g *grant) Validate() error { return g.fault }

// String implements [fmt.Stringer].
func (g *grant) String() string { return g.config.String() }

// Format implements [fmt.Formatter], so that no verb reaches the fields.
func (g *grant) Format(f fmt.State, _ rune) { write(f, g.String()) }
