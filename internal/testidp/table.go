package testidp

import (
	"crypto/sha256"
	"time"
)

// mostRows is how much a table keeps.
const mostRows = 10_000

// table keeps values under secret keys until they expire. Keys are kept as hashes, so that the time of a look-up tells
// nothing about them. Of too many values, it forgets the one that expires first.
type table[T any] struct{ rows map[[sha256.Size]byte]row[T] }

type row[T any] struct {
	value   T
	expires time.Time
}

func (t *table[T]) put(key string, value T, expires time.Time) {
	if t.rows == nil {
		t.rows = make(map[[sha256.Size]byte]row[T])
	}
	if len(t.rows) >= mostRows {
		t.makeRoom(time.Now())
	}
	t.rows[sha256.Sum256([]byte(key))] = row[T]{value, expires}
}

// get returns the value of a key, if it is there and not expired.
func (t *table[T]) get(key string) (T, bool) {
	r, ok := t.rows[sha256.Sum256([]byte(key))]
	if !ok || !time.Now().Before(r.expires) {
		var none T
		return none, false
	}
	return r.value, true
}

func (t *table[T]) drop(key string) { delete(t.rows, sha256.Sum256([]byte(key))) }

// makeRoom drops what has expired, and if that is nothing, what expires first.
func (t *table[T]) makeRoom(now time.Time) {
	var first [sha256.Size]byte
	for key, r := range t.rows {
		if !now.Before(r.expires) {
			delete(t.rows, key)
		} else if other, ok := t.rows[first]; !ok || r.expires.Before(other.expires) {
			first = key
		}
	}
	if len(t.rows) >= mostRows {
		delete(t.rows, first)
	}
}
