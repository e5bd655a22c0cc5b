package oauth2flow

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"
)

// PendingStore keeps logins between their beginning and their end. A web application that runs in several processes
// has one that all of them reach. It is safe for concurrent use. Records hold a secret, the PKCE verifier.
type PendingStore interface {
	// Put keeps a record until it is taken, or until it expires.
	Put(ctx context.Context, key string, record []byte, expires time.Time) error
	// Take returns a record and removes it, in one step: of two calls one gets it. The other, like any for a record that
	// is not there or has expired, gets nil and no error.
	Take(ctx context.Context, key string) ([]byte, error)
}

// pending is a login under way: all that its end must not take from what is configured by then.
type pending struct {
	Subject       string    `json:"subject"`
	Browser       string    `json:"browser"` // the hash of [Login].Browser
	Issuer        string    `json:"issuer"`
	RequireIssuer bool      `json:"require_issuer"`
	TokenURL      string    `json:"token_url"`
	ClientID      string    `json:"client_id"`
	RedirectURI   string    `json:"redirect_uri"`
	Verifier      string    `json:"verifier"`
	Expires       time.Time `json:"expires"`
}

// put keeps the record under the hash of the state, so that who reads the store cannot end a login.
func (p *pending) put(ctx context.Context, store PendingStore, state string) error {
	record, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return store.Put(ctx, hashOf(state), record, p.Expires)
}

// takePending returns the login of a state, which is over by that.
func takePending(ctx context.Context, store PendingStore, state string) (*pending, error) {
	record, err := store.Take(ctx, hashOf(state))
	if err != nil {
		return nil, err
	}
	var p pending
	if record == nil || json.Unmarshal(record, &p) != nil || !time.Now().Before(p.Expires) {
		return nil, ErrState
	}
	return &p, nil
}

// mostPending is how many logins are kept in memory. Of more, the oldest are forgotten.
const mostPending = 10_000

// NewPendingMemory returns a PendingStore for one process. It keeps at most 10,000 logins; beyond that it forgets the
// one that expires first.
func NewPendingMemory() PendingStore { return &pendingMemory{records: make(map[string]memoryRecord)} }

type pendingMemory struct {
	mu      sync.Mutex
	records map[string]memoryRecord
}

type memoryRecord struct {
	text    []byte
	expires time.Time
}

// Put implements [PendingStore].
func (m *pendingMemory) Put(_ context.Context, key string, record []byte, expires time.Time) error {
	if key == "" {
		return errors.New("the key is empty")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.records) >= mostPending {
		m.forget(time.Now())
	}
	m.records[key] = memoryRecord{text: record, expires: expires}
	return nil
}

// forget makes room for a record.
func (m *pendingMemory) forget(now time.Time) {
	var first string
	for key, r := range m.records {
		if !now.Before(r.expires) {
			delete(m.records, key)
		} else if first == "" || r.expires.Before(m.records[first].expires) {
			first = key
		}
	}
	if len(m.records) >= mostPending {
		delete(m.records, first)
	}
}

// Take implements [PendingStore].
func (m *pendingMemory) Take(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.records[key]
	delete(m.records, key)
	if !ok || !time.Now().Before(r.expires) {
		return nil, nil
	}
	return r.text, nil
}
