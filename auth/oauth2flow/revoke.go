package oauth2flow

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/restconn/restconn/internal/tokencall"
	"github.com/restconn/restconn/internal/wait"
	"github.com/restconn/restconn/secrets"
)

// Revoke tells the server that a token is no longer needed (RFC 7009). hint is "access_token", "refresh_token" or
// empty. A token that the server does not know is revoked. An empty one is not sent.
//
// A server that answers 503 and asks for a wait of up to 30 s (Retry-After, section 2.2.1) is asked once more after it,
// if ctx lasts so long. A refusal is an [*Error]; of a server that is busy, its RetryAfter says when to try again.
func Revoke(ctx context.Context, c Client, token secrets.Value, hint string) error {
	own := c.clone()
	if err := own.validateFor("RevocationURL", own.RevocationURL); err != nil {
		return err
	}
	return own.revoke(ctx, nil, own.RevocationURL, token, hint)
}

func (c *Client) revoke(
	ctx context.Context, caller *tokencall.Caller, target string, token secrets.Value, hint string,
) error {
	if token.Reveal() == "" {
		return nil
	}
	err := c.revokeOnce(ctx, caller, target, token, hint)
	busy, ok := errors.AsType[*Error](err)
	if !ok || busy.Status != http.StatusServiceUnavailable || busy.RetryAfter <= 0 || busy.RetryAfter > mostBusy {
		return err
	}
	if stopped := wait.For(ctx, busy.RetryAfter); stopped != nil {
		return errors.Join(err, stopped)
	}
	return c.revokeOnce(ctx, caller, target, token, hint)
}

// mostBusy is the longest wait that a server may ask for before a token is revoked.
const mostBusy = 30 * time.Second

// revokeOnce makes the call.
func (c *Client) revokeOnce(
	ctx context.Context, caller *tokencall.Caller, target string, token secrets.Value, hint string,
) error {
	req, err := c.tokenQuestion(ctx, target, token, hint)
	if err != nil {
		return err
	}
	a, err := c.do(ctx, caller, req, Form)
	if err != nil || a.Status/100 == 2 {
		return err
	}
	o, _ := c.parse(a)
	return refusal(a, o, req)
}

// validateFor returns all that is wrong with the configuration of a call about a token.
func (c *Client) validateFor(name, target string) error {
	return joinFaults(c.checkIdentity(false), c.checkURL(name, target, true), c.checkHeader(), c.checkEndpoint())
}

// tokenQuestion returns a call about a token. It is a form, whatever the token endpoint takes.
func (c *Client) tokenQuestion(
	ctx context.Context, target string, token secrets.Value, hint string,
) (*tokenRequest, error) {
	req := c.newRequest(target)
	req.add(fieldToken, token.Reveal())
	if hint != "" {
		req.add(fieldTokenHint, hint)
	}
	if c.Encoding != Form {
		req.header.Del("Content-Type")
	}
	if err := req.authenticate(ctx, c); err != nil {
		return nil, err
	}
	return req, nil
}
