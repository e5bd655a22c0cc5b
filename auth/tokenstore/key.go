package tokenstore

import (
	"encoding/binary"

	"github.com/restconn/restconn/auth"
)

// keyBytes writes a key so that no two keys look alike: each part has its length before it.
func keyBytes(key auth.Key) []byte {
	var b []byte
	for _, part := range []string{key.Connection, key.Config, key.Subject} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}
