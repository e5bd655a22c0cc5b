// Package partfile writes a file under a name of its own and gives it the final one when it is whole.
package partfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"syscall"
)

// File is a file in a directory, under a name of its own until it is committed.
type File struct {
	root   *os.Root
	name   string
	file   *os.File
	closed bool
	moved  bool
}

const ownerOnly = 0o600

// Create makes the file, which may not exist. It is its owner's only.
func Create(root *os.Root, name string) (*File, error) {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, ownerOnly)
	if err != nil {
		return nil, err
	}
	return &File{root: root, name: name, file: f}, nil
}

// Write implements [io.Writer].
func (p *File) Write(b []byte) (int, error) { return p.file.Write(b) }

// Clear empties the file.
func (p *File) Clear() error {
	if err := p.file.Truncate(0); err != nil {
		return err
	}
	_, err := p.file.Seek(0, io.SeekStart)
	return err
}

// close is idempotent. Windows renames and removes closed files only.
func (p *File) close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	return p.file.Close()
}

// Discard removes the file, unless it was committed.
func (p *File) Discard() {
	_ = p.close()
	if !p.moved {
		_ = p.root.Remove(p.name)
	}
}

// Commit gives the file its final name. Unless it may overwrite, of several who want the name one succeeds.
func (p *File) Commit(name string, overwrite bool) error {
	if err := p.file.Sync(); err != nil {
		return err
	}
	if err := p.close(); err != nil {
		return err
	}
	if overwrite {
		if err := p.rename(name); err != nil {
			return err
		}
		return syncDir(p.root)
	}
	if err := p.claim(name); err != nil {
		return err
	}
	return syncDir(p.root)
}

// claim gives the file a name that is free. A link does that at once; where there are none, the name is taken by an
// empty file first.
func (p *File) claim(name string) error {
	err := p.root.Link(p.name, name)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return pathError(err, name)
	}
	taken, err := Create(p.root, name)
	if err != nil {
		return err
	}
	err = taken.close()
	if err == nil {
		err = p.rename(name)
	}
	if err != nil {
		taken.Discard()
	}
	return err
}

func (p *File) rename(name string) error {
	err := p.root.Rename(p.name, name)
	p.moved = err == nil
	return pathError(err, name)
}

// pathError returns err as an error about one name.
func pathError(err error, name string) error {
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return &fs.PathError{Op: e.Op, Path: name, Err: e.Err}
	}
	return err
}

// syncDir makes the new name survive a power cut. Windows has no such call, and some file systems refuse it.
func syncDir(root *os.Root) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	err = dir.Sync()
	_ = dir.Close()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// Replaceable refuses what a rename should not replace: a device would be gone, and a directory does not give way.
func Replaceable(root *os.Root, name string) error {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return &fs.PathError{Op: "replace", Path: name, Err: syscall.EISDIR}
	case !info.Mode().IsRegular() && info.Mode().Type() != fs.ModeSymlink:
		return &fs.PathError{Op: "replace", Path: name, Err: errors.New("it is not a regular file")}
	}
	return nil
}

// errExists is [fs.ErrExist] with what helps.
var errExists = fmt.Errorf("%w: Overwrite replaces it", fs.ErrExist)

// Free refuses a name that is taken, by whatever it is.
func Free(root *os.Root, name string) error {
	_, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return &fs.PathError{Op: "create", Path: name, Err: errExists}
}
