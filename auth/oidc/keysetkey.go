package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// leastRSA is the least size of an RSA key in bits (RFC 7518, section 3.3). go-jose refuses more than 4096.
const leastRSA = 2048

// publicKey is a key that verifies signatures.
type publicKey struct {
	id        string
	algorithm string // the only one that it is for; empty if it does not say
	key       crypto.PublicKey
}

// fits reports whether the key verifies signatures of that algorithm.
func (k publicKey) fits(algorithm string) bool {
	if k.algorithm != "" && k.algorithm != algorithm {
		return false
	}
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	case *ecdsa.PublicKey:
		return algorithm == algorithmOfCurve(key.Curve.Params().BitSize)
	default:
		return algorithm == string(jose.EdDSA)
	}
}

func algorithmOfCurve(bits int) string {
	switch bits {
	case 256:
		return string(jose.ES256)
	case 384:
		return string(jose.ES384)
	default:
		return string(jose.ES512)
	}
}

// publicKey returns the key that a JWK is (RFC 7517, section 4), if it is a public one for signatures.
func (m members) publicKey() (k publicKey, ok bool) {
	use, errUse := m.text("use")
	algorithm, errAlgorithm := m.text("alg")
	operations, errOperations := m.texts("key_ops")
	_, private := m["d"] // which everybody has by now
	switch {
	case errUse != nil || errAlgorithm != nil || errOperations != nil || private:
		return k, false
	case m.has("use") && use != "sig":
		return k, false
	case m.has("key_ops") && !slices.Contains(operations, "verify"):
		return k, false
	}
	// What else a JWK may have, such as certificates, has no part in it.
	bare := make(members)
	for _, name := range []string{"kty", "n", "e", "crv", "x", "y"} {
		if raw, there := m[name]; there {
			bare[name] = raw
		}
	}
	text, err := json.Marshal(bare)
	if err != nil {
		return k, false
	}
	var key jose.JSONWebKey
	if key.UnmarshalJSON(text) != nil || !isSound(key.Key) {
		return k, false
	}
	return publicKey{algorithm: algorithm, key: key.Key}, true
}

// isSound reports whether a key is of a kind and a size that is used.
func isSound(key any) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= leastRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	default:
		return false
	}
}
