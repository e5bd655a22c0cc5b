package keystore

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"slices"
)

// parseKey parses a private key with one of the parsers of crypto/x509. What they say is left out: it is about a key.
func parseKey[K any](der []byte, parse func([]byte) (K, error)) (crypto.Signer, error) {
	if len(der) > maxKey {
		return nil, because(ErrTooLarge, "a private key of more than %d KiB", maxKey>>10)
	}
	key, err := parse(der)
	if err != nil {
		return nil, because(ErrIntegrity, "the private key cannot be parsed")
	}
	switch key := any(key).(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, because(ErrUnsupported, "the private key is not RSA, ECDSA or Ed25519, which are those of TLS")
}

// parseCertificate parses one certificate.
func parseCertificate(der []byte) (*x509.Certificate, error) {
	if len(der) > maxCertificate {
		return nil, because(ErrTooLarge, "a certificate of more than %d KiB", maxCertificate>>10)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, because(ErrIntegrity, "a certificate cannot be parsed: %v", err)
	}
	return certificate, nil
}

// parseCertificates parses as many as a file may hold.
func parseCertificates(ders [][]byte) ([]*x509.Certificate, error) {
	if len(ders) > maxCertificates {
		return nil, errCertificates()
	}
	certificates := make([]*x509.Certificate, 0, len(ders))
	size := 0
	for _, der := range ders {
		if size += len(der); size > maxParsed {
			return nil, because(ErrTooLarge, "certificates of more than %d MiB in all", maxParsed>>20)
		}
		certificate, err := parseCertificate(der)
		if err != nil {
			return nil, err
		}
		certificates = append(certificates, certificate)
	}
	return certificates, nil
}

func errCertificates() error {
	return because(ErrTooLarge, "more than %d certificates", maxCertificates)
}

// belongs reports whether the certificate is of the key.
func belongs(key crypto.Signer, certificate *x509.Certificate) bool {
	public, ok := key.Public().(interface {
		Equal(other crypto.PublicKey) bool
	})
	return ok && public.Equal(certificate.PublicKey)
}

// newIdentity puts the chain of the key together.
func newIdentity(key crypto.Signer, certificates []*x509.Certificate) (*tls.Certificate, error) {
	if len(certificates) == 0 {
		return nil, because(ErrNoCertificate, "there is a private key without its certificate")
	}
	at := slices.IndexFunc(certificates, func(c *x509.Certificate) bool { return belongs(key, c) })
	if at < 0 {
		return nil, because(ErrMismatch, "none of %d certificates has the public key", len(certificates))
	}
	identity := &tls.Certificate{PrivateKey: key, Leaf: certificates[at]}
	for _, certificate := range chain(certificates, at) {
		identity.Certificate = append(identity.Certificate, certificate.Raw)
	}
	return identity, nil
}

// chain follows the issuers from the leaf on. Signatures are for the server to verify.
func chain(certificates []*x509.Certificate, leaf int) []*x509.Certificate {
	used := make([]bool, len(certificates))
	var path []*x509.Certificate
	for at := leaf; at >= 0 && len(path) < maxChain; at = issuer(certificates, used, certificates[at]) {
		used[at] = true
		path = append(path, certificates[at])
	}
	return path
}

// issuer returns the index of the issuer, or -1. Of several certificates of one name, such as an old and a new one of
// one authority, the key identifiers choose.
func issuer(certificates []*x509.Certificate, used []bool, child *x509.Certificate) int {
	byName := -1
	if bytes.Equal(child.RawSubject, child.RawIssuer) {
		return byName // a root
	}
	for i, c := range certificates {
		if used[i] || !bytes.Equal(c.RawSubject, child.RawIssuer) {
			continue
		}
		switch unknown := len(child.AuthorityKeyId) == 0 || len(c.SubjectKeyId) == 0; {
		case !unknown && bytes.Equal(c.SubjectKeyId, child.AuthorityKeyId):
			return i
		case unknown && byName < 0:
			byName = i
		}
	}
	return byName
}

// sameIdentity reports whether both have the same chain and key.
func sameIdentity(a, b *tls.Certificate) bool {
	key, ok := b.PrivateKey.(crypto.Signer)
	return ok && belongs(key, a.Leaf) && slices.EqualFunc(a.Certificate, b.Certificate, slices.Equal[[]byte])
}
