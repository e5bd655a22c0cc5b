package oidc_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/secrets"
)

// FuzzIDToken checks that no text is taken for an ID token: nobody but the provider can sign one.
func FuzzIDToken(f *testing.F) {
	now := time.Now().Unix()
	payload := encode(inJSON(good(claims{"exp": now + 1e9})))
	for _, header := range []string{
		`{"alg":"none"}`, `{"alg":"HS256","kid":"k1"}`, `{"alg":"EdDSA","kid":"k1"}`, `{"alg":"EdDSA"}`, `{"alg":"RS256"}`,
		`{"alg":"ES256","crit":["b64"],"b64":false}`, `{"alg":"EdDSA","jku":"https://h/","jwk":{"kty":"OKP"}}`, `{}`, `[`,
	} {
		f.Add(encode(header) + "." + payload + "." + encode(strings.Repeat("s", ed25519.SignatureSize)))
	}
	for _, text := range []string{
		"", ".", "..", "...", "a.b.c", "a.b.c.d.e", `{"payload":"","signatures":[]}`, "\x00.\xff.ä",
	} {
		f.Add(text)
	}
	p := newKeyHost(f, published(newEd(), jwk{"kid": "k1"}), published(rsaKey(), jwk{"kid": "k2"}))
	v := p.verifier("EdDSA", "RS256", "ES256")
	f.Fuzz(func(t *testing.T, text string) {
		for _, w := range []oauth2flow.IDTokenWant{wanted(), {ClientID: clientID}, {}} {
			id, err := v.VerifyIDToken(t.Context(), secrets.Static(text), w)
			if err == nil || id != nil {
				t.Fatalf("it is accepted: %v", id)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error shows something of the token: %v", err)
			}
		}
	})
}

// FuzzIDTokenClaims checks claims that the provider has signed: what is accepted says what it has to, also to a
// reader that is not ours.
func FuzzIDTokenClaims(f *testing.F) {
	now := time.Now().Unix()
	for _, c := range []claims{
		nil, {"aud": []string{clientID, "x"}, "azp": clientID}, {"nbf": now + 3600}, {"exp": 1.5},
		{"_claim_names": claims{"a": "b"}},
	} {
		f.Add(inJSON(good(c)))
	}
	for _, text := range []string{
		"", "{}", "[]", `{"iss":1,"iss":2}`, `{"aud":[null]}`, `{"exp":1e999}`, "{\"sub\":\"\xff\"}",
	} {
		f.Add(text)
	}
	key := newEd()
	v := newKeyHost(f, published(key, nil)).verifier("EdDSA")
	f.Fuzz(func(t *testing.T, payload string) {
		text := encode(`{"alg":"EdDSA"}`) + "." + encode(payload)
		text += "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(text)))
		id, err := v.VerifyIDToken(t.Context(), secrets.Static(text), wanted())
		if (err == nil) == (id == nil) {
			t.Fatalf("the ID token is %v, and the error %v", id, err)
		}
		if err != nil {
			return
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(payload), &got); err != nil {
			t.Fatalf("accepted, and %v", err)
		}
		exp, _ := got["exp"].(float64)
		iat, issued := got["iat"].(float64)
		ahead := float64(time.Now().Add(5 * time.Minute).Unix())
		if got["iss"] != issuer || got["sub"] != id.Subject || id.Subject == "" || got["nonce"] != sentNonce ||
			exp < float64(time.Now().Add(-2*time.Minute).Unix()) || !issued || iat > ahead {
			t.Errorf("accepted: %v", got)
		}
	})
}
