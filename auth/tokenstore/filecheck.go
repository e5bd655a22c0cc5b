package tokenstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

const (
	ownerOnly    = 0o600
	ownerOnlyDir = 0o700
)

// openDir opens the directory if nobody else can write to it.
func openDir(path string) (*os.Root, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if err := checkDir(path, info); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	opened, err := root.Stat(".")
	if err == nil && !os.SameFile(info, opened) {
		err = fmt.Errorf("%w: %s was replaced while it was opened", ErrPermissions, path)
	}
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	return root, nil
}

// checkDir refuses a directory into which others could put files. The superuser may own it: nothing keeps him out.
func checkDir(path string, info fs.FileInfo) error {
	perm := info.Mode().Perm()
	switch uid, known := ownerOf(info); {
	case info.Mode().Type() == fs.ModeSymlink:
		return fmt.Errorf("%w: %s is a symbolic link: name what it leads to", ErrPermissions, path)
	case !info.IsDir():
		return fmt.Errorf("%w: %s", ErrNotDirectory, path)
	case known && uid != os.Geteuid() && uid != 0:
		return fmt.Errorf("%w: %s belongs to somebody else (uid %d)", ErrPermissions, path, uid)
	case known && perm&0o022 != 0:
		return fmt.Errorf("%w: others can write to %s (mode %#o): chmod it to 0700", ErrPermissions, path, perm)
	}
	return nil
}

// openPlain opens a file of ours for reading. It waits for no pipe and follows no link.
func openPlain(root *os.Root, name string) (*os.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if err := checkFile(name, info); err != nil {
		return nil, err
	}
	f, err := root.OpenFile(name, readFlags, 0)
	if err != nil {
		return nil, err
	}
	info, err = f.Stat()
	if err == nil {
		err = checkFile(name, info)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// checkFile refuses a file that is not ours alone.
func checkFile(name string, info fs.FileInfo) error {
	perm := info.Mode().Perm()
	switch uid, known := ownerOf(info); {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: %s is not a regular file (%s)", ErrPermissions, name, info.Mode().Type())
	case known && uid != os.Geteuid():
		return fmt.Errorf("%w: %s belongs to somebody else (uid %d)", ErrPermissions, name, uid)
	case known && perm&0o077 != 0:
		return fmt.Errorf("%w: %s has mode %#o: chmod it to 0600", ErrPermissions, name, perm)
	}
	return nil
}

// lockError explains a lock that failed for good.
func lockError(err error) error {
	if errors.Is(err, errors.ErrUnsupported) || noLocks(err) {
		return fmt.Errorf("%w (%w)", ErrLockUnsupported, err)
	}
	if isLink(err) {
		return fmt.Errorf("%w: a lock is a symbolic link (%w)", ErrPermissions, err)
	}
	return err
}
