package digest

import (
	"crypto/rand"
	"math"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/icholy/digest"

	"github.com/restconn/restconn/internal/origin"
	"github.com/restconn/restconn/secrets"
)

const (
	// maxOrigins and maxRealms bound what is remembered.
	maxOrigins = 64
	maxRealms  = 8

	// maxDomains is how many URLs of a domain are looked at for each request. A realm with more is taken for that of the
	// whole origin, as one without a domain is.
	maxDomains = 32
)

// session is what is known of one realm of an origin (RFC 7616, section 3.3: of one protection space).
type session struct {
	challenge digest.Challenge
	cnonce    string   // of all requests with a -sess algorithm: the session key is made of it once
	count     int      // of the requests that used the nonce
	paths     []string // where the realm is; empty for the whole origin
	rejected  secrets.Value
	until     time.Time // rejected is not sent before
}

// covers reports whether the realm is the one of the path.
func (s *session) covers(path string) bool {
	if len(s.paths) == 0 {
		return true
	}
	for _, p := range s.paths {
		if path == p || strings.HasPrefix(path, strings.TrimSuffix(p, "/")+"/") {
			return true
		}
	}
	return false
}

// memory holds the sessions of each origin, that of the latest challenge first. It is safe for concurrent use.
type memory struct {
	tag     string // every cnonce begins with it, which tells answers of this memory from others
	mu      sync.Mutex
	origins map[origin.Origin][]*session
}

func newMemory() *memory {
	return &memory{tag: rand.Text()[:6], origins: make(map[origin.Origin][]*session)}
}

// find returns the session of the realm; nil if there is none.
func (m *memory) find(o origin.Origin, realm string) *session {
	for _, s := range m.origins[o] {
		if s.challenge.Realm == realm {
			return s
		}
	}
	return nil
}

// latest returns the session for the URL; nil if there is none.
func (m *memory) latest(o origin.Origin, u *url.URL) *session {
	for _, s := range m.origins[o] {
		if s.covers(u.EscapedPath()) {
			return s
		}
	}
	return nil
}

// knows reports whether there is a challenge to answer.
func (m *memory) knows(o origin.Origin, u *url.URL) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.latest(o, u) != nil
}

// next uses the nonce of the latest challenge once more. It is not ok if there is none, or if the password is not to be
// sent.
func (m *memory) next(o origin.Origin, u *url.URL, password string) (use, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.latest(o, u)
	if s == nil || s.count == math.MaxInt32 || s.blocks(password) {
		return use{}, false
	}
	s.count++
	n := use{challenge: s.challenge, count: s.count, cnonce: s.cnonce, uri: u.RequestURI()}
	if a, _ := algorithmOf(s.challenge.Algorithm); !a.session() {
		n.cnonce = m.tag + rand.Text()
	}
	return n, true
}

// blocks reports whether the password was rejected, and not so long ago.
func (s *session) blocks(password string) bool {
	return !s.until.IsZero() && time.Now().Before(s.until) && s.rejected.Equal(secrets.Static(password))
}

// learn keeps the challenge that the URL was answered with.
func (m *memory) learn(o origin.Origin, c digest.Challenge, u *url.URL) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := &session{challenge: c, cnonce: m.tag + rand.Text(), paths: pathsOf(c, o, u)}
	kept := []*session{next}
	for _, s := range m.origins[o] {
		switch {
		case s.challenge.Realm == c.Realm:
			next.rejected, next.until = s.rejected, s.until
			if s.challenge.Nonce == c.Nonce { // its counts are used up
				next.count, next.cnonce = s.count, s.cnonce
			}
		case len(kept) < maxRealms:
			kept = append(kept, s)
		}
	}
	if _, ok := m.origins[o]; !ok && len(m.origins) >= maxOrigins {
		clear(m.origins) // they cost one challenge each
	}
	m.origins[o] = kept
}

// blocks reports whether the password is not to be sent to the realm.
func (m *memory) blocks(o origin.Origin, realm, password string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.find(o, realm)
	return s != nil && s.blocks(password)
}

// reject notes that the password was rejected in the realm.
func (m *memory) reject(o origin.Origin, realm, password string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.find(o, realm); s != nil {
		s.rejected, s.until = secrets.Static(password), time.Now().Add(RejectionPause)
	}
}

// pathsOf returns the paths of the challenge's domain that are of the origin, and that of the request, which is in the
// realm whatever the domain says.
func pathsOf(c digest.Challenge, o origin.Origin, u *url.URL) []string {
	if len(c.Domain) == 0 || len(c.Domain) > maxDomains {
		return nil
	}
	var paths []string
	for _, text := range c.Domain {
		d, err := u.Parse(text)
		if err != nil {
			continue
		}
		if at, err := origin.Of(d); err == nil && at == o {
			paths = append(paths, d.EscapedPath())
		}
	}
	return append(paths, u.EscapedPath())
}
