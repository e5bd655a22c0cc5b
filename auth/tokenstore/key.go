package tokenstore

import (
	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/fingerprint"
)

// keyBytes writes a key so that no two keys look alike.
func keyBytes(key auth.Key) []byte { return fingerprint.Join(key.Connection, key.Config, key.Subject) }
