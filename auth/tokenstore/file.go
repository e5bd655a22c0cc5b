package tokenstore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/restconn/restconn/auth"
)

// What the [auth.StoreError] of a [NewFile] store may wrap, beside errors of the operating system.
var (
	// ErrCorrupt says that a file was not a record of its key: torn, empty, of another program, or moved. It was given
	// another name, which the text tells, and is not looked at again: the next call finds no record.
	ErrCorrupt = errors.New("the file is not a record of this key")
	// ErrNewerFormat says that a file was written by a later version of this module. It is left as it is.
	ErrNewerFormat = errors.New("the record has a newer format: update the program, or give it a directory of its own")
	// ErrPermissions says that others could read or change what is kept: because of a mode, a foreign owner, or a
	// symbolic link.
	ErrPermissions = errors.New("the token store is open to others")
	// ErrNotDirectory says that there is something else where the directory should be.
	ErrNotDirectory = errors.New("not a directory: the store keeps one file for each key, so name a directory")
	// ErrLockUnsupported says that the file system cannot lock files, as some network file systems.
	ErrLockUnsupported = errors.New("the file system cannot lock files: " +
		"keep the tokens on a local disk, or in a database that the machines share")
)

// NewFile returns a store in the directory at path, which several processes of one machine can share. A relative path
// starts from the working directory of the moment of NewFile. Nothing is touched before the first call.
//
// The directory has one file for each key, and its locks; a single file for all would make every key wait for every
// other, and could lose all at once. A missing directory is made, for its owner only (0700), and the files are made
// with mode 0600. [ErrPermissions] is the answer if others can write to the directory, if it or a file belongs to
// somebody else or is a symbolic link, and if others can read a file. Windows has no such modes: keep the directory
// below the profile of the user there. The tokens are in the clear, except with [Sealed].
//
// A record is written to a new file, synced, and renamed, so that it is there whole or not at all, also after a power
// cut. It may have 1 MiB ([ErrTooLarge]). A file that is none of ours is kept under another name and reported as
// [ErrCorrupt]. Delete removes those as well. Members that a record does not know are kept.
//
// A lease is a lock of the operating system, which ends with its process; [Lease] is for a holder that hangs. A process
// that is stopped (SIGSTOP) keeps its lease: the others wait until it goes on or dies, or until their ctx ends. On
// Windows, an Update that begins after a Delete waits for the one that was under way.
//
// The store is safe for concurrent use. A file system that hangs cannot be interrupted.
func NewFile(path string, opts ...Option) auth.TokenStore { return newFile(path, nil, opts) }

func newFile(path string, step func(name string) error, opts []Option) auth.TokenStore {
	f := &files{step: step, claims: make(map[claimKey]*claim)}
	switch {
	case path == "":
		f.fault = errors.New("the path is empty")
	case strings.Contains(path, "\x00"):
		f.fault = errors.New("there is a NUL in the path")
	default:
		f.path, f.fault = filepath.Abs(path)
	}
	return Leased(f, opts...)
}

// files is a [Backend] in a directory. A key has up to four files, named by its hash: the record (.json), the same
// while it is written (.tmp), the lease (.lease), and the lock around each change (.lock).
type files struct {
	path  string
	fault error
	step  func(name string) error // nil but in tests, which make a step of a change fail

	mu     sync.Mutex
	claims map[claimKey]*claim
}

// Validate implements [auth.Validator].
func (f *files) Validate() error { return f.fault }

// Load implements [Backend].
func (f *files) Load(ctx context.Context, key auth.Key) (auth.Record, error) {
	d, err := f.open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return auth.Record{}, nil
	}
	if err != nil {
		return auth.Record{}, err
	}
	defer d.close()
	s, err := d.load(ctx)
	return s.Record, err
}

// Acquire implements [Backend].
func (f *files) Acquire(
	ctx context.Context, key auth.Key, owner string, ttl time.Duration,
) (rec auth.Record, held bool, err error) {
	if err := makeDir(f.path); err != nil {
		return auth.Record{}, false, err
	}
	d, err := f.open(key)
	if err != nil {
		return auth.Record{}, false, err
	}
	defer d.close()
	held, err = f.take(d, owner, ttl)
	if err != nil {
		return auth.Record{}, false, err
	}
	s, err := d.load(ctx)
	if err != nil {
		f.drop(claimKey{owner, d.name})
		return auth.Record{}, false, err
	}
	return s.Record, held, nil
}

// Save implements [Backend].
func (f *files) Save(ctx context.Context, key auth.Key, owner string, seen uint64, rec auth.Record) error {
	d, err := f.open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrLeaseLost
	}
	if err != nil {
		return err
	}
	defer d.close()
	c := f.claim(claimKey{owner, d.name})
	if c == nil {
		return ErrLeaseLost
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	unlock, err := d.exclude(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return d.save(c, owner, seen, rec)
}

// Release implements [Backend].
func (f *files) Release(_ context.Context, key auth.Key, owner string) error {
	f.drop(claimKey{owner, fileName(key)})
	return nil
}

// Delete implements [Backend].
func (f *files) Delete(ctx context.Context, key auth.Key) error {
	d, err := f.open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.close()
	unlock, err := d.exclude(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return d.remove()
}

// open opens the directory, which has to be there.
func (f *files) open(key auth.Key) (*slot, error) {
	root, err := openDir(f.path)
	if err != nil {
		return nil, err
	}
	return &slot{root: root, path: f.path, key: key, name: fileName(key), step: f.step}, nil
}

// makeDir makes the directory if there is none.
func makeDir(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(path, ownerOnlyDir); err != nil {
		return err
	}
	syncDir(filepath.Dir(path))
	return nil
}

// syncDir makes changes of names survive a power cut where the system can do that.
func syncDir(path string) {
	if dir, err := os.Open(path); err == nil { //nolint:gosec // the caller's own path
		_ = dir.Sync()
		_ = dir.Close()
	}
}
