package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	mathrand "math/rand/v2"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/internal/wait"
)

const (
	// patience is how long a statement is repeated that found the database locked.
	patience = 10 * time.Second

	firstPause = 2 * time.Millisecond
	maxPause   = 50 * time.Millisecond
)

// Load implements [tokenstore.Backend].
func (s *store) Load(ctx context.Context, key auth.Key) (auth.Record, error) {
	var rec auth.Record
	err := s.run(ctx, func() (err error) {
		rec, err = read(s.db.QueryRowContext(ctx, s.statements.load, id(key)))
		return err
	})
	return rec, err
}

// Acquire implements [tokenstore.Backend]. It looks first, so that those who wait for a lease only read.
func (s *store) Acquire(
	ctx context.Context, key auth.Key, owner string, ttl time.Duration,
) (rec auth.Record, held bool, err error) {
	err = s.run(ctx, func() (err error) {
		var taken bool
		rec, err = read(s.db.QueryRowContext(ctx, s.statements.look, id(key), owner), &taken)
		if err != nil || taken {
			return err
		}
		rec, held, err = s.lease(ctx, key, owner, ttl)
		return err
	})
	return rec, held, err
}

// lease takes the lease if it is to be had.
func (s *store) lease(ctx context.Context, key auth.Key, owner string, ttl time.Duration) (auth.Record, bool, error) {
	rec, err := scan(s.db.QueryRowContext(ctx, s.statements.acquire,
		id(key), label(key.Connection), label(key.Config), label(key.Subject), owner, ttl.Milliseconds()))
	if !errors.Is(err, sql.ErrNoRows) {
		return rec, err == nil, err
	}
	rec, err = read(s.db.QueryRowContext(ctx, s.statements.load, id(key))) // another was quicker
	return rec, false, err
}

// Save implements [tokenstore.Backend].
func (s *store) Save(ctx context.Context, key auth.Key, owner string, seen uint64, rec auth.Record) error {
	retryAt, err := timeColumn(rec.RetryAt)
	if err != nil {
		return err
	}
	return s.run(ctx, func() error {
		res, err := s.db.ExecContext(ctx, s.statements.save,
			versionColumn(rec.Version), rec.Data, rec.InFlight, retryAt, id(key), owner, versionColumn(seen))
		if err != nil {
			return err
		}
		switch n, err := res.RowsAffected(); {
		case err != nil:
			return err
		case n == 0:
			return tokenstore.ErrLeaseLost
		}
		return nil
	})
}

// Release implements [tokenstore.Backend]. A row that was only a lease is removed.
func (s *store) Release(ctx context.Context, key auth.Key, owner string) error {
	return s.run(ctx, func() error {
		var empty bool
		err := s.db.QueryRowContext(ctx, s.statements.release, id(key), owner).Scan(&empty)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil
		case err != nil || !empty:
			return err
		}
		_, err = s.db.ExecContext(ctx, s.statements.clear, id(key))
		return err
	})
}

// Delete implements [tokenstore.Backend].
func (s *store) Delete(ctx context.Context, key auth.Key) error {
	return s.run(ctx, func() error {
		_, err := s.db.ExecContext(ctx, s.statements.remove, id(key))
		return err
	})
}

// run runs a step, again while the database is locked by somebody else, and returns an error that quotes nothing.
func (s *store) run(ctx context.Context, step func() error) error {
	if s.fault != nil {
		return s.fault
	}
	return again(ctx, locked, step)
}

// again runs a step, and repeats it while worth says so of its error.
func again(ctx context.Context, worth func(error) bool, step func() error) error {
	ends := time.Now().Add(patience)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := step()
		if err == nil || !worth(err) || time.Now().After(ends) {
			return scrub(ctx, err)
		}
		half := pause / 2
		if wait.For(ctx, half+mathrand.N(half)) != nil { //nolint:gosec // it spreads load
			return scrub(ctx, err)
		}
	}
}
