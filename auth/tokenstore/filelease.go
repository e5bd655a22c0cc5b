package tokenstore

import (
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// claimKey names a lease that this process holds.
type claimKey struct{ owner, name string }

// claim is a lease that this process holds: an open lock file, until Release or until its time is over.
type claim struct {
	mu    sync.Mutex
	lock  *flock.Flock // nil once the lease is over
	timer *time.Timer
	saved bool // the owner's name is in the record, unless somebody deleted it
}

// end gives the lock back. It waits for a save that is under way.
func (c *claim) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	unlock(c.lock)
	c.lock = nil
}

// extend starts the time anew, and reports whether the lease was not over.
func (c *claim) extend(ttl time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lock == nil {
		return false
	}
	c.timer.Reset(ttl)
	return true
}

// take takes the lease if it is free.
func (f *files) take(d *slot, owner string, ttl time.Duration) (bool, error) {
	k := claimKey{owner, d.name}
	if c := f.claim(k); c != nil {
		if c.extend(ttl) {
			return true, nil
		}
		f.drop(k)
	}
	lock, err := d.tryLock(leaseFile)
	if lock == nil || err != nil {
		return false, err
	}
	c := &claim{lock: lock}
	c.timer = time.AfterFunc(ttl, c.end)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.claims[k] = c
	return true, nil
}

// claim returns a lease that this process took, or nil.
func (f *files) claim(k claimKey) *claim {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.claims[k]
}

// drop ends a lease, if there is one.
func (f *files) drop(k claimKey) {
	f.mu.Lock()
	c := f.claims[k]
	delete(f.claims, k)
	f.mu.Unlock()
	if c != nil {
		c.timer.Stop()
		c.end()
	}
}
