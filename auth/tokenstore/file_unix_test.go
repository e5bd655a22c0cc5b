//go:build unix

package tokenstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/internal/asnobody"
)

func TestFileM4Modes(t *testing.T) { //nolint:paralleltest // the umask is that of the process
	before := syscall.Umask(0)
	defer syscall.Umask(before)
	parent := t.TempDir()
	dir := filepath.Join(parent, "a", "b")
	put(t, tokenstore.NewFile(dir), theKey, "x")
	for path, want := range map[string]fs.FileMode{
		filepath.Join(parent, "a"): 0o700, dir: 0o700,
		recordPath(dir, theKey):                                  0o600,
		filepath.Join(dir, tokenstore.FileName(theKey)+".lease"): 0o600,
		filepath.Join(dir, tokenstore.FileName(theKey)+".lock"):  0o600,
	} {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %#o, want %#o", path, got, want)
		}
	}
}

// TestFileM4Refuses spoils a store that works, each time in one way.
func TestFileM4Refuses(t *testing.T) {
	t.Parallel()
	const nobody = 65534
	root := os.Geteuid() == 0
	record := func(dir string) string { return recordPath(dir, theKey) }
	lease := func(dir string) string { return filepath.Join(dir, tokenstore.FileName(theKey)+".lease") }
	lock := func(dir string) string { return filepath.Join(dir, tokenstore.FileName(theKey)+".lock") }
	elsewhere := func(dir, path string) error {
		target := filepath.Join(filepath.Dir(dir), "elsewhere")
		return errors.Join(os.Rename(path, target), os.Symlink(target, path))
	}
	for name, c := range map[string]struct {
		spoil      func(dir string) error
		loads      bool // Load does not look there
		privileged bool // it takes the superuser
	}{
		"M4 directory 0777":       {spoil: func(dir string) error { return os.Chmod(dir, 0o777) }},
		"M4 directory 0720":       {spoil: func(dir string) error { return os.Chmod(dir, 0o720) }},
		"M4 directory is a link":  {spoil: func(dir string) error { return elsewhere(dir, dir) }},
		"M4 directory of another": {privileged: true, spoil: func(dir string) error { return os.Chown(dir, nobody, -1) }},
		"M4 record 0644":          {spoil: func(dir string) error { return os.Chmod(record(dir), 0o644) }},
		"M4 record 0602":          {spoil: func(dir string) error { return os.Chmod(record(dir), 0o602) }},
		"M4 record is a link":     {spoil: func(dir string) error { return elsewhere(dir, record(dir)) }},
		"M4 record of another": {privileged: true, spoil: func(dir string) error {
			return os.Chown(record(dir), nobody, -1)
		}},
		"M4 record is a pipe": {spoil: func(dir string) error {
			return errors.Join(os.Remove(record(dir)), syscall.Mkfifo(record(dir), 0o600))
		}},
		"M4 lease is a link": {loads: true, spoil: func(dir string) error { return elsewhere(dir, lease(dir)) }},
		"M4 lock is a link":  {loads: true, spoil: func(dir string) error { return elsewhere(dir, lock(dir)) }},
		"M4 lease is a pipe": {loads: true, spoil: func(dir string) error {
			return errors.Join(os.Remove(lease(dir)), syscall.Mkfifo(lease(dir), 0o600))
		}},
		"M4 lock of another": {loads: true, privileged: true, spoil: func(dir string) error {
			return os.Chown(lock(dir), nobody, -1)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.privileged && !root {
				t.Skip("only the superuser gives files away")
			}
			s, dir := newFile(t)
			rec := put(t, s, theKey, "old")
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			got, err := s.Load(t.Context(), theKey)
			if c.loads {
				if err != nil || string(got.Data) != "old" {
					t.Errorf("Load returned %q, %v", got.Data, err)
				}
			} else {
				refused(t, err)
			}
			_, err = s.Update(t.Context(), theKey, rec.Version, give("new"))
			refused(t, err)
		})
	}
}

// refused checks the error of what is not safe.
func refused(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[*auth.StoreError](err); !ok {
		t.Errorf("error %v, want an *auth.StoreError", err)
	}
	if !errors.Is(err, tokenstore.ErrPermissions) {
		t.Errorf("error %v, want %v", err, tokenstore.ErrPermissions)
	}
}

// TestFileM5ReadOnly has a directory in which nothing can be made: what is there is read all the same.
func TestFileM5ReadOnly(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 { // to whom nothing is denied
		asnobody.Run(t)
		return
	}
	s, dir := newFile(t)
	rec := put(t, s, theKey, "old")
	lock := filepath.Join(dir, tokenstore.FileName(theKey)+".lock")
	if err := errors.Join(os.Remove(lock), os.Chmod(dir, 0o500)); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chmod(dir, 0o700) }()
	_, err := s.Update(t.Context(), theKey, rec.Version, give("new"))
	wantStoreError(t, err, fs.ErrPermission)
	if got := text(t, s, theKey); got != "old" {
		t.Errorf("stored is %q", got)
	}
}

func TestFileM11(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{syscall.ENOLCK, syscall.ENOSYS, syscall.ENOTSUP, syscall.EOPNOTSUPP} {
		t.Run(fmt.Sprint("M11 ", cause), func(t *testing.T) {
			t.Parallel()
			err := tokenstore.LockError(&fs.PathError{Op: "flock", Path: "x", Err: cause})
			if !errors.Is(err, tokenstore.ErrLockUnsupported) || !errors.Is(err, cause) {
				t.Errorf("error %v", err)
			}
		})
	}
	if err := tokenstore.LockError(syscall.EACCES); errors.Is(err, tokenstore.ErrLockUnsupported) {
		t.Errorf("error %v", err)
	}
}

// TestFileM3 kills a process at each step of its saves.
func TestFileM3(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 10; n++ {
		t.Run(fmt.Sprintf("M3 step %d", n), func(t *testing.T) {
			t.Parallel()
			s, dir := newFile(t)
			old := put(t, s, theKey, "old")
			cmd := command(t, "die", dir, nil, n)
			out, err := cmd.CombinedOutput()
			status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if !ok || status.Signal() != syscall.SIGKILL {
				t.Fatalf("the process was not killed: %v\n%s", err, out)
			}
			rec, err := s.Load(t.Context(), theKey)
			if err != nil {
				t.Fatal(err)
			}
			// Five steps mark, and the tenth comes after the rename.
			want := auth.Record{Version: old.Version, Data: []byte("old"), InFlight: n >= 5}
			if n == 10 {
				want = auth.Record{Version: old.Version + 1, Data: []byte("new")}
			}
			if rec.Version != want.Version || !bytes.Equal(rec.Data, want.Data) || rec.InFlight != want.InFlight {
				t.Errorf("stored is %d %q %v, want %d %q %v",
					rec.Version, rec.Data, rec.InFlight, want.Version, want.Data, want.InFlight)
			}
			put(t, s, theKey, "after")
			if len(names(t, dir)) != 3 {
				t.Errorf("files are %v", names(t, dir))
			}
		})
	}
}

// die renews the token, and is killed at the step whose number is given.
func die(dir, times string) error {
	n, err := strconv.Atoi(times)
	if err != nil {
		return err
	}
	rec, err := tokenstore.NewFile(dir).Load(context.Background(), theKey)
	if err != nil {
		return err
	}
	count := 0
	s := tokenstore.NewFileSteps(dir, func(string) error {
		count++
		if count == n {
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		return nil
	})
	_, err = s.Update(context.Background(), theKey, rec.Version, give("new"))
	return err
}
