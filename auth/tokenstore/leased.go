package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/wait"
)

// DefaultLease is how long a lease lasts unless [Lease] says otherwise: the 30 s that an exchange may take, and 15 s
// for what is before and after it.
const DefaultLease = 45 * time.Second

// Option is an option of [Leased], and of the stores that are made with it.
type Option interface{ apply(*leased) }

// Lease sets how long a lease lasts, [DefaultLease] unless it is given. A process that dies while it renews a token
// holds up the others for so long, unless the store notices that it is gone. It has to be 15 s longer than the longest
// renewal (see [auth.RenewalLimit]).
func Lease(d time.Duration) Option { return leaseOption(d) }

type leaseOption time.Duration

func (o leaseOption) apply(s *leased) { s.lease = time.Duration(o) }

// Leased makes an [auth.TokenStore] of a backend. A nil backend or option, and a lease of less than a second, is
// reported by its Validate, which [auth.Manager.Validate] calls, and by each call.
func Leased(b Backend, opts ...Option) auth.TokenStore {
	s := &leased{backend: b, lease: DefaultLease}
	for _, opt := range opts {
		if opt == nil {
			s.fault = errors.New("an option is nil")
			continue
		}
		opt.apply(s)
	}
	return s
}

type leased struct {
	backend Backend
	lease   time.Duration
	fault   error
}

// Validate implements [auth.Validator].
func (s *leased) Validate() error {
	faults := []error{s.fault}
	if s.backend == nil {
		faults = append(faults, errors.New("the backend is nil"))
	}
	if s.lease < time.Second {
		faults = append(faults, errors.New("the lease is shorter than a second"))
	}
	if v, ok := s.backend.(auth.Validator); ok {
		faults = append(faults, v.Validate())
	}
	return errors.Join(faults...)
}

// Lease implements [auth.Leaser].
func (s *leased) Lease() time.Duration { return s.lease }

// Load implements [auth.TokenStore].
func (s *leased) Load(ctx context.Context, key auth.Key) (auth.Record, error) {
	if err := s.ready(ctx); err != nil {
		return auth.Record{}, storeError("load", err)
	}
	rec, err := s.backend.Load(ctx, key)
	if err != nil {
		return auth.Record{}, storeError("load", err)
	}
	return rec, nil
}

// Delete implements [auth.TokenStore].
func (s *leased) Delete(ctx context.Context, key auth.Key) error {
	if err := s.ready(ctx); err != nil {
		return storeError("delete", err)
	}
	return storeError("delete", s.backend.Delete(ctx, key))
}

// ready returns why there is no point in asking the backend.
func (s *leased) ready(ctx context.Context) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return wait.Ended(ctx)
	}
	return nil
}

// String implements [fmt.Stringer].
func (*leased) String() string { return "TokenStore" }

// Format implements [fmt.Formatter], so that no verb reaches what the backend holds.
func (s *leased) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

func storeError(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*auth.StoreError](err); ok {
		return err
	}
	return &auth.StoreError{Op: op, Err: err}
}
