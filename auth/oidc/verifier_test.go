package oidc_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/secrets"
)

// claimCase is a token that is good but for a change, or for what is wanted of it.
type claimCase struct {
	name   string
	change claims
	want   func(w *oauth2flow.IDTokenWant)
	trust  []string
	reason error
}

func (c claimCase) run(t *testing.T, p *keyHost) {
	t.Helper()
	v := p.verifier()
	if c.trust != nil {
		v = oidc.NewVerifier(p.provider(), oidc.TrustAudiences(c.trust...))
	}
	w := wanted()
	if c.want != nil {
		c.want(&w)
	}
	check(t, v, token(t, c.change), w, c.reason)
	p.wantFetches(t, 1)
}

func runClaims(t *testing.T, cases []claimCase) {
	t.Helper()
	for _, c := range cases {
		inBubble(t, c.name, c.run)
	}
}

func TestRequiredClaims(t *testing.T) {
	t.Parallel()
	long := canary + strings.Repeat("x", 255-len(canary))
	runClaims(t, []claimCase{
		{name: "S36 all there"},
		{name: "S36 no iss", change: claims{"iss": nil}, reason: oidc.ErrIssuer},
		{name: "S36 no sub", change: claims{"sub": nil}, reason: errAny},
		{name: "S36 no aud", change: claims{"aud": nil}, reason: oidc.ErrAudience},
		{name: "S36 no exp", change: claims{"exp": nil}, reason: errAny},
		{name: "S36 no iat", change: claims{"iat": nil}, reason: errAny},
		{name: "S36 an empty sub", change: claims{"sub": ""}, reason: errAny},
		{name: "S36 a sub that is a number", change: claims{"sub": 7}, reason: errAny},
		{name: "S36 a sub of 255 bytes", change: claims{"sub": long}},
		{name: "S36 a sub of 256 bytes", change: claims{"sub": long + "x"}, reason: errAny},
		{name: "S36 a sub with a line break", change: claims{"sub": canary + "\n"}, reason: errAny},
		{name: "S36 a sub that is not ASCII", change: claims{"sub": canary + "ä"}, reason: errAny},
		{name: "F10 S36 another iss", change: claims{"iss": "https://evil.example.test"}, reason: oidc.ErrIssuer},
		{name: "F10 S36 iss with a slash", change: claims{"iss": issuer + "/"}, reason: oidc.ErrIssuer},
		{name: "S36 iss without https", change: claims{"iss": "idp.example.test"}, reason: oidc.ErrIssuer},
		{name: "S36 iss that is an array", change: claims{"iss": []string{issuer}}, reason: oidc.ErrIssuer},
	})
}

func TestAudience(t *testing.T) {
	t.Parallel()
	two := []string{clientID, canary + "-api"}
	runClaims(t, []claimCase{
		{name: "S37 an array of one", change: claims{"aud": []string{clientID}}},
		{name: "S37 the same twice, with azp", change: claims{"aud": []string{clientID, clientID}, "azp": clientID}},
		{name: "F10 S37 another", change: claims{"aud": canary}, reason: oidc.ErrAudience},
		{name: "S37 none", change: claims{"aud": []string{}}, reason: oidc.ErrAudience},
		{name: "S37 a null among them", change: claims{"aud": []any{clientID, nil}}, reason: oidc.ErrAudience},
		{name: "S37 an object", change: claims{"aud": claims{clientID: clientID}}, reason: oidc.ErrAudience},
		{name: "F10 S37 azp of another", change: claims{"azp": canary}, reason: oidc.ErrAudience},
		{name: "S37 azp that is empty", change: claims{"azp": ""}, reason: oidc.ErrAudience},
		{name: "S37 azp that is a number", change: claims{"azp": 7}, reason: oidc.ErrAudience},
		{name: "S37 azp of the client", change: claims{"azp": clientID}},
		{name: "S37 a further one", change: claims{"aud": two, "azp": clientID}, reason: oidc.ErrAudience},
		{name: "S37 a further one, trusted", change: claims{"aud": two, "azp": clientID}, trust: two[1:]},
		{name: "S37 a further one, trusted, no azp", change: claims{"aud": two}, trust: two[1:], reason: oidc.ErrAudience},
		{
			name: "S37 a further one, trusted, azp of another", change: claims{"aud": two, "azp": two[1]}, trust: two[1:],
			reason: oidc.ErrAudience,
		},
		{name: "S37 only the trusted one", change: claims{"aud": two[1]}, trust: two[1:], reason: oidc.ErrAudience},
	})
	inBubble(t, "S37 no client to compare with", func(t *testing.T, p *keyHost) {
		check(t, p.verifier(), token(t, claims{"aud": ""}), oauth2flow.IDTokenWant{Nonce: sentNonce}, oidc.ErrAudience)
		p.wantFetches(t, 0)
	})
}

func TestTimes(t *testing.T) {
	t.Parallel()
	const now = 946684800 // when a bubble begins
	runClaims(t, []claimCase{
		{name: "S38 exp 59 s ago", change: claims{"exp": now - 59}},
		{name: "S38 exp 60 s ago", change: claims{"exp": now - 60}, reason: oidc.ErrExpired},
		{name: "S38 exp an hour ago", change: claims{"exp": now - 3600}, reason: oidc.ErrExpired},
		{name: "S38 exp with a fraction", change: claims{"exp": now + 0.5}},
		{name: "S38 exp that is a text", change: claims{"exp": "4102444800"}, reason: errAny},
		{name: "S38 exp that is beyond all times", change: claims{"exp": 1e300}, reason: errAny},
		{name: "S38 exp that is negative", change: claims{"exp": -1}, reason: errAny},
		{name: "S38 iat 5 min ahead", change: claims{"iat": now + 300}},
		{name: "S38 iat more than 5 min ahead", change: claims{"iat": now + 301}, reason: errAny},
		{name: "S38 iat ten years ahead", change: claims{"iat": now + 10*365*86400}, reason: errAny},
		{name: "S38 iat that is a text", change: claims{"iat": "1"}, reason: errAny},
		{name: "S38 nbf 60 s ahead", change: claims{"nbf": now + 60}},
		{name: "S38 nbf 61 s ahead", change: claims{"nbf": now + 61}, reason: errAny},
		{name: "S38 nbf that is a text", change: claims{"nbf": "1"}, reason: errAny},
	})
}

func TestNonce(t *testing.T) {
	t.Parallel()
	none := func(w *oauth2flow.IDTokenWant) { w.Nonce = "" }
	runClaims(t, []claimCase{
		{name: "F10 S39 another", change: claims{"nonce": canary}, reason: oidc.ErrNonce},
		{name: "F10 S39 missing", change: claims{"nonce": nil}, reason: oidc.ErrNonce},
		{name: "S39 empty", change: claims{"nonce": ""}, reason: oidc.ErrNonce},
		{name: "S39 that is an array", change: claims{"nonce": []string{sentNonce}}, reason: oidc.ErrNonce},
		{name: "S39 none was sent, and none is there", change: claims{"nonce": nil}, want: none},
		{name: "S39 none was sent, in a renewal", want: none},
	})
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	const now = 946684800
	fresh := func(age time.Duration) func(*oauth2flow.IDTokenWant) {
		return func(w *oauth2flow.IDTokenWant) { w.HasMaxAge, w.MaxAge = true, age }
	}
	classes := func(w *oauth2flow.IDTokenWant) { w.ACR = []string{"gold", "silver"} }
	late := oidc.ErrAuthentication
	runClaims(t, []claimCase{
		{name: "S41 auth_time is not asked for", change: claims{"auth_time": 1}},
		{name: "S41 no auth_time", want: fresh(time.Hour), reason: late},
		{name: "S41 auth_time that is a text", want: fresh(time.Hour), change: claims{"auth_time": "1"}, reason: late},
		{name: "S41 max_age and 60 s", want: fresh(time.Hour), change: claims{"auth_time": now - 3660}},
		{name: "S41 max_age and 61 s", want: fresh(time.Hour), change: claims{"auth_time": now - 3661}, reason: late},
		{
			name: "S41 max_age alone", reason: late,
			want: func(w *oauth2flow.IDTokenWant) { w.MaxAge = time.Hour }, change: claims{"auth_time": now - 3661},
		},
		{name: "S41 now", want: fresh(0), change: claims{"auth_time": now - 60}},
		{name: "S41 not now", want: fresh(0), change: claims{"auth_time": now - 61}, reason: late},
		{name: "S41 auth_time in the future", want: fresh(0), change: claims{"auth_time": now + 301}, reason: late},
		{name: "S41 acr", want: classes, change: claims{"acr": "silver"}},
		{name: "S41 another acr", want: classes, change: claims{"acr": "0"}, reason: late},
		{name: "S41 no acr", want: classes, reason: late},
		{name: "S41 acr that is an array", want: classes, change: claims{"acr": []string{"gold"}}, reason: late},
	})
}

func TestVerifierRenewal(t *testing.T) {
	t.Parallel()
	before := func(iss, sub string) func(*oauth2flow.IDTokenWant) {
		return func(w *oauth2flow.IDTokenWant) { w.Issuer, w.Subject = iss, sub }
	}
	runClaims(t, []claimCase{
		{name: "S43 F18 the same", want: before(issuer, user)},
		{name: "S43 F18 another sub", want: before(issuer, canary+"-other"), reason: oidc.ErrSubject},
		{name: "S43 F18 a sub in other case", want: before(issuer, strings.ToLower(user)), reason: oidc.ErrSubject},
		{name: "S43 F18 another iss", want: before("https://other.example.test", user), reason: oidc.ErrIssuer},
		{name: "S43 F18 another aud", want: before(issuer, user), change: claims{"aud": canary}, reason: oidc.ErrAudience},
	})
}

// half returns the left half of a hash, as the RFC of the claim writes it.
func half(sum []byte) string { return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2]) }

func TestHashes(t *testing.T) {
	t.Parallel()
	const access, code = canary + "-access", canary + "-code"
	in256, in384, in512 := sha256.Sum256([]byte(access)), sha512.Sum384([]byte(access)), sha512.Sum512([]byte(access))
	ofCode := sha256.Sum256([]byte(code))
	withAccess := func(w *oauth2flow.IDTokenWant) { w.AccessToken = secrets.Static(access) }
	withCode := func(w *oauth2flow.IDTokenWant) { w.Code = secrets.Static(code) }
	runClaims(t, []claimCase{
		{name: "S40 at_hash", want: withAccess, change: claims{"at_hash": half(in256[:])}},
		{name: "S40 no at_hash", want: withAccess},
		{name: "S40 at_hash of another", want: withAccess, change: claims{"at_hash": half(ofCode[:])}, reason: errAny},
		{name: "S40 at_hash of another size", want: withAccess, change: claims{"at_hash": half(in512[:])}, reason: errAny},
		{name: "S40 at_hash that is empty", want: withAccess, change: claims{"at_hash": ""}, reason: errAny},
		{name: "S40 at_hash that is a number", want: withAccess, change: claims{"at_hash": 1}, reason: errAny},
		{name: "S40 at_hash, nothing to compare with", change: claims{"at_hash": "x"}},
		{name: "S40 c_hash", want: withCode, change: claims{"c_hash": half(ofCode[:])}},
		{name: "S40 no c_hash", want: withCode, reason: errAny},
		{name: "S40 c_hash of another", want: withCode, change: claims{"c_hash": half(in256[:])}, reason: errAny},
	})
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS384} {
		right := map[string]string{"256": half(in256[:]), "384": half(in384[:]), "512": half(in512[:])}[string(alg)[2:]]
		inBubble(t, "S40 at_hash of "+string(alg), func(t *testing.T, p *keyHost) {
			w := wanted()
			withAccess(&w)
			v := p.verifier(string(alg))
			check(t, v, signedBy(t, rsaKey(), alg, "k1", good(claims{"at_hash": right})), w, nil)
			check(t, v, signedBy(t, rsaKey(), alg, "k1", good(claims{"at_hash": right[1:]})), w, errAny)
		})
	}
	t.Run("S40 at_hash of EdDSA", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			key := newEd()
			p := newKeyHost(t, published(key, nil))
			w := wanted()
			withAccess(&w)
			check(t, p.verifier("EdDSA"), signedBy(t, key, jose.EdDSA, "", good(claims{"at_hash": half(in512[:])})), w, nil)
		})
	})
}

func TestExactClaims(t *testing.T) {
	t.Parallel()
	const header = `{"alg":"RS256","kid":"k1"}`
	// members are those of a good token, as text, with more behind them.
	with := func(more string) string {
		text := inJSON(good(nil))
		return text[:len(text)-1] + more + "}"
	}
	for _, c := range []struct {
		name, more string
		reason     error
	}{
		{"as it is", "", nil},
		{"S24 two sub", `,"sub":"` + canary + `"`, errAny},
		{"S24 two aud", `,"aud":"` + clientID + `"`, errAny},
		{"S24 two of another name", `,"x":1,"x":1`, errAny},
		{"S24 two sub, one escaped", `,"\u0073ub":"` + canary + `"`, errAny},
		{"S24 Sub is no sub", `,"Sub":"other"`, nil},
		{"S24 AUD is no aud", `,"AUD":"other"`, errAny},
		{"bytes that are not UTF-8", ",\"x\":\"\xff\"", errAny},
		{"white space", ` , "x" : [ 1 ] `, nil},
	} {
		inBubble(t, c.name, func(t *testing.T, p *keyHost) {
			check(t, p.verifier(), ownToken(header, with(c.more)), wanted(), c.reason)
		})
	}
	inBubble(t, "S24 only in another case", func(t *testing.T, p *keyHost) {
		for _, name := range []string{"iss", "sub", "aud", "exp", "iat", "nonce"} {
			own := good(nil)
			own[strings.ToUpper(name)] = own[name]
			delete(own, name)
			id, err := p.verifier().VerifyIDToken(t.Context(), secrets.Static(ownToken(header, inJSON(own))), wanted())
			if err == nil || id != nil {
				t.Errorf("%s is accepted", strings.ToUpper(name))
			}
		}
	})
	for _, payload := range []string{"[]", "null", `"x"`, "{", "{}x", strings.Repeat("[", 40_000)} {
		inBubble(t, "claims that are no object", func(t *testing.T, p *keyHost) {
			check(t, p.verifier(), ownToken(header, payload), wanted(), errAny)
		})
	}
}

func TestGoogle(t *testing.T) {
	t.Parallel()
	inBubble(t, "S36 the issuer of Google without https", func(t *testing.T, p *keyHost) {
		provider := p.provider()
		provider.Issuer = "https://accounts.google.com"
		v := oidc.NewVerifier(provider)
		for _, iss := range []string{"accounts.google.com", provider.Issuer} {
			id, err := v.VerifyIDToken(t.Context(), secrets.Static(token(t, claims{"iss": iss})), wanted())
			if err != nil || id.Issuer != provider.Issuer {
				t.Errorf("%s: the ID token is %v, and the error %v", iss, id, err)
			}
		}
	})
}

func TestResult(t *testing.T) {
	t.Parallel()
	inBubble(t, "F14 what is known of a token", func(t *testing.T, p *keyHost) {
		id, err := p.verifier().VerifyIDToken(t.Context(), secrets.Static(token(t, nil)), wanted())
		if err != nil {
			t.Fatal(err)
		}
		ends := time.Now().Add(time.Hour)
		if id.Issuer != issuer || id.Subject != user || !id.Expiry.Equal(ends) {
			t.Errorf("the ID token is %+v", id)
		}
	})
}

// A Verifier that nobody has made verifies nothing, and says so before a login begins.
func TestZeroVerifier(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]*oidc.Verifier{"nil": nil, "zero": new(oidc.Verifier)} {
		_, err := v.VerifyIDToken(t.Context(), secrets.Static(token(t, nil)), wanted())
		if v.Validate() == nil || !errors.Is(err, v.Validate()) {
			t.Errorf("%s: it is valid, or verifies: %v", name, err)
		}
		if got := v.String(); got != "Verifier" {
			t.Errorf("%s: it is shown as %s", name, got)
		}
		a := here()
		a.OpenID = &oauth2flow.OpenID{Verifier: v}
		says(t, oidc.New(byHand(), usual(), a).Validate(), "NewVerifier makes one")
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	fine := oidc.Provider{Issuer: issuer, JWKSURL: issuer + "/keys"}
	for _, alg := range []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
	} {
		if err := oidc.NewVerifier(fine, oidc.Algorithms(alg)).Validate(); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
	for _, alg := range []string{"none", "None", "HS256", "HS384", "HS512", "", "rs256", "RSA-OAEP", "dir"} {
		v := oidc.NewVerifier(fine, oidc.Algorithms("RS256", alg))
		_, err := v.VerifyIDToken(t.Context(), secrets.Static("x"), wanted())
		if v.Validate() == nil || !errors.Is(err, v.Validate()) {
			t.Errorf("S31 S32 S33 %q is accepted: %v", alg, err)
		}
	}
	for name, p := range map[string]oidc.Provider{
		"no issuer":    {JWKSURL: issuer},
		"no URL":       {Issuer: issuer},
		"S17 http":     {Issuer: issuer, JWKSURL: "http://idp.example.test/keys"},
		"S17 ftp":      {Issuer: issuer, JWKSURL: "ftp://idp.example.test/keys"},
		"no real URL":  {Issuer: issuer, JWKSURL: "https://%zz"},
		"no real CA":   {Issuer: issuer, JWKSURL: issuer, Endpoint: auth.Endpoint{TrustedCA: []byte("x")}},
		"CA, but none": {Issuer: issuer, JWKSURL: issuer, Endpoint: auth.Endpoint{TrustedCAOnly: true}},
		"a proxy that cannot be set": {
			Issuer: issuer, JWKSURL: issuer,
			Endpoint: auth.Endpoint{Client: &http.Client{Transport: foreign{}}, Proxy: http.ProxyURL(nil)},
		},
	} {
		if oidc.NewVerifier(p).Validate() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	err := oidc.NewVerifier(oidc.Provider{}, oidc.Algorithms("none", "x"), oidc.AsToken(), nil).Validate()
	if strings.Count(err.Error(), "oidc: ") != 6 {
		t.Errorf("not every fault is told: %v", err)
	}
	for text, opt := range map[string]oidc.Option{
		"oidc: TrustAudiences: there are none, or one is empty": oidc.TrustAudiences("a", ""),
		"oidc: TrustAudiences: there are none":                  oidc.TrustAudiences(),
		"oidc: Algorithms: there are none":                      oidc.Algorithms(),
		"oidc: AsToken: it is for New":                          oidc.AsToken(),
		"oidc: an option is nil":                                nil,
	} {
		says(t, oidc.NewVerifier(fine, opt).Validate(), text)
	}
	says(t, oidc.NewVerifier(fine, oidc.TrustAudiences("a"), oidc.Algorithms("ES256")).Validate())
}

// foreign is a transport of somebody else.
type foreign struct{}

func (foreign) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("foreign") }

func TestString(t *testing.T) {
	t.Parallel()
	v := oidc.NewVerifier(oidc.Provider{Issuer: issuer + "/?x=" + canary, JWKSURL: issuer + "/" + canary})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		if got := fmt.Sprintf(verb, v); !strings.HasPrefix(got, "Verifier of "+issuer) || strings.Contains(got, canary) {
			t.Errorf("%s is %s", verb, got)
		}
	}
	if got := oidc.NewVerifier(oidc.Provider{}).String(); got != "Verifier" {
		t.Error(got)
	}
}
