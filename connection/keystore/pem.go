package keystore

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// pemFile is what a PEM file holds. Blocks of other kinds and the text around them mean nothing.
type pemFile struct {
	path         string // for commands
	certificates [][]byte
	keys         []*pem.Block
}

const encryptedKey = "ENCRYPTED PRIVATE KEY"

// pemIdentity takes certificates and key from one file, or from two.
func (s source) pemIdentity(ctx context.Context) (*tls.Certificate, error) {
	file, err := splitPEM(s.data, s.path)
	if err != nil {
		return nil, err
	}
	keys, keyPath := file.keys, s.path
	if s.place == inFiles {
		keyPath = s.keyPath
		if keys, err = s.keysOfPair(); err != nil {
			return nil, wrap(keyPath, recognise(s.keyData), err)
		}
	}
	certificates, err := parseCertificates(file.certificates)
	if err != nil {
		return nil, err
	}
	signers, err := s.openKeys(ctx, keys, keyPath)
	if err != nil {
		return nil, wrap(keyPath, PEM, err)
	}
	key, err := choose(signers, certificates)
	if err != nil {
		return nil, wrap(keyPath, PEM, err)
	}
	return newIdentity(key, certificates)
}

// keysOfPair returns the keys of the second of two files.
func (s source) keysOfPair() ([]*pem.Block, error) {
	if recognise(s.keyData) != PEM {
		return nil, because(ErrUnsupported, "Files reads PEM: a PKCS#12 or JKS holds key and certificates, and is for File")
	}
	file, err := splitPEM(s.keyData, s.keyPath)
	return file.keys, err
}

// pemRoots returns all certificates.
func (s source) pemRoots() ([]*x509.Certificate, error) {
	if s.alias != "" {
		return nil, errNoPEMAlias(s.alias)
	}
	file, err := splitPEM(s.data, s.path)
	if err != nil {
		return nil, err
	}
	if len(file.certificates) == 0 {
		return nil, because(ErrNoCertificate, "no block begins with -----BEGIN CERTIFICATE-----")
	}
	return parseCertificates(file.certificates)
}

func errNoPEMAlias(alias string) error {
	return because(ErrNoAlias, "%q: PEM has no aliases: leave Alias out", alias)
}

// splitPEM sorts the blocks. A block that the decoder skips because it is cut off or mangled is an error: a bundle that
// lost one certificate would go unnoticed otherwise.
func splitPEM(data []byte, path string) (pemFile, error) {
	begun := bytes.Count(data, []byte("\n"+pemBegin))
	if bytes.HasPrefix(data, []byte(pemBegin)) {
		begun++
	}
	if begun > maxEntries {
		return pemFile{}, because(ErrTooLarge, "more than %d blocks", maxEntries)
	}
	file := pemFile{path: path}
	decoded := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		decoded++
		if err := file.add(block); err != nil {
			return pemFile{}, err
		}
	}
	if decoded != begun {
		return pemFile{}, because(ErrIntegrity, "of %d PEM blocks only %d are whole", begun, decoded)
	}
	return file, nil
}

func (f *pemFile) add(block *pem.Block) error {
	switch {
	case block.Type == "CERTIFICATE" || block.Type == "X509 CERTIFICATE":
		if len(f.certificates) == maxCertificates {
			return errCertificates()
		}
		f.certificates = append(f.certificates, block.Bytes)
	case block.Type == "TRUSTED CERTIFICATE":
		return because(ErrUnsupported, "a block is a TRUSTED CERTIFICATE of OpenSSL: "+
			"write it as CERTIFICATE: openssl x509 -in %s -out %s", quote(f.path, ""), quote(f.path, ".pem"))
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		if len(f.keys) == maxPEMKeys {
			return because(ErrTooLarge, "more than %d private keys", maxPEMKeys)
		}
		f.keys = append(f.keys, block)
	}
	return nil
}

// openKeys parses the keys, and asks for the password if one of them is encrypted.
func (s source) openKeys(ctx context.Context, blocks []*pem.Block, path string) ([]crypto.Signer, error) {
	if s.alias != "" {
		return nil, errNoPEMAlias(s.alias)
	}
	if len(blocks) == 0 {
		return nil, because(ErrNoKey, "no block begins with -----BEGIN PRIVATE KEY-----")
	}
	keys := make([]crypto.Signer, 0, len(blocks))
	var password *string
	for _, block := range blocks {
		if block.Type == encryptedKey && password == nil {
			text, err := s.secretOfKey(ctx)
			if err != nil {
				return nil, err
			}
			password = &text
		}
		key, err := s.openKey(block, password, path)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (s source) openKey(block *pem.Block, password *string, path string) (crypto.Signer, error) {
	if block.Headers["DEK-Info"] != "" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, because(ErrUnsupported, "the key has the old encryption of OpenSSL (Proc-Type: 4,ENCRYPTED), "+
			"which protects badly: write it as PKCS#8: openssl pkcs8 -topk8 -in %s -out %s",
			quote(path, ""), quote(path, ".p8"))
	}
	switch block.Type {
	case "PRIVATE KEY":
		return parseKey(block.Bytes, x509.ParsePKCS8PrivateKey)
	case "RSA PRIVATE KEY":
		return parseKey(block.Bytes, x509.ParsePKCS1PrivateKey)
	case "EC PRIVATE KEY":
		return parseKey(block.Bytes, x509.ParseECPrivateKey)
	case encryptedKey:
		if *password == "" {
			return nil, because(ErrPassword, "the key is encrypted: set Password")
		}
		plain, err := openPKCS8(block.Bytes, *password, s.cost)
		if errors.Is(err, ErrUnsupported) {
			return nil, fmt.Errorf("%w: write it anew: openssl pkcs8 -in %s | openssl pkcs8 -topk8 -v2 aes-256-cbc -out %s",
				err, quote(path, ""), quote(path, ".p8"))
		}
		if err != nil {
			return nil, err
		}
		return parseOpened(plain)
	}
	return nil, because(ErrUnsupported, "a key of another kind than PKCS#8, PKCS#1 and SEC1: "+
		"write it as PKCS#8: openssl pkcs8 -topk8 -nocrypt -in %s -out %s", quote(path, ""), quote(path, ".p8"))
}

// choose returns the only key, or the one of several that belongs to the first certificate or, failing that, to any.
func choose(keys []crypto.Signer, certificates []*x509.Certificate) (crypto.Signer, error) {
	if len(keys) == 1 {
		return keys[0], nil
	}
	var matching []crypto.Signer
	for _, key := range keys {
		for i, certificate := range certificates {
			if !belongs(key, certificate) {
				continue
			}
			if i == 0 {
				return key, nil
			}
			matching = append(matching, key)
			break
		}
	}
	if len(matching) != 1 {
		return nil, because(ErrMismatch, "of %d private keys, %d belong to a certificate of the file, and none to the "+
			"first: keep one key", len(keys), len(matching))
	}
	return matching[0], nil
}
