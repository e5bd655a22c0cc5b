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
//
// Each method says by which name the documents of a server know it, such as client_secret_basic: that of its
// token_endpoint_auth_method (RFC 7591, section 2).
type ClientAuth struct {
	name        string
	needsSecret bool // Client.Secret has to be there
	// apply puts the credentials of one attempt on a request.
	apply    func(ctx context.Context, c *Client, req *tokenRequest) error
	validate func() error // may be nil
	config   string       // tells two of one name apart; holds no secret
}

// String implements [fmt.Stringer].
func (a ClientAuth) String() string {
	if a.apply == nil {
		return "default client authentication"
	}
	return a.name
}

// IsZero reports whether no method is set, so that [Client] has its default.
func (a ClientAuth) IsZero() bool { return a.apply == nil }

// InBody sends client_id and client_secret as parameters: client_secret_post.
func InBody() ClientAuth { return ClientAuth{name: nameInBody, needsSecret: true, apply: inBody} }

// InHeader sends id and secret in an Authorization header of Basic, each encoded like a form as RFC 6749, section
// 2.3.1, has it: client_secret_basic.
func InHeader() ClientAuth {
	return ClientAuth{name: "InHeader()", needsSecret: true, apply: inHeader(url.QueryEscape)}
}

// InHeaderRaw is [InHeader] for servers that do not decode: id and secret are sent as they are. An id with a colon
// cannot be.
func InHeaderRaw() ClientAuth {
	raw := func(s string) string { return s }
	return ClientAuth{name: nameInHeaderRaw, needsSecret: true, apply: inHeader(raw)}
}

// TLSClientAuth sends client_id alone: the certificate of the transport proves the rest (RFC 8705, section 2):
// tls_client_auth or self_signed_tls_client_auth.
func TLSClientAuth() ClientAuth { return ClientAuth{name: "TLSClientAuth()", apply: identify} }

// PublicClient sends client_id alone, if there is one, even if there is a Secret: a public client has none (RFC 6749,
// section 2.1). The name of the method is none.
func PublicClient() ClientAuth { return ClientAuth{name: namePublic, apply: identify} }

// Names of methods that are treated apart.
const (
	nameInBody      = "InBody()"
	nameInHeaderRaw = "InHeaderRaw()"
	namePublic      = "PublicClient()"
)

// identify tells who the client is, and proves nothing.
func identify(_ context.Context, c *Client, req *tokenRequest) error {
	if c.ID != "" {
		req.add(fieldClientID, c.ID)
	}
	return nil
}

// inBody sends id and secret as parameters.
func inBody(ctx context.Context, c *Client, req *tokenRequest) error {
	secret, err := c.secret(ctx)
	if err != nil {
		return err
	}
	req.add(fieldClientID, c.ID)
	if secret != "" {
		req.add(fieldClientSecret, secret)
	}
	return nil
}

// inHeader returns what writes id and secret into the header, each encoded.
func inHeader(encode func(string) string) func(ctx context.Context, c *Client, req *tokenRequest) error {
	return func(ctx context.Context, c *Client, req *tokenRequest) error {
		secret, err := c.secret(ctx)
		if err != nil {
			return err
		}
		req.conceal(secret)
		pair := encode(c.ID) + ":" + encode(secret)
		req.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
		return nil
	}
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
