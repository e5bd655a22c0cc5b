package keystore

import (
	"crypto/sha1" //nolint:gosec // the digest of a JKS is SHA-1
	"encoding/binary"
)

// jksEntry is one entry of a JKS. It shares the memory of the file.
type jksEntry struct {
	alias string
	key   []byte   // encrypted; nil for a trusted certificate
	chain [][]byte // of a trusted certificate, only that
}

// The kinds of entries.
const (
	jksPrivateKey = 1
	jksTrusted    = 2
)

// jksScanner reads a JKS and holds every length and count against the bytes that are left. After a failure everything
// it returns is empty.
type jksScanner struct {
	rest         []byte
	version      uint32
	certificates int
	err          error
}

// scanJKS reads the entries in the order of the file. It needs no password.
func scanJKS(data []byte) ([]jksEntry, error) {
	const header, smallest = 12, 18 // bytes before the entries; bytes of the smallest entry
	if len(data) < header+sha1.Size {
		return nil, because(ErrIntegrity, "it is cut off")
	}
	s := &jksScanner{rest: data[4 : len(data)-sha1.Size]}
	if s.version = s.uint32(); s.version != 1 && s.version != 2 {
		return nil, because(ErrUnsupported, "version %d of JKS; there are 1 and 2", s.version)
	}
	count := s.count("entries", maxEntries, smallest)
	entries := make([]jksEntry, 0, count)
	seen := make(map[string]bool, count)
	for range count {
		entry := s.entry()
		if s.err != nil {
			return nil, s.err
		}
		if seen[entry.alias] {
			return nil, because(ErrIntegrity, "two entries have the same alias")
		}
		seen[entry.alias] = true
		entries = append(entries, entry)
	}
	if s.err == nil && len(s.rest) > 0 {
		s.fail(because(ErrIntegrity, "%d bytes follow the last entry", len(s.rest)))
	}
	return entries, s.err
}

func (s *jksScanner) fail(err error) {
	if s.err == nil {
		s.err = err
	}
	s.rest = nil
}

// bytes takes n bytes.
func (s *jksScanner) bytes(n uint32) []byte {
	if uint64(n) > uint64(len(s.rest)) {
		s.fail(because(ErrIntegrity, "a length of %d bytes where %d are left", n, len(s.rest)))
	}
	if s.err != nil {
		return nil
	}
	taken := s.rest[:n:n]
	s.rest = s.rest[n:]
	return taken
}

func (s *jksScanner) uint32() uint32 {
	b := s.bytes(4)
	if s.err != nil {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

func (s *jksScanner) text() string {
	b := s.bytes(2)
	if s.err != nil {
		return ""
	}
	return string(s.bytes(uint32(binary.BigEndian.Uint16(b))))
}

// count reads how many there are of things that take a number of bytes at least.
func (s *jksScanner) count(what string, most, smallest uint32) uint32 {
	n := s.uint32()
	switch {
	case s.err != nil:
		return 0
	case uint64(n)*uint64(smallest) > uint64(len(s.rest)):
		s.fail(because(ErrIntegrity, "%d %s where %d bytes are left", n, what, len(s.rest)))
		return 0
	case n > most:
		s.fail(because(ErrTooLarge, "%d %s, of at most %d", n, what, most))
		return 0
	}
	return n
}

func (s *jksScanner) entry() jksEntry {
	const timestamp = 8
	kind := s.uint32()
	entry := jksEntry{alias: s.text()}
	s.bytes(timestamp)
	switch {
	case s.err != nil:
	case kind == jksTrusted:
		entry.chain = [][]byte{s.certificate()}
	case kind == jksPrivateKey:
		entry.key = s.bytes(s.uint32())
		const smallest = 4
		for range s.count("certificates", maxChain, smallest) {
			entry.chain = append(entry.chain, s.certificate())
		}
	default:
		s.fail(because(ErrIntegrity, "an entry of kind %d", kind))
	}
	return entry
}

func (s *jksScanner) certificate() []byte {
	s.certificates++
	if s.certificates > maxCertificates {
		s.fail(errCertificates())
	}
	if s.version > 1 { // before, all were X.509 and did not say so
		if kind := s.text(); s.err == nil && kind != "X.509" && kind != "X509" {
			s.fail(because(ErrUnsupported, "a certificate that is not X.509"))
		}
	}
	return s.bytes(s.uint32())
}
