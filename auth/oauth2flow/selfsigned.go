package oauth2flow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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

// Traits implements [auth.Grant]. The key itself is not part of Config: one that is replaced by its successor signs for
// the same subject.
func (g selfSigned) Traits() auth.Traits {
	j := g.jwt
	text, err := json.Marshal([]any{
		"self-signed", j.Algorithm, j.KeyID, j.Headers, j.Issuer, j.Subject, j.Audience, j.lifetime(), j.Backdate,
		j.NotBefore, j.NoID, j.Claims, j.Key.String(), j.Key.reference(),
	})
	if err != nil { // Validate reports it
		text = nil
	}
	sum := sha256.Sum256(text)
	return auth.Traits{Retryable: true, Config: hex.EncodeToString(sum[:])}
}

// Validate implements [auth.Validator].
func (g selfSigned) Validate() error { return g.jwt.Validate() }

// String implements [fmt.Stringer].
func (g selfSigned) String() string { return "SelfSigned(" + g.jwt.String() + ")" }

// Format implements [fmt.Formatter], so that no verb reaches the claims.
func (g selfSigned) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, g.String()) }
