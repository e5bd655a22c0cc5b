package login

import (
	"context"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/expiry"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/secrets"
)

// result makes a token of the answers.
func (x *exchange) result(ctx context.Context) (*auth.Token, error) {
	t, err := x.token(ctx)
	if err != nil {
		last := len(x.replies) - 1
		return nil, &Error{Step: last, Renew: x.plan.renew, Status: x.replies[last].Status, Err: err}
	}
	return t, nil
}

func (x *exchange) token(ctx context.Context) (*auth.Token, error) {
	cfg := &x.grant.config
	last := x.replies[len(x.replies)-1]
	t, err := x.own(ctx)
	if err != nil {
		return nil, err
	}
	if t == nil {
		if t, err = x.read(last); err != nil {
			return nil, err
		}
	}
	if t.Obtained.IsZero() {
		t.Obtained = last.Received
	}
	if cfg.MinAge > 0 && t.RenewableFrom.IsZero() {
		t.RenewableFrom = last.Received.Add(cfg.MinAge)
	}
	return t, nil
}

// own asks OnTokenResponse, and returns a copy of its token; nil if there is no such function.
func (x *exchange) own(ctx context.Context) (*auth.Token, error) {
	hook := x.grant.config.OnTokenResponse
	if hook == nil {
		return nil, nil //nolint:nilnil // no function, no token
	}
	answers := make([]Answer, len(x.replies))
	for i, r := range x.replies {
		answers[i] = Answer{Status: r.Status, Header: r.Header, Body: r.Body, Cookies: r.cookies}
	}
	t, err := hook(ctx, answers)
	if err != nil {
		return nil, x.ofHook(err)
	}
	if t == nil || t.Value.Reveal() == "" {
		return nil, fmt.Errorf("OnTokenResponse: %w", ErrTokenNotFound)
	}
	mine := *t
	return &mine, nil
}

// read reads the token where the expressions say that it is.
func (x *exchange) read(last *reply) (*auth.Token, error) {
	g, env := x.grant, x.env()
	if g.refresh != nil {
		if refresh, ok := textOf(g.refresh.run(env)); ok {
			x.brought = refresh
			x.secret = append(x.secret, refresh)
		}
	}
	text, err := x.text(last, env)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTokenNotFound, err)
	}
	x.secret = append(x.secret, text)
	t := &auth.Token{Value: secrets.Static(text), Extra: map[string]secrets.Value{}}
	if x.plan.renew {
		t.Refresh = x.before.Refresh
		maps.Copy(t.Extra, x.before.Extra)
	}
	if x.brought != "" {
		t.Refresh = secrets.Static(x.brought)
	}
	for name, e := range g.extra {
		if value, ok := textOf(e.run(env)); ok {
			t.Extra[name] = secrets.Static(value)
		}
	}
	t.Expiry, err = g.end(env, last)
	return t, err
}

// kept returns what is left of a renewal that has failed: a token without a text, that has the new refresh token; nil
// if there is none. The one before may not be good any more.
func (x *exchange) kept() *auth.Token {
	if !x.plan.renew || x.brought == "" {
		return nil
	}
	return &auth.Token{Refresh: secrets.Static(x.brought), Extra: x.before.Extra}
}

// text returns the text of the token.
func (x *exchange) text(last *reply, env environment) (string, error) {
	g := x.grant
	if g.token == nil {
		return x.jar.text(last.URL, g.config.Cookies, g.config.AllCookies)
	}
	text, ok := textOf(g.token.run(env))
	if !ok || strings.HasPrefix(text, "<") && env.fault != nil { // a page
		return "", g.token.missed("Token", env)
	}
	return text, nil
}

// end returns when the token ends; the zero time if nobody knows.
func (g *grant) end(env environment, last *reply) (time.Time, error) {
	var end time.Time
	if g.expiry != nil {
		text, ok := textOf(g.expiry.run(env))
		if !ok && g.config.Lifetime == 0 {
			return end, fmt.Errorf("%w: %w", ErrBadExpiry, g.expiry.missed("Expiry", env))
		}
		var err error
		form := expiry.Form(g.config.ExpiryForm)
		if end, err = expiry.Parse(text, form, last.Received, expiry.Skew(last.Header, last.Received)); err != nil {
			return end, fmt.Errorf("%w: Expiry: %s: %w", ErrBadExpiry, redact.Line(g.expiry.source), err)
		}
	}
	if end.IsZero() && g.config.Lifetime > 0 {
		end = last.Received.Add(g.config.Lifetime)
	}
	return end, nil
}

// maxText is the length of the longest text that is taken from an answer, in bytes.
const maxText = 64 << 10

// textOf returns the value of an expression as a text that is not empty. Numbers have no exponent.
func textOf(v any) (string, bool) {
	text := ""
	switch v := v.(type) {
	case string:
		text = v
	case int:
		text = strconv.Itoa(v)
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			text = strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	return text, len(text) <= maxText && strings.TrimSpace(text) != ""
}
