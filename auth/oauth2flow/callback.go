package oauth2flow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/field"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/secrets"
)

// Faults of the answer that a browser brings, to be matched with [errors.Is]. Nothing was sent.
var (
	// ErrState says that no login under way belongs to the answer: its state is missing, wrong, used or older than
	// ten minutes, or browser, user, client, server or issuer are others than those that it began with.
	ErrState = errors.New("no login under way belongs to this answer: begin again")
	// ErrIssuer says that the answer is of another server, or does not say of which (RFC 9207).
	ErrIssuer = errors.New("the answer is not of the issuer that the login began at")
	// ErrCallback says that the answer is none that the protocol knows.
	ErrCallback = errors.New("the answer of the authorization endpoint is malformed")
)

// CallbackError is an answer of the authorization endpoint that is an error (RFC 6749, section 4.1.2.1). What the
// server wrote is in one line of printable characters.
type CallbackError struct {
	// Code is such as "access_denied"; empty if it cannot be read.
	Code string
	// Description is the beginning of what the server says about it, at most 200 bytes.
	Description string
}

// Error implements error.
func (e *CallbackError) Error() string {
	text := "oauth2flow: the login was refused"
	if e.Code != "" {
		text += ": " + e.Code
	}
	if e.Description != "" {
		text += ": " + e.Description
	}
	return text
}

const mostCallbackCode = 4 << 10

// Complete ends a login: it takes the parameters that the browser brings to the RedirectURI, in the query or in a
// form, and what [Login].Browser says that the browser keeps, and makes the exchange, once. [auth.Subject] of ctx has
// to be the one of Begin.
//
// Its token is the caller's to hand on, as to auth.Manager.Set. Where ctx ends within it, the code is used up. Errors
// are [ErrState], [ErrIssuer], [ErrCallback], [*CallbackError], [ErrOtherUser], those of the [PendingStore], of the
// [IDTokenVerifier] and of a token call, and what Validate tells.
func (c *AuthorizationCode) Complete(
	ctx context.Context, callback url.Values, browser secrets.Value,
) (*auth.Token, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	t, _, err := c.complete(ctx, callback, browser)
	return t, err
}

// complete returns the login as well, if the answer belongs to one.
func (c *AuthorizationCode) complete(
	ctx context.Context, callback url.Values, browser secrets.Value,
) (*auth.Token, *pending, error) {
	a, p, err := c.answer(ctx, callback, browser)
	if err != nil {
		return nil, p, fmt.Errorf("oauth2flow: %w", err)
	}
	t, err := c.during(p.Scopes).ofAnswer(ctx, p, a)
	if err != nil {
		return nil, p, err
	}
	if a.code != "" {
		c.noteScopes(t, p.Scopes)
	}
	return t, p, nil
}

// frontAnswer is what the browser has brought, in standard names. code and idToken are there if they were asked for.
type frontAnswer struct {
	code, idToken string
	state         string
	issuer        string // what the ID token has to name, where nothing else does; "" otherwise
	kept          map[string]secrets.Value
}

// answer returns the answer once it is known to be of a login, of its server, and what was asked for.
func (c *AuthorizationCode) answer(
	ctx context.Context, callback url.Values, browser secrets.Value,
) (*frontAnswer, *pending, error) {
	callback = c.standard(callback)
	p, err := c.login(ctx, callback, browser)
	if err != nil {
		return nil, nil, err
	}
	if err := c.checkIssuer(callback); err != nil {
		return nil, p, err
	}
	if callback.Has("error") {
		return nil, p, refusedLogin(callback)
	}
	a := &frontAnswer{code: callback.Get("code"), idToken: callback.Get(ExtraIDToken), state: callback.Get("state")}
	switch {
	case callback.Has(ExtraAccessToken) || callback.Has(ExtraIDToken) && !c.config.hasFrontToken():
		return nil, p, fmt.Errorf("%w: it brings a token, which was not asked for", ErrCallback)
	case c.config.hasCode() && (a.code == "" || len(a.code) > mostCallbackCode):
		return nil, p, fmt.Errorf("%w: it has no code, or one of more than 4 KiB", ErrCallback)
	case !c.config.hasCode() && callback.Has("code"):
		return nil, p, fmt.Errorf("%w: it brings a code, which was not asked for", ErrCallback)
	case c.config.hasFrontToken() && (a.idToken == "" || len(a.idToken) > mostToken):
		return nil, p, fmt.Errorf("%w: it has no id_token, or one of more than 64 KiB", ErrCallback)
	}
	if c.config.RequireIssuer && !callback.Has("iss") {
		a.issuer = c.config.Issuer
	}
	a.kept, err = c.keep(callback)
	return a, p, err
}

// standard returns the answer with the standard names of its parameters.
func (c *AuthorizationCode) standard(callback url.Values) url.Values {
	if len(c.config.Names) == 0 {
		return callback
	}
	own := maps.Clone(callback)
	for standard, name := range c.config.Names {
		if standard != fieldState && !slices.Contains(namedInAnswer(), standard) {
			continue
		}
		delete(own, standard)
		if callback.Has(name) {
			own[standard] = callback[name]
		}
	}
	return own
}

// keep returns what is kept of the answer.
func (c *AuthorizationCode) keep(callback url.Values) (map[string]secrets.Value, error) {
	kept := make(map[string]secrets.Value)
	names := c.config.Keep
	if c.config.ServerParam != "" {
		names = append(slices.Clone(names), c.config.ServerParam)
	}
	for _, name := range names {
		values := callback[name]
		switch {
		case len(values) == 0:
			continue
		case len(values) > 1 || len(values[0]) > mostValue || field.HasControl(values[0]):
			return nil, fmt.Errorf("%w: %s is there twice, too long, or has control characters", ErrCallback, name)
		}
		kept[name] = secrets.Static(values[0])
	}
	server, ok := kept[c.config.ServerParam]
	if ok && !slices.Contains(c.config.Servers, server.Reveal()) {
		return nil, fmt.Errorf("%w: %s names a server that is not one of Authorization.Servers",
			ErrCallback, c.config.ServerParam)
	}
	return kept, nil
}

// login returns the login that the answer belongs to. It looks at nothing else of the answer before that.
func (c *AuthorizationCode) login(
	ctx context.Context, callback url.Values, browser secrets.Value,
) (*pending, error) {
	states := callback["state"]
	if len(states) != 1 || states[0] == "" {
		return nil, ErrState
	}
	p, err := takePending(ctx, c.config.Pending, c.pendingKey(states[0], browser.Reveal()))
	if err != nil {
		return nil, err
	}
	if auth.Subject(ctx) != string(p.Subject) || !c.protects(p) {
		return nil, ErrState
	}
	for _, name := range []string{"code", "iss", "error", ExtraIDToken} {
		if len(callback[name]) > 1 {
			return nil, fmt.Errorf("%w: there are several values of %s (RFC 6749, section 3.1)", ErrCallback, name)
		}
	}
	return p, nil
}

// checkIssuer refuses the answer of another server (RFC 9207, section 2.4). Servers leave out the parameter where an ID
// token names the issuer (section 4), which ofFront compares.
func (c *AuthorizationCode) checkIssuer(callback url.Values) error {
	issuer := callback.Get("iss")
	named := callback.Has("iss") || c.config.hasFrontToken() && callback.Has(ExtraIDToken) && !callback.Has("error")
	switch {
	case !named && c.config.RequireIssuer:
		return fmt.Errorf("%w: it names none", ErrIssuer)
	case callback.Has("iss") && c.config.Issuer != "" && issuer != c.config.Issuer:
		return ErrIssuer
	}
	return nil
}

func refusedLogin(callback url.Values) error {
	scrub := redact.NewScrubber(nil, "", "", []string{callback.Get("state"), callback.Get("code")})
	e := &CallbackError{}
	if code := callback.Get("error"); len(code) <= mostCode && redact.Line(code) == code {
		e.Code = code
	}
	e.Description = excerpt(callback.Get("error_description"), scrub)
	return e
}
