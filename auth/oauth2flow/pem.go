package oauth2flow

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// parseKey returns the first private key of a PEM text. Its errors hold nothing of the text.
func parseKey(text string) (signingKey, error) {
	block := firstBlock([]byte(text), func(kind string) bool { return strings.HasSuffix(kind, "PRIVATE KEY") })
	if block == nil {
		return signingKey{}, fmt.Errorf("%w: there is no private key in PEM, with its lines, in the text", ErrKey)
	}
	return parseBlock(block)
}

// firstBlock returns the first block of such a type; nil if there is none.
func firstBlock(text []byte, wanted func(kind string) bool) *pem.Block {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil || wanted(block.Type) {
			return block
		}
	}
}

func parseBlock(block *pem.Block) (signingKey, error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return signingKey{}, ErrKeyEncrypted
	}
	var private any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		private, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return signingKey{}, fmt.Errorf("%w: it is neither PKCS #8, nor PKCS #1, nor SEC 1", ErrKey)
	}
	signer, ok := private.(crypto.Signer)
	if err != nil || !ok {
		return signingKey{}, fmt.Errorf("%w: what is inside the PEM block is no key for signing", ErrKey)
	}
	key := signingKey{signer: signer}
	return key, key.check()
}

// X5TS256 returns the x5t#S256 header of a certificate: the SHA-256 of its DER form in base64url (RFC 7515, section
// 4.1.8), as [JWT].Headers and [AssertionHeader] take it. The text is PEM, and its first certificate counts.
func X5TS256(certificate []byte) (string, error) {
	block := firstBlock(certificate, func(kind string) bool { return kind == "CERTIFICATE" })
	if block == nil {
		return "", errors.New("oauth2flow: there is no certificate in the PEM text")
	}
	sum := sha256.Sum256(block.Bytes)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}
