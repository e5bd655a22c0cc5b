package oidc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/secrets"
)

var _ oauth2flow.IDTokenVerifier = (*Verifier)(nil)

// Verifier verifies the ID tokens of one provider (OpenID Connect Core 1.0, section 3.1.3.7). It fetches the provider's
// keys when it first needs them, in the way that the provider's Endpoint says, and keeps them for 15 minutes; so one
// Verifier serves all logins at that provider. It is safe for concurrent use.
//
// A token whose key is not among the keys has them fetched again, at most once a minute. Keys that are older than 15
// minutes are never used, so that one that was withdrawn ends by then, even if its successors cannot be fetched: then
// the answer is [ErrKeys]. What the server says about caching has no effect. A fetch belongs to no caller: one that
// leaves does not end it for the others. It takes at most 30 seconds, follows no redirect, and reads 256 KiB and 100
// keys at most. Keys that are not for signatures, RSA keys of less than 2048 bits or more than 4096, and curves other
// than P-256, P-384, P-521 and Ed25519 are not used, nor is any key or URL that the token itself brings.
type Verifier struct {
	issuer     string
	algorithms []string
	audiences  []string
	keys       *keySet
	fault      error
}

// NewVerifier returns the verifier of ID tokens of that provider, which uses Issuer, JWKSURL, Algorithms and Endpoint
// of it. [Algorithms] and [TrustAudiences] are the options for it. What is wrong is told by [Verifier.Validate].
func NewVerifier(p Provider, opts ...Option) *Verifier {
	s := newSettings(opts)
	if s.asToken {
		s.fault("AsToken: it is for New, and nothing that a verifier decides")
	}
	v := s.verifier(p)
	v.fault = errors.Join(joinFaults(s.faults), v.fault)
	return v
}

// verifier returns the verifier that New and NewVerifier make. What is wrong with the settings is left to them.
func (s *settings) verifier(p Provider) *Verifier {
	e := p.Endpoint
	e.TrustedCA = bytes.Clone(e.TrustedCA)
	v := &Verifier{
		issuer: p.Issuer, algorithms: slices.Clone(s.allowed(p.Algorithms)), audiences: s.audiences,
		keys: &keySet{url: p.JWKSURL, endpoint: e},
	}
	v.fault = v.validate()
	return v
}

// Validate tells everything that is wrong with the verifier, joined. It calls nobody.
func (v *Verifier) Validate() error {
	if v == nil || v.keys == nil {
		return errNoVerifier
	}
	return v.fault
}

// errNoVerifier is what Validate tells of a Verifier that NewVerifier has not made.
var errNoVerifier = errors.New("oidc: the Verifier is nil or the zero value: NewVerifier makes one")

func (v *Verifier) validate() error {
	var faults []error
	if v.issuer == "" {
		faults = append(faults, errors.New("oidc: Issuer: it is empty"))
	}
	for i, name := range v.algorithms {
		if !isAlgorithm(name) {
			faults = append(faults, fmt.Errorf("oidc: algorithm number %d is not one that verifies here: they are %s",
				i+1, strings.Join(algorithmNames(), ", ")))
		}
	}
	return errors.Join(append(faults, v.keys.validate()...)...)
}

// VerifyIDToken implements [oauth2flow.IDTokenVerifier]. The error is an [*IDTokenError], and the result is nil with
// it. Clocks may differ: the token is accepted until 60 seconds after exp, from 60 seconds before nbf, with an iat of
// up to five minutes ahead, and with an auth_time that is 60 seconds older than want allows. It may have 64 KiB.
//
// The issuer is the one that the provider has. Google's tokens may name theirs without https://, as go-oidc has it.
func (v *Verifier) VerifyIDToken(
	ctx context.Context, token secrets.Value, want oauth2flow.IDTokenWant,
) (*oauth2flow.IDToken, error) {
	id, err := v.verify(ctx, token.Reveal(), want)
	if err != nil {
		return nil, &IDTokenError{Err: err}
	}
	return id, nil
}

func (v *Verifier) verify(ctx context.Context, text string, want oauth2flow.IDTokenWant) (*oauth2flow.IDToken, error) {
	switch {
	case v.Validate() != nil:
		return nil, v.Validate()
	case want.ClientID == "":
		return nil, fmt.Errorf("%w: there is no client id to compare it with", ErrAudience)
	}
	h, err := parseHeader(text, v.algorithms)
	if err != nil {
		return nil, err
	}
	s := &signature{keys: v.keys, header: h}
	config := &gooidc.Config{
		ClientID:             want.ClientID,
		SupportedSigningAlgs: v.algorithms,
		Now:                  func() time.Time { return time.Now().Add(-tolerance) },
	}
	_, refused := gooidc.NewVerifier(v.issuer, s, config).Verify(ctx, text)
	switch {
	case s.err != nil:
		return nil, s.err
	case s.payload == nil:
		return nil, errForm
	}
	id, err := v.check(s.payload, h.algorithm, want)
	if err == nil && refused != nil {
		err = errRefused // it quotes the token
	}
	if err != nil {
		return nil, err
	}
	return id, nil
}

// signature is the [gooidc.KeySet] of one token. It keeps what go-oidc puts into a text.
type signature struct {
	keys    *keySet
	header  tokenHeader
	payload []byte // once the signature is known to be good
	err     error
}

// VerifySignature implements [gooidc.KeySet].
func (s *signature) VerifySignature(ctx context.Context, text string) ([]byte, error) {
	s.payload, s.err = s.keys.verify(ctx, text, s.header)
	return s.payload, s.err
}

// String tells whose tokens are verified.
func (v *Verifier) String() string {
	text := "Verifier"
	if v == nil {
		return text
	}
	if u, err := url.Parse(v.issuer); err == nil && u.Host != "" {
		text += " of " + redact.URL(u)
	}
	return text
}

// Format implements [fmt.Formatter], so that no verb reaches the fields.
func (v *Verifier) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, v.String()) }
