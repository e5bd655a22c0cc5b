package oauth2flow

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"

	"github.com/restconn/restconn/secrets"
)

// ClientAuth is how a client proves to the authorization server who it is (RFC 6749, section 2.3). A call has one
// method, and none is tried out. It is immutable and safe for concurrent use.
type ClientAuth struct {
	name        string
	needsSecret bool
	apply       func(ctx context.Context, c *Client, req *tokenRequest) error
	validate    func() error // may be nil
}

// newClientAuth returns a method. apply puts the credentials of one attempt on a request. needsSecret says that
// [Client].Secret has to be there.
func newClientAuth(
	name string, needsSecret bool, apply func(ctx context.Context, c *Client, req *tokenRequest) error,
) ClientAuth {
	return ClientAuth{name: name, needsSecret: needsSecret, apply: apply}
}

// String implements [fmt.Stringer].
func (a ClientAuth) String() string {
	if a.apply == nil {
		return "default client authentication"
	}
	return a.name
}

// InBody sends client_id and client_secret as parameters.
func InBody() ClientAuth {
	return newClientAuth(nameInBody, true, func(ctx context.Context, c *Client, req *tokenRequest) error {
		secret, err := c.secret(ctx)
		if err != nil {
			return err
		}
		req.add(fieldClientID, c.ID)
		if secret != "" {
			req.add(fieldClientSecret, secret)
		}
		return nil
	})
}

// InHeader sends id and secret in an Authorization header of Basic, each encoded like a form as RFC 6749, section
// 2.3.1, has it.
func InHeader() ClientAuth {
	return newClientAuth("InHeader()", true, func(ctx context.Context, c *Client, req *tokenRequest) error {
		return c.basic(ctx, req, url.QueryEscape)
	})
}

// InHeaderRaw is [InHeader] for servers that do not decode: id and secret are sent as they are. An id with a colon
// cannot be.
func InHeaderRaw() ClientAuth {
	return newClientAuth(nameInHeaderRaw, true, func(ctx context.Context, c *Client, req *tokenRequest) error {
		return c.basic(ctx, req, func(s string) string { return s })
	})
}

// TLSClientAuth sends client_id alone: the certificate of the transport proves the rest (RFC 8705, section 2).
func TLSClientAuth() ClientAuth { return newClientAuth("TLSClientAuth()", false, identify) }

// PublicClient sends client_id alone, if there is one, even if there is a Secret: a public client has none (RFC 6749,
// section 2.1).
func PublicClient() ClientAuth { return newClientAuth("PublicClient()", false, identify) }

// Names of methods that are treated apart.
const (
	nameInBody      = "InBody()"
	nameInHeaderRaw = "InHeaderRaw()"
)

// identify tells who the client is, and proves nothing.
func identify(_ context.Context, c *Client, req *tokenRequest) error {
	if c.ID != "" {
		req.add(fieldClientID, c.ID)
	}
	return nil
}

// basic writes the credentials into the header.
func (c *Client) basic(ctx context.Context, req *tokenRequest, encode func(string) string) error {
	secret, err := c.secret(ctx)
	if err != nil {
		return err
	}
	req.conceal(secret)
	pair := encode(c.ID) + ":" + encode(secret)
	req.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	return nil
}

// secret returns the text of the client secret.
func (c *Client) secret(ctx context.Context) (string, error) {
	return reveal(ctx, "client secret", c.Secret)
}

// reveal asks p for its text; name says what it is.
func reveal(ctx context.Context, name string, p secrets.Provider) (string, error) {
	if err := secrets.Validate(p); err != nil {
		return "", fmt.Errorf("the %s: %w", name, err)
	}
	v, err := p.Secret(ctx)
	if err != nil {
		return "", fmt.Errorf("the %s: %w", name, err)
	}
	return v.Reveal(), nil
}
