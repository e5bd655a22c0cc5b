package keystore_test

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"crypto/sha1"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/restconn/restconn/connection/keystore"
)

// TestHiddenIterations is about a key that lies in a part with the old encryption, where its iterations cannot be seen
// before the part is decrypted. Without its defence it takes many minutes.
func TestHiddenIterations(t *testing.T) {
	t.Parallel()
	old := func(iterations int64) cryptobyte.BuilderContinuation {
		return func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3})
			b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1OctetString([]byte("saltsalt"))
				b.AddASN1Int64(iterations)
			})
		}
	}
	root, _ := pem.Decode(read(t, "roots.pem"))
	explicit := tag.Tag(0).ContextSpecific().Constructed()
	bags := build(func(b *cryptobyte.Builder) {
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3})
			b.AddASN1(explicit, func(b *cryptobyte.Builder) {
				b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1})
					b.AddASN1(explicit, func(b *cryptobyte.Builder) { b.AddASN1OctetString(root.Bytes) })
				})
			})
		})
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2})
			b.AddASN1(explicit, func(b *cryptobyte.Builder) {
				b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(tag.SEQUENCE, old(1<<31-1))
					b.AddASN1OctetString(make([]byte, 64))
				})
			})
		})
	})
	part := build(func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6})
		b.AddASN1(explicit, func(b *cryptobyte.Builder) {
			b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(0)
				b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1})
					b.AddASN1(tag.SEQUENCE, old(1))
					b.AddASN1(tag.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(encrypt3DES(bags)) })
				})
			})
		})
	})
	file := build(func(b *cryptobyte.Builder) {
		b.AddASN1Int64(3)
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1})
			b.AddASN1(explicit, func(b *cryptobyte.Builder) {
				b.AddASN1OctetString(build(func(b *cryptobyte.Builder) { b.AddBytes(part) }))
			})
		})
	})
	_, err := keystore.Bytes(file, password(storePass)).Identity(t.Context())
	wantError(t, err, keystore.ErrUnsupported, keystore.PKCS12, "holds other than certificates")
	_, err = keystore.Bytes(file, password(storePass)).Roots(t.Context())
	wantError(t, err, keystore.ErrUnsupported, keystore.PKCS12, "holds other than certificates")
}

// encrypt3DES encrypts with the password of the stores, the salt "saltsalt" and one iteration.
func encrypt3DES(plain []byte) []byte {
	block, err := des.NewTripleDESCipher(deriveOld(1, 24))
	if err != nil {
		return nil
	}
	n := block.BlockSize() - len(plain)%block.BlockSize()
	plain = append(bytes.Clone(plain), bytes.Repeat([]byte{byte(n)}, n)...)
	cipher.NewCBCEncrypter(block, deriveOld(2, 8)).CryptBlocks(plain, plain)
	return plain
}

// deriveOld is the key derivation of RFC 7292, appendix B.2, for what encrypt3DES needs.
func deriveOld(id byte, size int) []byte {
	const v = 64
	var pass []byte
	for _, c := range []byte(storePass + "\x00") {
		pass = append(pass, 0, c)
	}
	fill := func(b []byte) []byte { return bytes.Repeat(b, v)[:v] }
	input := append(fill([]byte("saltsalt")), fill(pass)...)
	var out []byte
	for len(out) < size {
		sum := sha1.Sum(append(fill([]byte{id}), input...))
		out = append(out, sum[:]...)
		add := new(big.Int).Add(new(big.Int).SetBytes(fill(sum[:])), big.NewInt(1))
		for j := 0; j < len(input); j += v {
			n := new(big.Int).Add(new(big.Int).SetBytes(input[j:j+v]), add)
			n.Mod(n, new(big.Int).Lsh(big.NewInt(1), 8*v))
			n.FillBytes(input[j : j+v])
		}
	}
	return out[:size]
}
