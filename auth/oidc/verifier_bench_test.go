package oidc_test

import (
	"crypto"
	"crypto/elliptic"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/restconn/restconn/secrets"
)

// BenchmarkVerifyIDToken verifies with keys that are there already.
func BenchmarkVerifyIDToken(b *testing.B) {
	for _, c := range []struct {
		alg jose.SignatureAlgorithm
		key crypto.Signer
	}{
		{jose.RS256, rsaKey()}, {jose.ES256, newEC(elliptic.P256())}, {jose.EdDSA, newEd()},
	} {
		b.Run(string(c.alg), func(b *testing.B) {
			p := newKeyHost(b, published(c.key, jwk{"kid": "k1"}))
			v, w := p.verifier(string(c.alg)), wanted()
			text := secrets.Static(signedBy(b, c.key, c.alg, "k1", good(nil)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.VerifyIDToken(b.Context(), text, w); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
