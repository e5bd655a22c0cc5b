package oidc

import (
	"crypto"
	_ "crypto/sha256" // so that crypto.SHA256 is there
	_ "crypto/sha512" // and these
	"encoding/base64"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

const algorithmDefault = string(jose.RS256)

// algorithmNames returns the algorithms that verify here: all of RFC 7518, section 3.1, and RFC 8037 that have a
// public key.
func algorithmNames() []string {
	return []string{
		algorithmDefault, string(jose.RS384), string(jose.RS512),
		string(jose.PS256), string(jose.PS384), string(jose.PS512),
		string(jose.ES256), string(jose.ES384), string(jose.ES512), string(jose.EdDSA),
	}
}

func isAlgorithm(name string) bool { return slices.Contains(algorithmNames(), name) }

// hashOf returns the hash function of an algorithm: that of EdDSA is the one of Ed25519.
func hashOf(algorithm string) crypto.Hash {
	switch algorithm[len(algorithm)-3:] {
	case "256":
		return crypto.SHA256
	case "384":
		return crypto.SHA384
	default:
		return crypto.SHA512
	}
}

// halfHash returns what at_hash and c_hash have to be (OpenID Connect Core 1.0, section 3.1.3.6).
func halfHash(algorithm, text string) string {
	h := hashOf(algorithm).New()
	_, _ = h.Write([]byte(text))
	sum := h.Sum(nil)
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
