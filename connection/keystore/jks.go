package keystore

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha1" //nolint:gosec // the digest of a JKS is SHA-1
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
)

// jksIdentity opens one private key and its chain.
func (s source) jksIdentity(ctx context.Context) (*tls.Certificate, error) {
	entries, err := s.openJKS(ctx)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e jksEntry) bool { return e.key == nil })
	if len(entries) == 0 {
		return nil, because(ErrNoKey, "all entries are trusted certificates: it is a trust store")
	}
	at, err := pick(s.alias, entries, func(e jksEntry) string { return e.alias })
	if err != nil {
		return nil, err
	}
	password, err := s.secretOfKey(ctx)
	if err != nil {
		return nil, err
	}
	if password == "" {
		return nil, because(ErrPassword, "the key is encrypted: set Password or KeyPassword")
	}
	plain, err := s.jksKey(entries[at], password)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(plain, x509.ParsePKCS8PrivateKey)
	if err != nil {
		return nil, err
	}
	certificates, err := parseCertificates(entries[at].chain)
	if err != nil {
		return nil, err
	}
	return newIdentity(key, certificates)
}

// jksRoots returns the trusted certificates.
func (s source) jksRoots(ctx context.Context) ([]*x509.Certificate, error) {
	entries, err := s.openJKS(ctx)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e jksEntry) bool { return e.key != nil })
	if len(entries) == 0 {
		return nil, because(ErrNoCertificate, "no entry is a trusted certificate: import one: keytool -importcert "+
			"-alias ca -file ca.pem -keystore %s", quote(s.path, ""))
	}
	if s.alias != "" {
		at, err := pick(s.alias, entries, func(e jksEntry) string { return e.alias })
		if err != nil {
			return nil, err
		}
		entries = entries[at : at+1]
	}
	var ders [][]byte
	for _, entry := range entries {
		ders = append(ders, entry.chain...)
	}
	return parseCertificates(ders)
}

// pick returns the index of the entry with the alias or, without one, of the entry that [Alias] calls the first.
func pick[E any](alias string, entries []E, name func(E) string) (int, error) {
	if alias == "" {
		first := slices.MinFunc(indexes(entries), func(i, j int) int {
			return cmp.Compare(strings.ToLower(name(entries[i])), strings.ToLower(name(entries[j])))
		})
		return first, nil
	}
	var known []string
	insensitive := -1
	for i, entry := range entries {
		known = append(known, name(entry))
		if name(entry) == alias {
			return i, nil
		}
		if insensitive < 0 && strings.EqualFold(name(entry), alias) {
			insensitive = i
		}
	}
	if insensitive < 0 {
		return 0, noAlias(alias, slices.DeleteFunc(known, func(n string) bool { return n == "" }))
	}
	return insensitive, nil
}

func indexes[E any](entries []E) []int {
	all := make([]int, len(entries))
	for i := range all {
		all[i] = i
	}
	return all
}

// openJKS reads the entries and looks at the digest.
func (s source) openJKS(ctx context.Context) ([]jksEntry, error) {
	entries, err := scanJKS(s.data)
	if err != nil {
		return nil, err
	}
	password, err := s.storePassword(ctx)
	if err != nil {
		return nil, err
	}
	if password == "" {
		return entries, nil
	}
	body := s.data[:len(s.data)-sha1.Size]
	if subtle.ConstantTimeCompare(jksDigest(body, password), s.data[len(body):]) == 1 {
		return entries, nil
	}
	return nil, s.badDigest(entries, password)
}

// badDigest tells a changed file from a wrong password where that is possible: a key that the password opens shows
// that it is the right one.
func (s source) badDigest(entries []jksEntry, password string) error {
	at := slices.IndexFunc(entries, func(e jksEntry) bool { return e.key != nil })
	if at >= 0 {
		if _, err := s.jksKey(entries[at], password); err == nil {
			return because(ErrIntegrity, "it was changed after it was written: its digest does not fit, although the "+
				"password is right")
		}
	}
	return because(ErrPassword, "the digest of the store does not fit: the Password is wrong, or the file was changed")
}

// jksDigest is the SHA-1 over password, a constant, and all that stands before the digest.
func jksDigest(body []byte, password string) []byte {
	digest := sha1.New() //nolint:gosec // the format prescribes it
	for _, unit := range utf16.Encode([]rune(password)) {
		_, _ = digest.Write(binary.BigEndian.AppendUint16(nil, unit))
	}
	_, _ = digest.Write([]byte("Mighty Aphrodite"))
	_, _ = digest.Write(body)
	return digest.Sum(nil)
}

// jksKey decrypts the key of one entry. The library gets a copy of the store with the digest of an empty password:
// the digest was judged before, and the password of the store is not needed here.
func (s source) jksKey(entry jksEntry, password string) ([]byte, error) {
	if err := checkProtected(entry.key); err != nil {
		return nil, err
	}
	narrow, ok := latin1(password)
	if !ok {
		return nil, because(ErrUnsupported, "the password of the key has characters beyond U+00FF, which cannot be "+
			"used with JKS: convert it: %s", s.importKeystore("JKS", ""))
	}
	defer clear(narrow)
	body := s.data[:len(s.data)-sha1.Size]
	store := keystore.New(keystore.WithCaseExactAliases())
	if err := store.Load(bytes.NewReader(slices.Concat(body, jksDigest(body, ""))), nil); err != nil {
		return nil, because(ErrIntegrity, "the store cannot be read: %v", err)
	}
	opened, err := store.GetPrivateKeyEntry(entry.alias, narrow)
	if err != nil {
		return nil, because(ErrPassword, "the key does not open: its password is another than that of the store "+
			"(set KeyPassword), or wrong")
	}
	return opened.PrivateKey, nil
}

// latin1 returns one byte for each character: the library puts a zero before each byte where Java has UTF-16.
func latin1(text string) ([]byte, bool) {
	const last = 0xff
	narrow := make([]byte, 0, len(text))
	for _, r := range text {
		if r > last {
			return nil, false
		}
		narrow = append(narrow, byte(r&last))
	}
	return narrow, true
}

// checkProtected checks the form of an encrypted key, which the library trusts: the algorithm of Sun, and a salt and a
// digest of 20 bytes each around the key.
func checkProtected(key []byte) error {
	const javaKeyProtector = "1.3.6.1.4.1.42.2.17.1.1"
	if len(key) > maxKey {
		return because(ErrTooLarge, "a private key of more than %d KiB", maxKey>>10)
	}
	outer := newDER(key)
	info := outer.sequence()
	algorithm := info.sequence().oid()
	sealed := info.octets()
	if err := errors.Join(outer.end(), info.end()); err != nil || len(sealed) <= 2*sha1.Size {
		return because(ErrIntegrity, "the encrypted key is malformed")
	}
	if algorithm != javaKeyProtector {
		return because(ErrUnsupported, "the key is encrypted with %s, which is not of JKS", algorithm)
	}
	return nil
}
