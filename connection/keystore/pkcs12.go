package keystore

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"

	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// pkcs12Identity opens one private key. Its chain is found by the public key: not all tools link the two.
func (s source) pkcs12Identity(ctx context.Context) (*tls.Certificate, error) {
	bags, err := s.openPKCS12(ctx)
	if err != nil {
		return nil, err
	}
	keys := slices.DeleteFunc(slices.Clone(bags), func(b bag) bool { return !b.isKey() })
	if len(keys) == 0 {
		return nil, because(ErrNoKey, "all entries are certificates: it is a trust store")
	}
	ders := certificatesOf(bags)
	certificates, err := parseCertificates(ders)
	if err != nil {
		return nil, err
	}
	at, err := pick(s.alias, keys, func(b bag) string { return b.alias(bags) })
	if err != nil {
		return nil, err
	}
	key, err := s.bagKey(ctx, keys[at], ders)
	if err != nil {
		return nil, err
	}
	return newIdentity(key, certificates)
}

// bagKey parses a key, and decrypts it if it is encrypted.
func (s source) bagKey(ctx context.Context, b bag, certificates [][]byte) (crypto.Signer, error) {
	if b.kind == bagKey {
		return parseKey(b.value, x509.ParsePKCS8PrivateKey)
	}
	sealing, sealed, err := splitPKCS8(b.value)
	if err != nil {
		return nil, err
	}
	password, err := s.secretOfKey(ctx)
	if err != nil {
		return nil, err
	}
	if sealing.old() {
		return s.oldKey(sealing, b.value, password, certificates)
	}
	p, err := parsePBES2(sealing.params, s.cost)
	if err != nil {
		return nil, err
	}
	plain, err := p.open(sealed, password, s.cost)
	if err != nil {
		return nil, keyPasswordHint(err)
	}
	key, err := parseOpened(plain)
	return key, keyPasswordHint(err)
}

// keyPasswordHint adds what may be the reason where a key does not open, although the store did.
func keyPasswordHint(err error) error {
	if errors.Is(err, ErrPassword) {
		return because(ErrPassword, "the key does not open: its password is another than that of the store "+
			"(set KeyPassword), or wrong")
	}
	return err
}

// pkcs12Roots returns the certificates with the mark of Java. Without any mark, a file with keys holds their chains,
// which are no roots, and a file without keys is a list of roots.
func (s source) pkcs12Roots(ctx context.Context) ([]*x509.Certificate, error) {
	bags, err := s.openPKCS12(ctx)
	if err != nil {
		return nil, err
	}
	roots := slices.DeleteFunc(slices.Clone(bags), func(b bag) bool { return b.kind != bagCertificate || !b.trusted })
	if len(roots) == 0 && !slices.ContainsFunc(bags, func(b bag) bool { return b.isKey() }) {
		roots = slices.DeleteFunc(bags, func(b bag) bool { return b.kind != bagCertificate })
	}
	if len(roots) == 0 {
		return nil, because(ErrNoCertificate, "no certificate is marked as trusted: write those of the chain into a "+
			"PEM file: openssl pkcs12 -in %s -cacerts -nokeys -out %s", quote(s.path, ""), quote(s.path, ".pem"))
	}
	if s.alias != "" {
		at, err := pick(s.alias, roots, func(b bag) string { return b.name })
		if err != nil {
			return nil, err
		}
		roots = roots[at : at+1]
	}
	return parseCertificates(certificatesOf(roots))
}

func certificatesOf(bags []bag) [][]byte {
	var ders [][]byte
	for _, b := range bags {
		if b.kind == bagCertificate {
			ders = append(ders, b.value)
		}
	}
	return ders
}

// openPKCS12 returns all bags. Before anything is derived from the password, all costs that can be seen are checked;
// then comes the MAC, and then the parts that are encrypted.
func (s source) openPKCS12(ctx context.Context) ([]bag, error) {
	file, err := s.splitPKCS12()
	if errors.Is(err, errBER) {
		err = s.rewrite("it is BER with indefinite lengths, not DER")
	}
	if err != nil {
		return nil, err
	}
	password := ""
	if file.mac || file.sealed() {
		if password, err = s.storePassword(ctx); err != nil {
			return nil, err
		}
	}
	if file.mac {
		if err := s.verifyMAC(file, password); err != nil {
			return nil, err
		}
	}
	bags := file.bags
	for _, c := range file.contents {
		more, err := s.openContent(c, password)
		if err != nil {
			return nil, err
		}
		if bags = append(bags, more...); len(bags) > maxEntries {
			return nil, errBags()
		}
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
	}
	return bags, nil
}

// pkcs12File is a PKCS#12 taken apart (RFC 7292, section 4).
type pkcs12File struct {
	parts    int       // of the authenticated safe
	oldSize  int       // bytes of the parts with the old encryption
	contents []content // those that are encrypted
	bags     []bag     // those of the parts that are not
	mac      bool
	macCost  int64 // iterations
}

func (f *pkcs12File) sealed() bool { return len(f.contents) > 0 }

// content is an encrypted part.
type content struct {
	whole   []byte // the ContentInfo
	sealing algorithm
	sealed  []byte
}

const (
	oidData          = "1.2.840.113549.1.7.1"
	oidEncryptedData = "1.2.840.113549.1.7.6"
	oidPBMAC1        = "1.2.840.113549.1.5.14"
)

func (s source) splitPKCS12() (pkcs12File, error) {
	const version = 3
	outer := newDER(s.data)
	pfx := outer.sequence()
	if err := outer.end(); err != nil {
		return pkcs12File{}, err
	}
	if n := pfx.integer(); n != version {
		return pkcs12File{}, s.notPKCS12(pfx.err)
	}
	safe := pfx.sequence()
	if kind := safe.oid(); safe.err == nil && kind != oidData {
		return pkcs12File{}, s.rewrite("it is signed, or not a PKCS#12")
	}
	wrapped := safe.explicit()
	octets := wrapped.octets()
	if err := firstOf(pfx.err, safe.end(), wrapped.end()); err != nil {
		return pkcs12File{}, err
	}
	var file pkcs12File
	if !pfx.empty() {
		if err := s.anew(file.setMAC(pfx.sequence(), s.cost)); err != nil {
			return pkcs12File{}, err
		}
	}
	if err := pfx.end(); err != nil {
		return pkcs12File{}, err
	}
	err := s.splitSafe(&file, octets)
	return file, err
}

// notPKCS12 is about DER of something else: certificates and keys come in DER too.
func (s source) notPKCS12(err error) error {
	if errors.Is(err, errBER) || errors.Is(err, ErrTooLarge) {
		return err
	}
	return because(ErrUnsupported, "it is DER, but not a PKCS#12: if it is a certificate: "+
		"openssl x509 -inform DER -in %s -out %s", quote(s.path, ""), quote(s.path, ".pem"))
}

// setMAC reads MacData. Its algorithm is for the library.
func (f *pkcs12File) setMAC(mac *der, cost *budget) error {
	info := mac.sequence()
	digest := info.algorithm()
	info.octets()
	salt := mac.octets()
	f.mac, f.macCost = true, 1
	if !mac.empty() {
		f.macCost = mac.integer()
	}
	if err := firstOf(info.end(), mac.end(), checkSalt(salt)); err != nil {
		return err
	}
	if digest.oid != oidPBMAC1 {
		return cost.check(f.macCost)
	}
	// PBMAC1 (RFC 9579) brings its own parameters, and does not look at the others.
	outer := newDER(digest.params)
	inner := outer.sequence()
	kdf := inner.algorithm()
	inner.algorithm()
	if err := firstOf(inner.end(), outer.end()); err != nil {
		return err
	}
	if kdf.oid != oidPBKDF2 {
		return because(ErrUnsupported, "the key derivation %s of the MAC is unknown", kdf.oid)
	}
	var p pbes2
	if err := p.setPBKDF2(kdf.params, cost); err != nil {
		return err
	}
	f.macCost = p.iterations
	return nil
}

// splitSafe reads the parts.
func (s source) splitSafe(file *pkcs12File, octets []byte) error {
	outer := newDER(octets)
	safe := outer.sequence()
	for !safe.empty() {
		file.parts++
		if file.parts > maxContents {
			return because(ErrTooLarge, "more than %d parts", maxContents)
		}
		if err := s.addPart(file, safe.whole()); err != nil {
			return firstOf(safe.err, err)
		}
	}
	return firstOf(safe.end(), outer.end())
}

// addPart reads a ContentInfo.
func (s source) addPart(file *pkcs12File, whole []byte) error {
	outer := newDER(whole)
	info := outer.sequence()
	kind := info.oid()
	inner := info.explicit()
	if err := firstOf(info.end(), outer.end()); err != nil {
		return err
	}
	switch kind {
	case oidData:
		octets := inner.octets()
		if err := inner.end(); err != nil {
			return err
		}
		bags, err := s.splitBags(octets)
		if file.bags = append(file.bags, bags...); len(file.bags) > maxEntries {
			return errBags()
		}
		return err
	case oidEncryptedData:
		c, err := splitEncrypted(inner)
		if err != nil {
			return err
		}
		c.whole = whole
		file.contents = append(file.contents, c)
		if c.sealing.old() {
			file.oldSize += len(c.sealed)
		}
		if file.oldSize > maxOldContent {
			return s.rewrite("there are too many certificates for its old encryption")
		}
		return s.checkSealing(c.sealing)
	}
	return s.rewrite("a part is encrypted for a certificate")
}

// splitEncrypted reads EncryptedData (RFC 2315, section 13).
func splitEncrypted(outer *der) (content, error) {
	data := outer.sequence()
	version := data.integer()
	info := data.sequence()
	info.oid()
	c := content{sealing: info.algorithm()}
	c.sealed = info.element(tag.Tag(0).ContextSpecific()).rest
	if err := firstOf(info.end(), data.end(), outer.end()); err != nil {
		if info.next(tag.Tag(0).ContextSpecific().Constructed()) {
			return content{}, errBER
		}
		return content{}, err
	}
	if version != 0 {
		return content{}, because(ErrUnsupported, "version %d of EncryptedData", version)
	}
	return c, nil
}

// checkSealing refuses what costs too much or is unknown.
func (s source) checkSealing(sealing algorithm) error {
	switch {
	case sealing.old():
		_, err := sealing.oldCost(s.cost)
		return err
	case sealing.oid == oidPBES2:
		_, err := parsePBES2(sealing.params, s.cost)
		return s.anew(err)
	}
	return s.rewrite("the encryption " + sealing.oid + " is unknown")
}

// openContent decrypts a part.
func (s source) openContent(c content, password string) ([]bag, error) {
	if c.sealing.old() {
		return s.oldContent(c, password)
	}
	p, err := parsePBES2(c.sealing.params, s.cost)
	if err != nil {
		return nil, err
	}
	plain, err := p.open(c.sealed, password, s.cost)
	if err != nil {
		return nil, err
	}
	return s.splitBags(plain)
}
