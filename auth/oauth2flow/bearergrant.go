package oauth2flow

import (
	"context"
	"errors"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// Grant types of [Assertion].
const (
	// JWTBearer is for an assertion that is a JWT (RFC 7523, section 2.1).
	JWTBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer" //nolint:gosec // a name, not a secret
	// SAMLBearer is for an assertion of SAML 2.0, in base64url (RFC 7522, section 2.1).
	SAMLBearer = "urn:ietf:params:oauth:grant-type:saml2-bearer" //nolint:gosec // a name, not a secret
)

// Assertion returns the grant of an assertion (RFC 7521, section 4.1), of type [JWTBearer], [SAMLBearer] or another.
// The assertion is asked for anew for each exchange, and sent as it is; a refresh token in an answer is not kept. The
// client need not be known to the server: without ID, Secret and Auth, the assertion alone is sent.
func Assertion(c Client, grantType string, assertion secrets.Provider) auth.Grant {
	f := flow{
		kind:      "assertion",
		anonymous: true,
		exposed:   true,
		config:    []string{grantType, reference(assertion)},
		traits:    auth.Traits{Retryable: true},
	}
	if grantType == "" {
		f.faults = append(f.faults, errors.New("grant type: it is empty"))
	}
	f.require("assertion", assertion)
	f.fill = func(ctx context.Context, req *tokenRequest) error {
		req.add(fieldGrantType, grantType)
		return req.addSecret(ctx, fieldAssertion, assertion)
	}
	return newGrant(c, f)
}
