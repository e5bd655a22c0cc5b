package oauth2flow

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/restconn/restconn/secrets"
)

// maxKeyText is the most bytes of a key that are read, in PEM or as a shared secret.
const maxKeyText = 64 << 10

// What is wrong with a key, to be matched with [errors.Is].
var (
	// ErrKey says that a key cannot sign: there is none, or it is too short, of another kind, or unreadable.
	ErrKey = errors.New("the key cannot be used")
	// ErrKeyEncrypted says that a private key is protected by a passphrase. It is an [ErrKey] as well.
	ErrKeyEncrypted = fmt.Errorf("%w: it is encrypted; decrypt it, and protect the file instead", ErrKey)
)

// Key is what signs a [JWT]. It is made by [PrivateKey], [Signer] or [SharedSecret]; the zero Key signs nothing.
// Copies share what was parsed. It is safe for concurrent use, and shows no key, whatever the verb.
type Key struct{ source keySource }

// PrivateKey returns the Key that a PEM text holds: RSA of at least 2048 bits, EC on P-256, P-384 or P-521, or
// Ed25519; in PKCS #8 ("PRIVATE KEY"), PKCS #1 ("RSA PRIVATE KEY") or SEC 1 ("EC PRIVATE KEY"). Certificates and
// parameters around it are passed over, and the first private key counts. The text has at most 64 KiB.
//
// The provider is asked for each signature, so that a key that is replaced is used without a restart; the text is
// parsed again only if it changed. A key with a passphrase is [ErrKeyEncrypted], and all other faults are [ErrKey]:
// both when the key is used.
func PrivateKey(pemText secrets.Provider) Key { return Key{&pemKey{provider: pemText}} }

// Signer returns the Key of a signer that keeps its private key to itself, such as a KMS or an HSM. Its public key is
// RSA of at least 2048 bits, EC on P-256, P-384 or P-521, or Ed25519; another one is reported by Validate.
//
// The signer is safe for concurrent use. crypto.Signer knows no context: one that calls over a network has a limit of
// its own, and the wait for it does not end with the caller's context. For PS256 and its like it is asked for a salt
// of the length of the hash (RFC 7518, section 3.5), and for EC it answers in ASN.1.
func Signer(s crypto.Signer) Key {
	if s == nil {
		return Key{}
	}
	return Key{signerKey(func() crypto.Signer { return s })}
}

// SharedSecret returns the Key of a secret that the server has too, for HS256, HS384 and HS512. The key is the text
// itself, as UTF-8; a secret that is handed out in base64 or hexadecimal and is meant to be decoded has to be decoded
// by the provider.
//
// The text has at least 32, 48 or 64 bytes for the three (RFC 7518, section 3.2), and at most 64 KiB: a shorter one
// can be guessed by anybody who sees a token, and is [ErrKey].
func SharedSecret(text secrets.Provider) Key { return Key{sharedKey{text}} }

// Fingerprint returns the SHA-256 of the public key as base64: of its SubjectPublicKeyInfo in DER (RFC 5280, section
// 4.1), which is how Snowflake and others name a key. A [SharedSecret] has none.
func (k Key) Fingerprint(ctx context.Context) (string, error) {
	key, err := k.load(ctx)
	if err != nil {
		return "", err
	}
	if key.signer == nil {
		return "", fmt.Errorf("%w: a shared secret has no public key", ErrKey)
	}
	der, err := x509.MarshalPKIXPublicKey(key.signer.Public())
	if err != nil {
		return "", fmt.Errorf("%w: the public key has no SubjectPublicKeyInfo", ErrKey)
	}
	sum := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

// Validate tells what is known to be wrong with the key. No secret is asked for.
func (k Key) Validate() error {
	if k.source == nil {
		return fmt.Errorf("%w: there is none; PrivateKey, Signer and SharedSecret make one", ErrKey)
	}
	return k.source.validate()
}

// String implements [fmt.Stringer].
func (k Key) String() string {
	if k.source == nil {
		return "no key"
	}
	return k.source.name()
}

// Format implements [fmt.Formatter], so that no verb reaches the key.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// reference says where the key comes from, if that can be told.
func (k Key) reference() string {
	if k.source == nil {
		return ""
	}
	return k.source.reference()
}

func (k Key) load(ctx context.Context) (signingKey, error) {
	if k.source == nil {
		return signingKey{}, k.Validate()
	}
	return k.source.load(ctx)
}
