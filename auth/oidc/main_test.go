package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type (
	object        = map[string]any
	client        = oauth2flow.Client
	authorization = oauth2flow.Authorization
)

const (
	issuer      = "https://idp.example.test"
	redirectURI = "https://app.example.test/cb"
)

// signingKeys are the keys of all providers here, by algorithm.
var signingKeys = sync.OnceValue(func() map[string]any {
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return map[string]any{"RS256": r, "ES256": e}
})

// signed returns claims as a JWT.
func signed(algorithm string, claims object) string {
	key := jose.JSONWebKey{Key: signingKeys()[algorithm], KeyID: algorithm}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(algorithm), Key: key}, nil)
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	jws, err := s.Sign(text)
	if err != nil {
		panic(err)
	}
	compact, err := jws.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return compact
}

// publicKeys is the key set of all providers here.
func publicKeys() jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	for algorithm, key := range signingKeys() {
		k := jose.JSONWebKey{Key: key, KeyID: algorithm, Algorithm: algorithm, Use: "sig"}
		set.Keys = append(set.Keys, k.Public())
	}
	return set
}

// documentOf returns the metadata of an issuer, with changes: a nil takes a member out.
func documentOf(issuer string, changes ...object) object {
	m := object{
		"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token",
		"jwks_uri": issuer + "/jwks", "userinfo_endpoint": issuer + "/userinfo",
		"revocation_endpoint": issuer + "/revoke", "introspection_endpoint": issuer + "/introspect",
		"device_authorization_endpoint": issuer + "/device", "end_session_endpoint": issuer + "/logout",
		"response_types_supported":              []string{"code", "id_token"},
		"id_token_signing_alg_values_supported": []string{"RS256", "ES256"},
		"code_challenge_methods_supported":      []string{"S256", "plain"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
		"scopes_supported":                      []string{"openid", "email"},
		"unknown":                               object{"a": 1},
	}
	for _, change := range changes {
		maps.Copy(m, change)
	}
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	return m
}

// idp is a provider in memory.
type idp struct {
	*connectiontest.Server

	mu      sync.Mutex
	answers []object // of the token endpoint, in turn
	info    http.Handler
}

// newIDP returns a provider at https://idp.example.test with those changes of its metadata.
func newIDP(t *testing.T, changes ...object) *idp {
	t.Helper()
	p := &idp{info: connectiontest.JSON(200, object{"sub": "ann", "name": "Ann"})}
	document := connectiontest.JSON(200, documentOf(issuer, changes...))
	p.Server = connectiontest.NewNetwork(t).Serve(issuer, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server":
			document.ServeHTTP(w, req)
		case "/jwks":
			connectiontest.JSON(200, publicKeys()).ServeHTTP(w, req)
		case "/token":
			connectiontest.JSON(200, p.next()).ServeHTTP(w, req)
		case "/userinfo":
			p.info.ServeHTTP(w, req)
		default:
			http.NotFound(w, req)
		}
	}))
	return p
}

// next returns the next answer of the token endpoint.
func (p *idp) next() object {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.answers) == 0 {
		return object{"error": "server_error"}
	}
	a := p.answers[0]
	p.answers = p.answers[1:]
	return a
}

// answer adds an answer of the token endpoint.
func (p *idp) answer(a object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = append(p.answers, a)
}

// to returns the requests to a path.
func (p *idp) to(path string) []connectiontest.Request {
	var all []connectiontest.Request
	for _, req := range p.Requests() {
		if req.Target == path {
			all = append(all, req)
		}
	}
	return all
}

func via(s *connectiontest.Server) auth.Endpoint {
	return auth.Endpoint{Client: &http.Client{Transport: s.Network().Transport()}}
}

// discovered returns the provider by its metadata.
func (p *idp) discovered(t *testing.T) oidc.Provider {
	t.Helper()
	provider, err := oidc.Discover(t.Context(), issuer, oidc.Via(via(p.Server)))
	if err != nil {
		t.Fatal(err)
	}
	return provider
}

// claimsFor are those of a good ID token of ann, with changes.
func claimsFor(nonce string, changes ...object) object {
	now := time.Now().Unix()
	c := object{"iss": issuer, "sub": "ann", "aud": "cid", "iat": now, "exp": now + 3600, "email": "ann@example.test"}
	if nonce != "" {
		c["nonce"] = nonce
	}
	for _, change := range changes {
		maps.Copy(c, change)
	}
	return c
}

// usual is a client with a secret.
func usual() client { return client{ID: "cid", Secret: secrets.Static("csec")} }

// session is a login that has begun.
type session struct {
	code  *oauth2flow.AuthorizationCode
	login *oauth2flow.Login
	asked url.Values
}

func begin(t *testing.T, code *oauth2flow.AuthorizationCode) *session {
	t.Helper()
	login, err := code.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(login.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &session{code, login, u.Query()}
}

// complete ends the login with an answer of those parameters.
func (s *session) complete(t *testing.T, pairs ...string) (*auth.Token, error) {
	t.Helper()
	v := url.Values{"state": s.asked["state"]}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return s.code.Complete(t.Context(), v, s.login.Browser)
}

// signedIn ends a login at p with a code, for which an access token, a refresh token and an ID token are issued.
func (p *idp) signedIn(t *testing.T, code *oauth2flow.AuthorizationCode, changes ...object) *auth.Token {
	t.Helper()
	s := begin(t, code)
	p.answer(object{
		"access_token": "t1", "refresh_token": "r1", "expires_in": 60,
		"id_token": signed("RS256", claimsFor(s.asked.Get("nonce"), changes...)),
	})
	token, err := s.complete(t, "code", "c0de")
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func is(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error is %v, want one that is %v", err, target)
	}
}

func as[T error](t *testing.T, err error) T {
	t.Helper()
	e, ok := errors.AsType[T](err)
	if !ok {
		t.Fatalf("error is %v, want a %T", err, e)
	}
	return e
}

// says asserts that an error has all of the texts, or that there is none if there are no texts.
func says(t *testing.T, err error, texts ...string) {
	t.Helper()
	if len(texts) == 0 && err != nil {
		t.Errorf("error is %v", err)
	}
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error is %v, want one with %q", err, text)
		}
	}
}

// hides asserts that v shows none of the texts, with whatever verb.
func hides(t *testing.T, v any, texts ...string) {
	t.Helper()
	encoded, _ := json.Marshal(v)
	shown := fmt.Sprintf("%v %+v %#v %s %q %x %s", v, v, v, v, v, v, encoded)
	for _, text := range texts {
		if strings.Contains(shown, text) || strings.Contains(shown, fmt.Sprintf("%x", text)) {
			t.Errorf("%q is shown in %s", text, shown)
		}
	}
}
