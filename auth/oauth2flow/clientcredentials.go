package oauth2flow

import (
	"context"

	"github.com/restconn/restconn/auth"
)

// ClientCredentials returns the grant of a client on its own behalf (RFC 6749, section 4.4). No user takes part.
//
// A new token is asked for in the same way as the first. A refresh token in an answer is not kept: it could do
// nothing that the client cannot (section 4.4.3).
//
// It is an [auth.GrantBinder] and an [auth.Validator], an [auth.Revoker] if there is a RevocationURL, and safe for
// concurrent use, as are all grants of this package.
func ClientCredentials(c Client) auth.Grant {
	return newGrant(c, flow{
		kind:   "client credentials",
		traits: auth.Traits{Retryable: true},
		fill: func(_ context.Context, req *tokenRequest) error {
			req.add(fieldGrantType, "client_credentials")
			return nil
		},
	})
}
