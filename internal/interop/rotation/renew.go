package rotation

import (
	"context"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/internal/interop"
)

// name is that of the token which all workers share.
const name = "rotations"

// key is where a manager keeps it.
func key(g auth.Grant) auth.Key { return auth.Key{Connection: name, Config: g.Traits().Config} }

// manage returns the manager of a worker.
func manage(c oauth2flow.Client, store auth.TokenStore, place interop.Place, watch func(auth.Event)) *auth.Manager {
	return auth.Manage(oauth2flow.Refresh(c, nil),
		auth.KeepIn(store, name), auth.RenewalLimit(limit(place.Lease)), auth.Watch(watch))
}

// limit is how long a renewal may take under a lease. A short lease, which a connection would refuse, makes the others
// wait less for one that was killed.
func limit(lease time.Duration) time.Duration {
	const slack = 15 * time.Second
	if lease < 2*slack {
		return lease / 2
	}
	return lease - slack
}

// signIn is what a user does who is told that a new login is required.
func signIn(ctx context.Context, c oauth2flow.Client, m *auth.Manager) error {
	t, err := login(c).Obtain(ctx, nil)
	if err != nil {
		return err
	}
	return m.Set(ctx, t)
}

// timed is a store that tells what a renewal has saved.
type timed struct {
	auth.TokenStore

	saved func(saved)
}

// Update implements [auth.TokenStore].
func (s timed) Update(
	ctx context.Context, key auth.Key, seen uint64, fn func(context.Context, auth.Record) (auth.Record, error),
) (auth.Record, error) {
	called := false
	rec, err := s.TokenStore.Update(ctx, key, seen, func(ctx context.Context, cur auth.Record) (auth.Record, error) {
		called = true
		return fn(ctx, cur)
	})
	if err != nil || !called {
		return rec, err
	}
	t, err := decode(rec)
	if err == nil {
		s.saved(t)
	}
	return rec, err
}
