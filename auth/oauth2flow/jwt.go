package oauth2flow

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/restconn/restconn/secrets"
)

const (
	// DefaultJWTLifetime is how long a [JWT] is valid unless it says otherwise.
	DefaultJWTLifetime = time.Minute

	maxJWTLifetime = 24 * time.Hour
	maxBackdate    = 5 * time.Minute
)

// JWT is a signed JSON Web Token (RFC 7519) that is made anew each time it is asked for: a [secrets.Provider] whose
// answer is the token in its compact form (RFC 7515, section 7.1). It serves as an assertion, as a token of its own
// ([SelfSigned]), and wherever else a provider is taken.
//
// It is safe for concurrent use, as long as nobody changes Headers, Audience or Claims. It prints neither key nor
// claims, whatever the verb.
type JWT struct {
	// Key signs. It is the only field that has to be set.
	Key Key
	// Algorithm is that of the signature: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA,
	// HS256, HS384 or HS512 (RFC 7518, section 3.1; RFC 8037). The empty one is that of the key: RS256 for RSA,
	// ES256, ES384 or ES512 by the curve, EdDSA for Ed25519, HS256 for a secret. One that does not fit the key is
	// [ErrKey].
	Algorithm string
	// KeyID is the kid header; empty for none.
	KeyID string
	// Headers are further headers, such as x5t#S256 (see [X5TS256]). The typ header is "JWT" unless it is here. Those
	// that belong to the signature, such as alg and crit, are refused.
	Headers map[string]any
	// Issuer and Subject are the iss and sub claims; empty for none.
	Issuer, Subject string
	// Audience is the aud claim: a string if it is one, an array if there are several, and none if there are none.
	Audience []string
	// Lifetime is from iat to exp, in whole seconds: [DefaultJWTLifetime] if it is 0, and at most a day. Where a use
	// allows less, that is said there.
	Lifetime time.Duration
	// Backdate puts iat into the past, by at most 5 minutes and less than Lifetime, for servers whose clock is
	// behind.
	Backdate time.Duration
	// NotBefore adds the nbf claim, equal to iat.
	NotBefore bool
	// Claims are further claims. The registered ones (RFC 7519, section 4.1) are refused, and so are secrets:
	// everybody who sees a token can read its claims.
	Claims map[string]any
	// NoID leaves out the jti claim, which is otherwise random and never the same twice.
	NoID bool
}

// issued is a token, and when it ends.
type issued struct {
	text        string
	begin, ends time.Time
}

// Secret implements [secrets.Provider]: it signs a new token. Its errors are the faults of [JWT.Validate], those of
// the key, and those of the signer, whose text is its own.
func (j JWT) Secret(ctx context.Context) (secrets.Value, error) {
	t, err := j.issue(ctx)
	if err != nil {
		return secrets.Value{}, err
	}
	return secrets.Static(t.text), nil
}

func (j JWT) issue(ctx context.Context) (issued, error) {
	if err := ctx.Err(); err != nil {
		return issued{}, err
	}
	if err := errors.Join(j.faults()...); err != nil {
		return issued{}, fmt.Errorf("jwt: %w", err)
	}
	key, err := j.Key.load(ctx)
	if err != nil {
		return issued{}, fmt.Errorf("jwt: %w", err)
	}
	alg, err := key.choose(j.Algorithm)
	if err != nil {
		return issued{}, fmt.Errorf("jwt: %w", err)
	}
	t := issued{begin: time.Now().Add(-j.Backdate).Truncate(time.Second)}
	t.ends = t.begin.Add(j.lifetime())
	payload, err := json.Marshal(j.claims(t))
	if err != nil {
		return issued{}, errors.New("jwt: the claims have no JSON form")
	}
	if t.text, err = key.sign(payload, alg, j.headers()); err != nil {
		return issued{}, fmt.Errorf("jwt: %w", err)
	}
	return t, nil
}

func (j JWT) lifetime() time.Duration {
	if j.Lifetime == 0 {
		return DefaultJWTLifetime
	}
	return j.Lifetime
}

func (j JWT) headers() map[string]any {
	headers := map[string]any{"typ": "JWT"}
	maps.Copy(headers, j.Headers)
	if j.KeyID != "" {
		headers["kid"] = j.KeyID
	}
	return headers
}

func (j JWT) claims(t issued) map[string]any {
	claims := map[string]any{"iat": t.begin.Unix(), "exp": t.ends.Unix()}
	maps.Copy(claims, j.Claims)
	for name, value := range map[string]string{"iss": j.Issuer, "sub": j.Subject} {
		if value != "" {
			claims[name] = value
		}
	}
	switch len(j.Audience) {
	case 0:
	case 1:
		claims["aud"] = j.Audience[0]
	default:
		claims["aud"] = j.Audience
	}
	if j.NotBefore {
		claims["nbf"] = t.begin.Unix()
	}
	if !j.NoID {
		claims["jti"] = rand.Text()
	}
	return claims
}

// Validate tells everything that is known to be wrong with the token, joined. No secret is asked for, so that a key
// that is read from elsewhere is not looked at.
func (j JWT) Validate() error {
	faults := append(j.faults(), j.Key.Validate())
	if j.Key.source != nil {
		if key, ok := j.Key.source.known(); ok {
			_, err := key.choose(j.Algorithm)
			faults = append(faults, err)
		} else {
			_, shared := j.Key.source.(sharedKey)
			faults = append(faults, checkFamily(j.Algorithm, shared))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("jwt: %w", err)
	}
	return nil
}

// checkFamily tells whether the algorithm is one for the kind of key, as far as that is known without the key.
func checkFamily(alg string, shared bool) error {
	switch {
	case alg == "" || shared == strings.HasPrefix(alg, "HS"):
		return nil
	case shared:
		return fmt.Errorf("%w: %s does not sign with a shared secret", ErrKey, alg)
	default:
		return fmt.Errorf("%w: %s signs with a shared secret only", ErrKey, alg)
	}
}

// faults tells what is wrong beside the key.
func (j JWT) faults() []error {
	var faults []error
	if _, ok := hashes[jose.SignatureAlgorithm(j.Algorithm)]; !ok && j.Algorithm != "" {
		faults = append(faults, fmt.Errorf("the algorithm %q is not one that signs here", j.Algorithm))
	}
	if slices.Contains(j.Audience, "") {
		faults = append(faults, errors.New("an audience is empty"))
	}
	if d := j.lifetime(); d < time.Second || d > maxJWTLifetime || d%time.Second != 0 {
		faults = append(faults, fmt.Errorf("the lifetime %v is not of whole seconds, from 1s to 24h", d))
	}
	if d := j.Backdate; d < 0 || d > maxBackdate || d >= j.lifetime() {
		faults = append(faults, fmt.Errorf("iat cannot be put back by %v: at most 5m, and less than the lifetime", d))
	}
	faults = append(faults, members("header", j.Headers, "alg", "b64", "crit", "enc", "jwk", "kid", "zip")...)
	return append(faults, members("claim", j.Claims, "aud", "exp", "iat", "iss", "jti", "nbf", "sub")...)
}

// members tells what is wrong with further headers or claims.
func members(kind string, m map[string]any, reserved ...string) []error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(m)) {
		value := m[name]
		switch {
		case name == "":
			faults = append(faults, fmt.Errorf("a %s has no name", kind))
		case slices.Contains(reserved, name):
			faults = append(faults, fmt.Errorf("the %s %s is not to be set by hand", kind, name))
		case holdsSecret(value):
			faults = append(faults, fmt.Errorf("the %s %s is a secret, and everybody could read it", kind, name))
		default:
			if _, err := json.Marshal(value); err != nil {
				faults = append(faults, fmt.Errorf("the %s %s has no JSON form", kind, name))
			}
		}
	}
	return faults
}

func holdsSecret(value any) bool {
	_, ok := value.(secrets.Provider)
	return ok
}

// identity is a hash of what tells this JWT from others. The key itself is not part of it: one that is replaced by
// its successor signs for the same subject.
func (j JWT) identity() string {
	text, err := json.Marshal([]any{
		j.Algorithm, j.KeyID, j.Headers, j.Issuer, j.Subject, j.Audience, j.lifetime(), j.Backdate,
		j.NotBefore, j.NoID, j.Claims, j.Key.String(), j.Key.reference(),
	})
	if err != nil { // Validate reports it
		text = nil
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// String implements [fmt.Stringer].
func (j JWT) String() string { return "JWT signed by a " + j.Key.String() }

// Format implements [fmt.Formatter], so that no verb reaches the claims.
func (j JWT) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, j.String()) }
