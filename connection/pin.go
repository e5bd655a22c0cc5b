package connection

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// PinError means that the server has shown none of the public keys that [WithPinnedKeys] names. Nothing was sent.
type PinError struct {
	// Shown is the pin of the certificate that the server has shown.
	Shown string
}

func (e *PinError) Error() string {
	return "none of the pinned keys: the server's certificate has " + e.Shown +
		"; if that is right, add it to WithPinnedKeys"
}

const pinPrefix = "sha256/"

// PinOf returns the pin of a certificate: "sha256/" and the SHA-256 hash of its public key (SubjectPublicKeyInfo) in
// base64, as RFC 7469, section 2.4, has it.
func PinOf(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return pinPrefix + base64.StdEncoding.EncodeToString(sum[:])
}

// WithPinnedKeys accepts the connection's origins only with one of these public keys, written as [PinOf] does, in the
// chain of certificates that was verified. Where verification is off, the server's own certificate must have it. Give a
// spare one whose private key is kept elsewhere: when the only one is lost or replaced, no request gets through. Given
// again it adds to them. Token servers of other origins, redirects to other origins and proxies are not concerned.
func WithPinnedKeys(pins ...string) Option {
	return option{"WithPinnedKeys", func(cfg *config) error {
		if len(pins) == 0 {
			return errors.New("there are no pins")
		}
		for i, pin := range pins {
			sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(pin, pinPrefix))
			if err != nil || len(sum) != sha256.Size || !strings.HasPrefix(pin, pinPrefix) {
				return fmt.Errorf("pin %d is not %q and a SHA-256 hash in base64", i+1, pinPrefix)
			}
		}
		cfg.pool.pins = append(cfg.pool.pins, pins...)
		return cfg.ofPool("WithPinnedKeys")
	}}
}

// pinned checks the certificates of a handshake. It is for tls.Config.VerifyConnection, which, unlike
// VerifyPeerCertificate, is also called where a session is resumed.
func pinned(state tls.ConnectionState, pins []string) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server has shown no certificate")
	}
	candidates := state.PeerCertificates[:1] // the others prove nothing unless they were verified
	for _, chain := range state.VerifiedChains {
		candidates = append(slices.Clip(candidates), chain...)
	}
	for _, cert := range candidates {
		if slices.Contains(pins, PinOf(cert)) {
			return nil
		}
	}
	return &PinError{Shown: PinOf(state.PeerCertificates[0])}
}
