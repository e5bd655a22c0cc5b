package interop_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/keystore"
	"github.com/restconn/restconn/internal/interop/pki"
	"github.com/restconn/restconn/internal/interop/servers"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// service is a client that needs no user.
func service(method string, more metadata) metadata {
	m := metadata{
		"response_types": []string{}, "grant_types": []string{grantClient}, "redirect_uris": []string{},
		"token_endpoint_auth_method": method,
	}
	maps.Copy(m, more)
	return m
}

// publicKeys is a key set with the key of a certificate.
func publicKeys(cert *x509.Certificate) jose.JSONWebKeySet {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: cert.PublicKey, KeyID: "c1", Algorithm: "ES256", Use: "sig"}}}
}

// wantEqual compares.
func wantEqual[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestClientAuthentication has the provider check each way to authenticate: a good one is let in, and a spoilt one is
// not.
func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	s, certs := server(t, servers.OIDC), certificates(t)
	key := func(pair *pki.Pair) oauth2flow.ClientAuth {
		return oauth2flow.PrivateKeyJWT(oauth2flow.PrivateKey(secrets.Static(string(pair.KeyPEM))),
			oauth2flow.AssertionAudience(s.URL))
	}
	for name, c := range map[string]struct {
		metadata  metadata
		good, bad oauth2flow.ClientAuth // a zero bad one has another secret
	}{
		"N-19 client_secret_basic": {metadata: service("client_secret_basic", nil), good: oauth2flow.InHeader()},
		"N-19 client_secret_basic, not encoded": {
			metadata: service("client_secret_basic", nil), good: oauth2flow.InHeader(), bad: oauth2flow.InHeaderRaw(),
		},
		"N-19 client_secret_post": {metadata: service("client_secret_post", nil), good: oauth2flow.InBody()},
		"client_secret_jwt":       {metadata: service("client_secret_jwt", nil), good: oauth2flow.SecretJWT()},
		"S27 private_key_jwt": {
			metadata: service("private_key_jwt", metadata{
				"jwks": publicKeys(certs.ChainClient.Certificate), "token_endpoint_auth_signing_alg": "ES256",
			}),
			good: key(certs.ChainClient), bad: key(certs.OtherClient),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := registered(t, s, c.metadata)
			if client.Secret != nil && !strings.HasSuffix(reveal(t, client.Secret), servers.SecretSuffix) {
				t.Fatal("the secret is too simple")
			}
			client.Auth = c.good
			ctx := within(t, time.Minute)
			token, err := managed(t, oauth2flow.ClientCredentials(client)).Token(ctx, auth.Want{})
			if err != nil {
				t.Fatal(err)
			}
			in, err := oauth2flow.Introspect(ctx, client, token.Value, "")
			if err != nil || !in.Active || in.ClientID != client.ID {
				t.Errorf("%+v, %v", in, err)
			}
			if client.Auth = c.bad; c.bad.String() == (oauth2flow.ClientAuth{}).String() {
				client.Auth, client.Secret = c.good, secrets.Static(reveal(t, client.Secret)+"x")
			}
			_, err = managed(t, oauth2flow.ClientCredentials(client)).Token(ctx, auth.Want{})
			if refused := as[*oauth2flow.Error](t, err); !errors.Is(err, auth.ErrClientRejected) {
				t.Errorf("the spoilt one: %v", refused)
			}
		})
	}
}

func reveal(t *testing.T, p secrets.Provider) string {
	t.Helper()
	v, err := p.Secret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v.Reveal()
}

// TestBoundTokens gets a token with the certificate of the connection (RFC 8705): it is bound to that certificate.
func TestBoundTokens(t *testing.T) {
	t.Parallel()
	s, certs := server(t, servers.OIDC), certificates(t)
	client := registered(t, s, service("tls_client_auth", metadata{
		"tls_client_auth_subject_dn": "CN=client", "tls_client_certificate_bound_access_tokens": true,
	}))
	client.Auth, client.Endpoint = oauth2flow.TLSClientAuth(), auth.Endpoint{}
	client.Resources, client.Scopes = []string{"urn:api:one"}, []string{"api:read"}
	token := func(t *testing.T, options ...connection.Option) (*auth.Token, error) {
		t.Helper()
		tokens := managed(t, oauth2flow.ClientCredentials(client))
		conn := dialing(t, s.URL, append(options, connection.WithAuth(auth.Bearer(tokens)))...)
		ctx := within(t, time.Minute)
		if err := request.Get(conn, "/.well-known/openid-configuration").Exec(ctx); err != nil {
			return nil, err
		}
		return tokens.Token(ctx, auth.Want{})
	}
	t.Run("I-22 the certificate of the client", func(t *testing.T) {
		t.Parallel()
		got, err := token(t, connection.WithClientCertificate(keystore.Bytes(bundle(certs.Client))))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(certs.Client.Certificate.Raw)
		if claims := claimsOf(t, got.Value); claims.Bound.Thumbprint != base64.RawURLEncoding.EncodeToString(sum[:]) {
			t.Errorf("the token is bound to %q", claims.Bound.Thumbprint)
		}
	})
	for name, pair := range map[string]*pki.Pair{
		"that of another": certs.ChainClient, "one of no authority": certs.OtherClient,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := token(t, connection.WithClientCertificate(keystore.Bytes(bundle(pair))))
			if !errors.Is(err, auth.ErrClientRejected) {
				t.Error(err)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		if _, err := token(t); !errors.Is(err, auth.ErrClientRejected) {
			t.Error(err)
		}
	})
}

// claims are those of an access token.
type claims struct {
	Audience string `json:"aud"`
	Scope    string `json:"scope"`
	Client   string `json:"client_id"`
	Bound    struct {
		Thumbprint string `json:"x5t#S256"`
	} `json:"cnf"`
}

// claimsOf reads the claims of a token that is a JWT.
func claimsOf(t *testing.T, token secrets.Value) claims {
	t.Helper()
	parsed, err := jose.ParseSignedCompact(token.Reveal(), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal("the token is no JWT:", err)
	}
	var c claims
	if err := json.Unmarshal(parsed.UnsafePayloadWithoutVerification(), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestResources asks for tokens for services (RFC 8707).
func TestResources(t *testing.T) {
	t.Parallel()
	s := server(t, servers.OIDC)
	base := registered(t, s, service("client_secret_basic", nil))
	base.Auth = oauth2flow.InHeader()
	ask := func(t *testing.T, scopes []string, resources ...string) (*auth.Token, error) {
		t.Helper()
		client := base
		client.Scopes, client.Resources, client.RequireScopes = scopes, resources, true
		return managed(t, oauth2flow.ClientCredentials(client)).Token(within(t, time.Minute), auth.Want{})
	}
	for _, resource := range []string{"urn:api:one", "urn:api:two"} {
		t.Run("S30 the audience is "+resource, func(t *testing.T) {
			t.Parallel()
			token, err := ask(t, []string{"api:write", "api:read"}, resource)
			if err != nil {
				t.Fatal(err)
			}
			got := claimsOf(t, token.Value)
			if got.Audience != resource || got.Client != base.ID || len(strings.Fields(got.Scope)) != 2 {
				t.Errorf("%+v", got)
			}
			if !slices.Equal(slices.Sorted(slices.Values(token.Scopes)), []string{"api:read", "api:write"}) {
				t.Errorf("scopes: %q", token.Scopes)
			}
		})
	}
	for name, c := range map[string]struct {
		scopes, resources []string
		want              string
	}{
		"S30 two at once, which the provider refuses": {
			[]string{"api:read"}, []string{"urn:api:one", "urn:api:two"}, "invalid_target",
		},
		"S30 one that it does not know": {[]string{"api:read"}, []string{"urn:other"}, "invalid_target"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ask(t, c.scopes, c.resources...)
			if got := as[*oauth2flow.Error](t, err); got.Code != c.want {
				t.Errorf("got %q, want %q: %v", got.Code, c.want, err)
			}
		})
	}
}

// TestScopes is about a provider that grants less than it is asked for.
func TestScopes(t *testing.T) {
	t.Parallel()
	s := server(t, servers.OIDC)
	client := registered(t, s, service("client_secret_basic", nil))
	client.Auth = oauth2flow.InHeader()
	client.Resources, client.Scopes = []string{"urn:api:one"}, []string{"api:read", "api:none"}
	ctx := within(t, time.Minute)
	token, err := managed(t, oauth2flow.ClientCredentials(client)).Token(ctx, auth.Want{})
	if err != nil || !slices.Equal(token.Scopes, []string{"api:read"}) {
		t.Errorf("N-18 %v, %v", token, err)
	}
	client.RequireScopes = true
	_, err = managed(t, oauth2flow.ClientCredentials(client)).Token(ctx, auth.Want{})
	if !errors.Is(err, oauth2flow.ErrScopes) {
		t.Errorf("S26 %v", err)
	}
}

// TestForget wants that nothing of a login is good any more once it is forgotten.
func TestForget(t *testing.T) {
	t.Parallel()
	s := server(t, servers.OIDC)
	client := registered(t, s, webApp(webRedirect))
	client.Scopes, client.Auth = offline(), oauth2flow.InHeader()
	code := oauth2flow.NewAuthorizationCode(client, authorization(s, webRedirect))
	token, other := loggedIn(t, code, newForms(t, s), "alice"), loggedIn(t, code, newForms(t, s), "bob")
	tokens := managed(t, code)
	if err := tokens.Set(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	wantActive(t, client, token.Value, "alice")
	ctx := within(t, time.Minute)
	if err := tokens.Forget(ctx); err != nil {
		t.Fatal("S53", err)
	}
	for hint, text := range map[string]secrets.Value{"access_token": token.Value, "refresh_token": token.Refresh} {
		if in, err := oauth2flow.Introspect(ctx, client, text, hint); err != nil || in.Active {
			t.Errorf("S53 the %s after Forget: %+v, %v", hint, in, err)
		}
	}
	if _, err := tokens.Token(ctx, auth.Want{}); !errors.Is(err, auth.ErrLoginRequired) {
		t.Errorf("S53 after Forget: %v", err)
	}
	wantActive(t, client, other.Value, "bob")
}
