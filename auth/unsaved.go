package auth

import (
	"context"
	"errors"
	"time"

	"github.com/restconn/restconn/internal/wait"
)

// lastSave is how long the last try to save may take, when nobody waits for it any more.
const lastSave = 5 * time.Second

// keepUnsaved returns a token that the store could not save as one in use.
func (r *renewal) keepUnsaved(t *Token, version uint64, why error) *held {
	r.tell(Event{Kind: EventUnsaved, Expiry: t.Expiry, Err: why})
	h := r.hold(t, version)
	h.unsaved = true
	return h
}

// save has the token in use saved later, or at once if this is the end.
func (r *renewal) save(ctx context.Context) {
	if r.over.Err() == nil && r.saveLater() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSave)
	defer cancel()
	r.saveNow(ctx)
}

// saveLater starts somebody who tries to save until it is done, unless there is one. It reports whether there is one
// now.
func (k *keeper) saveLater() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.saving {
		return true
	}
	over, done, err := k.m.crew.begin()
	if err != nil {
		return false
	}
	k.saving = true
	go func() {
		defer done()
		k.keepSaving(over)
	}()
	return true
}

// keepSaving tries to save until it is done, and once more when the shift is over.
func (k *keeper) keepSaving(over context.Context) {
	for failures := 1; ; failures++ {
		ended := wait.For(over, backoff(failures, nil)) != nil
		ctx, cancel := context.WithTimeout(context.WithoutCancel(over), k.flightLimit())
		if ended {
			cancel()
			ctx, cancel = context.WithTimeout(context.WithoutCancel(over), lastSave)
		}
		k.saveNow(ctx)
		cancel()
		if k.rest(ended) {
			return
		}
	}
}

// rest reports whether there is nothing left to save, or no time for it.
func (k *keeper) rest(ended bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !ended && k.holdsUnsaved() {
		return false
	}
	k.saving = false
	return true
}

// saveNow saves the token in use, if the store has not got it.
func (k *keeper) saveNow(ctx context.Context) {
	h := k.current.Load()
	if h == nil || !h.unsaved {
		return
	}
	called := false
	out, err := k.m.store.Update(ctx, k.key, h.version, func(_ context.Context, live Record) (Record, error) {
		called = true
		data, err := encodeToken(h.token, live.Data)
		return Record{Data: data}, err
	})
	switch {
	case err != nil:
	case !called && out.Version == 0: // it was deleted, and so is ours
		k.current.CompareAndSwap(h, nil)
	case !called: // somebody else has saved another one meanwhile
		if t, err := decodeToken(out.Data); err == nil && k.current.CompareAndSwap(h, k.hold(t, out.Version)) {
			k.tell(Event{Kind: EventAdopted, Expiry: t.Expiry})
		}
	default:
		saved := *h
		saved.version, saved.unsaved = out.Version, false
		if k.current.CompareAndSwap(h, &saved) {
			k.tell(Event{Kind: EventSaved, Expiry: saved.token.Expiry})
		}
	}
}

// set keeps t in place of what there is.
func (k *keeper) set(ctx context.Context, t *Token) error {
	_, done, err := k.m.crew.begin()
	if err != nil {
		return fail("manager", err)
	}
	defer done()
	h := k.hold(t, 0)
	if k.m.store != nil {
		version, err := k.overwrite(ctx, h.token)
		if err != nil {
			return err
		}
		h.version = version
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forgot = true
	k.replace(h)
	return nil
}

// overwrite writes t over whatever the store has.
func (k *keeper) overwrite(ctx context.Context, t *Token) (uint64, error) {
	for range joins {
		rec, err := k.m.store.Load(ctx, k.key)
		if err != nil {
			return 0, err
		}
		called := false
		out, err := k.m.store.Update(ctx, k.key, rec.Version, func(_ context.Context, live Record) (Record, error) {
			called = true
			data, err := encodeToken(t, live.Data)
			return Record{Data: data}, err
		})
		if err != nil || called {
			return out.Version, err
		}
	}
	return 0, &StoreError{Op: "save", Err: errors.New("others write it all the time")}
}

// forget revokes the token and deletes it.
func (k *keeper) forget(ctx context.Context, g Grant) error {
	h := k.current.Load()
	var faults []error
	if k.m.store != nil {
		rec, err := k.m.store.Load(ctx, k.key)
		faults = append(faults, err)
		if t, err := decodeToken(rec.Data); err == nil && rec.Version != 0 && (h == nil || !h.unsaved) {
			h = k.hold(t, rec.Version)
		}
	}
	if revoker, ok := g.(Revoker); ok && h != nil {
		faults = append(faults, revoker.Revoke(ctx, h.token))
	}
	if k.m.store != nil {
		faults = append(faults, k.m.store.Delete(ctx, k.key))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forgot, k.failure, k.failures, k.lost = true, nil, 0, lostGrant{}
	k.current.Store(nil)
	return errors.Join(faults...)
}
