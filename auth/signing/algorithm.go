package signing

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// Algorithm makes a signature of a key and a message. The zero Algorithm is HMAC(SHA256). It is immutable and safe for
// concurrent use.
type Algorithm struct {
	name  string
	sign  signFunc
	fault error
}

type signFunc = func(key secrets.Value, message []byte) ([]byte, error)

// HMAC is the keyed hash of RFC 2104. The key is the bytes of the secret. One that is written in base64 or hexadecimal
// has to be decoded: in its [secrets.Provider], or with [AlgorithmFunc].
func HMAC(h Hash) Algorithm {
	sign := func(key secrets.Value, message []byte) ([]byte, error) {
		mac := hmac.New(h.make, []byte(key.Reveal()))
		mac.Write(message)
		return mac.Sum(nil), nil
	}
	return Algorithm{name: "hmac-" + h.short(), fault: h.validate(), sign: sign}
}

// Ed25519 is the signature of RFC 8032. The secret is a private key in PEM, as PKCS #8 ("BEGIN PRIVATE KEY"). Another
// key is [auth.ErrMalformed].
func Ed25519() Algorithm { return Algorithm{name: "ed25519", sign: signEd25519} }

func signEd25519(key secrets.Value, message []byte) ([]byte, error) {
	block, _ := pem.Decode([]byte(key.Reveal()))
	if block == nil {
		return nil, errEd25519
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errEd25519 // and not err, which is about the bytes of the key
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, errEd25519
	}
	return ed25519.Sign(private, message), nil
}

var errEd25519 = fmt.Errorf("%w: the secret is no Ed25519 private key in PEM (PKCS #8)", auth.ErrMalformed)

// AlgorithmFunc makes an Algorithm of a function: for other kinds of keys, for keys in a hardware module, or for
// schemes that hash the secret with the message. name is that of the algorithm, such as "rsa-pss-sha512". Errors of the
// function have to hold no secret.
func AlgorithmFunc(name string, sign func(key secrets.Value, message []byte) ([]byte, error)) Algorithm {
	a := Algorithm{name: name, sign: sign}
	switch {
	case sign == nil:
		a.fault = errors.New("AlgorithmFunc: the function is nil")
	case !isText(name):
		a.fault = errors.New("AlgorithmFunc: the name is empty, or not printable ASCII")
	}
	return a
}

// orDefault returns a, or the default in the place of the zero Algorithm.
func (a Algorithm) orDefault() Algorithm {
	if a.sign == nil && a.fault == nil {
		return HMAC(SHA256)
	}
	return a
}

// String returns the name, such as "hmac-sha256".
func (a Algorithm) String() string { return a.orDefault().name }
