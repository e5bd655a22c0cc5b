package oidc_test

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/go-jose/go-jose/v4"

	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

// hmacToken returns a token that is signed with a shared secret.
func hmacToken(header string, key []byte) string {
	text := encode(header) + "." + encode(inJSON(good(nil)))
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func TestHeader(t *testing.T) {
	t.Parallel()
	der, err := x509.MarshalPKIXPublicKey(rsaKey().Public())
	if err != nil {
		t.Fatal(err)
	}
	inPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	hand := func(header string) func() string {
		return func() string { return ownToken(header, inJSON(good(nil))) }
	}
	for _, c := range []struct {
		name   string
		token  func() string
		reason error
	}{
		{"as it is", hand(`{"alg":"RS256","kid":"k1"}`), nil},
		{"F10 S31 none, with no signature", func() string {
			return encode(`{"alg":"none"}`) + "." + encode(inJSON(good(nil))) + "."
		}, errAny},
		{"F10 S31 none, with a signature", hand(`{"alg":"none","kid":"k1"}`), oidc.ErrSignature},
		{"S31 None", hand(`{"alg":"None","kid":"k1"}`), oidc.ErrSignature},
		{"S31 no alg", hand(`{"kid":"k1"}`), oidc.ErrSignature},
		{"S31 alg null", hand(`{"alg":null,"kid":"k1"}`), oidc.ErrSignature},
		{"S31 alg that is a number", hand(`{"alg":256,"kid":"k1"}`), errAny},
		{"F10 S32 HS256 with the key in PEM", func() string { return hmacToken(`{"alg":"HS256","kid":"k1"}`, inPEM) },
			oidc.ErrSignature},
		{"F10 S32 HS256 with the key in DER", func() string { return hmacToken(`{"alg":"HS256","kid":"k1"}`, der) },
			oidc.ErrSignature},
		{"F13 S32 HS256 with the empty key", func() string { return hmacToken(`{"alg":"HS256"}`, nil) },
			oidc.ErrSignature},
		{"S33 RS512, which fits the key", func() string {
			return signedBy(t, rsaKey(), jose.RS512, "k1", good(nil))
		}, oidc.ErrSignature},
		{"S33 PS256, which fits the key", func() string {
			return signedBy(t, rsaKey(), jose.PS256, "k1", good(nil))
		}, oidc.ErrSignature},
		{"S35 crit", hand(`{"alg":"RS256","kid":"k1","crit":["x"],"x":1}`), oidc.ErrSignature},
		{"S35 crit of b64", hand(`{"alg":"RS256","kid":"k1","crit":["b64"],"b64":true}`), oidc.ErrSignature},
		{"S35 crit null", hand(`{"alg":"RS256","kid":"k1","crit":null}`), oidc.ErrSignature},
		{"S35 b64", hand(`{"alg":"RS256","kid":"k1","b64":false}`), oidc.ErrSignature},
		{"two alg", hand(`{"alg":"none","alg":"RS256","kid":"k1"}`), errAny},
		{"kid that is a number", hand(`{"alg":"RS256","kid":1}`), errAny},
		{"S45 an access token", hand(`{"alg":"RS256","kid":"k1","typ":"at+jwt"}`), errAny},
		{"S45 a logout token", hand(`{"alg":"RS256","kid":"k1","typ":"application/logout+JWT"}`), errAny},
		{"typ that is a number", hand(`{"alg":"RS256","kid":"k1","typ":1}`), errAny},
		{"a header that is an array", hand(`["RS256"]`), errAny},
		{"a header that is no JSON", hand(`{"alg":"RS256"`), errAny},
		{"F10 the signature of another token", func() string {
			a, b := token(t, nil), token(t, claims{"sub": canary})
			return a[:strings.LastIndex(a, ".")] + b[strings.LastIndex(b, "."):]
		}, oidc.ErrSignature},
		{"F10 a key of somebody else", func() string {
			return signedBy(t, otherKey(), jose.RS256, "k1", good(nil))
		}, oidc.ErrSignature},
	} {
		inBubble(t, c.name, func(t *testing.T, p *keyHost) { check(t, p.verifier(), c.token(), wanted(), c.reason) })
	}
}

func TestForm(t *testing.T) {
	t.Parallel()
	inBubble(t, "F12 F13 what is no token is refused without a fetch", func(t *testing.T, p *keyHost) {
		text := token(t, nil)
		first, rest, _ := strings.Cut(text, ".")
		loose := encode(`{"alg":"RS256","kid":"k1"}`) // of its last character two bits are not used
		loose = loose[:len(loose)-1] + string(loose[len(loose)-1]+1)
		jws, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"nothing": "", "a word": canary, "two parts": first + "." + first, "four parts": text + ".x",
			"F13 five parts (JWE)": encode(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647}`) + ".a.b.c.d",
			"F13 five parts (zip)": encode(`{"alg":"dir","enc":"A128GCM","zip":"DEF"}`) + "..b.c.d",
			"F13 in JSON":          jws.FullSerialize(),
			"no header":            "." + rest, "no payload": first + ".." + first,
			"a line break in it": first[:4] + "\n" + first[4:] + "." + rest, "a space behind it": text + " ",
			"padding": first + "=." + rest, "bits that are not used": loose + "." + rest,
			"a header in base64 that is none": "a." + rest, "not ASCII": first + "ä." + rest,
			"64 KiB and more": text + strings.Repeat("A", 64<<10), "F12 10^6 dots": strings.Repeat(".", 1e6),
			"F12 60,000 dots": first + strings.Repeat(".a", 30_000),
		} {
			id, err := p.verifier().VerifyIDToken(t.Context(), secrets.Static(text), wanted())
			if err == nil || id != nil || strings.Contains(err.Error(), canary) {
				t.Errorf("%s: %v, %v", name, id, err)
			}
		}
		p.wantFetches(t, 0)
	})
	inBubble(t, "a token of nearly 64 KiB", func(t *testing.T, p *keyHost) {
		check(t, p.verifier(), token(t, claims{"x": strings.Repeat("x", 48_000)}), wanted(), nil)
	})
}

// TestDots is not parallel, because it counts allocations.
func TestDots(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts those of everybody
	v := oidc.NewVerifier(oidc.Provider{Issuer: issuer, JWKSURL: issuer})
	count := func(text string) float64 {
		token := secrets.Static(text)
		return testing.AllocsPerRun(10, func() {
			if _, err := v.VerifyIDToken(t.Context(), token, wanted()); err == nil {
				t.Error("it is accepted")
			}
		})
	}
	for _, dots := range []int{3, 30_000, 1e6} {
		if got := count(encode(`{"alg":"RS256"}`) + strings.Repeat(".a", dots)); got > 2 {
			t.Errorf("F12 a token of %d dots costs %v allocations", dots, got)
		}
	}
}

func TestNothingOfTheTokenIsFollowed(t *testing.T) {
	t.Parallel()
	inBubble(t, "F11 S35 jku, x5u and jwk of the token", func(t *testing.T, p *keyHost) {
		evil := jwk{"keys": []jwk{published(otherKey(), jwk{"kid": "evil"})}}
		elsewhere := p.server.Network().Serve("https://evil.example.test", connectiontest.JSON(200, evil))
		for name, header := range map[string]any{
			"jku": elsewhere.URL + "/keys", "x5u": elsewhere.URL + "/cert", "jwk": published(otherKey(), nil),
		} {
			opts := new(jose.SignerOptions).WithHeader("kid", "evil").WithHeader(jose.HeaderKey(name), header)
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: otherKey()}, opts)
			if err != nil {
				t.Fatal(err)
			}
			jws, err := signer.Sign([]byte(inJSON(good(nil))))
			if err != nil {
				t.Fatal(err)
			}
			text, err := jws.CompactSerialize()
			if err != nil {
				t.Fatal(err)
			}
			check(t, p.verifier(), text, wanted(), oidc.ErrSignature)
		}
		if elsewhere.Conns() != 0 {
			t.Error("a URL of the token was asked")
		}
	})
	inBubble(t, "F11 kid is opaque", func(t *testing.T, p *keyHost) {
		for _, kid := range []string{"../../../etc/passwd", "' OR 1=1 --", "https://evil.example.test/", "\x00", "K1"} {
			check(t, p.verifier(), signedBy(t, otherKey(), jose.RS256, kid, good(nil)), wanted(), oidc.ErrSignature)
			p.publish(published(rsaKey(), jwk{"kid": kid}))
			check(t, p.verifier(), signedBy(t, rsaKey(), jose.RS256, kid, good(nil)), wanted(), nil)
		}
		for _, r := range p.server.Requests() {
			if r.Target != "/keys" || r.Method != http.MethodGet || len(r.Body) > 0 {
				t.Errorf("%s %s was sent", r.Method, r.Target)
			}
		}
	})
}

// pss returns a token that is signed as PS256 does, whatever the key.
func pss(tb testing.TB, key *rsa.PrivateKey) string {
	tb.Helper()
	text := encode(`{"alg":"PS256","kid":"k"}`) + "." + encode(inJSON(good(nil)))
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], nil)
	if err != nil {
		tb.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// largeToken returns a key, and a token that it has signed. The key has nine primes, since two would take long to
// find.
func largeToken(tb testing.TB, bitsOfPrime int) (jwk, string) {
	tb.Helper()
	one, n, phi := big.NewInt(1), big.NewInt(1), big.NewInt(1)
	for range 9 {
		prime, err := rand.Prime(rand.Reader, bitsOfPrime)
		if err != nil {
			tb.Fatal(err)
		}
		n.Mul(n, prime)
		phi.Mul(phi, new(big.Int).Sub(prime, one))
	}
	public := &rsa.PublicKey{N: n, E: 65537}
	text := encode(`{"alg":"RS256","kid":"k"}`) + "." + encode(inJSON(good(nil)))
	sum := sha256.Sum256([]byte(text))
	info, err := hex.DecodeString("3031300d060960864801650304020105000420") // RFC 8017, section 9.2
	if err != nil {
		tb.Fatal(err)
	}
	tail := slices.Concat([]byte{0}, info, sum[:])
	padded := slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, public.Size()-2-len(tail)), tail)
	d := new(big.Int).ModInverse(big.NewInt(65537), phi)
	signature := new(big.Int).Exp(new(big.Int).SetBytes(padded), d, n).FillBytes(make([]byte, public.Size()))
	key := jwk{"kty": "RSA", "kid": "k", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(n.Bytes())}
	return key, text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestKeysThatAreNotUsed(t *testing.T) {
	t.Parallel()
	ofRSA := func(with jwk) func(tb testing.TB) (jwk, string) {
		return func(tb testing.TB) (jwk, string) {
			tb.Helper()
			with["kid"] = "k"
			return published(rsaKey(), with), pss(tb, rsaKey())
		}
	}
	ofEC := func(curve elliptic.Curve, alg jose.SignatureAlgorithm, with jwk) func(tb testing.TB) (jwk, string) {
		return func(tb testing.TB) (jwk, string) {
			tb.Helper()
			key := newEC(curve)
			with["kid"] = "k"
			return published(key, with), signedBy(tb, key, alg, "k", good(nil))
		}
	}
	ofSize := func(bitsOfPrime int) func(tb testing.TB) (jwk, string) {
		return func(tb testing.TB) (jwk, string) {
			tb.Helper()
			return largeToken(tb, bitsOfPrime)
		}
	}
	for _, c := range []struct {
		name string
		make func(tb testing.TB) (jwk, string)
		used bool
	}{
		{"S34 a key that says nothing", ofRSA(jwk{}), true},
		{"S34 use sig", ofRSA(jwk{"use": "sig", "alg": "PS256", "key_ops": []string{"verify"}}), true},
		{"S34 certificates have no part in it", ofRSA(jwk{"x5c": []string{"x"}, "x5u": "http://h", "x5t": "x"}), true},
		{"S34 use enc", ofRSA(jwk{"use": "enc"}), false},
		{"S34 use of another case", ofRSA(jwk{"use": "SIG"}), false},
		{"S34 use that is an array", ofRSA(jwk{"use": []string{"sig"}}), false},
		{"S34 key_ops without verify", ofRSA(jwk{"key_ops": []string{"encrypt", "wrapKey"}}), false},
		{"S34 key_ops that are empty", ofRSA(jwk{"key_ops": []string{}}), false},
		{"S34 key_ops that are a number", ofRSA(jwk{"key_ops": 1}), false},
		{"S34 alg of another signature", ofRSA(jwk{"alg": "RS256"}), false},
		{"S34 alg of an encryption", ofRSA(jwk{"alg": "RSA-OAEP"}), false},
		{"S34 alg that is a number", ofRSA(jwk{"alg": 1}), false},
		{"S34 a private key that is published", ofRSA(jwk{"d": "AQ"}), false},
		{"S34 another kty", ofRSA(jwk{"kty": "EC"}), false},
		{"S34 an unknown kty", ofRSA(jwk{"kty": "XX"}), false},
		{"S34 no exponent", ofRSA(jwk{"e": nil}), false},
		{"S34 RSA of 1024 bits", func(tb testing.TB) (jwk, string) {
			tb.Helper()
			return published(weakKey(), jwk{"kid": "k"}), pss(tb, weakKey())
		}, false},
		{"S34 RSA of nearly 4096 bits", ofSize(455), true},
		{"S34 RSA of more than 4096 bits", ofSize(457), false},
		{"S34 P-256", ofEC(elliptic.P256(), jose.ES256, jwk{}), true},
		{"S34 P-384", ofEC(elliptic.P384(), jose.ES384, jwk{}), true},
		{"S34 P-521", ofEC(elliptic.P521(), jose.ES512, jwk{}), true},
		{"S34 an unknown curve", ofEC(elliptic.P256(), jose.ES256, jwk{"crv": "secp256k1"}), false},
		{"S34 another curve", ofEC(elliptic.P256(), jose.ES256, jwk{"crv": "P-384"}), false},
		{"S34 a point that is not on the curve", ofEC(elliptic.P256(), jose.ES256, jwk{"y": encode(strings.Repeat("a", 32))}),
			false},
		{"S34 Ed25519", func(tb testing.TB) (jwk, string) {
			tb.Helper()
			key := newEd()
			return published(key, jwk{"kid": "k"}), signedBy(tb, key, jose.EdDSA, "k", good(nil))
		}, true},
		{"F13 S34 a shared secret", func(testing.TB) (jwk, string) {
			return jwk{"kty": "oct", "kid": "k", "k": "AAAA"}, hmacToken(`{"alg":"PS256","kid":"k"}`, []byte{0, 0, 0})
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				key, text := c.make(t)
				p := newKeyHost(t, jwk{"kid": "broken"}, key)
				v := p.verifier("RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA")
				if c.used {
					check(t, v, text, wanted(), nil)
				} else {
					check(t, v, text, wanted(), oidc.ErrSignature)
				}
				p.wantFetches(t, 1)
			})
		})
	}
}
