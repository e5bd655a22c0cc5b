package tokenstore

import (
	"context"
	"errors"
	"time"

	"github.com/restconn/restconn/auth"
)

// What the [auth.StoreError] of a store may wrap, to be matched with [errors.Is].
var (
	// ErrLeaseLost says that a record could not be saved, because the lease ended or the record changed meanwhile.
	ErrLeaseLost = errors.New("the lease is lost")
	// ErrTooLarge says that a record is larger than the store takes. It is not tried again.
	ErrTooLarge = errors.New("the record is too large")
)

// Backend is what a shared store has to be able to do. [Leased] makes an [auth.TokenStore] of it.
//
// A Backend keeps one record and one lease for each key. It is safe for concurrent use, heeds ctx, and leaves nothing
// locked between two calls but the lease: no connection, no transaction. Each method is atomic. Its errors hold no part
// of Data. After an error it may have done what was asked, or not.
//
// A record of version zero that is InFlight or has a RetryAt is kept like any other.
type Backend interface {
	// Load returns the record of key, or the zero Record if there is none.
	Load(ctx context.Context, key auth.Key) (auth.Record, error)

	// Acquire takes the lease of key for owner, unless another owner's has not ended. It does not wait for it. The
	// lease ends after ttl, on one clock for all: that of the store. It returns the record, whether or not the lease
	// was to be had.
	Acquire(ctx context.Context, key auth.Key, owner string, ttl time.Duration) (rec auth.Record, held bool, err error)

	// Save replaces the record by rec, which may be the first, if the lease is owner's and the stored version is
	// seen. Otherwise it changes nothing and returns [ErrLeaseLost].
	Save(ctx context.Context, key auth.Key, owner string, seen uint64, rec auth.Record) error

	// Release ends the lease of owner. That it is not owner's is no error.
	Release(ctx context.Context, key auth.Key, owner string) error

	// Delete removes the record and ends the lease, whoever's it is. That there is none is no error.
	Delete(ctx context.Context, key auth.Key) error
}
