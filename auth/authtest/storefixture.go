package authtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/restconn/restconn/auth"
)

const (
	longestLease     = 10 * time.Second
	defaultRotations = 10
)

// fixture is what a check works with.
type fixture struct {
	ctx       context.Context
	cfg       StoreConfig
	lease     time.Duration
	patience  time.Duration
	rotations int
	a, b      auth.TokenStore
	opened    []auth.TokenStore
	keys      []auth.Key
}

func newFixture(ctx context.Context, cfg StoreConfig) (*fixture, error) {
	b := &fixture{ctx: ctx, cfg: cfg, lease: cfg.Lease, patience: cfg.Patience, rotations: cfg.Rotations}
	if b.patience <= 0 {
		b.patience = 5 * time.Second
	}
	if b.rotations <= 0 {
		b.rotations = defaultRotations
	}
	var err error
	if b.a, err = b.open(); err != nil {
		return nil, err
	}
	if b.b, err = b.open(); err != nil {
		b.close()
		return nil, err
	}
	if leaser, ok := b.a.(auth.Leaser); ok && b.lease == 0 {
		b.lease = leaser.Lease()
	}
	if b.lease <= 0 || b.lease > longestLease {
		b.close()
		return nil, fmt.Errorf("StoreConfig.Lease is %v, and the suite waits for it: at most %v", b.lease, longestLease)
	}
	return b, nil
}

// open returns a new handle.
func (b *fixture) open() (auth.TokenStore, error) {
	if b.cfg.New == nil {
		return nil, errors.New("StoreConfig.New is nil")
	}
	s, err := b.cfg.New()
	if err != nil {
		return nil, fmt.Errorf("StoreConfig.New: %w", err)
	}
	if s == nil {
		return nil, errors.New("StoreConfig.New returned nil")
	}
	b.opened = append(b.opened, s)
	return s, nil
}

// close removes what the check left behind.
func (b *fixture) close() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), b.patience)
	defer cancel()
	for _, key := range b.keys {
		_ = b.a.Delete(ctx, key)
	}
	for _, s := range b.opened {
		if c, ok := s.(io.Closer); ok {
			_ = c.Close()
		}
	}
}

// key returns a key that nobody has used.
func (b *fixture) key() auth.Key {
	key := auth.Key{Connection: "authtest " + rand.Text(), Config: "config", Subject: "subject"}
	b.keys = append(b.keys, key)
	return key
}

// newData returns a text that is found nowhere by accident.
func newData() []byte { return []byte("authtest-" + rand.Text()) }

type exchange = func(ctx context.Context, cur auth.Record) (auth.Record, error)

// answer is what an Update came to.
type answer struct {
	rec   auth.Record
	err   error
	calls int // of fn
}

// update calls Update and counts the calls of fn. None but the first gets to it.
func update(ctx context.Context, s auth.TokenStore, key auth.Key, seen uint64, fn exchange) answer {
	var a answer
	rec, err := s.Update(ctx, key, seen, func(ctx context.Context, cur auth.Record) (auth.Record, error) {
		a.calls++
		if a.calls > 1 {
			return auth.Record{}, errors.New("fn was called again")
		}
		return fn(ctx, cur)
	})
	a.rec, a.err = rec, err
	return a
}

// give returns an exchange that succeeds.
func give(data []byte) exchange {
	return func(context.Context, auth.Record) (auth.Record, error) { return auth.Record{Data: data}, nil }
}

// put saves data, and checks that it was.
func (b *fixture) put(s auth.TokenStore, key auth.Key, seen uint64, data []byte) (auth.Record, error) {
	a := update(b.ctx, s, key, seen, give(data))
	switch {
	case a.err != nil:
		return a.rec, fmt.Errorf("Update: %w", a.err)
	case a.calls != 1:
		return a.rec, fmt.Errorf("Update of the version that is stored called fn %d times, want once", a.calls)
	case a.rec.Version == 0 || a.rec.Version == seen:
		return a.rec, fmt.Errorf("Update saved a token under version %d, after %d", a.rec.Version, seen)
	}
	return a.rec, same("Update", a.rec, auth.Record{Version: a.rec.Version, Data: data})
}

// stored checks what a handle loads.
func (b *fixture) stored(s auth.TokenStore, key auth.Key, want auth.Record) error {
	got, err := s.Load(b.ctx, key)
	if err != nil {
		return fmt.Errorf("Load: %w", err)
	}
	return same("Load", got, want)
}

// same compares records. It shows no Data.
func same(what string, got, want auth.Record) error {
	switch {
	case got.Version != want.Version:
		return fmt.Errorf("%s: the version is %d, want %d", what, got.Version, want.Version)
	case !bytes.Equal(got.Data, want.Data):
		return fmt.Errorf("%s: Data (%d bytes) is not what was saved (%d bytes)", what, len(got.Data), len(want.Data))
	case got.InFlight != want.InFlight:
		return fmt.Errorf("%s: InFlight is %v, want %v", what, got.InFlight, want.InFlight)
	case !got.RetryAt.Equal(want.RetryAt):
		return fmt.Errorf("%s: RetryAt is %v, want %v", what, got.RetryAt, want.RetryAt)
	}
	return nil
}

// refused checks an Update that could not call fn, and whose error wraps cause.
func refused(a answer, cause error) error {
	if a.calls != 0 {
		return errors.New("fn was called")
	}
	if err := isStoreError(a.err); err != nil {
		return err
	}
	if cause != nil && !errors.Is(a.err, cause) {
		return fmt.Errorf("the error is not %w: %w", cause, a.err)
	}
	return nil
}

func isStoreError(err error) error {
	if err == nil {
		return errors.New("there was no error")
	}
	if _, ok := errors.AsType[*auth.StoreError](err); !ok {
		return fmt.Errorf("the error is a %T, want an *auth.StoreError", err)
	}
	return nil
}

// hold is an Update that is inside fn.
type hold struct {
	b      *fixture
	ctx    context.Context // of fn
	cur    auth.Record
	answer chan answer
	finish chan<- func() (auth.Record, error)
}

// hold starts an Update, and returns when it is inside fn. end has to be called.
func (b *fixture) hold(ctx context.Context, s auth.TokenStore, key auth.Key, seen uint64) (*hold, error) {
	finish := make(chan func() (auth.Record, error), 1)
	inside := make(chan struct{})
	h := &hold{b: b, answer: make(chan answer, 1), finish: finish}
	go func() {
		h.answer <- update(ctx, s, key, seen, func(ctx context.Context, cur auth.Record) (auth.Record, error) {
			h.ctx, h.cur = ctx, cur
			close(inside)
			return (<-finish)()
		})
	}()
	select {
	case <-inside:
		return h, nil
	case a := <-h.answer:
		return nil, fmt.Errorf("Update of the version that is stored did not call fn: %w", a.err)
	case <-b.ctx.Done():
		return nil, fmt.Errorf("Update did not call fn: %w", b.ctx.Err())
	}
}

// end lets fn return, and returns the answer of Update.
func (h *hold) end(rec auth.Record, err error) answer {
	h.finish <- func() (auth.Record, error) { return rec, err }
	select {
	case a := <-h.answer:
		return a
	case <-h.b.ctx.Done():
		return answer{err: fmt.Errorf("Update did not return after fn: %w", h.b.ctx.Err())}
	}
}
