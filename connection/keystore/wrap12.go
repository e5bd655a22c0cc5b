package keystore

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/asn1"
	"strconv"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// part is what writes some DER.
type part = cryptobyte.BuilderContinuation

const oidHMACSHA256 = "1.2.840.113549.2.9"

// newPKCS12 writes a PKCS#12 of parts that are there already. The library wants a MAC where there is a password; this
// one is PBMAC1 (RFC 9579), because PBKDF2 is in the standard library, and it protects nothing: one iteration will do.
func newPKCS12(password string, parts ...[]byte) ([]byte, error) {
	salt := make([]byte, 16)
	key, err := pbkdf2.Key(sha256.New, password, salt, 1, sha256.Size)
	if err != nil {
		return nil, err
	}
	var safe cryptobyte.Builder
	safe.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, part := range parts {
			b.AddBytes(part)
		}
	})
	octets, err := safe.Bytes()
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write(octets)
	var file cryptobyte.Builder
	file.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(3)
		b.AddASN1(tag.SEQUENCE, data(octets))
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(tag.SEQUENCE, pbmac1(salt))
				b.AddASN1OctetString(mac.Sum(nil))
			})
			b.AddASN1OctetString(salt)
			b.AddASN1Int64(1)
		})
	})
	return file.Bytes()
}

// pbmac1 writes the algorithm of the MAC.
func pbmac1(salt []byte) part {
	return func(b *cryptobyte.Builder) {
		addOID(b, oidPBMAC1)
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
				addOID(b, oidPBKDF2)
				b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1OctetString(salt)
					b.AddASN1Int64(1)
					b.AddASN1Int64(sha256.Size)
					addHMAC(b)
				})
			})
			addHMAC(b)
		})
	}
}

func addHMAC(b *cryptobyte.Builder) {
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, oidHMACSHA256)
		b.AddASN1NULL()
	})
}

// data writes the inner part of a ContentInfo that is not encrypted.
func data(octets []byte) part {
	return func(b *cryptobyte.Builder) {
		addOID(b, oidData)
		b.AddASN1(tag.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1OctetString(octets) })
	}
}

// plainPart writes a ContentInfo with bags that are not encrypted.
func plainPart(bags part) ([]byte, error) {
	var contents, info cryptobyte.Builder
	contents.AddASN1(tag.SEQUENCE, bags)
	octets, err := contents.Bytes()
	if err != nil {
		return nil, err
	}
	info.AddASN1(tag.SEQUENCE, data(octets))
	return info.Bytes()
}

// addBag writes a SafeBag without attributes.
func addBag(b *cryptobyte.Builder, kind string, value part) {
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, kind)
		b.AddASN1(tag.Tag(0).ContextSpecific().Constructed(), value)
	})
}

// addCertificate writes a CertBag.
func addCertificate(b *cryptobyte.Builder, der []byte) {
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, oidX509)
		b.AddASN1(tag.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1OctetString(der) })
	})
}

// addOID writes an object identifier of this package.
func addOID(b *cryptobyte.Builder, text string) {
	var id asn1.ObjectIdentifier
	for field := range strings.SplitSeq(text, ".") {
		n, err := strconv.Atoi(field)
		if err != nil {
			b.SetError(err)
		}
		id = append(id, n)
	}
	b.AddASN1ObjectIdentifier(id)
}
