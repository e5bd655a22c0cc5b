package oauth2flow_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

const assertionURL = "https://api.example.test/oauth2/token"

// exchange makes exchanges with a token endpoint, and returns the forms that it read.
func formsOf(t *testing.T, g auth.Grant, times int) []url.Values {
	t.Helper()
	srv := connectiontest.NewServer(t, connectiontest.JSON(200, map[string]any{
		"access_token": "at", "token_type": "Bearer", "expires_in": 3600,
	}))
	if err := g.(auth.Validator).Validate(); err != nil {
		t.Fatalf("Validate: %v", err)
	}
	host := auth.Host{Client: &http.Client{Transport: srv.Network().Transport()}}
	bound, err := g.(auth.GrantBinder).BindGrant(host)
	if err != nil {
		t.Fatal(err)
	}
	var forms []url.Values
	for range times {
		token, err := bound.Obtain(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if token.Value.Reveal() != "at" {
			t.Errorf("token %v", token)
		}
	}
	for _, r := range srv.Requests() {
		if r.Header.Get("Authorization") != "" || strings.Contains(r.Target, "?") {
			t.Errorf("Authorization %v, target %s", r.Header["Authorization"] != nil, r.Target)
		}
		form, err := url.ParseQuery(string(r.Body))
		if err != nil {
			t.Fatal(err)
		}
		forms = append(forms, form)
	}
	return forms
}

// assertion takes the client assertion out of a form.
func assertion(t *testing.T, form url.Values, alg string, public any) (headers, claims map[string]any) {
	t.Helper()
	const kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	if got := form["client_assertion_type"]; !slices.Equal(got, []string{kind}) {
		t.Errorf("client_assertion_type %q", got)
	}
	if len(form["client_assertion"]) != 1 || form.Has("client_secret") {
		t.Errorf("parameters %v", slices.Sorted(maps.Keys(form)))
	}
	return verified(t, form.Get("client_assertion"), alg, public)
}

func jwtClient(how oauth2flow.ClientAuth) oauth2flow.Client {
	return oauth2flow.Client{ID: "client-1", TokenURL: assertionURL, Auth: how}
}

func TestAssertion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := float64(time.Now().Unix())
		const issuer = "https://issuer.example"
		withSecret := jwtClient(oauth2flow.SecretJWT())
		withSecret.Secret = secrets.Static(sharedText)
		tests := []struct {
			name    string
			client  oauth2flow.Client
			alg     string
			public  any
			headers map[string]any
			claims  map[string]any
			id      []string
		}{
			{
				"F15 the token URL is the audience", jwtClient(oauth2flow.PrivateKeyJWT(pemKey(pkcs8(rsaKey())))),
				"RS256", rsaKey().Public(), map[string]any{}, map[string]any{"aud": assertionURL, "exp": now + 60},
				[]string{"client-1"},
			},
			{
				"S27 the issuer is the audience, as a string",
				jwtClient(oauth2flow.PrivateKeyJWT(pemKey(pkcs8(ecKey())), oauth2flow.AssertionAudience(issuer))),
				"ES256", ecKey().Public(), map[string]any{}, map[string]any{"aud": issuer, "exp": now + 60},
				[]string{"client-1"},
			},
			{
				"client_secret_jwt", withSecret, "HS256", []byte(sharedText), map[string]any{},
				map[string]any{"aud": assertionURL, "exp": now + 60}, []string{"client-1"},
			},
			{
				"all options", jwtClient(oauth2flow.PrivateKeyJWT(
					oauth2flow.Signer(&remote{Signer: rsaKey()}), oauth2flow.AssertionLifetime(5*time.Minute),
					oauth2flow.AssertionKeyID("k"), oauth2flow.AssertionAlgorithm("PS256"),
					oauth2flow.AssertionHeader("typ", "client-authentication+jwt"),
					oauth2flow.AssertionClaim("x", "y"), oauth2flow.OmitClientID(),
				)), "PS256", rsaKey().Public(),
				map[string]any{"kid": "k", "typ": "client-authentication+jwt"},
				map[string]any{"aud": assertionURL, "exp": now + 300, "x": "y"}, nil,
			},
		}
		for _, tt := range tests {
			form := formsOf(t, oauth2flow.ClientCredentials(tt.client), 1)[0]
			headers, claims := assertion(t, form, tt.alg, tt.public)
			wantHeaders := map[string]any{"alg": tt.alg, "typ": "JWT"}
			maps.Copy(wantHeaders, tt.headers)
			wantClaims := map[string]any{"iss": "client-1", "sub": "client-1", "iat": now, "jti": claims["jti"]}
			maps.Copy(wantClaims, tt.claims)
			if diff := cmp.Diff(wantHeaders, headers); diff != "" {
				t.Errorf("%s: headers (-want +got):\n%s", tt.name, diff)
			}
			if diff := cmp.Diff(wantClaims, claims); diff != "" {
				t.Errorf("%s: claims (-want +got):\n%s", tt.name, diff)
			}
			if claims["jti"] == nil || !slices.Equal(form["client_id"], tt.id) {
				t.Errorf("%s: jti %v, client_id %q", tt.name, claims["jti"], form["client_id"])
			}
		}
	})
}

func TestAssertionIsNewEachTime(t *testing.T) {
	t.Parallel()
	forms := formsOf(t, oauth2flow.ClientCredentials(jwtClient(oauth2flow.PrivateKeyJWT(pemKey(pkcs8(edKey()))))), 3)
	seen := make(map[any]bool)
	for _, form := range forms {
		_, claims := assertion(t, form, "EdDSA", edKey().Public())
		seen[claims["jti"]] = true
	}
	if len(seen) != 3 || seen[nil] {
		t.Errorf("F15 three requests had %d different jti", len(seen))
	}
}

func TestAssertionFaults(t *testing.T) {
	t.Parallel()
	key, shared := pemKey(pkcs8(edKey())), oauth2flow.SharedSecret(secrets.Static(sharedText))
	tests := map[string]struct {
		auth oauth2flow.ClientAuth
		want []string
	}{
		"no key":          {oauth2flow.PrivateKeyJWT(oauth2flow.Key{}), []string{"there is none"}},
		"a shared secret": {oauth2flow.PrivateKeyJWT(shared), []string{"SecretJWT"}},
		"all at once": {oauth2flow.PrivateKeyJWT(
			key, nil, oauth2flow.AssertionAudience(""), oauth2flow.AssertionLifetime(6*time.Minute),
			oauth2flow.AssertionAlgorithm("RS256"), oauth2flow.AssertionHeader("crit", 1), oauth2flow.AssertionClaim("iss", 1),
		), []string{"option is nil", "audience is empty", "6m0s", "RS256", "header crit", "claim iss"}},
		"secret jwt": {oauth2flow.SecretJWT(
			oauth2flow.AssertionLifetime(-1), oauth2flow.AssertionAlgorithm("none"), oauth2flow.AssertionClaim("sub", 1),
		), []string{"-1ns", `"none"`, "claim sub"}},
		"secret jwt, RS256": {
			oauth2flow.SecretJWT(oauth2flow.AssertionAlgorithm("RS256")), []string{"RS256 does not sign with a shared"},
		},
	}
	for name, tt := range tests {
		c := jwtClient(tt.auth)
		c.Secret = secrets.Static(sharedText)
		g := oauth2flow.ClientCredentials(c)
		errValidate := g.(auth.Validator).Validate()
		_, errObtain := g.Obtain(t.Context(), nil)
		for _, want := range tt.want {
			if errValidate == nil || !strings.Contains(errValidate.Error(), want) {
				t.Errorf("%s: Validate: %q is not in: %v", name, want, errValidate)
			}
		}
		if errObtain == nil {
			t.Errorf("%s: was sent", name)
		}
	}
}

func TestSecretJWTWantsALongSecret(t *testing.T) {
	t.Parallel()
	c := jwtClient(oauth2flow.SecretJWT())
	c.Secret = secrets.Static("sentinel-too-short")
	_, err := oauth2flow.ClientCredentials(c).Obtain(t.Context(), nil)
	if !errors.Is(err, oauth2flow.ErrKey) || strings.Contains(err.Error(), "sentinel") {
		t.Errorf("got %v", err)
	}
}

func TestAssertionOptionsPrint(t *testing.T) {
	t.Parallel()
	for want, opt := range map[string]oauth2flow.AssertionOption{
		`AssertionAudience("a")`:  oauth2flow.AssertionAudience("a"),
		`AssertionLifetime(1m0s)`: oauth2flow.AssertionLifetime(time.Minute),
		`AssertionHeader("h")`:    oauth2flow.AssertionHeader("h", "sentinel"),
		`OmitClientID()`:          oauth2flow.OmitClientID(),
	} {
		if opt.String() != want {
			t.Errorf("got %s, want %s", opt, want)
		}
	}
}

func TestProvidersAssertion(t *testing.T) {
	t.Parallel()
	const bearerGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	t.Run("Q-164 ServiceNow: aud is the client id, id and secret in the body", func(t *testing.T) {
		t.Parallel()
		c := jwtClient(oauth2flow.InBody())
		c.Secret = secrets.Static("the-secret")
		form := formsOf(t, oauth2flow.Assertion(c, bearerGrant, oauth2flow.JWT{
			Key: pemKey(pkcs8(rsaKey())), KeyID: "k", Issuer: "client-1", Subject: "user@corp.example",
			Audience: []string{"client-1"},
		}), 1)[0]
		headers, claims := verified(t, form.Get("assertion"), "RS256", rsaKey().Public())
		if headers["kid"] != "k" || claims["aud"] != "client-1" || form.Get("client_id") != "client-1" ||
			form.Get("client_secret") != "the-secret" || form.Get("grant_type") != bearerGrant {
			t.Errorf("headers %v, claims %v, parameters %v", headers, claims, slices.Sorted(maps.Keys(form)))
		}
	})
	t.Run("Q-165 NetSuite: certificate id as kid, no client_id", func(t *testing.T) {
		t.Parallel()
		form := formsOf(t, oauth2flow.ClientCredentials(jwtClient(oauth2flow.PrivateKeyJWT(
			pemKey(pkcs8(rsaKey())), oauth2flow.AssertionKeyID("cert-1"), oauth2flow.OmitClientID(),
			oauth2flow.AssertionClaim("scope", []string{"restlets", "rest_webservices"}),
		))), 1)[0]
		headers, claims := assertion(t, form, "RS256", rsaKey().Public())
		scope := []any{"restlets", "rest_webservices"}
		if headers["kid"] != "cert-1" || claims["aud"] != assertionURL || form.Has("client_id") ||
			!cmp.Equal(claims["scope"], any(scope)) {
			t.Errorf("headers %v, claims %v, client_id %q", headers, claims, form["client_id"])
		}
	})
	t.Run("Q-166 Microsoft: PS256 with x5t#S256", func(t *testing.T) {
		t.Parallel()
		text, der := certificate(t)
		x5t, err := oauth2flow.X5TS256(text)
		if err != nil {
			t.Fatal(err)
		}
		c := jwtClient(oauth2flow.PrivateKeyJWT(
			pemKey(pkcs8(rsaKey())), oauth2flow.AssertionAlgorithm("PS256"), oauth2flow.AssertionHeader("x5t#S256", x5t),
		))
		c.Scopes = []string{"https://graph.example/.default"}
		form := formsOf(t, oauth2flow.ClientCredentials(c), 1)[0]
		headers, _ := assertion(t, form, "PS256", rsaKey().Public())
		if headers["x5t#S256"] != thumbprint(der) || form.Get("scope") != "https://graph.example/.default" ||
			form.Get("client_id") != "client-1" {
			t.Errorf("headers %v, scope %s", headers, form.Get("scope"))
		}
	})
	t.Run("Q-167 Apple Business: ES256, made anew", func(t *testing.T) {
		t.Parallel()
		form := formsOf(t, oauth2flow.ClientCredentials(jwtClient(oauth2flow.PrivateKeyJWT(
			pemKey(pkcs8(ecKey())), oauth2flow.AssertionKeyID("k"),
		))), 1)[0]
		headers, claims := assertion(t, form, "ES256", ecKey().Public())
		if headers["kid"] != "k" || claims["sub"] != "client-1" || form.Get("client_id") != "client-1" {
			t.Errorf("headers %v, claims %v", headers, claims)
		}
	})
}

// thumbprint returns the SHA-256 of a certificate in base64url.
func thumbprint(der []byte) string {
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestX5TS256(t *testing.T) {
	t.Parallel()
	if _, err := oauth2flow.X5TS256([]byte(pkcs8(edKey()))); err == nil {
		t.Error("a private key has a thumbprint")
	}
}
