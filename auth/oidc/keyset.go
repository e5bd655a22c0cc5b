package oidc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/flight"
	"github.com/restconn/restconn/internal/tokencall"
)

const (
	// keysMaxAge is how long keys are used. What the server says about caching has no part in it, so that a key that
	// was withdrawn ends by then.
	keysMaxAge = 15 * time.Minute
	// keysCooldown is the least time between two fetches for tokens whose key is unknown: anybody can make one up.
	keysCooldown = time.Minute
)

var errUnknownKey = fmt.Errorf("%w: its key is not among those of the provider", ErrSignature)

// keySet are the keys of a provider, fetched when they are needed. It is safe for concurrent use.
type keySet struct {
	url      string
	endpoint auth.Endpoint
	fetches  flight.Group[struct{}, *keys]

	mu      sync.Mutex
	latest  *keys     // nil before the first
	missed  time.Time // when keys were last fetched for an unknown one
	failure error     // of that fetch
}

// keys are the keys of one fetch. They never change.
type keys struct {
	fetched time.Time
	usable  []publicKey
	ids     map[string]bool // of all, the ones that are not used too
}

// young reports whether the keys may be used. The wall clock counts as well: the other one may stand still while a
// machine sleeps.
func (k *keys) young(now time.Time) bool { return k != nil && within(keysMaxAge, k.fetched, now) }

// within reports whether less than d has passed, by both clocks.
func within(d time.Duration, since, now time.Time) bool {
	wall := now.Round(0).Sub(since.Round(0))
	return now.Sub(since) < d && wall < d && wall > -d
}

// verify returns the payload of a token if it is signed with a key of the set.
func (s *keySet) verify(ctx context.Context, text string, h tokenHeader) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(h.algorithm)})
	if err != nil {
		return nil, errForm
	}
	k, fetched, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	payload, err := k.verify(jws, h)
	switch {
	case !errors.Is(err, errUnknownKey):
		return payload, err
	case fetched:
		s.miss()
		return nil, err
	}
	if k, err = s.renew(ctx, k, true); err != nil {
		return nil, err
	}
	return k.verify(jws, h)
}

// verify returns the payload of a token, errUnknownKey if its key may be a newer one, or else ErrSignature.
func (k *keys) verify(jws *jose.JSONWebSignature, h tokenHeader) ([]byte, error) {
	for _, key := range k.candidates(h) {
		if payload, err := jws.Verify(key.key); err == nil {
			return payload, nil
		}
	}
	if k.ids[h.keyID] {
		return nil, ErrSignature
	}
	return nil, errUnknownKey
}

// candidates returns the keys that the token may be signed with. Without a kid that may be several, of which a few
// are tried.
func (k *keys) candidates(h tokenHeader) []publicKey {
	const most = 5
	var found []publicKey
	for _, key := range k.usable {
		if (h.keyID == "" || h.keyID == key.id) && key.fits(h.algorithm) && len(found) < most {
			found = append(found, key)
		}
	}
	return found
}

// current returns keys that may be used, and whether they were fetched for this.
func (s *keySet) current(ctx context.Context) (k *keys, fetched bool, err error) {
	s.mu.Lock()
	k = s.latest
	s.mu.Unlock()
	if k.young(time.Now()) {
		return k, false, nil
	}
	k, err = s.renew(ctx, k, false)
	return k, true, err
}

// renew returns other keys than those seen, which were too old or, with unknown, lack one. Callers share a fetch, and
// none of them ends it. With unknown there is at most one within the cooldown.
func (s *keySet) renew(ctx context.Context, seen *keys, unknown bool) (*keys, error) {
	k, err := s.fetches.Do(ctx, struct{}{}, tokencall.Timeout, func(ctx context.Context) (*keys, error) {
		if k, err := s.settled(seen, unknown); k != nil || err != nil {
			return k, err
		}
		k, err := s.fetch(ctx)
		s.settle(k, err, unknown)
		return k, err
	})
	switch {
	case err == nil:
		return k, nil
	case errors.Is(err, ErrSignature):
		return nil, err
	case seen != nil && !unknown:
		return nil, fmt.Errorf("%w, and those from before are older than 15 minutes: %w", ErrKeys, err)
	}
	return nil, fmt.Errorf("%w: %w", ErrKeys, err)
}

// settled returns what is known without a fetch, if anything: keys that somebody else has fetched meanwhile, or that
// it is too early for another fetch.
func (s *keySet) settled(seen *keys, unknown bool) (*keys, error) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.latest != seen && s.latest.young(now):
		return s.latest, nil
	case !unknown || !within(keysCooldown, s.missed, now):
		return nil, nil //nolint:nilnil // nothing is known, and that is no error
	case s.failure != nil:
		return nil, s.failure
	}
	return nil, errUnknownKey
}

// settle keeps the outcome of a fetch.
func (s *keySet) settle(k *keys, err error, unknown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.latest = k
	}
	if unknown {
		s.missed, s.failure = time.Now(), err
	}
}

// miss notes that keys which have just been fetched lack one.
func (s *keySet) miss() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missed, s.failure = time.Now(), nil
}
