package oauth2flow

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

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

// Key is what signs a [JWT]. It is made by [PrivateKey], [Signer] or [SharedSecret]; the zero Key signs nothing. Copies
// share what was parsed. It is safe for concurrent use, and shows no key, whatever the verb.
type Key struct{ source keySource }

// keySource is where a key comes from.
type keySource interface {
	// load returns the key as it is now.
	load(ctx context.Context) (signingKey, error)
	// known returns the key if it is known without asking anybody.
	known() (signingKey, bool)
	validate() error
	name() string
	reference() string
}

// PrivateKey returns the Key that a PEM text holds: RSA of at least 2048 bits, EC on P-256, P-384 or P-521, or Ed25519;
// in PKCS #8 ("PRIVATE KEY"), PKCS #1 ("RSA PRIVATE KEY") or SEC 1 ("EC PRIVATE KEY"). Certificates and parameters
// around it are passed over, and the first private key counts. The text has at most 64 KiB.
//
// The provider is asked for each signature, so that a key that is replaced is used without a restart; the text is
// parsed again only if it changed. A key with a passphrase is [ErrKeyEncrypted], and all other faults are [ErrKey]:
// both when the key is used.
func PrivateKey(pemText secrets.Provider) Key { return Key{&pemKey{provider: pemText}} }

// Signer returns the Key of a signer that keeps its private key to itself, such as a KMS or an HSM. Its public key is
// RSA of at least 2048 bits, EC on P-256, P-384 or P-521, or Ed25519; another one is reported by Validate.
//
// The signer is safe for concurrent use. crypto.Signer knows no context: one that calls over a network has a limit of
// its own, and the wait for it does not end with the caller's context. For PS256 and its like it is asked for a salt of
// the length of the hash (RFC 7518, section 3.5), and for EC it answers in ASN.1.
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
// The text has at least 32, 48 or 64 bytes for the three (RFC 7518, section 3.2), and at most 64 KiB: a shorter one can
// be guessed by anybody who sees a token, and is [ErrKey].
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

// pemKey is a private key in PEM, and what was parsed of it last.
type pemKey struct {
	provider secrets.Provider
	last     atomic.Pointer[parsedKey]
}

// parsedKey hides behind an atomic pointer, where no dumper follows.
type parsedKey struct {
	text string
	key  signingKey
}

func (k *pemKey) load(ctx context.Context) (signingKey, error) {
	text, err := keyText(ctx, k.provider)
	if err != nil {
		return signingKey{}, err
	}
	if last := k.last.Load(); last != nil && last.text == text {
		return last.key, nil
	}
	key, err := parseKey(text)
	if err != nil {
		return signingKey{}, err
	}
	k.last.Store(&parsedKey{text: text, key: key})
	return key, nil
}

func (k *pemKey) known() (signingKey, bool) {
	if _, ok := k.provider.(secrets.Value); !ok {
		return signingKey{}, false
	}
	key, err := k.load(context.Background())
	return key, err == nil
}

func (k *pemKey) validate() error {
	if err := validateProvider("the private key", k.provider); err != nil {
		return err
	}
	if _, ok := k.provider.(secrets.Value); ok {
		_, err := k.load(context.Background())
		return err
	}
	return nil
}

func (*pemKey) name() string        { return "private key" }
func (k *pemKey) reference() string { return reference(k.provider) }

// signerKey is a function, so that no dumper reaches a signer that is itself a private key.
type signerKey func() crypto.Signer

func (k signerKey) load(context.Context) (signingKey, error) {
	key := signingKey{signer: k()}
	return key, key.check()
}

func (k signerKey) known() (signingKey, bool) {
	key, err := k.load(context.Background())
	return key, err == nil
}

func (k signerKey) validate() error {
	_, err := k.load(context.Background())
	return err
}

func (signerKey) name() string      { return "signer" }
func (signerKey) reference() string { return "" }

type sharedKey struct{ provider secrets.Provider }

func (k sharedKey) load(ctx context.Context) (signingKey, error) {
	text, err := keyText(ctx, k.provider)
	return signingKey{secret: []byte(text)}, err
}

func (k sharedKey) known() (signingKey, bool) {
	if v, ok := k.provider.(secrets.Value); ok {
		return signingKey{secret: []byte(v.Reveal())}, true
	}
	return signingKey{}, false
}

func (k sharedKey) validate() error   { return validateProvider("the shared secret", k.provider) }
func (sharedKey) name() string        { return "shared secret" }
func (k sharedKey) reference() string { return reference(k.provider) }

// keyText asks the provider for the text of a key.
func keyText(ctx context.Context, p secrets.Provider) (string, error) {
	if p == nil {
		return "", fmt.Errorf("%w: its provider is nil", ErrKey)
	}
	v, err := p.Secret(ctx)
	if err != nil {
		return "", err
	}
	if len(v.Reveal()) > maxKeyText {
		return "", fmt.Errorf("%w: it is longer than 64 KiB", ErrKey)
	}
	return v.Reveal(), nil
}

// validateProvider tells what is wrong with a provider; name says what it provides.
func validateProvider(name string, p secrets.Provider) error {
	if p == nil {
		return fmt.Errorf("%w: %s has no provider", ErrKey, name)
	}
	if v, ok := p.(secrets.Validator); ok {
		return v.Validate()
	}
	return nil
}

// reference says where a secret comes from, if its provider can tell.
func reference(p secrets.Provider) string {
	if s, ok := p.(fmt.Stringer); ok {
		return s.String()
	}
	return ""
}

// parseKey returns the first private key of a PEM text. Its errors hold nothing of the text.
func parseKey(text string) (signingKey, error) {
	for rest := []byte(text); ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return signingKey{}, fmt.Errorf("%w: there is no private key in PEM, with its lines, in the text", ErrKey)
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		return parseBlock(block)
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
