package tokenstore

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/restconn/restconn/auth"
)

// format is the number of the format that is written here.
const format = 1

// stored is a record as it is in a file.
type stored struct {
	auth.Record

	holder  string                     // who saved it
	members map[string]json.RawMessage // all of them, also those of other versions of this module
}

// fileRecord is the JSON object in a file.
type fileRecord struct {
	Format     uint64    `json:"format"`
	Connection string    `json:"connection"`
	Config     string    `json:"config"`
	Subject    string    `json:"subject"`
	Version    uint64    `json:"version"`
	InFlight   bool      `json:"in_flight"`
	RetryAt    time.Time `json:"retry_at"`
	Holder     string    `json:"holder"`
	Data       []byte    `json:"data"`
}

// decode reads a file. Its errors hold nothing of it, and neither do they wrap those of package json, which might.
func decode(key auth.Key, text []byte) (stored, error) {
	if len(text) > maxFile {
		return stored{}, fmt.Errorf("%w: it has more than 1 MiB", ErrCorrupt)
	}
	var head struct {
		Format uint64 `json:"format"`
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil || json.Unmarshal(text, &head) != nil {
		return stored{}, fmt.Errorf("%w: it is torn, empty or no JSON object", ErrCorrupt)
	}
	if head.Format > format {
		return stored{}, fmt.Errorf("%w (format %d; known is %d)", ErrNewerFormat, head.Format, format)
	}
	var r fileRecord
	if head.Format == 0 || json.Unmarshal(text, &r) != nil || r.Version == 0 && len(r.Data) > 0 {
		return stored{}, fmt.Errorf("%w: it was written by something else", ErrCorrupt)
	}
	if r.Connection != keyText(key.Connection) || r.Config != keyText(key.Config) || r.Subject != keyText(key.Subject) {
		return stored{}, fmt.Errorf("%w: it is that of another key", ErrCorrupt)
	}
	rec := auth.Record{Version: r.Version, Data: r.Data, InFlight: r.InFlight, RetryAt: r.RetryAt}
	return stored{Record: rec, holder: r.Holder, members: members}, nil
}

// encode returns the file for rec, in the place of s. The members of s that are not ours stay.
func (s stored) encode(key auth.Key, holder string, rec auth.Record) ([]byte, error) {
	text, err := json.Marshal(fileRecord{
		Format: format, Connection: keyText(key.Connection), Config: keyText(key.Config), Subject: keyText(key.Subject),
		Version: rec.Version, InFlight: rec.InFlight, RetryAt: rec.RetryAt, Holder: holder, Data: rec.Data,
	})
	if err != nil {
		return nil, err
	}
	members := s.members
	if members == nil {
		members = make(map[string]json.RawMessage)
	}
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	if text, err = json.Marshal(members); err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%w: a file may have 1 MiB", ErrTooLarge)
	}
	return text, nil
}

// keyText is a part of a key as JSON can hold it.
func keyText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return "base64:" + base64.StdEncoding.EncodeToString([]byte(s))
}

// fileName is the same for equal keys only, and a valid name everywhere.
func fileName(key auth.Key) string {
	sum := sha256.Sum256(keyBytes(key))
	return hex.EncodeToString(sum[:])
}
