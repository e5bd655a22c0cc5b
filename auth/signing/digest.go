package signing

import (
	"errors"
	"fmt"
)

// Digest is a header with a hash of the body. It is written before anything is signed, of a request without a body
// too, so that a signature can cover it. The zero Digest is none.
type Digest struct {
	header   string
	hash     Hash
	encoding Encoding
	format   string // of the encoded hash
	fault    error
}

// ContentDigest is the Content-Digest header (RFC 9530, section 2), such as "sha-256=:X48E9q...=:". The RFC knows
// SHA256 and SHA512.
func ContentDigest(h Hash) Digest {
	d := Digest{header: "Content-Digest", hash: h, encoding: Base64, format: h.String() + "=:%s:"}
	if h != SHA256 && h != SHA512 {
		d.fault = fmt.Errorf("ContentDigest: %v is not registered (RFC 9530, section 5)", h)
	}
	return d
}

// LegacyDigest is the Digest header that was there before (RFC 3230), such as "SHA-256=X48E9q...=".
func LegacyDigest(h Hash) Digest {
	names := map[Hash]string{SHA256: "SHA-256", SHA512: "SHA-512", SHA1: "SHA", MD5: "MD5"}
	d := Digest{header: "Digest", hash: h, encoding: Base64, format: names[h] + "=%s"}
	if names[h] == "" {
		d.fault = fmt.Errorf("LegacyDigest: %v is not registered (RFC 5843)", h)
	}
	return d
}

// ContentMD5 is the Content-MD5 header (RFC 1864).
func ContentMD5() Digest { return DigestIn("Content-Md5", MD5, Base64) }

// DigestIn is a header of any name with nothing but the hash, such as DigestIn("X-Amz-Content-Sha256", SHA256, Hex).
func DigestIn(header string, h Hash, e Encoding) Digest {
	d := Digest{header: header, hash: h, encoding: e, format: "%s"}
	if err := errors.Join(checkHeader(header), h.validate(), e.validate()); err != nil {
		d.fault = fmt.Errorf("DigestIn: %w", err)
	}
	return d
}

// write sets the header, if there is to be one. The caller's stays, and then the body is not read.
func (d Digest) write(r *Request) error {
	if d.header == "" || len(r.Values(d.header)) > 0 {
		return nil
	}
	sum, err := r.BodySum(d.hash)
	if err != nil {
		return err
	}
	r.SetHeader(d.header, fmt.Sprintf(d.format, d.encoding.encode(sum)))
	return nil
}
