package keystore

import (
	"encoding/hex"
	"unicode/utf16"

	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// bag is one entry of a PKCS#12 (RFC 7292, section 4.2): a key, a certificate, or something that is not of interest.
type bag struct {
	kind    string
	value   []byte // a key, encrypted or not, or a certificate
	name    string // friendlyName
	id      string // localKeyId
	trusted bool   // Java's mark of a trusted certificate
}

// The kinds of bags and the attributes that mean something.
const (
	bagKey          = "1.2.840.113549.1.12.10.1.1"
	bagEncryptedKey = "1.2.840.113549.1.12.10.1.2"
	bagCertificate  = "1.2.840.113549.1.12.10.1.3"
	bagNested       = "1.2.840.113549.1.12.10.1.6"

	oidX509         = "1.2.840.113549.1.9.22.1"
	oidFriendlyName = "1.2.840.113549.1.9.20"
	oidLocalKeyID   = "1.2.840.113549.1.9.21"
	oidJavaTrust    = "2.16.840.1.113894.746875.1.1"
)

func (b *bag) isKey() bool { return b.kind == bagKey || b.kind == bagEncryptedKey }

// alias is the name of a key or, if it has none, that of its certificate.
func (b *bag) alias(bags []bag) string {
	if b.name != "" || b.id == "" {
		return b.name
	}
	for _, other := range bags {
		if other.kind == bagCertificate && other.id == b.id {
			return other.name
		}
	}
	return ""
}

// splitBags reads SafeContents. What encrypted keys cost is checked here; most of them are never decrypted.
func (s source) splitBags(data []byte) ([]bag, error) {
	outer := newDER(data)
	safe := outer.sequence()
	var bags []bag
	for !safe.empty() {
		if len(bags) == maxEntries {
			return nil, errBags()
		}
		b, err := s.splitBag(safe.sequence())
		if err := firstOf(safe.err, err); err != nil {
			return nil, err
		}
		bags = append(bags, b)
	}
	return bags, firstOf(safe.end(), outer.end())
}

func errBags() error { return because(ErrTooLarge, "more than %d entries", maxEntries) }

func (s source) splitBag(d *der) (bag, error) {
	b := bag{kind: d.oid()}
	value := d.explicit()
	b.value = value.rest
	if !d.empty() {
		if err := b.setAttributes(d.element(tag.SET)); err != nil {
			return bag{}, err
		}
	}
	if err := d.end(); err != nil {
		return bag{}, err
	}
	switch b.kind {
	case bagCertificate:
		err := s.setCertificate(&b, value)
		return b, err
	case bagEncryptedKey:
		sealing, _, err := splitPKCS8(b.value)
		if err != nil {
			return bag{}, err
		}
		return b, s.checkSealing(sealing)
	case bagNested:
		return bag{}, s.rewrite("entries are nested")
	}
	return b, nil
}

// setCertificate unwraps a CertBag.
func (s source) setCertificate(b *bag, value *der) error {
	inner := value.sequence()
	kind := inner.oid()
	wrapped := inner.explicit()
	b.value = wrapped.octets()
	if err := firstOf(inner.end(), wrapped.end(), value.end()); err != nil {
		return err
	}
	if kind != oidX509 {
		return s.rewrite("a certificate is not X.509")
	}
	return nil
}

func (b *bag) setAttributes(set *der) error {
	for n := 0; !set.empty(); n++ {
		if n == maxAttributes {
			return because(ErrTooLarge, "more than %d attributes of an entry", maxAttributes)
		}
		attribute := set.sequence()
		kind := attribute.oid()
		values := attribute.element(tag.SET)
		if err := firstOf(set.err, attribute.end()); err != nil {
			return err
		}
		switch kind {
		case oidFriendlyName:
			b.name = bmpString(values.element(bmpTag).rest)
		case oidLocalKeyID:
			b.id = hex.EncodeToString(values.octets())
		case oidJavaTrust:
			b.trusted = true
		}
		if values.err != nil {
			return values.err
		}
	}
	return set.end()
}

// bmpTag is the tag of a BMPString, which is text in UTF-16.
const bmpTag tag.Tag = 30

func bmpString(data []byte) string {
	units := make([]uint16, 0, len(data)/2)
	for ; len(data) > 1; data = data[2:] {
		units = append(units, uint16(data[0])<<8|uint16(data[1]))
	}
	return string(utf16.Decode(units))
}
