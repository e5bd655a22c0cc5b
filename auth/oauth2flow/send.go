package oauth2flow

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/restconn/restconn/internal/tokencall"
)

// addScopes adds the scopes that are asked for.
func (c *Client) addScopes(req *tokenRequest) {
	if len(c.Scopes) > 0 {
		req.add(fieldScope, strings.Join(c.Scopes, c.separator()))
	}
}

// send sends a request, and returns the answer and the object in it. caller is nil outside a connection.
func (c *Client) send(
	ctx context.Context, caller *tokencall.Caller, req *tokenRequest, encoding Encoding,
) (*tokencall.Answer, *object, error) {
	a, err := c.do(ctx, caller, req, encoding)
	if err != nil {
		return nil, nil, err
	}
	o, err := c.readObject(a, req)
	return a, o, err
}

// do sends a request, and returns the answer, of whatever status but a redirect.
func (c *Client) do(
	ctx context.Context, caller *tokencall.Caller, req *tokenRequest, encoding Encoding,
) (*tokencall.Answer, error) {
	r, err := req.build(ctx, encoding)
	if err != nil {
		return nil, err
	}
	if caller == nil {
		if caller, err = tokencall.New(c.endpoint(), nil); err != nil {
			return nil, fmt.Errorf("oauth2flow: Endpoint: %w", err)
		}
		defer caller.Close() //nolint:errcheck // it never fails
	}
	a, err := caller.Do(r)
	switch {
	case err == nil:
		return a, nil
	case errors.Is(err, tokencall.ErrTooLarge) && a.Status/100 != 2:
		return nil, refusal(a, nil, req)
	case errors.Is(err, tokencall.ErrTooLarge):
		return nil, unusable(a, req, err)
	case errors.Is(err, tokencall.ErrRedirect):
		return nil, unusable(a, req, fmt.Errorf("%w: %s has to be the final one", err, c.fieldOf(req.url)))
	default:
		return nil, fmt.Errorf("oauth2flow: %w", err)
	}
}
