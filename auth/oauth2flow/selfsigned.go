package oauth2flow

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// SelfSigned returns the grant of a service that accepts a JWT as the access token: there is no token endpoint, and
// the token is signed here. Its expiry is known, so that a manager keeps it for most of [JWT].Lifetime and then signs
// the next:
//
//	source := auth.Manage(oauth2flow.SelfSigned(oauth2flow.JWT{Key: key, Issuer: id, Lifetime: 10 * time.Minute}))
//
// A rejected token is replaced at once, since the next one differs by its jti; with NoID, by its iat, after a second.
// The grant may be repeated, and is safe for concurrent use. Its faults are those of [JWT.Validate].
func SelfSigned(j JWT) auth.Grant { return selfSigned{j} }

type selfSigned struct{ jwt JWT }

// Obtain implements [auth.Grant].
func (g selfSigned) Obtain(ctx context.Context, _ *auth.Token) (*auth.Token, error) {
	obtained := time.Now()
	t, err := g.jwt.issue(ctx)
	if err != nil {
		return nil, err
	}
	return &auth.Token{Value: secrets.Static(t.text), Obtained: obtained, Expiry: t.ends}, nil
}

// Traits implements [auth.Grant].
func (g selfSigned) Traits() auth.Traits {
	return auth.Traits{Retryable: true, Config: g.jwt.identity()}
}

// Validate implements [auth.Validator].
func (g selfSigned) Validate() error { return g.jwt.Validate() }

// String implements [fmt.Stringer].
func (g selfSigned) String() string { return "SelfSigned(" + g.jwt.String() + ")" }

// Format implements [fmt.Formatter], so that no verb reaches the claims.
func (g selfSigned) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, g.String()) }
