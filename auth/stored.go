package auth

import (
	"context"
	"net/http"
	"time"

	"github.com/restconn/restconn/secrets"
)

// storedSource is a TokenSource that may share its tokens with others by way of a store.
type storedSource interface {
	// stored reports whether there is another token than not by now, because somebody has put it into the store. It
	// makes no exchange.
	stored(ctx context.Context, not secrets.Value) bool
}

// storeHas reports whether the answer says that the token lacks something, and the store of source has another one by
// now: the user may have allowed more, and logged in with another process.
func storeHas(ctx context.Context, source TokenSource, resp *http.Response, lacking secrets.Value) bool {
	s, ok := source.(storedSource)
	return ok && StepUp(resp.StatusCode, resp.Header) != nil && s.stored(ctx, lacking)
}

// stored implements storedSource.
func (m *Manager) stored(ctx context.Context, not secrets.Value) bool {
	caller, err := m.caller()
	if err != nil {
		return false
	}
	k, err := m.keeper(ctx)
	return err == nil && k.stored(ctx, caller, not)
}

// stored implements storedSource.
func (b *boundManager) stored(ctx context.Context, not secrets.Value) bool {
	k, err := b.keeper(ctx)
	return err == nil && k.stored(ctx, b.caller, not)
}

// stored reports whether there is another token than not. It waits for the store no longer than a load may take.
func (k *keeper) stored(ctx context.Context, c caller, not secrets.Value) bool {
	if k.m.store == nil || c.gone() {
		return false
	}
	want := Want{Not: not}
	if k.current.Load().serves(want, time.Now()) {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	if _, err := k.looks.Do(ctx, struct{}{}, loadLimit, k.look(c)); err != nil {
		return false
	}
	return k.current.Load().serves(want, time.Now())
}

// look returns the function of a flight that takes up what the store has, unless it was looked at a moment ago.
func (k *keeper) look(c caller) func(context.Context) (struct{}, error) {
	return func(ctx context.Context) (none struct{}, err error) {
		s, err := k.m.renewals.begin()
		if err != nil {
			return none, err
		}
		defer k.m.renewals.leave(s)
		if c.gone() {
			return none, errPhaseOver
		}
		if !k.looked.IsZero() && time.Since(k.looked) < lookAgain {
			return none, nil
		}
		ctx, cancel := context.WithCancelCause(WithSubject(ctx, k.key.Subject))
		defer cancel(nil)
		stop := context.AfterFunc(s.over, func() { cancel(errPhaseOver) })
		defer stop()
		defer func() { k.looked = time.Now() }()
		if err := k.takeUp(ctx); err != nil {
			k.storeFailed(ctx, err)
			return none, err
		}
		return none, nil
	}
}

// takeUp makes the token that the store has the one in use, if it is another one and good.
func (k *keeper) takeUp(ctx context.Context) error {
	k.mu.Lock()
	cur, edits := k.current.Load(), k.edits
	k.mu.Unlock()
	rec, err := k.load(ctx)
	if err != nil || rec.Version == 0 || cur != nil && rec.Version == cur.version {
		return err
	}
	t, err := decodeToken(rec.Data)
	if err != nil {
		return err
	}
	next := k.hold(t, rec.Version)
	if next.serves(Want{}, time.Now()) && k.swap(cur, next, edits) {
		k.tell(Event{Kind: EventAdopted, Expiry: t.Expiry})
	}
	return nil
}

// swap makes next the token in use in place of cur, unless there is another one by now, or it was set or
// forgotten since there were so many edits.
func (k *keeper) swap(cur, next *held, edits int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.edits != edits || k.current.Load() != cur {
		return false
	}
	k.replace(next)
	return true
}
