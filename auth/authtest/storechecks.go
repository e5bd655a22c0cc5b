package authtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/restconn/restconn/auth"
)

var errExchange = errors.New("the exchange failed")

// storeUsable has nothing left to check: a fixture could be made.
func storeUsable(*fixture) error { return nil }

func storeValid(b *fixture) error {
	if v, ok := b.a.(auth.Validator); ok {
		return v.Validate()
	}
	return nil
}

func storeEmpty(b *fixture) error {
	return b.stored(b.a, b.key(), auth.Record{})
}

func storeFirst(b *fixture) error {
	key, data := b.key(), newData()
	h, err := b.hold(b.ctx, b.a, key, 0)
	if err != nil {
		return err
	}
	a := h.end(auth.Record{Data: data}, nil)
	if err := same("fn", h.cur, auth.Record{}); err != nil {
		return err
	}
	if a.err != nil || a.rec.Version == 0 {
		return fmt.Errorf("the first Update returned version %d and error %w", a.rec.Version, a.err)
	}
	want := auth.Record{Version: a.rec.Version, Data: data}
	return errors.Join(same("Update", a.rec, want), b.stored(b.a, key, want), b.stored(b.b, key, want))
}

func storeVersions(b *fixture) error {
	key := b.key()
	var last auth.Record
	for n := range 5 {
		s := b.a
		if n%2 == 1 {
			s = b.b
		}
		data := newData()
		var cur auth.Record
		a := update(b.ctx, s, key, last.Version, func(_ context.Context, c auth.Record) (auth.Record, error) {
			cur = c
			// All but Data is for the store to decide.
			return auth.Record{Version: 1, Data: data, InFlight: true, RetryAt: time.Now()}, nil
		})
		want := auth.Record{Version: a.rec.Version, Data: data}
		if err := errors.Join(a.err, same("fn", cur, last), same("Update", a.rec, want)); err != nil {
			return err
		}
		if a.rec.Version <= last.Version {
			return fmt.Errorf("version %d came after %d", a.rec.Version, last.Version)
		}
		if err := b.stored(b.b, key, want); err != nil {
			return err
		}
		last = want
	}
	return nil
}

func storeSeen(b *fixture) error {
	key := b.key()
	rec, err := b.put(b.a, key, 0, newData())
	if err != nil {
		return err
	}
	stale := func(when string, seen uint64) error {
		a := update(b.ctx, b.b, key, seen, give(newData()))
		if a.err != nil || a.calls != 0 {
			return fmt.Errorf("%s: Update called fn %d times, want none, and returned error %w", when, a.calls, a.err)
		}
		a.rec.InFlight = false
		return same(when+": Update", a.rec, rec)
	}
	for _, seen := range []uint64{0, rec.Version - 1, rec.Version + 1} {
		if err := stale("another version was seen", seen); err != nil {
			return err
		}
	}
	h, err := b.hold(b.ctx, b.a, key, rec.Version)
	if err != nil {
		return err
	}
	err = stale("another version was seen, and the lease is taken", 0)
	if h.ctx.Err() != nil {
		err = errors.Join(err, errors.New("an Update that saw another version waited for the lease"))
	}
	return errors.Join(err, h.end(auth.Record{Data: newData()}, nil).err)
}

func storeFailure(b *fixture) error {
	later := time.Now().Add(time.Hour).Truncate(time.Second)
	key := b.key()
	var rec auth.Record
	for range 2 { // without a token, and with one
		for _, outcome := range []auth.Record{
			{RetryAt: later, InFlight: true},
			{InFlight: true},
			{RetryAt: later},
			{},
		} {
			result := outcome
			result.Data, result.Version = newData(), rec.Version+7
			a := update(b.ctx, b.a, key, rec.Version, func(context.Context, auth.Record) (auth.Record, error) {
				return result, errExchange
			})
			if !errors.Is(a.err, errExchange) || a.calls != 1 {
				return fmt.Errorf("Update called fn %d times, want once, and the error is not fn's: %w", a.calls, a.err)
			}
			want := rec
			want.RetryAt, want.InFlight = outcome.RetryAt, outcome.InFlight
			if err := errors.Join(same("Update", a.rec, want), b.stored(b.b, key, want)); err != nil {
				return fmt.Errorf("after fn failed: %w", err)
			}
		}
		var err error
		if rec, err = b.put(b.b, key, rec.Version, newData()); err != nil {
			return err
		}
	}
	return b.stored(b.a, key, rec)
}

func storeMark(b *fixture) error {
	key := b.key()
	var rec auth.Record
	for range 2 { // without a token, and with one
		h, err := b.hold(b.ctx, b.a, key, rec.Version)
		if err != nil {
			return err
		}
		marked := rec
		marked.InFlight = true
		seen := b.stored(b.b, key, marked)
		data := newData()
		a := h.end(auth.Record{Data: data}, nil)
		if err := errors.Join(same("fn", h.cur, rec), a.err); err != nil {
			return err
		}
		if seen != nil {
			return fmt.Errorf("while fn runs: %w", seen)
		}
		rec = auth.Record{Version: a.rec.Version, Data: data}
		if err := b.stored(b.b, key, rec); err != nil {
			return fmt.Errorf("after fn: %w", err)
		}
	}
	return nil
}

func storeDeadline(b *fixture) error {
	began := time.Now()
	var ends time.Time
	var known bool
	key := b.key()
	a := update(b.ctx, b.a, key, 0, func(ctx context.Context, _ auth.Record) (auth.Record, error) {
		ends, known = ctx.Deadline()
		return auth.Record{Data: newData()}, nil
	})
	switch {
	case a.err != nil:
		return a.err
	case !known:
		return errors.New("the ctx of fn has no deadline")
	case !ends.Before(time.Now().Add(b.lease)):
		return fmt.Errorf("the ctx of fn ends %v after the beginning; the lease is %v", ends.Sub(began), b.lease)
	}
	return nil
}

func storeLeave(b *fixture) error {
	key, data := b.key(), newData()
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	a := update(ctx, b.a, key, 0, func(context.Context, auth.Record) (auth.Record, error) {
		cancel()
		return auth.Record{Data: data}, nil
	})
	if a.err != nil {
		return fmt.Errorf("ctx ended during fn, which succeeded: %w", a.err)
	}
	return b.stored(b.b, key, auth.Record{Version: a.rec.Version, Data: data})
}

func storeDelete(b *fixture) error {
	key := b.key()
	rec, err := b.put(b.a, key, 0, newData())
	if err != nil {
		return err
	}
	for range 2 {
		if err := b.b.Delete(b.ctx, key); err != nil {
			return fmt.Errorf("Delete: %w", err)
		}
		if err := b.stored(b.a, key, auth.Record{}); err != nil {
			return fmt.Errorf("after Delete: %w", err)
		}
	}
	a := update(b.ctx, b.a, key, rec.Version, give(newData()))
	if a.err != nil || a.calls != 0 {
		return fmt.Errorf("after Delete, Update of the version before called fn %d times, error %w", a.calls, a.err)
	}
	if err := same("Update of the version before Delete", a.rec, auth.Record{}); err != nil {
		return err
	}
	_, err = b.put(b.a, key, 0, newData())
	return err
}

func storeReuse(b *fixture) error {
	key := b.key()
	used := make(map[uint64]bool)
	for range 5 {
		var rec auth.Record
		for range 2 {
			var err error
			if rec, err = b.put(b.a, key, rec.Version, newData()); err != nil {
				return err
			}
			if used[rec.Version] {
				return fmt.Errorf("version %d was used again after Delete", rec.Version)
			}
			used[rec.Version] = true
		}
		if err := b.a.Delete(b.ctx, key); err != nil {
			return fmt.Errorf("Delete: %w", err)
		}
	}
	return nil
}

func storeErrors(b *fixture) error {
	for i, failing := range b.cfg.Failing {
		s, err := failing()
		if err != nil || s == nil {
			return fmt.Errorf("StoreConfig.Failing[%d] returned no store: %w", i, err)
		}
		b.opened = append(b.opened, s)
		data, key := newData(), b.key()
		_, loadErr := s.Load(b.ctx, key)
		_, updateErr := s.Update(b.ctx, key, 0, give(data))
		for op, err := range map[string]error{"Load": loadErr, "Update": updateErr, "Delete": s.Delete(b.ctx, key)} {
			fault := isStoreError(err)
			if fault == nil {
				fault = newSearch([]string{string(data)}).printed(err)
			}
			if fault != nil {
				return fmt.Errorf("StoreConfig.Failing[%d]: %s: %w", i, op, fault)
			}
		}
	}
	return nil
}
