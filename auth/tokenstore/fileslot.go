package tokenstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/gofrs/flock"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/partfile"
	"github.com/restconn/restconn/internal/wait"
)

const (
	recordFile = ".json"
	tempFile   = ".tmp"
	leaseFile  = ".lease"
	lockFile   = ".lock"
	asideFile  = ".corrupt-" // and a random text

	maxFile = 1 << 20
)

// slot is the place of one key in the open directory.
type slot struct {
	root *os.Root
	path string // of the directory
	key  auth.Key
	name string // of the files, without the end
	step func(name string) error
}

func (d *slot) close() { _ = d.root.Close() }

// at tells the tests which step comes next, and returns what they say.
func (d *slot) at(step string) error {
	if d.step == nil {
		return nil
	}
	return d.step(step)
}

// load reads the record. What is no record is set aside.
func (d *slot) load(ctx context.Context) (stored, error) {
	s, err := d.read()
	if !errors.Is(err, ErrCorrupt) {
		return s, err
	}
	unlock, err := d.exclude(ctx)
	if err != nil {
		return stored{}, err
	}
	defer unlock()
	s, err = d.read() // it may have been replaced meanwhile
	if !errors.Is(err, ErrCorrupt) {
		return s, err
	}
	aside, failed := d.setAside()
	if failed != nil {
		return stored{}, fmt.Errorf("%w; it could not be set aside: %w", err, failed)
	}
	return stored{}, fmt.Errorf("%w; it is kept as %s", err, filepath.Join(d.path, aside))
}

// read reads the record as it is.
func (d *slot) read() (stored, error) {
	f, err := openPlain(d.root, d.name+recordFile)
	if errors.Is(err, fs.ErrNotExist) {
		return stored{}, nil
	}
	if err != nil {
		return stored{}, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return stored{}, err
	}
	return decode(d.key, text)
}

// setAside gives a file that is no record a name that no other has.
func (d *slot) setAside() (string, error) {
	aside := d.name + asideFile + rand.Text()
	if err := d.at("aside"); err != nil {
		return "", err
	}
	return aside, d.root.Rename(d.name+recordFile, aside)
}

// save replaces the record if the claim holds. The caller has excluded all others.
func (d *slot) save(c *claim, owner string, seen uint64, rec auth.Record) error {
	if c.lock == nil || !d.inPlace(c.lock, leaseFile) {
		return ErrLeaseLost
	}
	s, err := d.read()
	switch {
	case errors.Is(err, ErrCorrupt):
		// Nobody else had the right to write, and a new token is not given up for what they wrote.
		if _, err := d.setAside(); err != nil {
			return err
		}
	case err != nil:
		return err
	case s.Version != seen || c.saved && s.holder != owner:
		return ErrLeaseLost
	}
	text, err := s.encode(d.key, owner, rec)
	if err != nil {
		return err
	}
	if err := d.write(text); err != nil {
		return err
	}
	c.saved = true
	return nil
}

// write replaces the file as a whole.
func (d *slot) write(text []byte) error {
	err := d.at("sweep")
	if err == nil {
		err = ignoreMissing(d.root.Remove(d.name + tempFile)) // left by somebody who died
	}
	if err == nil {
		err = d.at("create")
	}
	if err != nil {
		return err
	}
	p, err := partfile.Create(d.root, d.name+tempFile)
	if err != nil {
		return err
	}
	defer p.Discard()
	if err := d.at("write"); err != nil {
		return err
	}
	if _, err := p.Write(text); err != nil {
		return err
	}
	if err := d.at("commit"); err != nil {
		return err
	}
	if err := p.Commit(d.name+recordFile, true); err != nil {
		return err
	}
	return d.at("done")
}

// remove removes the record, and with it the lease, whoever's it is. The caller has excluded all others.
func (d *slot) remove() error {
	var faults []error
	for _, end := range []string{recordFile, tempFile} {
		err := d.at("remove " + end)
		if err == nil {
			err = ignoreMissing(d.root.Remove(d.name + end))
		}
		faults = append(faults, err)
	}
	faults = append(faults, d.removeAside())
	// Windows removes no file that is open. A holder of the lease finds its record gone all the same.
	for _, end := range []string{leaseFile, lockFile} {
		err := ignoreMissing(d.root.Remove(d.name + end))
		if runtime.GOOS != "windows" {
			faults = append(faults, err)
		}
	}
	syncDir(d.path)
	return errors.Join(faults...)
}

// removeAside removes what was set aside because it could not be read: it may hold what is to be forgotten.
func (d *slot) removeAside() error {
	aside, err := fs.Glob(d.root.FS(), d.name+asideFile+"*")
	faults := []error{err}
	for _, name := range aside {
		faults = append(faults, ignoreMissing(d.root.Remove(name)))
	}
	return errors.Join(faults...)
}

// exclude keeps all others from changing the files of the key, and returns what lets them in again.
func (d *slot) exclude(ctx context.Context) (func(), error) {
	poll := firstPoll
	for {
		lock, err := d.tryLock(lockFile)
		if err != nil {
			return nil, err
		}
		if lock != nil {
			return func() { unlock(lock) }, nil
		}
		if err := wait.For(ctx, jitter(poll)); err != nil {
			return nil, err
		}
		poll = min(2*poll, maxPoll)
	}
}

// tryLock takes a lock if it is free; else it returns nil.
func (d *slot) tryLock(end string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(d.path, d.name+end), flock.SetFlag(lockFlags), flock.SetPermissions(ownerOnly))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, lockError(err)
	}
	if !ok {
		return nil, nil //nolint:nilnil // there is no lock, and that is no fault
	}
	err = d.checkLock(end)
	if err == nil && d.inPlace(lock, end) {
		return lock, nil
	}
	unlock(lock) // if it was removed between opening and locking, somebody else had it
	return nil, err
}

// checkLock refuses what does not look like our lock file. A missing one is found by inPlace.
func (d *slot) checkLock(end string) error {
	info, err := d.root.Lstat(d.name + end)
	if err != nil {
		return ignoreMissing(err)
	}
	return checkFile(d.name+end, info)
}

// inPlace reports whether the locked file is the one that others find under its name.
func (d *slot) inPlace(lock *flock.Flock, end string) bool {
	locked, err := lock.Stat()
	if err != nil {
		return false
	}
	found, err := d.root.Lstat(d.name + end)
	return err == nil && os.SameFile(locked, found)
}

func unlock(lock *flock.Flock) {
	if lock != nil {
		_ = lock.Unlock() // if it fails, the lock ends with the process
	}
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
