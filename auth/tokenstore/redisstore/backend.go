package redisstore

import (
	"context"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
)

// Load implements [tokenstore.Backend].
func (s *store) Load(ctx context.Context, key auth.Key) (auth.Record, error) {
	fields, err := await(ctx, s, func() ([]any, error) {
		return s.client.HMGet(ctx, s.keys(key)[0], "v", "data", "inflight", "retry").Result()
	})
	if err != nil {
		return auth.Record{}, err
	}
	return decode(fields)
}

// Acquire implements [tokenstore.Backend].
func (s *store) Acquire(
	ctx context.Context, key auth.Key, owner string, ttl time.Duration,
) (rec auth.Record, held bool, err error) {
	answer, err := await(ctx, s, func() ([]any, error) {
		return s.scripts.acquire.Run(ctx, s.client, s.keys(key), owner, ttl.Milliseconds()).Slice()
	})
	if err != nil {
		return auth.Record{}, false, err
	}
	if len(answer) != 2 {
		return auth.Record{}, false, errAnswer
	}
	fields, ok := answer[1].([]any)
	if !ok {
		return auth.Record{}, false, errAnswer
	}
	rec, err = decode(fields)
	return rec, answer[0] == int64(1), err
}

// Save implements [tokenstore.Backend].
func (s *store) Save(ctx context.Context, key auth.Key, owner string, seen uint64, rec auth.Record) error {
	args, err := encode(owner, seen, rec)
	if err != nil {
		return err
	}
	saved, err := await(ctx, s, func() (int, error) {
		return s.scripts.save.Run(ctx, s.client, s.keys(key), args...).Int()
	})
	switch {
	case err != nil:
		return err
	case saved != 1:
		return tokenstore.ErrLeaseLost
	}
	return nil
}

// Release implements [tokenstore.Backend].
func (s *store) Release(ctx context.Context, key auth.Key, owner string) error {
	_, err := await(ctx, s, func() (int, error) {
		return s.scripts.release.Run(ctx, s.client, s.keys(key), owner).Int()
	})
	return err
}

// Delete implements [tokenstore.Backend].
func (s *store) Delete(ctx context.Context, key auth.Key) error {
	_, err := await(ctx, s, func() (int64, error) { return s.client.Del(ctx, s.keys(key)...).Result() })
	return err
}

// await calls f, and returns when ctx ends even if f does not: the client heeds only deadlines, and those only if it
// was told to. What f does then comes to nothing: a lease ends by itself, and a record is saved under it or not at all.
// f ends with the timeouts of the client.
func await[T any](ctx context.Context, s *store, f func() (T, error)) (T, error) {
	var none T
	if err := s.Validate(); err != nil {
		return none, err
	}
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		value, err := f()
		done <- outcome{value, err}
	}()
	select {
	case o := <-done:
		return o.value, scrub(ctx, o.err)
	case <-ctx.Done():
		return none, scrub(ctx, ctx.Err())
	}
}
