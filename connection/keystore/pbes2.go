package keystore

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // old files are encrypted with it
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // the default of PBKDF2
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"hash"

	tag "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/scrypt"
)

// Object identifiers of RFC 8018 and RFC 7914.
const (
	oidPBES2  = "1.2.840.113549.1.5.13"
	oidPBKDF2 = "1.2.840.113549.1.5.12"
	oidScrypt = "1.3.6.1.4.1.11591.4.11"
)

// algorithm is an AlgorithmIdentifier: an encryption, and what it needs to know.
type algorithm struct {
	oid    string
	params []byte
}

// algorithm reads an AlgorithmIdentifier.
func (d *der) algorithm() algorithm {
	inner := d.sequence()
	a := algorithm{oid: inner.oid()}
	a.params = inner.rest
	if inner.err != nil {
		d.fail(inner.err)
	}
	return a
}

// pbes2 is an encryption with a password (RFC 8018, section 6.2).
type pbes2 struct {
	iterations int64 // what the derivation costs
	derive     func(password string, length int) ([]byte, error)
	cipher     func(key []byte) (cipher.Block, error)
	keyLength  int
	iv         []byte
}

// parsePBES2 reads the parameters and refuses those that cost too much.
func parsePBES2(params []byte, cost *budget) (pbes2, error) {
	outer := newDER(params)
	inner := outer.sequence()
	kdf, scheme := inner.algorithm(), inner.algorithm()
	if inner.end() != nil || outer.end() != nil {
		return pbes2{}, errDER()
	}
	var p pbes2
	if err := p.setCipher(scheme); err != nil {
		return pbes2{}, err
	}
	switch kdf.oid {
	case oidPBKDF2:
		err := p.setPBKDF2(kdf.params, cost)
		return p, err
	case oidScrypt:
		err := p.setScrypt(kdf.params)
		return p, err
	}
	return pbes2{}, because(ErrUnsupported, "the key derivation %s is unknown", kdf.oid)
}

func (p *pbes2) setCipher(scheme algorithm) error {
	p.cipher = aes.NewCipher
	switch scheme.oid {
	case "2.16.840.1.101.3.4.1.2":
		p.keyLength = 16
	case "2.16.840.1.101.3.4.1.22":
		p.keyLength = 24
	case "2.16.840.1.101.3.4.1.42":
		p.keyLength = 32
	case "1.2.840.113549.3.7":
		p.keyLength, p.cipher = 24, des.NewTripleDESCipher
	default:
		return because(ErrUnsupported, "the cipher %s is unknown", scheme.oid)
	}
	params := newDER(scheme.params)
	p.iv = params.octets()
	return params.end()
}

// setPBKDF2 reads PBKDF2-params (RFC 8018, appendix A.2).
func (p *pbes2) setPBKDF2(params []byte, cost *budget) error {
	outer := newDER(params)
	inner := outer.sequence()
	salt, iterations := inner.octets(), inner.integer()
	if inner.next(tag.INTEGER) {
		inner.integer() // the length of the key, which the cipher tells too
	}
	prf := algorithm{oid: "1.2.840.113549.2.7"}
	if !inner.empty() {
		prf = inner.algorithm()
	}
	if err := firstOf(inner.end(), outer.end(), checkSalt(salt), cost.check(iterations)); err != nil {
		return err
	}
	digest := digests(prf.oid)
	if digest == nil {
		return because(ErrUnsupported, "the PBKDF2 function %s is unknown", prf.oid)
	}
	p.iterations = iterations
	p.derive = func(password string, length int) ([]byte, error) {
		return pbkdf2.Key(digest, password, salt, int(iterations), length)
	}
	return nil
}

// digests returns the hash of an HMAC (RFC 8018, appendix B.1.2), or nil.
func digests(hmac string) func() hash.Hash {
	switch hmac {
	case "1.2.840.113549.2.7":
		return sha1.New
	case "1.2.840.113549.2.8":
		return sha256.New224
	case "1.2.840.113549.2.9":
		return sha256.New
	case "1.2.840.113549.2.10":
		return sha512.New384
	case "1.2.840.113549.2.11":
		return sha512.New
	}
	return nil
}

// setScrypt reads scrypt-params (RFC 7914, section 7).
func (p *pbes2) setScrypt(params []byte) error {
	const unit = 128 // bytes of memory for each of n*r
	outer := newDER(params)
	inner := outer.sequence()
	salt, n, r, lanes := inner.octets(), inner.integer(), inner.integer(), inner.integer()
	if inner.next(tag.INTEGER) {
		inner.integer() // the length of the key, which the cipher tells too
	}
	if err := firstOf(inner.end(), outer.end(), checkSalt(salt)); err != nil {
		return err
	}
	const most = maxScryptMemory / unit
	if n < 2 || r < 1 || lanes < 1 || n > most || r > most || n*r > most || lanes > maxScryptLanes || r*lanes > most {
		return because(ErrTooLarge, "scrypt with N=%d r=%d p=%d, of at most %d MiB and p=%d",
			n, r, lanes, maxScryptMemory>>20, maxScryptLanes)
	}
	p.iterations = n * r * lanes // about as long as so many iterations of PBKDF2
	p.derive = func(password string, length int) ([]byte, error) {
		return scrypt.Key([]byte(password), salt, int(n), int(r), int(lanes), length)
	}
	return nil
}

func checkSalt(salt []byte) error {
	if len(salt) > maxSalt {
		return because(ErrTooLarge, "a salt of %d bytes, of at most %d", len(salt), maxSalt)
	}
	return nil
}

// firstOf returns the first error.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// open decrypts. A padding that is wrong is the only sign of a wrong password, and a missing sign proves nothing.
func (p *pbes2) open(sealed []byte, password string, cost *budget) ([]byte, error) {
	if err := cost.spend(p.iterations, 1); err != nil {
		return nil, err
	}
	key, err := p.derive(password, p.keyLength)
	if err != nil {
		return nil, because(ErrUnsupported, "the key derivation: %v", err)
	}
	defer clear(key)
	block, err := p.cipher(key)
	if err != nil {
		return nil, because(ErrUnsupported, "the cipher: %v", err)
	}
	size := block.BlockSize()
	if len(p.iv) != size || len(sealed) == 0 || len(sealed)%size != 0 {
		return nil, because(ErrIntegrity, "what is encrypted has a wrong length")
	}
	plain := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(block, p.iv).CryptBlocks(plain, sealed)
	last := plain[len(plain)-1:]
	padding := int(last[0])
	if padding == 0 || padding > size || !bytes.HasSuffix(plain, bytes.Repeat(last, padding)) {
		return nil, errDecrypt()
	}
	return plain[:len(plain)-padding], nil
}

func errDecrypt() error { return because(ErrPassword, "what is encrypted does not open with it") }

// splitPKCS8 takes an EncryptedPrivateKeyInfo apart (RFC 5958, section 3).
func splitPKCS8(data []byte) (algorithm, []byte, error) {
	outer := newDER(data)
	inner := outer.sequence()
	sealing, sealed := inner.algorithm(), inner.octets()
	if err := firstOf(inner.end(), outer.end()); err != nil {
		return algorithm{}, nil, err
	}
	if len(sealed) > maxKey {
		return algorithm{}, nil, because(ErrTooLarge, "a private key of more than %d KiB", maxKey>>10)
	}
	return sealing, sealed, nil
}

// openPKCS8 decrypts the key of a PEM file.
func openPKCS8(data []byte, password string, cost *budget) ([]byte, error) {
	sealing, sealed, err := splitPKCS8(data)
	if err != nil {
		return nil, err
	}
	if sealing.oid != oidPBES2 {
		return nil, because(ErrUnsupported, "the key has the old encryption %s", sealing.oid)
	}
	p, err := parsePBES2(sealing.params, cost)
	if err != nil {
		return nil, err
	}
	return p.open(sealed, password, cost)
}

// parseOpened parses a key that was decrypted. What is no key was decrypted with a wrong password.
func parseOpened(plain []byte) (crypto.Signer, error) {
	if outer := newDER(plain); outer.sequence().err != nil || outer.end() != nil {
		return nil, errDecrypt()
	}
	return parseKey(plain, x509.ParsePKCS8PrivateKey)
}
