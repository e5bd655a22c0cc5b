package oauth2flow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	// assertionType is what the token endpoint is told about an assertion (RFC 7523, section 2.2).
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

	maxAssertionLifetime = 5 * time.Minute
)

// AssertionOption changes the assertion of [PrivateKeyJWT] and [SecretJWT].
type AssertionOption interface {
	fmt.Stringer
	applyAssertion(*assertion)
}

// PrivateKeyJWT authenticates the client with a JWT that is signed with its private key, which never leaves this side
// (private_key_jwt; RFC 7523, section 2.2, and OpenID Connect Core 1.0, section 9). A [SharedSecret] is refused.
//
// Each request gets an assertion of its own, with a random jti: iss and sub are the client id, aud is the token URL,
// and exp is 60 s later. The client id is sent beside it.
func PrivateKeyJWT(key Key, opts ...AssertionOption) ClientAuth {
	a := newAssertion(key, opts)
	if _, ok := key.source.(sharedKey); ok {
		a.fault(errors.New("PrivateKeyJWT wants a private key; SecretJWT signs with the client's secret"))
	}
	return a.clientAuth("private_key_jwt", false)
}

// SecretJWT authenticates the client with a JWT that is signed with its secret, which is not sent (client_secret_jwt;
// OpenID Connect Core 1.0, section 9). The secret is used as the UTF-8 bytes of its text, and has at least 32 of them
// for HS256, which is the algorithm unless [AssertionAlgorithm] says otherwise. All else is as in [PrivateKeyJWT].
func SecretJWT(opts ...AssertionOption) ClientAuth {
	a := newAssertion(Key{}, opts)
	a.ofClient = true
	return a.clientAuth("client_secret_jwt", true)
}

// AssertionAudience sets aud, which is otherwise the token URL: the issuer of the authorization server, say, which is
// the one value that newer servers accept and that no other server can use (draft-ietf-oauth-rfc7523bis).
func AssertionAudience(aud string) AssertionOption {
	return assertionOption{fmt.Sprintf("AssertionAudience(%q)", aud), func(a *assertion) {
		if aud == "" {
			a.fault(errors.New("AssertionAudience: the audience is empty"))
			return
		}
		a.jwt.Audience = []string{aud}
	}}
}

// AssertionLifetime sets how long an assertion is valid: at most 5 minutes, in whole seconds.
func AssertionLifetime(d time.Duration) AssertionOption {
	return assertionOption{fmt.Sprintf("AssertionLifetime(%v)", d), func(a *assertion) {
		if d <= 0 || d > maxAssertionLifetime {
			a.fault(fmt.Errorf("AssertionLifetime: %v is not from 1s to 5m", d))
			return
		}
		a.jwt.Lifetime = d
	}}
}

// AssertionKeyID sets the kid header.
func AssertionKeyID(kid string) AssertionOption {
	return assertionOption{fmt.Sprintf("AssertionKeyID(%q)", kid), func(a *assertion) { a.jwt.KeyID = kid }}
}

// AssertionAlgorithm sets the algorithm of the signature, see [JWT].
func AssertionAlgorithm(alg string) AssertionOption {
	return assertionOption{fmt.Sprintf("AssertionAlgorithm(%q)", alg), func(a *assertion) { a.jwt.Algorithm = alg }}
}

// AssertionHeader adds a header to the assertion, such as x5t#S256 (see [X5TS256]), under the rules of [JWT].
func AssertionHeader(name string, value any) AssertionOption {
	return assertionOption{fmt.Sprintf("AssertionHeader(%q)", name), func(a *assertion) {
		a.jwt.Headers = with(a.jwt.Headers, name, value)
	}}
}

// AssertionClaim adds a claim to the assertion, under the rules of [JWT].
func AssertionClaim(name string, value any) AssertionOption {
	return assertionOption{fmt.Sprintf("AssertionClaim(%q)", name), func(a *assertion) {
		a.jwt.Claims = with(a.jwt.Claims, name, value)
	}}
}

// OmitClientID sends no client_id beside the assertion, which names the client itself (RFC 7521, section 4.2).
func OmitClientID() AssertionOption {
	return assertionOption{"OmitClientID()", func(a *assertion) { a.omitID = true }}
}

type assertionOption struct {
	text  string
	apply func(*assertion)
}

func (o assertionOption) String() string              { return o.text }
func (o assertionOption) applyAssertion(a *assertion) { o.apply(a) }

// with returns a copy of m with one more member.
func with(m map[string]any, name string, value any) map[string]any {
	m = maps.Clone(m)
	if m == nil {
		m = make(map[string]any, 1)
	}
	m[name] = value
	return m
}

// assertion is a client authentication. It does not change once it is made.
type assertion struct {
	jwt      JWT
	ofClient bool // the key is the client's secret
	omitID   bool
	faults   []error
}

func newAssertion(key Key, opts []AssertionOption) *assertion {
	a := &assertion{jwt: JWT{Key: key}}
	for _, opt := range opts {
		if opt == nil {
			a.fault(errors.New("an option is nil"))
			continue
		}
		opt.applyAssertion(a)
	}
	return a
}

func (a *assertion) fault(err error) { a.faults = append(a.faults, err) }

// validate tells what is wrong beside the client. What the client's secret is like is not known before it is used.
func (a *assertion) validate() error {
	j := a.jwt
	faults := slices.Clone(a.faults)
	if a.ofClient {
		faults = append(append(faults, j.faults()...), checkFamily(j.Algorithm, true))
		return errors.Join(faults...)
	}
	return errors.Join(append(faults, j.Validate())...)
}

func (a *assertion) clientAuth(name string, needsSecret bool) ClientAuth {
	says := JWT{Audience: a.jwt.Audience, Claims: a.jwt.Claims} // without the key, which may be replaced
	return ClientAuth{
		name: name, needsSecret: needsSecret, apply: a.apply, validate: a.validate, config: says.identity(),
	}
}

// apply puts a new assertion on the request.
func (a *assertion) apply(ctx context.Context, c *Client, req *tokenRequest) error {
	j := a.jwt
	j.Issuer, j.Subject = c.ID, c.ID
	if len(j.Audience) == 0 {
		j.Audience = []string{req.url}
	}
	if a.ofClient {
		j.Key = SharedSecret(c.Secret)
	}
	text, err := j.Secret(ctx)
	if err != nil {
		return err
	}
	req.add(fieldClientAssertionType, assertionType)
	req.add(fieldClientAssertion, text.Reveal())
	if !a.omitID {
		req.add(fieldClientID, c.ID)
	}
	return nil
}
