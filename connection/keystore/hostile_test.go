package keystore_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	tag "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/restconn/restconn/connection/keystore"
)

const junk = "-----BEGIN JUNK-----\nAAAA\n-----END JUNK-----\n"

// mostMemory is what one call may set aside.
const mostMemory = 64 << 20

// bounded runs f and fails if it sets more aside. It is not for parallel tests, which share the count.
func bounded(tb testing.TB, f func()) {
	tb.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > mostMemory {
		tb.Errorf("%d MiB were set aside", used>>20)
	}
}

// words returns the numbers in four bytes each; a string stands for itself.
func words(parts ...any) []byte {
	var b []byte
	for _, part := range parts {
		switch part := part.(type) {
		case int:
			b = binary.BigEndian.AppendUint32(b, uint32(part))
		case string:
			b = append(b, part...)
		}
	}
	return b
}

func TestHostileJKS(t *testing.T) { //nolint:paralleltest // it measures memory
	const magic, time, digest = 0xfeedfeed, "\x00\x00\x00\x00\x00\x00\x00\x00", "\x00\x01a"
	zeros := strings.Repeat("\x00", sha1.Size)
	many := strings.Repeat("\x00", 100_000)
	key := words(magic, 2, 1, 1, digest, time)
	trusted := words(magic, 2, 1, 2, digest, time)
	x509 := "\x00\x05X.509"
	whole := read(t, "rsa.jks")
	tests := []struct {
		name string
		data []byte
		want error
	}{
		{"B7 certificate count 0xFFFFFFFF", words(string(key), 0, 0xffffffff, zeros), keystore.ErrIntegrity},
		{"B7 key length 0x7FFFFFFF", words(string(key), 0x7fffffff, zeros), keystore.ErrIntegrity},
		{"B7 certificate length 0x7FFFFFFF", words(string(trusted), x509, 0x7fffffff, zeros), keystore.ErrIntegrity},
		{"B7 entry count 0xFFFFFFFF", words(magic, 2, 0xffffffff, zeros), keystore.ErrIntegrity},
		{"B7 entry count that the bytes allow", words(magic, 2, 5000, many, zeros), keystore.ErrTooLarge},
		{"B7 more certificates than a chain has", words(string(key), 0, 17, many, zeros), keystore.ErrTooLarge},
		{"B7 alias beyond the end", words(magic, 2, 1, 2, "\xff\xff", time, time, zeros), keystore.ErrIntegrity},
		{
			"B7 key without room for its salt",
			words(string(key), len(shortKey), string(shortKey), 0, zeros), keystore.ErrIntegrity,
		},
		{"unknown version", words(magic, 3, 0, zeros), keystore.ErrUnsupported},
		{"unknown entry", words(magic, 2, 1, 3, digest, time, time, zeros), keystore.ErrIntegrity},
		{"bytes after the entries", words(magic, 2, 0, "x", zeros), keystore.ErrIntegrity},
		{"two entries of one alias", twice(t), keystore.ErrIntegrity},
		{"magic only", words(magic), keystore.ErrIntegrity},
		{"no entries", words(magic, 2, 0, zeros), keystore.ErrNoKey},
		{"cut off", whole[:len(whole)-1], keystore.ErrIntegrity},
		{"one byte more", append(bytes.Clone(whole), 0), keystore.ErrIntegrity},
		{"B8 flipped digest", flip(whole, len(whole)-1), keystore.ErrIntegrity},
		{"B8 flipped certificate", flip(whole, len(whole)-100), keystore.ErrIntegrity},
	}
	for _, tt := range tests { //nolint:paralleltest // it measures memory
		t.Run(tt.name, func(t *testing.T) {
			pass := password(storePass)
			if !strings.HasPrefix(tt.name, "B8") { // their digests are wrong, and are not looked at
				pass = keyPassword(storePass)
			}
			bounded(t, func() {
				_, err := keystore.Bytes(tt.data, pass).Identity(t.Context())
				wantError(t, err, tt.want, keystore.JKS)
			})
		})
	}
}

// shortKey is an encrypted key of a JKS with nothing in it.
var shortKey = build(func(b *cryptobyte.Builder) {
	b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 42, 2, 17, 1, 1})
		b.AddASN1NULL()
	})
	b.AddASN1OctetString(make([]byte, 8))
})

// build returns a SEQUENCE.
func build(f cryptobyte.BuilderContinuation) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tag.SEQUENCE, f)
	return b.BytesOrPanic()
}

// twice returns a JKS with its entries twice.
func twice(t *testing.T) []byte {
	t.Helper()
	const header = 12
	data := read(t, "rsa.jks")
	entries := data[header : len(data)-sha1.Size]
	return words(0xfeedfeed, 2, 2, string(entries), string(entries), string(data[len(data)-sha1.Size:]))
}

func flip(data []byte, at int) []byte {
	data = bytes.Clone(data)
	data[at] ^= 1
	return data
}

func TestHostilePKCS12(t *testing.T) { //nolint:paralleltest // it measures memory
	whole, many := read(t, "rsa.p12"), read(t, "ec-iterations.p12")
	contents := whole[4:]
	tests := []struct {
		name string
		data []byte
		want error
	}{
		{"B9 iterations of the first part", iterate(t, many, 0), keystore.ErrTooLarge},
		{"B9 iterations of the key", iterate(t, many, 1), keystore.ErrTooLarge},
		{"B9 iterations of the MAC", iterate(t, many, 2), keystore.ErrTooLarge},
		{"B9 BER", append(append([]byte{0x30, 0x80}, contents...), 0, 0), keystore.ErrUnsupported},
		{"B9 trailing data", append(bytes.Clone(whole), 0), keystore.ErrIntegrity},
		{"cut off", whole[:len(whole)-1], keystore.ErrIntegrity},
		{"changed", flip(whole, len(whole)/2), keystore.ErrPassword},
		{"many parts", manyParts(), keystore.ErrTooLarge},
	}
	for _, tt := range tests { //nolint:paralleltest // it measures memory
		t.Run(tt.name, func(t *testing.T) {
			bounded(t, func() {
				_, err := keystore.Bytes(tt.data, password(storePass)).Identity(t.Context())
				wantError(t, err, tt.want, keystore.PKCS12)
			})
		})
	}
	t.Run("B9 the hint for BER", func(t *testing.T) {
		_, err := keystore.Bytes(tests[3].data, password(storePass)).Identity(t.Context())
		wantError(t, err, keystore.ErrUnsupported, keystore.PKCS12, "BER", "keytool -importkeystore -srckeystore 'FILE'")
	})
}

// iterate sets one of the iteration counts of ec-iterations.p12, which are 65536, to 8388607.
func iterate(t *testing.T, data []byte, nth int) []byte {
	t.Helper()
	count := []byte{2, 3, 1, 0, 0}
	if bytes.Count(data, count) != 3 {
		t.Fatalf("there are %d counts", bytes.Count(data, count))
	}
	data = bytes.Clone(data)
	at := 0
	for range nth + 1 {
		at += bytes.Index(data[at:], count) + len(count)
	}
	copy(data[at-3:], []byte{0x7f, 0xff, 0xff})
	return data
}

// manyParts returns a PKCS#12 of a million parts.
func manyParts() []byte {
	return build(func(b *cryptobyte.Builder) {
		b.AddASN1Int64(3)
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1})
			b.AddASN1(tag.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				data := []byte{0x30, 0x0f, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1, 0xa0, 4, 4, 2, 0x30, 0}
				data[1] = byte(len(data) - 2)
				b.AddASN1OctetString(build(func(b *cryptobyte.Builder) { b.AddBytes(bytes.Repeat(data, 200_000)) }))
			})
		})
	})
}

func TestIterationsInAll(t *testing.T) {
	t.Parallel()
	const each = 2048 // what OpenSSL writes
	t.Run("B9 of one derivation", func(t *testing.T) {
		t.Parallel()
		s := keystore.Limit(keystore.File(path(t, "rsa.p12"), password(storePass)), each-1)
		_, err := s.Identity(t.Context())
		wantError(t, err, keystore.ErrTooLarge, keystore.PKCS12, "2048 iterations")
	})
	t.Run("B9 of all derivations", func(t *testing.T) {
		t.Parallel()
		s := keystore.Limit(keystore.File(path(t, "rsa-legacy.p12"), password(storePass)), each)
		_, err := s.Identity(t.Context())
		wantError(t, err, keystore.ErrTooLarge, keystore.PKCS12, "in all")
	})
	t.Run("within both", func(t *testing.T) {
		t.Parallel()
		s := keystore.Limit(keystore.File(path(t, "rsa.p12"), password(storePass)), each)
		if _, err := s.Identity(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// sealed returns a PEM file with a key that is encrypted with PBES2.
func sealed(kdf asn1.ObjectIdentifier, params cryptobyte.BuilderContinuation) []byte {
	der := build(func(b *cryptobyte.Builder) {
		b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13})
			b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(kdf)
					b.AddASN1(tag.SEQUENCE, params)
				})
				b.AddASN1(tag.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42})
					b.AddASN1OctetString(make([]byte, 16))
				})
			})
		})
		b.AddASN1OctetString(make([]byte, 64))
	})
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})
}

// derivation writes an OCTET STRING and numbers.
func derivation(salt int, numbers ...uint64) cryptobyte.BuilderContinuation {
	return func(b *cryptobyte.Builder) {
		b.AddASN1OctetString(make([]byte, salt))
		for _, n := range numbers {
			b.AddASN1Uint64(n)
		}
	}
}

func TestHostilePEM(t *testing.T) { //nolint:paralleltest // it measures memory
	pbkdf2 := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	scrypt := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
	roots := read(t, "roots.pem")
	block := "-----BEGIN X-----\n-----END X-----\n"
	key := string(read(t, "ec-sec1.key"))
	tests := []struct {
		name string
		data []byte
		want error
	}{
		{"B9 iterations 2^31-1", sealed(pbkdf2, derivation(16, 1<<31-1)), keystore.ErrTooLarge},
		{"B9 one iteration too many", sealed(pbkdf2, derivation(16, keystore.MaxIterations+1)), keystore.ErrTooLarge},
		{"B9 iterations beyond 63 bits", sealed(pbkdf2, derivation(16, 1<<63)), keystore.ErrTooLarge},
		{"B9 no iterations", sealed(pbkdf2, derivation(16, 0)), keystore.ErrTooLarge},
		{"B9 huge salt", sealed(pbkdf2, derivation(keystore.MaxSalt+1, 1)), keystore.ErrTooLarge},
		{"B9 scrypt with 64 MiB", sealed(scrypt, derivation(16, 1<<15, 16, 1)), keystore.ErrTooLarge},
		{"B9 scrypt whose product is beyond 64 bits", sealed(scrypt, derivation(16, 1<<62, 4, 1)), keystore.ErrTooLarge},
		{"B9 scrypt with many lanes", sealed(scrypt, derivation(16, 2, 1, 1<<30)), keystore.ErrTooLarge},
		{"B9 scrypt with a huge salt", sealed(scrypt, derivation(keystore.MaxSalt+1, 2, 1, 1)), keystore.ErrTooLarge},
		{"blocks", []byte(strings.Repeat(block, 100_000)), keystore.ErrTooLarge},
		{"certificates", bytes.Repeat(roots, keystore.MaxCertificates/2+1), keystore.ErrTooLarge},
		{"keys", []byte(strings.Repeat(key, 17)), keystore.ErrTooLarge},
		{"a block that is cut off", append(bytes.Clone(roots), roots[:500]...), keystore.ErrIntegrity},
		{"a certificate that is none", []byte(strings.ReplaceAll(junk, "JUNK", "CERTIFICATE")), keystore.ErrIntegrity},
		{"K-11 junk", []byte(junk), keystore.ErrNoKey},
		{"too large", make([]byte, keystore.MaxFile+1), keystore.ErrTooLarge},
	}
	for _, tt := range tests { //nolint:paralleltest // it measures memory
		t.Run(tt.name, func(t *testing.T) {
			format := keystore.PEM
			if tt.name == "too large" {
				format = ""
			}
			bounded(t, func() {
				_, err := keystore.Bytes(tt.data, password(storePass)).Identity(t.Context())
				wantError(t, err, tt.want, format)
			})
		})
	}
	t.Run("as many certificates as there may be", func(t *testing.T) { //nolint:paralleltest // it measures memory
		bounded(t, func() {
			data := bytes.Repeat(roots, keystore.MaxCertificates/2)
			if _, err := keystore.Bytes(data).Roots(t.Context()); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("K-11 junk as roots", func(t *testing.T) { //nolint:paralleltest // the others measure memory
		_, err := keystore.Bytes([]byte(junk)).Roots(t.Context())
		wantError(t, err, keystore.ErrNoCertificate, keystore.PEM)
	})
}

func TestPEMText(t *testing.T) {
	t.Parallel()
	text := "0 s:/CN=somebody\n   i:/CN=an authority\nBag Attributes: none\n"
	data := text + junk + string(read(t, "ec-unordered.pem")) + "\nand text behind\n"
	if _, err := keystore.Bytes([]byte(data)).Identity(t.Context()); err != nil {
		t.Errorf("with text and junk around: %v", err)
	}
	ambiguous := string(read(t, "roots.pem")) + string(read(t, "ec-leaf.pem")) + string(read(t, "rsa.pem")) +
		string(read(t, "ec-sec1.key")) + string(read(t, "rsa.key"))
	_, err := keystore.Bytes([]byte(ambiguous)).Identity(t.Context())
	wantError(t, err, keystore.ErrMismatch, keystore.PEM, "of 2 private keys, 2 belong")
	old := string(read(t, "roots.pem"))
	old = strings.Replace(old, "BEGIN CERT", "BEGIN TRUSTED CERT", 1)
	old = strings.Replace(old, "END CERT", "END TRUSTED CERT", 1)
	_, err = keystore.Bytes([]byte(old)).Roots(t.Context())
	wantError(t, err, keystore.ErrUnsupported, keystore.PEM, "openssl x509")
}

func TestJKSVersion1(t *testing.T) {
	t.Parallel()
	root := string(read(t, "root.der"))
	data := words(0xfeedfeed, 1, 1, 2, "\x00\x04root", "\x00\x00\x00\x00\x00\x00\x00\x00", len(root), root,
		strings.Repeat("\x00", sha1.Size))
	pool, err := keystore.Bytes(data).Roots(t.Context())
	if err != nil || !pool.Equal(poolOf(t, 0)) {
		t.Errorf("I-19 version 1: %v", err)
	}
}
