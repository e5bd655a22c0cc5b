package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// Sealed returns a store that encrypts what the other keeps, with AES-256-GCM. The first key seals, and all of them
// open, so that a key is replaced by putting the new one before the old; the old one may go when every record was
// renewed.
//
// A key is any text of 32 bytes and more with that much chance in it: not a password, but what
// "openssl rand -base64 32" prints. It is asked for at each call, before the exchange. The key of the cipher is derived
// from it with HKDF-SHA-256 (RFC 5869).
//
// A record opens under its own [auth.Key] only: one that was copied to another subject is refused, and so is one that
// was changed, that no key fits, or that is not sealed at all ([ErrSealed]). Nothing is ever taken for plain text. That
// an older record of the same key was put back cannot be seen. Version, InFlight and RetryAt are not sealed.
//
// The store is safe for concurrent use if the other one is. It is an [auth.Leaser] if the other is.
func Sealed(store auth.TokenStore, keys ...secrets.Provider) auth.TokenStore {
	s := &sealed{store: store, keys: slices.Clone(keys)}
	if leaser, ok := store.(auth.Leaser); ok {
		return &sealedLeaser{sealed: s, leaser: leaser}
	}
	return s
}

type sealed struct {
	store auth.TokenStore
	keys  []secrets.Provider
}

// sealedLeaser is a sealed store whose leases are known.
type sealedLeaser struct {
	*sealed

	leaser auth.Leaser
}

// Lease implements [auth.Leaser].
func (s *sealedLeaser) Lease() time.Duration { return s.leaser.Lease() }

// Validate implements [auth.Validator].
func (s *sealed) Validate() error {
	var faults []error
	if s.store == nil {
		faults = append(faults, errors.New("the store to seal is nil"))
	}
	if len(s.keys) == 0 {
		faults = append(faults, errors.New("there is no key to seal with"))
	}
	for _, key := range s.keys {
		faults = append(faults, secrets.Validate(key))
	}
	if v, ok := s.store.(auth.Validator); ok {
		faults = append(faults, v.Validate())
	}
	return errors.Join(faults...)
}

// String implements [fmt.Stringer].
func (*sealed) String() string { return "Sealed TokenStore" }

// Format implements [fmt.Formatter], so that no verb reaches what the store holds.
func (s *sealed) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// Load implements [auth.TokenStore].
func (s *sealed) Load(ctx context.Context, key auth.Key) (auth.Record, error) {
	if err := s.Validate(); err != nil {
		return auth.Record{}, storeError("load", err)
	}
	rec, err := s.store.Load(ctx, key)
	if err != nil {
		return auth.Record{}, err
	}
	return s.open(ctx, key, rec)
}

// Delete implements [auth.TokenStore].
func (s *sealed) Delete(ctx context.Context, key auth.Key) error {
	if err := s.Validate(); err != nil {
		return storeError("delete", err)
	}
	return s.store.Delete(ctx, key)
}

// Update implements [auth.TokenStore].
func (s *sealed) Update(ctx context.Context, key auth.Key, seen uint64, fn exchange) (auth.Record, error) {
	if err := s.Validate(); err != nil {
		return auth.Record{}, storeError("lease", err)
	}
	u := &sealedUpdate{sealed: s, key: key, fn: fn}
	rec, err := s.store.Update(ctx, key, seen, u.exchange)
	switch {
	case u.called:
		rec.Data = u.plain
		return rec, err
	case err != nil:
		return auth.Record{}, err
	}
	return s.open(ctx, key, rec)
}

// sealedUpdate is one Update.
type sealedUpdate struct {
	*sealed

	key    auth.Key
	fn     exchange
	called bool
	plain  []byte // Data of the answer
}

// exchange calls fn between opening and sealing. All that can fail is done before.
func (u *sealedUpdate) exchange(ctx context.Context, cur auth.Record) (auth.Record, error) {
	as := auth.Record{RetryAt: cur.RetryAt, InFlight: cur.InFlight}
	seal, err := u.sealer(ctx, u.key)
	if err != nil {
		return as, storeError("mark", err)
	}
	cur, err = u.open(ctx, u.key, cur)
	if err != nil {
		return as, err
	}
	u.called, u.plain = true, slices.Clone(cur.Data)
	next, err := u.fn(ctx, cur)
	if err != nil { // next may hold what it was given, in the clear
		return auth.Record{RetryAt: next.RetryAt, InFlight: next.InFlight}, err
	}
	u.plain = slices.Clone(next.Data)
	next.Data = seal(next.Data)
	return next, nil
}
