package signing

import (
	"crypto/md5"  //nolint:gosec // Content-MD5 and older schemes are made of it
	"crypto/sha1" //nolint:gosec // HMAC-SHA1 is what older schemes are made of
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
)

// Hash is a hash function.
type Hash uint8

const (
	// SHA256 is the default.
	SHA256 Hash = iota
	// SHA384 is of the same family.
	SHA384
	// SHA512 is of the same family.
	SHA512
	// SHA1 is for schemes that know no better.
	SHA1
	// MD5 is for Content-MD5, and for schemes that know no better.
	MD5
)

// String returns the name, such as "sha-256".
func (h Hash) String() string {
	switch h {
	case SHA256:
		return "sha-256"
	case SHA384:
		return "sha-384"
	case SHA512:
		return "sha-512"
	case SHA1:
		return "sha-1"
	case MD5:
		return "md5"
	default:
		return fmt.Sprintf("Hash(%d)", uint8(h))
	}
}

// short returns the name as it stands in those of algorithms, such as "sha256".
func (h Hash) short() string { return strings.ReplaceAll(h.String(), "-", "") }

func (h Hash) validate() error {
	if h > MD5 {
		return fmt.Errorf("%v is no hash function", h)
	}
	return nil
}

// make returns a new hash. h is valid.
func (h Hash) make() hash.Hash {
	switch h {
	case SHA384:
		return sha512.New384()
	case SHA512:
		return sha512.New()
	case SHA1:
		return sha1.New() //nolint:gosec // see the import
	case MD5:
		return md5.New() //nolint:gosec // see the import
	default:
		return sha256.New()
	}
}

// Encoding makes text of a signature or a digest.
type Encoding uint8

const (
	// Hex is lower-case hexadecimal. It is the default.
	Hex Encoding = iota
	// UpperHex is upper-case hexadecimal.
	UpperHex
	// Base64 has padding (RFC 4648, section 4).
	Base64
	// Base64URL has none (RFC 4648, section 5).
	Base64URL
)

func (e Encoding) validate() error {
	if e > Base64URL {
		return fmt.Errorf("Encoding(%d) is no encoding", uint8(e))
	}
	return nil
}

// encode returns the text of b. e is valid.
func (e Encoding) encode(b []byte) string {
	switch e {
	case UpperHex:
		return strings.ToUpper(hex.EncodeToString(b))
	case Base64:
		return base64.StdEncoding.EncodeToString(b)
	case Base64URL:
		return base64.RawURLEncoding.EncodeToString(b)
	default:
		return hex.EncodeToString(b)
	}
}
