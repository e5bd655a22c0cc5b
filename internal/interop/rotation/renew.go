package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/restconn/restconn/auth"
)

// key is the one key that all workers share.
func key() auth.Key { return auth.Key{Connection: "rotations", Config: "rotation"} }

// renew replaces the token of version seen, or returns the one that somebody else got meanwhile. An error that is
// [auth.ErrLoginRequired] says that the refresh token was used up by somebody who could not save what it brought.
func renew(ctx context.Context, store auth.TokenStore, g auth.Grant, seen uint64) (auth.Record, error) {
	return store.Update(ctx, key(), seen, func(ctx context.Context, cur auth.Record) (auth.Record, error) {
		if time.Now().Before(cur.RetryAt) {
			return cur, fmt.Errorf("%w: the refresh token was lost", auth.ErrLoginRequired)
		}
		prev, err := decode(cur)
		if err != nil {
			return cur, err
		}
		t, err := g.Obtain(ctx, prev)
		if errors.Is(err, auth.ErrInvalidGrant) && cur.InFlight {
			// Nobody tries this refresh token again.
			return auth.Record{RetryAt: time.Now().Add(time.Hour)}, fmt.Errorf("%w: %w", auth.ErrLoginRequired, err)
		}
		if err != nil {
			return auth.Record{InFlight: cur.InFlight}, err
		}
		data, err := encode(t)
		return auth.Record{Data: data}, err
	})
}

// signIn is what a user does who is told that a new login is required.
func signIn(ctx context.Context, store auth.TokenStore, g auth.Grant, seen uint64) (auth.Record, error) {
	return store.Update(ctx, key(), seen, func(ctx context.Context, cur auth.Record) (auth.Record, error) {
		t, err := g.Obtain(ctx, nil)
		if err != nil {
			return cur, err
		}
		data, err := encode(t)
		return auth.Record{Data: data}, err
	})
}
