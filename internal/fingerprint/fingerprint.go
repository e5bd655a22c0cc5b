// Package fingerprint makes one name of several texts, such that other texts have another name.
package fingerprint

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Join writes texts so that no two lists of them look alike: each has its length before it.
func Join(texts ...string) []byte {
	var b []byte
	for _, text := range texts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(text)))
		b = append(b, text...)
	}
	return b
}

// Of returns the SHA-256 of [Join] in hexadecimal: 64 characters that are a valid name everywhere, whatever the texts.
func Of(texts ...string) string {
	sum := sha256.Sum256(Join(texts...))
	return hex.EncodeToString(sum[:])
}
