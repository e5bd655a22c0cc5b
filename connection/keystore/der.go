package keystore

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"
)

// maxOID is the length of the longest object identifier that is looked at. To decode one takes eight times its length.
const maxOID = 32

// der is a reader of DER that remembers its first failure, so that a structure is read line by line. After a failure
// everything it returns is empty.
type der struct {
	rest cryptobyte.String
	err  error
}

func newDER(data []byte) *der { return &der{rest: data} }

func (d *der) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.rest = nil
}

// element reads one element of that tag and returns a reader of what is in it.
func (d *der) element(t tag.Tag) *der {
	var inner cryptobyte.String
	if d.err != nil || !d.rest.ReadASN1(&inner, t) {
		d.fail(d.why())
		return &der{err: d.err}
	}
	return newDER(inner)
}

func (d *der) sequence() *der { return d.element(tag.SEQUENCE) }

// explicit reads [0] EXPLICIT.
func (d *der) explicit() *der { return d.element(tag.Tag(0).ContextSpecific().Constructed()) }

// octets reads an OCTET STRING.
func (d *der) octets() []byte { return d.element(tag.OCTET_STRING).rest }

// next reports whether the next element has that tag.
func (d *der) next(t tag.Tag) bool { return d.err == nil && d.rest.PeekASN1Tag(t) }

// whole reads one element of any tag, with its tag and length.
func (d *der) whole() []byte {
	var element cryptobyte.String
	if d.err != nil || !d.rest.ReadAnyASN1Element(&element, nil) {
		d.fail(d.why())
	}
	return element
}

// integer reads a number of at most 63 bits. One that is longer is beyond every limit.
func (d *der) integer() int64 {
	var n int64
	switch {
	case d.err != nil:
	case !d.rest.PeekASN1Tag(tag.INTEGER):
		d.fail(d.why())
	case !d.rest.ReadASN1Integer(&n):
		d.fail(because(ErrTooLarge, "a number of more than 63 bits"))
	}
	return n
}

// oid reads an object identifier as text, such as "1.2.840.113549.1.7.1".
func (d *der) oid() string {
	var id asn1.ObjectIdentifier
	element := d.whole()
	switch text := cryptobyte.String(element); {
	case d.err != nil:
		return ""
	case len(element) > maxOID:
		d.fail(because(ErrTooLarge, "an object identifier of more than %d bytes", maxOID))
		return ""
	case !text.ReadASN1ObjectIdentifier(&id):
		d.fail(errDER())
		return ""
	}
	return id.String()
}

// end fails if something is left.
func (d *der) end() error {
	if d.err == nil && len(d.rest) > 0 {
		d.fail(because(ErrIntegrity, "%d bytes follow where nothing should", len(d.rest)))
	}
	return d.err
}

// empty reports whether nothing is left, or nothing can be read any more.
func (d *der) empty() bool { return d.err != nil || len(d.rest) == 0 }

// errBER means that an element is encoded in a way that only BER allows.
var errBER = because(ErrUnsupported, "it is BER with indefinite lengths, not DER")

// why tells BER (X.690, section 8.1.3.6) and damage apart by the element that cannot be read.
func (d *der) why() error {
	const indefinite, constructedOctets = 0x80, 0x24
	if len(d.rest) > 1 && (d.rest[1] == indefinite || d.rest[0] == constructedOctets) {
		return errBER
	}
	return errDER()
}

func errDER() error { return because(ErrIntegrity, "its DER cannot be read") }
