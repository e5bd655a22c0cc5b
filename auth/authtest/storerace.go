package authtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/restconn/restconn/auth"
)

const (
	handles = 8
	// latency is how long an answer of the server takes, so that exchanges overlap where they can.
	latency = time.Millisecond
)

func storeCrash(b *fixture) error {
	for how, crash := range map[string]func(){
		"a panic":        func() { panic("authtest: a crash of fn, on purpose") },
		"runtime.Goexit": runtime.Goexit,
	} {
		key := b.key()
		rec, err := b.put(b.a, key, 0, newData())
		if err != nil {
			return err
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			defer func() { _ = recover() }()
			_, _ = b.a.Update(b.ctx, key, rec.Version, func(context.Context, auth.Record) (auth.Record, error) {
				crash()
				return auth.Record{}, nil
			})
		})
		wg.Wait()
		marked := rec
		marked.InFlight = true
		if err := b.stored(b.b, key, marked); err != nil {
			return fmt.Errorf("after %s in fn: %w", how, err)
		}
		began := time.Now()
		h, err := b.hold(b.ctx, b.b, key, rec.Version)
		if err != nil {
			return fmt.Errorf("after %s in fn: %w", how, err)
		}
		took := time.Since(began)
		a := h.end(auth.Record{Data: newData()}, nil)
		if err := errors.Join(same("fn after "+how, h.cur, marked), a.err); err != nil {
			return err
		}
		if took > b.lease/2 {
			return fmt.Errorf("after %s in fn, the lease was free after %v only", how, took)
		}
	}
	return nil
}

func storeAbandoned(b *fixture) error {
	key := b.key()
	rec, err := b.put(b.a, key, 0, newData())
	if err != nil {
		return err
	}
	hung, err := b.hold(b.ctx, b.a, key, rec.Version)
	if err != nil {
		return err
	}
	next, err := b.hold(b.ctx, b.b, key, rec.Version)
	if err != nil {
		hung.end(auth.Record{}, errExchange)
		return fmt.Errorf("the lease of a holder that hangs does not end: %w", err)
	}
	overlap := hung.ctx.Err() == nil
	data := newData()
	a := next.end(auth.Record{Data: data}, nil)
	late := hung.end(auth.Record{Data: newData()}, nil)
	marked := rec
	marked.InFlight = true
	if err := errors.Join(a.err, same("fn of the next holder", next.cur, marked)); err != nil {
		return err
	}
	if overlap {
		return errors.New("the lease was given to another before the ctx of fn had ended")
	}
	if err := isStoreError(late.err); err != nil {
		return fmt.Errorf("Update after the end of its lease: %w", err)
	}
	return b.stored(b.a, key, auth.Record{Version: a.rec.Version, Data: data})
}

func storeWait(b *fixture) error {
	key := b.key()
	h, err := b.hold(b.ctx, b.a, key, 0)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(b.ctx, b.lease/4)
	defer cancel()
	began := time.Now()
	waited := update(ctx, b.b, key, 0, give(newData()))
	took := time.Since(began)
	inside := h.ctx.Err() == nil
	data := newData()
	a := h.end(auth.Record{Data: data}, nil)
	if err := refused(waited, context.DeadlineExceeded); err != nil {
		return fmt.Errorf("an Update whose ctx ended while another had the lease: %w", err)
	}
	if !inside {
		return fmt.Errorf("an Update whose ctx ended after %v waited for the lease for %v", b.lease/4, took)
	}
	return errors.Join(a.err, b.stored(b.b, key, auth.Record{Version: a.rec.Version, Data: data}))
}

func storeInFlight(b *fixture) error {
	for _, failure := range []error{nil, errExchange} {
		if err := b.deleteInFlight(failure, false); err != nil {
			return err
		}
		if err := b.deleteInFlight(failure, true); err != nil {
			return err
		}
	}
	return nil
}

// deleteInFlight deletes while fn runs, which then ends with failure. There was a token before, or not.
func (b *fixture) deleteInFlight(failure error, before bool) error {
	key := b.key()
	var rec auth.Record
	if before {
		var err error
		if rec, err = b.put(b.a, key, 0, newData()); err != nil {
			return err
		}
	}
	h, err := b.hold(b.ctx, b.a, key, rec.Version)
	if err != nil {
		return err
	}
	deleted := b.b.Delete(b.ctx, key)
	gone := b.stored(b.b, key, auth.Record{})
	a := h.end(auth.Record{Data: newData(), InFlight: true}, failure)
	if err := errors.Join(deleted, gone); err != nil {
		return fmt.Errorf("Delete while fn runs: %w", err)
	}
	if err := b.stored(b.b, key, auth.Record{}); err != nil {
		return fmt.Errorf("an Update saved after Delete: %w", err)
	}
	if failure != nil {
		if !errors.Is(a.err, failure) {
			return fmt.Errorf("the error is not that of fn: %w", a.err)
		}
		return nil
	}
	if err := isStoreError(a.err); err != nil {
		return fmt.Errorf("Update that could not save after Delete: %w", err)
	}
	return nil
}

func storeCancel(b *fixture) error {
	key := b.key()
	rec, err := b.put(b.a, key, 0, newData())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	began := time.Now()
	if err := refused(update(ctx, b.a, key, rec.Version, give(newData())), context.Canceled); err != nil {
		return fmt.Errorf("Update with a cancelled ctx: %w", err)
	}
	_, loaded := b.a.Load(ctx, key)
	for op, err := range map[string]error{"Load": loaded, "Delete": b.a.Delete(ctx, b.key())} {
		if err == nil {
			continue
		}
		if isStoreError(err) != nil || !errors.Is(err, context.Canceled) {
			return fmt.Errorf("%s with a cancelled ctx returned an error that is not context.Canceled: %w", op, err)
		}
	}
	if took := time.Since(began); took > b.patience {
		return fmt.Errorf("calls with a cancelled ctx took %v", took)
	}
	if err := b.stored(b.b, key, rec); err != nil {
		return fmt.Errorf("after calls with a cancelled ctx: %w", err)
	}
	began = time.Now()
	if _, err := b.put(b.b, key, rec.Version, newData()); err != nil {
		return fmt.Errorf("after calls with a cancelled ctx: %w", err)
	}
	if took := time.Since(began); took > b.lease/2 {
		return fmt.Errorf("after an Update with a cancelled ctx, the next one took %v: it left a lease behind", took)
	}
	return nil
}

// checksummed returns Data that shows whether it is whole.
func checksummed(n int) []byte {
	body := bytes.Repeat([]byte{byte(n)}, 1000*(n%7)+1)
	sum := sha256.Sum256(body)
	return append(sum[:], body...)
}

func whole(data []byte) bool {
	if len(data) < sha256.Size {
		return false
	}
	sum := sha256.Sum256(data[sha256.Size:])
	return bytes.Equal(sum[:], data[:sha256.Size])
}

func storeTorn(b *fixture) error {
	key := b.key()
	rec, err := b.put(b.a, key, 0, checksummed(0))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(b.ctx)
	defer stop()
	var wg sync.WaitGroup
	faults := make([]error, handles/2)
	for i := range faults {
		s, err := b.open()
		if err != nil {
			return err
		}
		wg.Go(func() {
			defer stop()
			faults[i] = watch(ctx, s, key)
		})
	}
	for n := 1; n <= 5*b.rotations && err == nil && ctx.Err() == nil; n++ {
		rec, err = b.put(b.a, key, rec.Version, checksummed(n))
		time.Sleep(2 * latency) // what is saved is looked at before it is replaced
	}
	stop()
	wg.Wait()
	return errors.Join(err, errors.Join(faults...))
}

// watch loads until ctx ends.
func watch(ctx context.Context, s auth.TokenStore, key auth.Key) error {
	var last uint64
	for {
		rec, err := s.Load(ctx, key)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end is no fault of the store
		}
		switch {
		case err != nil:
			return fmt.Errorf("Load while another handle saves: %w", err)
		case !whole(rec.Data):
			return errors.New("Load while another handle saves returned torn Data")
		case rec.Version < last:
			return fmt.Errorf("Load returned version %d after %d", rec.Version, last)
		}
		last = rec.Version
		time.Sleep(rand.N(latency)) // at another moment of a save each time
	}
}

// counter is a server whose tokens can be used once.
type counter struct {
	mu      sync.Mutex
	current int
	replays int
}

func (c *counter) exchange(data []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n, err := strconv.Atoi(string(data)); c.current > 0 && (err != nil || n != c.current) {
		c.replays++
	}
	c.current++
	return strconv.AppendInt(nil, int64(c.current), 10)
}

func storeExclusion(b *fixture) error {
	key, server := b.key(), &counter{}
	var wg sync.WaitGroup
	faults := make([]error, handles)
	for i := range faults {
		s, err := b.open()
		if err != nil {
			return err
		}
		wg.Go(func() { faults[i] = rotate(b.ctx, s, key, server, b.rotations) })
	}
	wg.Wait()
	if err := errors.Join(faults...); err != nil {
		return err
	}
	want := handles * b.rotations
	if server.replays > 0 {
		return fmt.Errorf("%d of %d tokens were used twice", server.replays, want)
	}
	rec, err := b.b.Load(b.ctx, key)
	if err != nil {
		return fmt.Errorf("Load: %w", err)
	}
	if server.current != want || string(rec.Data) != strconv.Itoa(want) {
		return fmt.Errorf("the token of %d exchanges is not what is stored: one was lost", server.current)
	}
	return nil
}

// rotate renews the token so many times by itself.
func rotate(ctx context.Context, s auth.TokenStore, key auth.Key, server *counter, times int) error {
	var seen uint64
	for times > 0 {
		a := update(ctx, s, key, seen, func(_ context.Context, cur auth.Record) (auth.Record, error) {
			data := server.exchange(cur.Data)
			time.Sleep(latency)
			return auth.Record{Data: data}, nil
		})
		if a.err != nil {
			return fmt.Errorf("Update among others: %w", a.err)
		}
		if a.calls > 1 {
			return fmt.Errorf("Update called fn %d times", a.calls)
		}
		seen = a.rec.Version
		times -= a.calls
	}
	return nil
}
