package keystore

import (
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"software.sslmate.com/src/go-pkcs12"
)

// The MAC and the old encryption of PKCS#12 have a key derivation and a cipher of their own, which are left to the
// library. It reads whole files of certain shapes only, so it is given each encrypted part in a small file of its own.

// verifyMAC has the library check the MAC. Right after the MAC it counts the parts, and says so if there are others
// than it expects: that is the proof. Its functions expect one and two parts; one of them is always wrong.
func (s source) verifyMAC(file pkcs12File, password string) error {
	times := int64(1)
	if password == "" {
		times = 2 // the library tries two forms of the empty password
	}
	if err := s.cost.spend(file.macCost, times); err != nil {
		return err
	}
	var err error
	if file.parts == 1 {
		_, err = pkcs12.ToPEM(s.data, password) //nolint:staticcheck // only the MAC is of interest
	} else {
		_, err = pkcs12.DecodeTrustStore(s.data, password)
	}
	unsupported, is := errors.AsType[pkcs12.NotImplementedError](err)
	switch {
	case is && strings.Contains(string(unsupported), "items in the authenticated safe"):
		return nil
	case is:
		return s.rewrite(strings.TrimPrefix(string(unsupported), "pkcs12: "))
	case errors.Is(err, pkcs12.ErrIncorrectPassword) && password == "":
		return because(ErrPassword, "the MAC does not fit without one: set Password")
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return because(ErrPassword, "the MAC does not fit: the Password is wrong, or the file was changed")
	case err == nil:
		return because(ErrIntegrity, "the MAC was not checked")
	}
	return because(ErrIntegrity, "the MAC cannot be checked: %v", err)
}

// old reports whether it is an encryption of PKCS#12 itself (RFC 7292, appendix C) that the library knows: 3DES, RC2
// with 128 bits and RC2 with 40 bits.
func (a algorithm) old() bool {
	return slices.Contains([]string{
		"1.2.840.113549.1.12.1.3", "1.2.840.113549.1.12.1.5", "1.2.840.113549.1.12.1.6",
	}, a.oid)
}

// oldCost reads the parameters of an old encryption and returns its iterations.
func (a algorithm) oldCost(cost *budget) (int64, error) {
	outer := newDER(a.params)
	inner := outer.sequence()
	salt, iterations := inner.octets(), inner.integer()
	return iterations, firstOf(inner.end(), outer.end(), checkSalt(salt), cost.check(iterations))
}

// oldRounds is how often the iterations are run for one decryption: two blocks of the key, and the initial vector.
const oldRounds = 3

// spendOld is asked before every decryption with an old encryption.
func (s source) spendOld(sealing algorithm) error {
	iterations, err := sealing.oldCost(s.cost)
	if err != nil {
		return err
	}
	return s.cost.spend(iterations, oldRounds)
}

// oldKey has the library decrypt a key. It wants a certificate beside it.
func (s source) oldKey(sealing algorithm, sealed []byte, password string, certs [][]byte) (crypto.Signer, error) {
	if len(certs) == 0 {
		return nil, because(ErrNoCertificate, "there is a private key without its certificate")
	}
	if err := s.spendOld(sealing); err != nil {
		return nil, err
	}
	both, err := plainPart(func(b *cryptobyte.Builder) {
		addBag(b, bagEncryptedKey, func(b *cryptobyte.Builder) { b.AddBytes(sealed) })
		addBag(b, bagCertificate, func(b *cryptobyte.Builder) { addCertificate(b, certs[0]) })
	})
	if err != nil {
		return nil, err
	}
	file, err := newPKCS12(password, both)
	if err != nil {
		return nil, err
	}
	key, _, _, err := pkcs12.DecodeChain(file, password)
	if err != nil {
		return nil, keyPasswordHint(errDecrypt())
	}
	// The library has parsed the key; the checks are those of every other key.
	return parseKey(nil, func([]byte) (any, error) { return key, nil })
}

// oldContent has the library decrypt a part with certificates. A key within it would be decrypted at any cost; a key
// that stands before the part keeps the library from that, because it takes one only.
func (s source) oldContent(c content, password string) ([]bag, error) {
	if err := s.spendOld(c.sealing); err != nil {
		return nil, err
	}
	guard, err := guardPart()
	if err != nil {
		return nil, err
	}
	file, err := newPKCS12(password, guard, c.whole)
	if err != nil {
		return nil, err
	}
	_, _, _, err = pkcs12.DecodeChain(file, password) //nolint:dogsled // only whether it can be read is of interest
	switch {
	case errors.Is(err, pkcs12.ErrDecryption):
		return nil, errDecrypt()
	case err != nil:
		return nil, s.rewrite("a part with the old encryption holds other than certificates, or is damaged")
	}
	return s.oldCertificates(c, password)
}

// oldCertificates is for a part of which it is known that it holds certificates. The library reads parts in which all
// certificates have Java's mark, and others in which no certificate has an attribute that it does not know.
func (s source) oldCertificates(c content, password string) ([]bag, error) {
	if err := s.spendOld(c.sealing); err != nil {
		return nil, err
	}
	nothing, err := plainPart(func(*cryptobyte.Builder) {})
	if err != nil {
		return nil, err
	}
	file, err := newPKCS12(password, c.whole, nothing)
	if err != nil {
		return nil, err
	}
	blocks, err := pkcs12.ToPEM(file, password) //nolint:staticcheck // nothing else returns the names of certificates
	if err == nil {
		return bagsOf(blocks), nil
	}
	if s.alias != "" {
		return nil, s.rewrite("Alias cannot be used with its old encryption")
	}
	if err := s.spendOld(c.sealing); err != nil {
		return nil, err
	}
	if file, err = newPKCS12(password, c.whole); err != nil {
		return nil, err
	}
	certificates, err := pkcs12.DecodeTrustStore(file, password)
	if err != nil {
		return nil, s.rewrite("trusted certificates and others are mixed in a part with the old encryption")
	}
	var bags []bag
	for _, certificate := range certificates {
		bags = append(bags, bag{kind: bagCertificate, value: certificate.Raw, trusted: true})
	}
	return bags, nil
}

func bagsOf(blocks []*pem.Block) []bag {
	bags := make([]bag, 0, len(blocks))
	for _, block := range blocks {
		bags = append(bags, bag{
			kind:  bagCertificate,
			value: block.Bytes,
			name:  block.Headers["friendlyName"],
			id:    block.Headers["localKeyId"],
		})
	}
	return bags
}

// guardPart is a part with a key that protects nothing.
func guardPart() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		return nil, err
	}
	return plainPart(func(b *cryptobyte.Builder) {
		addBag(b, bagKey, func(b *cryptobyte.Builder) { b.AddBytes(der) })
	})
}
