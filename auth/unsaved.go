package auth

import (
	"context"
	"errors"
	"time"

	"github.com/restconn/restconn/internal/flight"
	"github.com/restconn/restconn/internal/wait"
)

// lastSave is how long the last try to save may take, when nobody waits for it any more.
const lastSave = 5 * time.Second

// keepUnsaved returns what the exchange has brought, and the store could not save, as a token in use.
func (r *renewal) keepUnsaved(version uint64, why error) *held {
	h := r.renewed(version)
	h.unsaved, r.kept = true, why
	return h
}

// save has the token in use saved later, or at once if this is the end.
func (r *renewal) save(ctx context.Context) {
	if r.saveLater(r.phase) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSave)
	defer cancel()
	r.saveNow(ctx)
}

// saveLater starts somebody who tries to save until it is done, unless there is one. It reports whether there is one
// now; there is none when the phase is over.
func (k *keeper) saveLater(s *phase) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.m.renewals.join(s) {
		return false
	}
	if k.saving {
		k.m.renewals.leave(s)
		return true
	}
	k.saving = true
	go func() {
		defer k.m.renewals.leave(s)
		k.keepSaving(s.over)
	}()
	return true
}

// resume starts to save again what could not be saved when all connections were closed.
func (k *keeper) resume() {
	if !k.holdsUnsaved() {
		return
	}
	if s, err := k.m.renewals.begin(); err == nil {
		k.saveLater(s)
		k.m.renewals.leave(s)
	}
}

// keepSaving tries to save until it is done, and once more when the phase is over.
func (k *keeper) keepSaving(over context.Context) {
	for failures := 1; ; failures++ {
		ended := wait.For(over, backoff(failures, nil)) != nil
		ctx, cancel := context.WithTimeout(over, k.flightLimit())
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
	out, mine, err := k.write(ctx, h.version, h.token, func() error {
		if k.exchanging.Load() || k.current.Load() != h { // there is a newer one, or there will be
			return errReplaced
		}
		return nil
	})
	switch {
	case err != nil:
	case mine:
		k.saved(h, out.Version)
	case out.Version == 0: // it was deleted, and so is ours
		k.deleted(h)
	default:
		k.replaceBy(h, out)
	}
}

// deleted takes note that somebody has deleted the record that h was made from. The seed is as old, and goes, too.
func (k *keeper) deleted(h *held) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current.CompareAndSwap(h, nil) {
		k.forgot = true
	}
}

// saved takes note that the store has h.
func (k *keeper) saved(h *held, version uint64) {
	saved := *h
	saved.version, saved.unsaved = version, false
	if k.current.CompareAndSwap(h, &saved) {
		k.tell(Event{Kind: EventSaved, Expiry: saved.token.Expiry})
	}
}

// replaceBy gives h up for what somebody else has saved, unless that is of no use: then it is to be overwritten. The
// record may also be h itself, if the answer to a former try was lost.
func (k *keeper) replaceBy(h *held, rec Record) {
	t, err := decodeToken(rec.Data)
	if err != nil {
		return
	}
	if t.Value.Equal(h.token.Value) && t.Refresh.Equal(h.token.Refresh) {
		k.saved(h, rec.Version)
		return
	}
	next := k.hold(t, rec.Version)
	if next.serves(Want{}, time.Now()) || t.Refresh.Reveal() != "" {
		if k.current.CompareAndSwap(h, next) {
			k.tell(Event{Kind: EventAdopted, Expiry: t.Expiry})
		}
		return
	}
	newer := *h
	newer.version = rec.Version
	k.current.CompareAndSwap(h, &newer)
}

// set keeps t in place of what there is.
func (k *keeper) set(ctx context.Context, t *Token) error {
	h := k.hold(t, 0)
	if t.Expiry.IsZero() && k.m.lifetime > 0 && t.Value.Reveal() != "" {
		own := *h.token
		own.Expiry = own.Obtained.Add(k.m.lifetime)
		h = k.hold(&own, 0)
	}
	if k.m.store != nil {
		var err error
		if h.version, err = k.overwrite(ctx, h.token); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.edits++
	k.forgot = true
	k.replace(h)
	return nil
}

// write saves t in place of the record of that version, unless check is against it when the time has come. It reports
// whether the record was still that one.
func (k *keeper) write(
	ctx context.Context, version uint64, t *Token, check func() error,
) (rec Record, mine bool, err error) {
	rec, err = flight.Catch(func() (Record, error) {
		return k.m.store.Update(ctx, k.key, version, func(_ context.Context, live Record) (Record, error) {
			mine = true
			if err := check(); err != nil {
				return live, err
			}
			data, err := encodeToken(t, live.Data)
			return Record{Data: data}, err
		})
	})
	return rec, mine, err
}

// overwrite writes t over whatever the store has.
func (k *keeper) overwrite(ctx context.Context, t *Token) (uint64, error) {
	for range joins {
		rec, err := k.m.store.Load(ctx, k.key)
		if err != nil {
			return 0, err
		}
		out, mine, err := k.write(ctx, rec.Version, t, func() error { return nil })
		if err != nil || mine {
			return out.Version, err
		}
	}
	return 0, &StoreError{Op: "save", Err: errors.New("others write it all the time")}
}

// forget revokes the token and deletes it.
func (k *keeper) forget(ctx context.Context, g Grant) error {
	began := ctx.Err() == nil
	h := k.drop()
	if k.m.store == nil {
		return revoke(ctx, g, h)
	}
	rec, err := flight.Catch(func() (Record, error) { return k.m.store.Load(ctx, k.key) })
	faults := []error{err}
	if t, err := decodeToken(rec.Data); err == nil && rec.Version != 0 && (h == nil || !h.unsaved) {
		h = k.hold(t, rec.Version)
	}
	faults = append(faults, revoke(ctx, g, h))
	own := ctx
	if began && ctx.Err() != nil { // a server that does not answer must not keep the token here
		bounded, end := context.WithTimeout(context.WithoutCancel(ctx), loadLimit)
		defer end()
		own = bounded
	}
	faults = append(faults, caught(func() error { return k.m.store.Delete(own, k.key) }))
	late := k.drop() // what was found in the store meanwhile, or made of it
	if h == nil || late != nil && !late.token.Value.Equal(h.token.Value) {
		faults = append(faults, revoke(ctx, g, late))
	}
	return errors.Join(faults...)
}

// revoke revokes a token, if there is one, and if the grant can.
func revoke(ctx context.Context, g Grant, h *held) error {
	revoker, ok := g.(Revoker)
	if !ok || h == nil {
		return nil
	}
	return caught(func() error { return revoker.Revoke(ctx, h.token) })
}

// drop takes the token out of use, and the seed with it. What comes of an exchange that is under way is not accepted.
func (k *keeper) drop() *held {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.edits++
	h := k.current.Load()
	if h == nil && !k.forgot && k.m.seed != nil && k.key.Subject == "" {
		h = k.hold(k.m.seed, 0)
	}
	k.forgot = true
	k.replace(nil)
	return h
}

// caught calls f, and returns a panic as an error.
func caught(f func() error) error {
	_, err := flight.Catch(func() (struct{}, error) { return struct{}{}, f() })
	return err
}
