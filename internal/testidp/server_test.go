package testidp_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/restconn/restconn/internal/testidp"
)

// claims verifies an ID token with the published keys, and returns what is in it.
func (p *provider) claims(token any) object {
	p.t.Helper()
	_, published := p.get("/jwks")
	text, err := json.Marshal(published)
	if err != nil {
		p.t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(text, &set); err != nil {
		p.t.Fatal(err)
	}
	signed, err := jose.ParseSignedCompact(token.(string), []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		p.t.Fatal(err)
	}
	found := set.Key(signed.Signatures[0].Header.KeyID)
	if len(found) != 1 || found[0].Algorithm != signed.Signatures[0].Header.Algorithm {
		return nil
	}
	body, err := signed.Verify(found[0])
	if err != nil {
		p.t.Fatal(err)
	}
	var out object
	if err := json.Unmarshal(body, &out); err != nil {
		p.t.Fatal(err)
	}
	return out
}

// half is the left half of a hash.
func half(text any) string {
	sum := sha256.Sum256([]byte(text.(string)))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func TestIDToken(t *testing.T) {
	t.Parallel()
	t.Run("of the token endpoint", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			p := start(t)
			authenticated := float64(time.Now().Unix())
			p.login()
			time.Sleep(time.Minute)
			p.browser.OTP = "123456"
			got := p.tokens()
			id := p.claims(got["id_token"])
			for name, want := range (object{
				"iss": issuer, "sub": "ann", "aud": "public", "nonce": "n1", "acr": "pwd", "auth_time": authenticated,
				"iat": authenticated + 60, "exp": authenticated + 3660, "at_hash": half(got["access_token"]),
				"c_hash": nil, "name": nil,
			}) {
				if id[name] != want {
					t.Errorf("%s: got %v, want %v", name, id[name], want)
				}
			}
			_, next := p.renew(got["refresh_token"])
			if id := p.claims(next["id_token"]); id["auth_time"] != authenticated || id["nonce"] != nil {
				t.Errorf("after a renewal: %v", id)
			}
			if id := p.claims(p.tokens("acr_values", "mfa")["id_token"]); id["acr"] != "mfa" {
				t.Errorf("with a second factor: %v", id)
			}
		})
	})
	t.Run("of the authorization endpoint", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		both := p.login("response_type", "code id_token")
		if id := p.claims(both.Get("id_token")); id["c_hash"] != half(both.Get("code")) || id["nonce"] != "n1" {
			t.Errorf("got %v", id)
		}
		alone := p.login("response_type", "id_token", "scope", "openid profile email")
		if id := p.claims(alone.Get("id_token")); id["c_hash"] != nil || id["email"] != "ann@example.test" {
			t.Errorf("got %v", id)
		}
	})
	t.Run("with the claims of the scopes", func(t *testing.T) {
		t.Parallel()
		p := start(t, func(c *testidp.Config) { c.Clients[0].FullIDTokens = true })
		id := p.claims(p.tokens("scope", "openid profile")["id_token"])
		if id["name"] != "Ann Example" || id["email"] != nil {
			t.Errorf("got %v", id)
		}
	})
	t.Run("ES256, and keys that are rotated", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		old := p.login("client_id", "con fidential", "response_type", "id_token").Get("id_token")
		if err := p.RotateKeys(true); err != nil {
			t.Fatal(err)
		}
		next := p.login("client_id", "con fidential", "response_type", "id_token").Get("id_token")
		if p.claims(old) == nil || p.claims(next) == nil {
			t.Error("both keys are published")
		}
		if err := p.RotateKeys(false); err != nil {
			t.Fatal(err)
		}
		if p.claims(old) != nil || p.claims(next) != nil {
			t.Error("neither key is published")
		}
	})
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, target := range []string{
		issuer + "/.well-known/openid-configuration",
		"https://idp.test/.well-known/oauth-authorization-server/tenant",
	} {
		req, err := http.NewRequest(http.MethodGet, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		status, got := p.do(req)
		if status != 200 || got["issuer"] != issuer || got["token_endpoint"] != issuer+"/token" {
			t.Errorf("%s: %d %v", target, status, got)
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	p := start(t)
	long := strings.Repeat("x", 100_000)
	p.want(400, "invalid_request")(p.post("/token", "", "", url.Values{"token": {long}}))
	p.want(400, "invalid_request")(p.get("/authorize?state=" + long))
}

func TestValidate(t *testing.T) {
	t.Parallel()
	c := testidp.Config{
		Clients: []testidp.Client{{ID: "a"}, {ID: "a", Algorithm: "none"}}, Users: []testidp.User{{Name: "x"}},
	}
	err := c.Validate()
	for _, want := range []string{"Issuer", "Clients: number 2 has no ID", "unknown Algorithm", "Users: number 1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing: %v", want, err)
		}
	}
	w := httptest.NewRecorder()
	testidp.New(c).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/jwks", nil))
	if w.Code != 500 {
		t.Errorf("status %d", w.Code)
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	_, server := testidp.Start(testidp.Config{
		Clients: []testidp.Client{{ID: "c", RedirectURIs: []string{redirect}, Trusted: true}},
		Users:   []testidp.User{{Name: "ann", Password: "pw"}},
	})
	defer server.Close()
	b := testidp.NewBrowser(server.Client().Transport)
	target := strings.Replace(authorizeURL("client_id", "c", "scope", "openid"), issuer, server.URL, 1)
	for range 2 { // the cookie is kept on a loopback address, too
		callback, err := b.Login(t.Context(), target, "ann", "pw")
		if err != nil || callback.Values().Get("iss") != server.URL || !callback.Values().Has("code") {
			t.Errorf("%v, %v", callback, err)
		}
	}
}
