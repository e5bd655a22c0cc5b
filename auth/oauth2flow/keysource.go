package oauth2flow

import (
	"context"
	"crypto"
	"fmt"
	"sync/atomic"

	"github.com/restconn/restconn/secrets"
)

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

// reference tells providers apart without their secrets: a [JWT] by what it says, others by where they come from, as
// far as they tell. Two constants look alike.
func reference(p secrets.Provider) string {
	switch p := p.(type) {
	case interface{ identity() string }:
		return p.identity()
	case fmt.Stringer:
		return p.String()
	}
	return ""
}
