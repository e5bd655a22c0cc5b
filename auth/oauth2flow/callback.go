package oauth2flow

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/restconn/restconn/auth"
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

// Complete ends a login: it takes the parameters that the browser brings to the RedirectURI, and what [Login].Browser
// says that the browser keeps, and makes the exchange, once. [auth.Subject] of ctx has to be the one of Begin.
//
// The exchange goes the way that [Client].Endpoint says, and not that of a connection. Its token is the caller's to
// hand on, as to auth.Manager.Set. Where ctx ends within it, the code is used up. Errors are [ErrState], [ErrIssuer],
// [ErrCallback], [*CallbackError], those of the [PendingStore] and of a token call, and what Validate tells.
func (c *AuthorizationCode) Complete(
	ctx context.Context, callback url.Values, browser secrets.Value,
) (*auth.Token, error) {
	if c.fault != nil {
		return nil, c.fault
	}
	p, err := c.login(ctx, callback, browser)
	if err != nil {
		return nil, fmt.Errorf("oauth2flow: %w", err)
	}
	if err := c.checkIssuer(callback); err != nil {
		return nil, fmt.Errorf("oauth2flow: %w", err)
	}
	if callback.Has("error") {
		return nil, refusedLogin(callback)
	}
	code := callback.Get("code")
	switch {
	case callback.Has("access_token") || callback.Has("id_token"):
		return nil, fmt.Errorf("oauth2flow: %w: it brings a token, which was not asked for", ErrCallback)
	case code == "" || len(code) > mostCallbackCode:
		return nil, fmt.Errorf("oauth2flow: %w: it has no code, or one of more than 4 KiB", ErrCallback)
	}
	t, err := c.call(ctx, c.client.TokenURL, nil, func(req *tokenRequest) error {
		req.add(fieldGrantType, "authorization_code")
		req.add("code", code)
		req.add("redirect_uri", p.RedirectURI)
		if p.Verifier != "" {
			req.add("code_verifier", p.Verifier)
		}
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	return t, nil
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
	if auth.Subject(ctx) != p.Subject {
		return nil, ErrState
	}
	for _, name := range []string{"code", "iss", "error"} {
		if len(callback[name]) > 1 {
			return nil, fmt.Errorf("%w: there are several values of %s (RFC 6749, section 3.1)", ErrCallback, name)
		}
	}
	return p, nil
}

// checkIssuer refuses the answer of another server (RFC 9207, section 2.4).
func (c *AuthorizationCode) checkIssuer(callback url.Values) error {
	issuer := callback.Get("iss")
	switch {
	case !callback.Has("iss") && c.config.RequireIssuer:
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
