package oauth2flow

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// minRSA is the size of the smallest RSA key (RFC 7518, section 3.3), in bits.
const minRSA = 2048

// hashes are the algorithms that exist here, and what each of them hashes with; EdDSA does so itself.
var hashes = map[jose.SignatureAlgorithm]crypto.Hash{ //nolint:gochecknoglobals // never changed
	jose.HS256: crypto.SHA256, jose.HS384: crypto.SHA384, jose.HS512: crypto.SHA512,
	jose.RS256: crypto.SHA256, jose.RS384: crypto.SHA384, jose.RS512: crypto.SHA512,
	jose.PS256: crypto.SHA256, jose.PS384: crypto.SHA384, jose.PS512: crypto.SHA512,
	jose.ES256: crypto.SHA256, jose.ES384: crypto.SHA384, jose.ES512: crypto.SHA512,
	jose.EdDSA: 0,
}

// signingKey is a key as it signs: a secret, or a signer of one of the public keys that [signingKey.algorithms]
// knows.
type signingKey struct {
	signer crypto.Signer
	secret []byte
}

// algorithms are those that fit the key; the first is the natural one. A key that is of no use has none.
func (k signingKey) algorithms() []jose.SignatureAlgorithm {
	if k.signer == nil {
		return []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512}
	}
	switch public := k.signer.Public().(type) {
	case ed25519.PublicKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}
	case *rsa.PublicKey:
		return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
	case *ecdsa.PublicKey:
		switch public.Curve {
		case elliptic.P256():
			return []jose.SignatureAlgorithm{jose.ES256}
		case elliptic.P384():
			return []jose.SignatureAlgorithm{jose.ES384}
		case elliptic.P521():
			return []jose.SignatureAlgorithm{jose.ES512}
		}
	}
	return nil
}

// check tells what is wrong with a key that is a signer.
func (k signingKey) check() error {
	if len(k.algorithms()) == 0 {
		return fmt.Errorf("%w: it is neither RSA, nor EC on P-256, P-384 or P-521, nor Ed25519", ErrKey)
	}
	if public, ok := k.signer.Public().(*rsa.PublicKey); ok && public.N.BitLen() < minRSA {
		return fmt.Errorf("%w: it is an RSA key of less than 2048 bits", ErrKey)
	}
	return nil
}

// choose returns the algorithm to sign with: the given one, if it fits, or the natural one.
func (k signingKey) choose(name string) (jose.SignatureAlgorithm, error) {
	fitting := k.algorithms()
	alg := jose.SignatureAlgorithm(name)
	switch {
	case len(fitting) == 0:
		return "", k.check()
	case name == "":
		alg = fitting[0]
	case !slices.Contains(fitting, alg):
		return "", fmt.Errorf("%w: %s does not sign with it, but %v", ErrKey, name, fitting)
	}
	if k.signer == nil && len(k.secret) < hashes[alg].Size() {
		return "", fmt.Errorf("%w: the secret has %d bytes, and %s wants %d (RFC 7518, section 3.2)",
			ErrKey, len(k.secret), alg, hashes[alg].Size())
	}
	return alg, nil
}

// sign returns the payload as a signed token in its compact form.
func (k signingKey) sign(payload []byte, alg jose.SignatureAlgorithm, headers map[string]any) (string, error) {
	opts := &jose.SignerOptions{ExtraHeaders: make(map[jose.HeaderKey]any, len(headers))}
	for name, value := range headers {
		opts.ExtraHeaders[jose.HeaderKey(name)] = value
	}
	var key any = k.secret
	if k.signer != nil {
		key = opaque{k}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opts)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// opaque lets go-jose sign with any [crypto.Signer]. Its own adapter asks for the longest salt of RSA-PSS, where RFC
// 7518 wants one of the length of the hash.
type opaque struct{ key signingKey }

// Public implements [jose.OpaqueSigner]. No key is embedded.
func (opaque) Public() *jose.JSONWebKey { return nil }

// Algs implements [jose.OpaqueSigner].
func (o opaque) Algs() []jose.SignatureAlgorithm { return o.key.algorithms() }

// SignPayload implements [jose.OpaqueSigner].
func (o opaque) SignPayload(payload []byte, alg jose.SignatureAlgorithm) ([]byte, error) {
	hash := hashes[alg]
	if hash == 0 {
		return o.key.signer.Sign(rand.Reader, payload, hash)
	}
	h := hash.New()
	_, _ = h.Write(payload) // a hash does not fail
	digest := h.Sum(nil)
	var opts crypto.SignerOpts = hash
	if alg[0] == 'P' {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	signature, err := o.key.signer.Sign(rand.Reader, digest, opts)
	if err != nil {
		return nil, err
	}
	if public, ok := o.key.signer.Public().(*ecdsa.PublicKey); ok {
		return concatenate(signature, public.Curve)
	}
	return signature, nil
}

// concatenate returns R and S of an ASN.1 signature, each in the width of the curve (RFC 7518, section 3.4).
func concatenate(der []byte, curve elliptic.Curve) ([]byte, error) {
	var pair struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &pair)
	width := (curve.Params().BitSize + 7) / 8
	if err != nil || len(rest) > 0 || !fits(pair.R, width) || !fits(pair.S, width) {
		return nil, errors.New("the signer's answer is no ECDSA signature in ASN.1")
	}
	out := make([]byte, 2*width)
	pair.R.FillBytes(out[:width])
	pair.S.FillBytes(out[width:])
	return out, nil
}

func fits(n *big.Int, width int) bool { return n != nil && n.Sign() > 0 && n.BitLen() <= 8*width }
