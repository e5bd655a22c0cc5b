package tokenstore

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/restconn/restconn/auth"
)

// NewMemory returns a store that lasts as long as the process: for tests, and to share tokens between managers. It is
// safe for concurrent use.
func NewMemory(opts ...Option) auth.TokenStore {
	return Leased(&memory{entries: make(map[auth.Key]*entry)}, opts...)
}

type memory struct {
	mu      sync.Mutex
	entries map[auth.Key]*entry
}

// entry is a record and its lease.
type entry struct {
	record auth.Record
	owner  string
	ends   time.Time
}

// Load implements [Backend].
func (m *memory) Load(_ context.Context, key auth.Key) (auth.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.entries[key]; e != nil {
		return own(e.record), nil
	}
	return auth.Record{}, nil
}

// Acquire implements [Backend].
func (m *memory) Acquire(_ context.Context, key auth.Key, owner string, ttl time.Duration) (auth.Record, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[key]
	if e == nil {
		e = &entry{}
		m.entries[key] = e
	}
	now := time.Now()
	if e.owner != "" && e.owner != owner && now.Before(e.ends) {
		return own(e.record), false, nil
	}
	e.owner, e.ends = owner, now.Add(ttl)
	return own(e.record), true, nil
}

// Save implements [Backend].
func (m *memory) Save(_ context.Context, key auth.Key, owner string, seen uint64, rec auth.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[key]
	if e == nil || e.owner != owner || !time.Now().Before(e.ends) || e.record.Version != seen {
		return ErrLeaseLost
	}
	e.record = own(rec)
	return nil
}

// Release implements [Backend].
func (m *memory) Release(_ context.Context, key auth.Key, owner string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[key]
	if e == nil || e.owner != owner {
		return nil
	}
	e.owner = ""
	if e.record.Version == 0 && !e.record.InFlight && e.record.RetryAt.IsZero() {
		delete(m.entries, key)
	}
	return nil
}

// Delete implements [Backend].
func (m *memory) Delete(_ context.Context, key auth.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, key)
	return nil
}

// own returns a copy that shares no memory with rec.
func own(rec auth.Record) auth.Record {
	rec.Data = bytes.Clone(rec.Data)
	return rec
}
