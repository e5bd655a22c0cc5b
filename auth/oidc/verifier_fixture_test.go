package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

const (
	// canary is part of every value of a token; no error may show it.
	canary    = "CANARY"
	clientID  = canary + "-client"
	user      = canary + "-user"
	sentNonce = canary + "-nonce"
)

// The keys are made once, because RSA keys take their time. rsaKey is the one that signs unless a test says otherwise.
var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })
	otherKey = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })
	thirdKey = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(2048) })
	weakKey  = sync.OnceValue(func() *rsa.PrivateKey { return newRSA(1024) })
)

func newRSA(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

func newEC(curve elliptic.Curve) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func newEd() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// jwk is a JSON Web Key as a server writes it.
type jwk map[string]any

// published returns the public half of a private key, with these members beside it.
func published(key crypto.Signer, with jwk) jwk {
	text, err := json.Marshal(jose.JSONWebKey{Key: key.Public()})
	if err != nil {
		panic(err)
	}
	k := make(jwk)
	if err := json.Unmarshal(text, &k); err != nil {
		panic(err)
	}
	maps.Copy(k, with)
	return k
}

// keyHost is a provider in memory, whose keys can be changed.
type keyHost struct {
	server *connectiontest.Server
	reply  atomic.Value // of type func(http.ResponseWriter, *http.Request)
}

// newKeyHost returns a provider that publishes the keys, or rsaKey with the kid k1.
func newKeyHost(tb testing.TB, keys ...jwk) *keyHost {
	tb.Helper()
	p := new(keyHost)
	if len(keys) == 0 {
		keys = []jwk{published(rsaKey(), jwk{"kid": "k1"})}
	}
	p.publish(keys...)
	p.server = connectiontest.NewNetwork(tb).Serve(issuer, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.reply.Load().(func(http.ResponseWriter, *http.Request))(w, r)
	}))
	return p
}

func (p *keyHost) publish(keys ...jwk) {
	p.answer(connectiontest.JSON(200, map[string]any{"keys": keys}))
}

func (p *keyHost) answer(h http.Handler) { p.reply.Store(h.ServeHTTP) }

func (p *keyHost) provider() oidc.Provider {
	return oidc.Provider{
		Issuer:   issuer,
		JWKSURL:  issuer + "/keys",
		Endpoint: auth.Endpoint{Client: &http.Client{Transport: p.server.Network().Transport()}},
	}
}

func (p *keyHost) verifier(algorithms ...string) *oidc.Verifier {
	if len(algorithms) == 0 {
		return oidc.NewVerifier(p.provider())
	}
	return oidc.NewVerifier(p.provider(), oidc.Algorithms(algorithms...))
}

// wantFetches tells how often the keys have to have been fetched.
func (p *keyHost) wantFetches(tb testing.TB, want int) {
	tb.Helper()
	if got := len(p.server.Requests()); got != want {
		tb.Errorf("the keys were fetched %d times, want %d", got, want)
	}
}

// claims are those of a token.
type claims map[string]any

// good returns claims that pass, with these changes: a nil one is left out.
func good(changes claims) claims {
	now := time.Now().Unix()
	c := claims{"iss": issuer, "sub": user, "aud": clientID, "exp": now + 3600, "iat": now, "nonce": sentNonce}
	for name, value := range changes {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

func wanted() oauth2flow.IDTokenWant {
	return oauth2flow.IDTokenWant{ClientID: clientID, Nonce: sentNonce}
}

// signedBy returns a token that go-jose has made. keyID may be empty.
func signedBy(tb testing.TB, key any, alg jose.SignatureAlgorithm, keyID string, c claims) string {
	tb.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		tb.Fatal(err)
	}
	opts := new(jose.SignerOptions).WithType("JWT")
	if keyID != "" {
		opts = opts.WithHeader("kid", keyID)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opts)
	if err != nil {
		tb.Fatal(err)
	}
	jws, err := signer.Sign(text)
	if err != nil {
		tb.Fatal(err)
	}
	compact, err := jws.CompactSerialize()
	if err != nil {
		tb.Fatal(err)
	}
	return compact
}

// token returns a token of the provider as it is at first.
func token(tb testing.TB, changes claims) string {
	tb.Helper()
	return signedBy(tb, rsaKey(), jose.RS256, "k1", good(changes))
}

// ownToken returns a token with any header and any claims, that rsaKey has signed as RS256 does.
func ownToken(header, payload string) string {
	text := encode(header) + "." + encode(payload)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, rsaKey(), crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func inJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// errAny stands for an error of no sentinel.
var errAny = errors.New("any")

// check verifies a token, and compares the error with what it has to be: nil, errAny or a sentinel.
func check(t *testing.T, v *oidc.Verifier, text string, want oauth2flow.IDTokenWant, reason error) {
	t.Helper()
	id, err := v.VerifyIDToken(t.Context(), secrets.Static(text), want)
	if reason == nil {
		if err != nil || id == nil || id.Issuer != issuer || !strings.HasPrefix(id.Subject, canary) {
			t.Errorf("the ID token is %v, and the error %v", id, err)
		}
		return
	}
	wantRefused(t, id, err, reason)
}

// wantRefused is the F14 of every error: there is no result with it, and it shows nothing of the token.
func wantRefused(t *testing.T, id *oauth2flow.IDToken, err, reason error) {
	t.Helper()
	if _, typed := errors.AsType[*oidc.IDTokenError](err); !typed || id != nil {
		t.Fatalf("the ID token is %v, and the error %v", id, err)
	}
	if strings.Contains(err.Error(), canary) {
		t.Errorf("the error shows something of the token: %v", err)
	}
	for _, sentinel := range []error{
		oidc.ErrKeys, oidc.ErrSignature, oidc.ErrIssuer, oidc.ErrAudience, oidc.ErrExpired, oidc.ErrNonce,
		oidc.ErrSubject, oidc.ErrAuthentication,
	} {
		if is := errors.Is(err, sentinel); is != (sentinel == reason) { //nolint:errorlint // which of them it is
			t.Errorf("the error is %v, want %v", err, reason)
		}
	}
}

// inBubble runs a case in a bubble, with a provider of its own.
func inBubble(t *testing.T, name string, f func(t *testing.T, p *keyHost)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { f(t, newKeyHost(t)) })
	})
}
