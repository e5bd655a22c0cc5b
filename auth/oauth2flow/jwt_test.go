package oauth2flow_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// The keys of the tests are made once: RSA keys are slow to come by.
var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return sure(rsa.GenerateKey(rand.Reader, 2048)) })
	otherRSA = sync.OnceValue(func() *rsa.PrivateKey { return sure(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return newEC(elliptic.P256()) })
	edKey    = sync.OnceValue(func() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)) })
)

const sharedText = "a-shared-secret-of-32-bytes-äö" // 32 bytes of UTF-8, 30 characters

func sure[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newEC(curve elliptic.Curve) *ecdsa.PrivateKey {
	return sure(ecdsa.GenerateKey(curve, rand.Reader))
}

func pemText(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(key any) string { return pemText("PRIVATE KEY", sure(x509.MarshalPKCS8PrivateKey(key))) }

func pemKey(text string) oauth2flow.Key { return oauth2flow.PrivateKey(secrets.Static(text)) }

// certificate returns a self-signed certificate of the RSA key in PEM, and its DER form.
func certificate(t *testing.T) (text, der []byte) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, rsaKey().Public(), rsaKey())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), der
}

// verified checks the signature with the one algorithm that is allowed, and returns headers and claims.
func verified(t *testing.T, token, alg string, public any) (headers, claims map[string]any) {
	t.Helper()
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		t.Fatalf("%v in a token that begins with %.20s", err, token)
	}
	payload, err := signed.Verify(public)
	if err != nil {
		t.Fatalf("the signature: %v", err)
	}
	head, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err := errors.Join(err, json.Unmarshal(raw, &headers), json.Unmarshal(payload, &claims)); err != nil {
		t.Fatal(err)
	}
	return headers, claims
}

func signedBy(t *testing.T, j oauth2flow.JWT) string {
	t.Helper()
	if err := j.Validate(); err != nil {
		t.Fatalf("Validate: %v", err)
	}
	v, err := j.Secret(t.Context())
	if err != nil {
		t.Fatalf("Secret: %v", err)
	}
	return v.Reveal()
}

// remote is a signer that shows nothing but its public key, as a KMS does. It counts its calls.
type remote struct {
	crypto.Signer

	calls atomic.Int64
	opts  atomic.Pointer[crypto.SignerOpts]
}

func (r *remote) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	r.calls.Add(1)
	r.opts.Store(&opts)
	return r.Signer.Sign(random, digest, opts)
}

func TestJWTAlgorithms(t *testing.T) {
	t.Parallel()
	p384, p521 := newEC(elliptic.P384()), newEC(elliptic.P521())
	long := secrets.Static(strings.Repeat("k", 64))
	pkcs1 := pemText("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey()))
	sec1 := pemText("EC PARAMETERS", []byte{6, 8, 42}) +
		pemText("EC PRIVATE KEY", sure(x509.MarshalECPrivateKey(ecKey())))
	cert, _ := certificate(t)
	tests := []struct {
		name   string
		key    oauth2flow.Key
		alg    string // asked for
		want   string
		public any
	}{
		{"RSA, PKCS #8", pemKey(pkcs8(rsaKey())), "", "RS256", rsaKey().Public()},
		{"RSA, PKCS #1", pemKey(pkcs1), "", "RS256", rsaKey().Public()},
		{"RSA, after a certificate", pemKey(string(cert) + pkcs1), "RS512", "RS512", rsaKey().Public()},
		{"RSA, PSS", pemKey(pkcs1), "PS256", "PS256", rsaKey().Public()},
		{"RSA, PSS 384", pemKey(pkcs1), "PS384", "PS384", rsaKey().Public()},
		{"EC, SEC 1 after parameters", pemKey(sec1), "", "ES256", ecKey().Public()},
		{"EC, PKCS #8", pemKey(pkcs8(ecKey())), "ES256", "ES256", ecKey().Public()},
		{"P-384", pemKey(pkcs8(p384)), "", "ES384", p384.Public()},
		{"P-521", pemKey(pkcs8(p521)), "", "ES512", p521.Public()},
		{"Ed25519", pemKey(pkcs8(edKey())), "", "EdDSA", edKey().Public()},
		{"signer, RSA", oauth2flow.Signer(&remote{Signer: rsaKey()}), "PS512", "PS512", rsaKey().Public()},
		{"signer, EC", oauth2flow.Signer(&remote{Signer: p521}), "", "ES512", p521.Public()},
		{"signer, Ed25519", oauth2flow.Signer(&remote{Signer: edKey()}), "", "EdDSA", edKey().Public()},
		{"secret", oauth2flow.SharedSecret(secrets.Static(sharedText)), "", "HS256", []byte(sharedText)},
		{"secret, 384", oauth2flow.SharedSecret(long), "HS384", "HS384", []byte(long.Reveal())},
		{"secret, 512", oauth2flow.SharedSecret(long), "HS512", "HS512", []byte(long.Reveal())},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			token := signedBy(t, oauth2flow.JWT{Key: tt.key, Algorithm: tt.alg, Issuer: "me"})
			headers, claims := verified(t, token, tt.want, tt.public)
			if diff := cmp.Diff(map[string]any{"alg": tt.want, "typ": "JWT"}, headers); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			if claims["iss"] != "me" {
				t.Errorf("claims %v", claims)
			}
		})
	}
}

// TestPSSSalt holds the salt to RFC 7518, section 3.5: as long as the hash.
func TestPSSSalt(t *testing.T) {
	t.Parallel()
	signer := &remote{Signer: rsaKey()}
	token := signedBy(t, oauth2flow.JWT{Key: oauth2flow.Signer(signer), Algorithm: "PS256"})
	dot := strings.LastIndex(token, ".")
	signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(token[:dot]))
	opts := &rsa.PSSOptions{SaltLength: sha256.Size}
	if err := rsa.VerifyPSS(&rsaKey().PublicKey, crypto.SHA256, digest[:], signature, opts); err != nil {
		t.Errorf("with a salt of 32 bytes: %v", err)
	}
	if signer.calls.Load() != 1 {
		t.Errorf("the signer was called %d times", signer.calls.Load())
	}
}

func TestJWTClaims(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(500 * time.Millisecond) // iat is cut to seconds
		now := float64(time.Now().Unix())
		key := oauth2flow.SharedSecret(secrets.Static(sharedText))
		tests := map[string]struct {
			jwt     oauth2flow.JWT
			headers map[string]any
			claims  map[string]any
		}{
			"bare": {
				oauth2flow.JWT{NoID: true}, map[string]any{"alg": "HS256", "typ": "JWT"},
				map[string]any{"iat": now, "exp": now + 60},
			},
			"all": {
				oauth2flow.JWT{
					KeyID: "k1", Headers: map[string]any{"typ": "at+jwt", "x5t#S256": "abc"},
					Issuer: "i", Subject: "s", Audience: []string{"a", "b"}, Lifetime: 10 * time.Minute,
					Backdate: time.Minute, NotBefore: true, NoID: true,
					Claims: map[string]any{"scope": []string{"r", "w"}, "n": 1, "ok": true},
				},
				map[string]any{"alg": "HS256", "typ": "at+jwt", "kid": "k1", "x5t#S256": "abc"},
				map[string]any{
					"iss": "i", "sub": "s", "aud": []any{"a", "b"}, "iat": now - 60, "nbf": now - 60, "exp": now + 540,
					"scope": []any{"r", "w"}, "n": 1.0, "ok": true,
				},
			},
			"one audience is a string": {
				oauth2flow.JWT{Audience: []string{"a"}, NoID: true}, map[string]any{"alg": "HS256", "typ": "JWT"},
				map[string]any{"aud": "a", "iat": now, "exp": now + 60},
			},
		}
		for name, tt := range tests {
			tt.jwt.Key = key
			headers, claims := verified(t, signedBy(t, tt.jwt), "HS256", []byte(sharedText))
			if diff := cmp.Diff(tt.headers, headers); diff != "" {
				t.Errorf("%s: headers (-want +got):\n%s", name, diff)
			}
			if diff := cmp.Diff(tt.claims, claims); diff != "" {
				t.Errorf("%s: claims (-want +got):\n%s", name, diff)
			}
		}
	})
}

func TestJWTHasAnIDOfItsOwn(t *testing.T) {
	t.Parallel()
	j := oauth2flow.JWT{Key: oauth2flow.SharedSecret(secrets.Static(sharedText))}
	seen := make(map[any]bool)
	for range 100 {
		_, claims := verified(t, signedBy(t, j), "HS256", []byte(sharedText))
		if id, _ := claims["jti"].(string); len(id) < 22 || seen[id] {
			t.Fatalf("jti %q is short, or was there before", id)
		}
		seen[claims["jti"]] = true
	}
}

func TestJWTValidate(t *testing.T) {
	t.Parallel()
	asked := secrets.Func(func(context.Context) (secrets.Value, error) {
		t.Error("Validate asked for the secret")
		return secrets.Value{}, nil
	})
	shared := oauth2flow.SharedSecret(secrets.Static(sharedText))
	small := sure(rsa.GenerateKey(rand.Reader, 1024))
	tests := []struct {
		name string
		jwt  oauth2flow.JWT
		want []string // texts of the error; none if it is valid
		key  error
	}{
		{"valid", oauth2flow.JWT{Key: oauth2flow.PrivateKey(asked), Algorithm: "PS256"}, nil, nil},
		{
			"HS256 with a key elsewhere", oauth2flow.JWT{Key: oauth2flow.PrivateKey(asked), Algorithm: "HS256"},
			[]string{"HS256 signs with a shared secret only"}, oauth2flow.ErrKey,
		},
		{
			"PS256 with a secret elsewhere", oauth2flow.JWT{Key: oauth2flow.SharedSecret(asked), Algorithm: "PS256"},
			[]string{"PS256 does not sign with a shared secret"}, oauth2flow.ErrKey,
		},
		{"no key", oauth2flow.JWT{}, []string{"there is none"}, oauth2flow.ErrKey},
		{"nil provider", oauth2flow.JWT{Key: oauth2flow.PrivateKey(nil)}, []string{"no provider"}, oauth2flow.ErrKey},
		{"nil secret", oauth2flow.JWT{Key: oauth2flow.SharedSecret(nil)}, []string{"no provider"}, oauth2flow.ErrKey},
		{"nil signer", oauth2flow.JWT{Key: oauth2flow.Signer(nil)}, []string{"there is none"}, oauth2flow.ErrKey},
		{"bad provider", oauth2flow.JWT{Key: oauth2flow.PrivateKey(secrets.Env(""))}, []string{"name"}, nil},
		{"S32 none", oauth2flow.JWT{Key: shared, Algorithm: "none"}, []string{`"none" is not one`}, nil},
		{"S31 none, otherwise", oauth2flow.JWT{Key: shared, Algorithm: "None"}, []string{`"None" is not one`}, nil},
		{"RS256 with a secret", oauth2flow.JWT{Key: shared, Algorithm: "RS256"}, []string{"RS256"}, oauth2flow.ErrKey},
		{
			"HS256 with an RSA key", oauth2flow.JWT{Key: pemKey(pkcs8(rsaKey())), Algorithm: "HS256"},
			[]string{"HS256 does not sign with it"}, oauth2flow.ErrKey,
		},
		{
			"ES384 on P-256", oauth2flow.JWT{Key: oauth2flow.Signer(ecKey()), Algorithm: "ES384"},
			[]string{"ES384 does not sign with it, but [ES256]"}, oauth2flow.ErrKey,
		},
		{
			"P-224", oauth2flow.JWT{Key: oauth2flow.Signer(newEC(elliptic.P224()))}, []string{"neither RSA"},
			oauth2flow.ErrKey,
		},
		{"RSA 1024", oauth2flow.JWT{Key: oauth2flow.Signer(small)}, []string{"less than 2048"}, oauth2flow.ErrKey},
		{"RSA 1024 in PEM", oauth2flow.JWT{Key: pemKey(pkcs8(small))}, []string{"less than 2048"}, oauth2flow.ErrKey},
		{
			"short secret", oauth2flow.JWT{Key: oauth2flow.SharedSecret(secrets.Static("short-secret"))},
			[]string{"12 bytes", "HS256 wants 32"}, oauth2flow.ErrKey,
		},
		{
			"secret too short for HS512", oauth2flow.JWT{Key: shared, Algorithm: "HS512"}, []string{"HS512 wants 64"},
			oauth2flow.ErrKey,
		},
		{
			"all at once", oauth2flow.JWT{
				Key: shared, Audience: []string{"a", ""}, Lifetime: 25 * time.Hour, Backdate: time.Hour,
				Headers: map[string]any{"alg": "none", "crit": []string{"b64"}, "kid": "k", "": 1},
				Claims:  map[string]any{"iss": "i", "exp": 1, "f": func() {}, "pw": secrets.Static("x")},
			},
			[]string{
				"an audience is empty", "25h0m0s", "put back by 1h0m0s", "header alg", "header crit", "header kid",
				"a header has no name", "claim iss", "claim exp", "claim f has no JSON", "claim pw is a secret",
			}, nil,
		},
		{"half a second", oauth2flow.JWT{Key: shared, Lifetime: 1500 * time.Millisecond}, []string{"1.5s"}, nil},
		{"before it began", oauth2flow.JWT{Key: shared, Backdate: time.Minute}, []string{"put back by 1m0s"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.jwt.Validate()
			if (err == nil) != (len(tt.want) == 0) || tt.key != nil && !errors.Is(err, tt.key) {
				t.Fatalf("got %v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
			if err == nil || strings.HasSuffix(tt.name, "elsewhere") {
				return
			}
			if v, err := tt.jwt.Secret(t.Context()); err == nil {
				t.Errorf("signed nevertheless: %d bytes", len(v.Reveal()))
			}
		})
	}
}

func TestPrivateKeyFaults(t *testing.T) {
	t.Parallel()
	legacy := pem.EncodeToMemory(&pem.Block{
		Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"},
		Bytes: []byte("sentinel-bytes"),
	})
	cert, _ := certificate(t)
	good := pkcs8(edKey())
	tests := map[string]struct {
		text      string
		encrypted bool
	}{
		"B8 encrypted PKCS #8":  {pemText("ENCRYPTED PRIVATE KEY", []byte("sentinel-bytes")), true},
		"B8 encrypted PKCS #1":  {string(legacy), true},
		"empty":                 {"", false},
		"no PEM":                {"sentinel-text", false},
		"line breaks spelled":   {strings.ReplaceAll(good, "\n", `\n`), false},
		"certificate only":      {string(cert), false},
		"garbage inside":        {pemText("PRIVATE KEY", []byte("sentinel-bytes")), false},
		"unknown kind":          {pemText("DSA PRIVATE KEY", []byte("sentinel-bytes")), false},
		"longer than 64 KiB":    {good + strings.Repeat(" ", 64<<10), false},
		"a public key":          {pemText("PUBLIC KEY", sure(x509.MarshalPKIXPublicKey(edKey().Public()))), false},
		"longer, and in front":  {strings.Repeat(" ", 64<<10) + good, false},
		"PKCS #1 under PKCS #8": {pemText("PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey())), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := oauth2flow.JWT{Key: oauth2flow.PrivateKey(providedText(tt.text))}.Secret(t.Context())
			if !errors.Is(err, oauth2flow.ErrKey) || errors.Is(err, oauth2flow.ErrKeyEncrypted) != tt.encrypted {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(err.Error(), "sentinel") || strings.Contains(err.Error(), "BEGIN") {
				t.Errorf("the error shows the text: %v", err)
			}
		})
	}
}

// provided is a provider that is no Value, so that nobody knows its text in advance.
func providedText(text string) secrets.Provider {
	return secrets.Func(func(context.Context) (secrets.Value, error) { return secrets.Static(text), nil })
}

// TestPrivateKeyRotates replaces the key between two tokens.
func TestPrivateKeyRotates(t *testing.T) {
	t.Parallel()
	var text atomic.Value
	text.Store(pkcs8(rsaKey()))
	j := oauth2flow.JWT{Key: oauth2flow.PrivateKey(secrets.Func(func(context.Context) (secrets.Value, error) {
		return secrets.Static(text.Load().(string)), nil
	}))}
	verified(t, signedBy(t, j), "RS256", rsaKey().Public())
	text.Store(pkcs8(otherRSA()))
	verified(t, signedBy(t, j), "RS256", otherRSA().Public())
	text.Store(pkcs8(ecKey()))
	verified(t, signedBy(t, j), "ES256", ecKey().Public())
}

// TestPrivateKeyIsParsedOnce counts allocations: parsing an RSA key takes far more of them than signing with it.
func TestPrivateKeyIsParsedOnce(t *testing.T) { //nolint:paralleltest // it counts allocations
	text := providedText(pkcs8(rsaKey()))
	kept := oauth2flow.PrivateKey(text)
	fingerprint := func(k oauth2flow.Key) func() {
		return func() {
			if _, err := k.Fingerprint(context.Background()); err != nil {
				t.Error(err)
			}
		}
	}
	again := testing.AllocsPerRun(20, fingerprint(kept))
	anew := testing.AllocsPerRun(20, func() { fingerprint(oauth2flow.PrivateKey(text))() })
	if again >= anew/2 {
		t.Errorf("%v allocations with a key that is known, %v with a new one", again, anew)
	}
}

func TestSignerFaults(t *testing.T) {
	t.Parallel()
	boom := errors.New("the HSM is gone")
	for name, tt := range map[string]struct {
		answer []byte
		err    error
	}{
		"fails":             {nil, boom},
		"no ASN.1":          {[]byte("sentinel"), nil},
		"huge R":            {sure(asn1.Marshal([]*big.Int{new(big.Int).Lsh(big.NewInt(1), 600), big.NewInt(1)})), nil},
		"negative":          {sure(asn1.Marshal([]*big.Int{big.NewInt(-1), big.NewInt(1)})), nil},
		"zero":              {sure(asn1.Marshal([]*big.Int{new(big.Int), big.NewInt(1)})), nil},
		"bytes at its end":  {append(sure(asn1.Marshal([]*big.Int{big.NewInt(1), big.NewInt(1)})), 0), nil},
		"nothing":           {nil, nil},
		"a raw one instead": {make([]byte, 64), nil},
	} {
		s := &broken{Signer: ecKey(), answer: tt.answer, err: tt.err}
		v, err := oauth2flow.JWT{Key: oauth2flow.Signer(s)}.Secret(t.Context())
		if err == nil || v.Reveal() != "" || tt.err != nil && !errors.Is(err, tt.err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

type broken struct {
	crypto.Signer

	answer []byte
	err    error
}

func (b *broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return b.answer, b.err }

func TestNothingShowsTheKey(t *testing.T) {
	t.Parallel()
	text := pkcs8(rsaKey())
	d := rsaKey().D.String()
	for name, j := range map[string]oauth2flow.JWT{
		"PEM":    {Key: pemKey(text), Claims: map[string]any{"mail": "sentinel@example.com"}},
		"signer": {Key: oauth2flow.Signer(rsaKey())},
		"secret": {Key: oauth2flow.SharedSecret(secrets.Static(sharedText))},
	} {
		signedBy(t, j)
		grant := oauth2flow.SelfSigned(j)
		shown := fmt.Sprintf("%v %+v %#v %s %q %d %v %+v %#v %v", j, j, j, j, j, j, grant, grant, grant, j.Key)
		if strings.Contains(shown, "sentinel") {
			t.Errorf("%s: a claim is shown in %s", name, shown)
		}
		wrapped := struct{ inner any }{j} // here fmt calls no methods
		shown += fmt.Sprintf("%v %+v %#v", wrapped, &wrapped, wrapped)
		for _, secret := range []string{text[40:80], d[:20], sharedText[:10]} {
			if strings.Contains(shown, secret) {
				t.Errorf("%s: the key is shown in %s", name, shown)
			}
		}
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := oauth2flow.JWT{Key: oauth2flow.SharedSecret(secrets.Static(sharedText))}.Secret(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// obtained is a token source that asks the grant each time.
type obtained struct{ auth.Grant }

func (o obtained) Token(ctx context.Context, _ auth.Want) (*auth.Token, error) {
	return o.Obtain(ctx, nil)
}

// bearer sends a GET with a self-signed token, and returns what the server read.
func sentBearer(t *testing.T, j oauth2flow.JWT, opts ...connection.Option) connectiontest.Request {
	t.Helper()
	srv := connectiontest.NewServer(t, connectiontest.JSON(200, struct{}{}))
	a := auth.Bearer(obtained{oauth2flow.SelfSigned(j)})
	conn, err := connection.New(srv.URL, append(opts, srv.Network().Option(), connection.WithAuth(a))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := request.Do[struct{}](t.Context(), request.Get(conn, "/v1/things")); err != nil {
		t.Fatal(err)
	}
	return srv.Requests()[0]
}

func TestProvidersSelfSigned(t *testing.T) {
	t.Parallel()
	token := func(t *testing.T, r connectiontest.Request) string {
		t.Helper()
		text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			t.Fatalf("Authorization is %.20q", r.Header.Get("Authorization"))
		}
		return text
	}
	t.Run("Q-160 Heymarket: HS256 with the secret as UTF-8 text", func(t *testing.T) {
		t.Parallel()
		got := sentBearer(t, oauth2flow.JWT{
			Key: oauth2flow.SharedSecret(secrets.Static(sharedText)), Issuer: "team",
			Claims: map[string]any{"user": map[string]any{"email": "a@b.example"}},
		})
		_, claims := verified(t, token(t, got), "HS256", []byte(sharedText))
		if diff := cmp.Diff(map[string]any{"email": "a@b.example"}, claims["user"]); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("Q-161 App Store Connect: ES256, kid, 15 minutes", func(t *testing.T) {
		t.Parallel()
		got := sentBearer(t, oauth2flow.JWT{
			Key: pemKey(pkcs8(ecKey())), KeyID: "2X9R4HXF34", Issuer: "57246542-96fe",
			Audience: []string{"appstoreconnect-v1"}, Lifetime: 15 * time.Minute,
		})
		headers, claims := verified(t, token(t, got), "ES256", ecKey().Public())
		if diff := cmp.Diff(map[string]any{"alg": "ES256", "kid": "2X9R4HXF34", "typ": "JWT"}, headers); diff != "" {
			t.Error(diff)
		}
		if claims["aud"] != "appstoreconnect-v1" || claims["exp"].(float64)-claims["iat"].(float64) != 900 {
			t.Errorf("claims %v", claims)
		}
	})
	t.Run("Q-162 Snowflake: RS256, fingerprint in iss, type header", func(t *testing.T) {
		t.Parallel()
		key := pemKey(pkcs8(rsaKey()))
		fingerprint, err := key.Fingerprint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(sure(x509.MarshalPKIXPublicKey(rsaKey().Public())))
		if want := base64.StdEncoding.EncodeToString(sum[:]); fingerprint != want {
			t.Errorf("fingerprint %s, want %s", fingerprint, want)
		}
		got := sentBearer(t, oauth2flow.JWT{
			Key: key, Issuer: "ORG-ACC.USER.SHA256:" + fingerprint, Subject: "ORG-ACC.USER", Lifetime: time.Hour,
		}, connection.WithHeader("X-Snowflake-Authorization-Token-Type", "KEYPAIR_JWT"))
		_, claims := verified(t, token(t, got), "RS256", rsaKey().Public())
		if claims["iss"] != "ORG-ACC.USER.SHA256:"+fingerprint || claims["sub"] != "ORG-ACC.USER" {
			t.Errorf("claims %v", claims)
		}
		if got.Header.Get("X-Snowflake-Authorization-Token-Type") != "KEYPAIR_JWT" {
			t.Errorf("headers %v", got.Header)
		}
	})
	t.Run("Q-169 GitHub App: the app's JWT as Bearer on the token call", func(t *testing.T) {
		t.Parallel()
		got := sentBearer(t, oauth2flow.JWT{
			Key: pemKey(pkcs8(rsaKey())), Issuer: "123456", Lifetime: 10 * time.Minute, Backdate: time.Minute, NoID: true,
		})
		now := float64(time.Now().Unix())
		_, claims := verified(t, token(t, got), "RS256", rsaKey().Public())
		iat, exp := claims["iat"].(float64), claims["exp"].(float64)
		if claims["iss"] != "123456" || exp-iat != 600 || iat > now-30 || exp > now+600 {
			t.Errorf("claims %v", claims)
		}
	})
}

func TestSelfSigned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		key := oauth2flow.SharedSecret(secrets.Static(sharedText))
		g := oauth2flow.SelfSigned(oauth2flow.JWT{Key: key, Issuer: "i", Lifetime: 10 * time.Minute, Backdate: time.Minute})
		now := time.Now()
		a, err := g.Obtain(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !a.Obtained.Equal(now) || a.Expiry.Sub(now) != 9*time.Minute {
			t.Errorf("obtained %v, ends %v later", a.Obtained, a.Expiry.Sub(now))
		}
		b, err := g.Obtain(t.Context(), a)
		if err != nil || a.Value.Equal(b.Value) {
			t.Errorf("the second is the first, or %v", err)
		}
	})
}

func TestSelfSignedTraits(t *testing.T) {
	t.Parallel()
	base := oauth2flow.JWT{Key: oauth2flow.PrivateKey(secrets.File("/keys/a.pem")), Issuer: "i"}
	config := func(change func(*oauth2flow.JWT)) string {
		j := base
		change(&j)
		traits := oauth2flow.SelfSigned(j).Traits()
		if !traits.Retryable || traits.OneTime || traits.Interactive {
			t.Errorf("traits %+v", traits)
		}
		return traits.Config
	}
	seen := map[string]string{config(func(*oauth2flow.JWT) {}): "base"}
	if config(func(*oauth2flow.JWT) {}) == "" || len(seen) != 1 {
		t.Error("Config is empty, or not the same twice")
	}
	for name, change := range map[string]func(*oauth2flow.JWT){
		"issuer":   func(j *oauth2flow.JWT) { j.Issuer = "j" },
		"subject":  func(j *oauth2flow.JWT) { j.Subject = "i" },
		"audience": func(j *oauth2flow.JWT) { j.Audience = []string{"i"} },
		"claims":   func(j *oauth2flow.JWT) { j.Claims = map[string]any{"a": 1} },
		"headers":  func(j *oauth2flow.JWT) { j.Headers = map[string]any{"a": 1} },
		"key":      func(j *oauth2flow.JWT) { j.Key = oauth2flow.PrivateKey(secrets.File("/keys/b.pem")) },
		"kid":      func(j *oauth2flow.JWT) { j.KeyID = "k" },
	} {
		c := config(change)
		if other, ok := seen[c]; ok {
			t.Errorf("%s has the Config of %s", name, other)
		}
		seen[c] = name
	}
	if err := oauth2flow.SelfSigned(oauth2flow.JWT{}).(auth.Validator).Validate(); !errors.Is(err, oauth2flow.ErrKey) {
		t.Errorf("Validate: %v", err)
	}
}
