package tokenstore

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// What the [auth.StoreError] of a [Sealed] store may wrap, beside the errors of the keys' providers.
var (
	// ErrSealed says that a record does not open: none of the keys fits, it was changed, it belongs to another
	// [auth.Key], or it was never sealed. It stays where it is.
	ErrSealed = errors.New("the record does not open: " +
		"give all keys that were in use, or delete the record and log in again")
	// ErrShortKey says that a key has less than 32 bytes.
	ErrShortKey = errors.New("the key of a sealed store needs 32 bytes")
)

const (
	// magic begins what is sealed; its last byte is the format.
	magic = "\xf6rcs\x01"
	// purpose keeps the derived key apart from other uses of the same secret.
	purpose = "restconn/auth/tokenstore sealed AES-256-GCM 1"

	minSecret = 32
	keySize   = 32
)

// sealer returns the function that seals for a key.
func (s *sealed) sealer(ctx context.Context, key auth.Key) (func(plain []byte) []byte, error) {
	aead, err := newAEAD(ctx, s.keys[0])
	if err != nil {
		return nil, err
	}
	return func(plain []byte) []byte {
		return aead.Seal([]byte(magic), nil, plain, boundTo(key)) //nolint:gosec // the first is no nonce; that is random
	}, nil
}

// open returns rec with what was sealed.
func (s *sealed) open(ctx context.Context, key auth.Key, rec auth.Record) (auth.Record, error) {
	if rec.Version == 0 && len(rec.Data) == 0 {
		return rec, nil
	}
	box, ok := bytes.CutPrefix(rec.Data, []byte(magic))
	if !ok {
		return auth.Record{}, storeError("decode", fmt.Errorf("%w (it is not sealed)", ErrSealed))
	}
	var faults []error
	for _, provider := range s.keys {
		aead, err := newAEAD(ctx, provider)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if plain, err := aead.Open(nil, nil, box, boundTo(key)); err == nil {
			rec.Data = plain
			return rec, nil
		}
	}
	if len(faults) > 0 { // one of those might have fitted
		return auth.Record{}, storeError("decode", errors.Join(faults...))
	}
	return auth.Record{}, storeError("decode", ErrSealed)
}

// newAEAD derives the cipher, which puts a random nonce of 96 bits before what it seals.
func newAEAD(ctx context.Context, provider secrets.Provider) (cipher.AEAD, error) {
	secret, err := provider.Secret(ctx)
	if err != nil {
		return nil, err
	}
	text := secret.Reveal()
	if len(text) < minSecret {
		return nil, ErrShortKey
	}
	derived, err := hkdf.Key(sha256.New, []byte(text), nil, purpose, keySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// boundTo is what is sealed in beside the data: the format, and whose record it is.
func boundTo(key auth.Key) []byte { return append([]byte(magic), keyBytes(key)...) }
