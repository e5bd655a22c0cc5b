package oauth2flow

import (
	"bytes"
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/restconn/restconn/auth"
)

// PendingStore keeps logins between their beginning and their end. A web application that runs in several processes
// has one that all of them reach. It is safe for concurrent use. Records hold a secret, the PKCE verifier: what is
// kept outside the process is sealed.
type PendingStore interface {
	// Put keeps a record until it is taken, or until it expires.
	Put(ctx context.Context, key string, record []byte, expires time.Time) error
	// Take returns a record and removes it, in one step: of two calls one gets it. The other, like any for a record
	// that is not there or has expired, gets nil and no error.
	Take(ctx context.Context, key string) ([]byte, error)
}

// pending is a login under way: all that its end must not take from what is configured by then.
type pending struct {
	Key         string    `json:"key"`
	Subject     []byte    `json:"subject"` // JSON would change a string that is no UTF-8
	RedirectURI string    `json:"redirect_uri"`
	Verifier    string    `json:"verifier,omitempty"`
	Nonce       string    `json:"nonce,omitempty"`
	Scopes      []string  `json:"scopes,omitempty"`
	Expires     time.Time `json:"expires"`
	// MaxAge and ACR are what the user's authentication was asked to be, and Return is where the browser goes in the
	// end.
	MaxAge *time.Duration `json:"max_age,omitempty"`
	ACR    []string       `json:"acr,omitempty"`
	Return string         `json:"return,omitempty"`
	// Issuer and User are those of the ID token of the token before; "" if nobody has to be the same.
	Issuer string `json:"issuer,omitempty"`
	User   string `json:"user,omitempty"`
}

// isOf reports whether the user who has logged in is the one who has to.
func (p *pending) isOf(t *auth.Token) bool {
	return p.User == "" || t.Extra[ExtraIssuer].Reveal() == p.Issuer && t.Extra[ExtraSubject].Reveal() == p.User
}

// pendingKey is what a login is kept under. Who does not know the state and what the browser keeps cannot end it, nor
// can the answer reach another client, server or issuer than the one that it began at.
func (c *AuthorizationCode) pendingKey(state, browser string) string {
	own := []string{state, browser, c.client.ID, c.config.URL, c.client.TokenURL, c.config.Issuer}
	return hashOf(fmt.Sprintf("%q", own))
}

// protects reports whether a login has what c protects its logins with. It may be of another grant of the client, which
// has the same store: without a nonce, any ID token of the client would do.
func (c *AuthorizationCode) protects(p *pending) bool {
	return (c.config.OpenID == nil || p.Nonce != "") && (!c.hasPKCE() || p.Verifier != "")
}

func (p *pending) put(ctx context.Context, store PendingStore) error {
	record, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return store.Put(ctx, p.Key, record, p.Expires)
}

// takePending returns the login of that key, which is over by that.
func takePending(ctx context.Context, store PendingStore, key string) (*pending, error) {
	record, err := store.Take(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("the login cannot be read: %w", err)
	}
	var p pending
	if record == nil || json.Unmarshal(record, &p) != nil || p.Key != key || !time.Now().Before(p.Expires) {
		return nil, ErrState
	}
	return &p, nil
}

// mostPending is how many logins are kept in memory. Of more, the oldest are forgotten.
const mostPending = 10_000

// NewPendingMemory returns a PendingStore for one process. It keeps at most 10,000 logins; beyond that it forgets the
// one that it was given first.
func NewPendingMemory() PendingStore {
	return &pendingMemory{records: make(map[string]*list.Element), queue: list.New()}
}

// pendingMemory has its records in the order in which they came. All logins last equally long, so that this is the
// order in which they expire.
type pendingMemory struct {
	mu      sync.Mutex
	records map[string]*list.Element
	queue   *list.List // of memoryRecord
}

type memoryRecord struct {
	key     string
	text    func() []byte // which no dumper looks into
	expires time.Time
}

// Put implements [PendingStore].
func (m *pendingMemory) Put(_ context.Context, key string, record []byte, expires time.Time) error {
	if key == "" {
		return errors.New("the key is empty")
	}
	own := bytes.Clone(record)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(key)
	m.forget(time.Now())
	m.records[key] = m.queue.PushBack(memoryRecord{key: key, text: func() []byte { return own }, expires: expires})
	return nil
}

// forget makes room for a record: those at the head of the queue go that have expired, or are too many.
func (m *pendingMemory) forget(now time.Time) {
	for head := m.queue.Front(); head != nil; head = m.queue.Front() {
		r, _ := head.Value.(memoryRecord)
		if len(m.records) < mostPending && now.Before(r.expires) {
			return
		}
		m.queue.Remove(head)
		delete(m.records, r.key)
	}
}

// remove returns the record of that key, which is not there any more, and whether it was.
func (m *pendingMemory) remove(key string) (memoryRecord, bool) {
	e, ok := m.records[key]
	if !ok {
		return memoryRecord{}, false
	}
	delete(m.records, key)
	r, ok := m.queue.Remove(e).(memoryRecord)
	return r, ok
}

// Take implements [PendingStore].
func (m *pendingMemory) Take(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.remove(key)
	if !ok || !time.Now().Before(r.expires) {
		return nil, nil
	}
	return r.text(), nil
}
