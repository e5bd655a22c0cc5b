package auth

import (
	"context"
	"time"
)

// Key names the tokens of one subject, got in one way, for one purpose. Tokens of different keys never meet.
type Key struct {
	// Connection is the name that [KeepIn] was given.
	Connection string
	// Config is [Traits].Config of the grant.
	Config string
	// Subject is whose token it is, see [WithSubject]; empty if it is nobody's in particular.
	Subject string
}

// Record is what a [TokenStore] keeps under a [Key].
type Record struct {
	// Version tells tokens apart. It grows with every new one. After Delete it begins anew, with one that was not
	// used before. It is zero as long as there is no token; InFlight and RetryAt may be set all the same.
	Version uint64
	// Data is the token as the manager wrote it. It holds secrets in the clear, unless the store seals it.
	Data []byte
	// InFlight says that an exchange was begun and that nobody has told how it ended.
	InFlight bool
	// RetryAt is when the next exchange may be tried after a failed one; the zero time means at once. The year 9000 means
	// never: only a login helps.
	RetryAt time.Time
}

// TokenStore keeps tokens where they survive the process, and where others can share them. It joins exclusion and
// persistence, so that nobody can get their order wrong.
//
// Implementations are safe for concurrent use, by several processes if they claim to be shared. They pass the suite
// in package authtest. Errors hold no part of Data.
type TokenStore interface {
	// Load returns the record, or the zero Record if there is none.
	Load(ctx context.Context, key Key) (Record, error)

	// Update replaces the record while nobody else can.
	//
	// It takes the lease of the key, waiting for it no longer than ctx lasts, and reads the record. If its version is
	// not seen, somebody else has been there: that record is returned, and fn is not called. It is also returned
	// without a lease as soon as it is noticed. Otherwise the record is marked as InFlight, fn is called once with
	// the record as it was before the mark, under a ctx that ends before the lease does, and the outcome is saved:
	//
	//   - If fn succeeds, Data of its result is saved under a new version, also if ctx has ended by then. Saving is
	//     tried again until the lease ends. If it cannot be saved, the answer is what was to be saved and a
	//     [*StoreError].
	//   - If fn fails, the record stays, but for RetryAt and InFlight, which are those of fn's result. The answer is
	//     the record and the error of fn. That the two could not be saved is not told; the mark is still there then.
	//   - If fn panics or ends its goroutine, the mark stays, and the lease ends at once.
	//
	// If the lease or the mark cannot be had, or ctx has ended, fn is not called: the answer is the zero Record and a
	// [*StoreError]. Nothing is saved once the lease is lost, or if the version is not seen any more.
	Update(
		ctx context.Context, key Key, seen uint64, fn func(ctx context.Context, cur Record) (Record, error),
	) (Record, error)

	// Delete removes the record. That there is none is no error. An Update that is under way saves nothing, and one
	// that comes later may have to wait for it.
	Delete(ctx context.Context, key Key) error
}

// Leaser is a [TokenStore] that tells how long its leases are. [Manage] checks that they outlast a renewal by 15 s.
type Leaser interface {
	Lease() time.Duration
}

// StoreError says that a [TokenStore] failed, and at what. It holds no secret.
type StoreError struct {
	// Op is "load", "lease", "mark", "save", "delete", "encode" or "decode". After "lease" and "mark" fn was not
	// called.
	Op string
	// Err is the cause.
	Err error
}

// Error implements error.
func (e *StoreError) Error() string {
	text := "auth: token store: " + e.Op
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *StoreError) Unwrap() error { return e.Err }
