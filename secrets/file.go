package secrets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

const maxFileSize = 64 << 10

// File returns the Provider that reads the file at path at every call, so that a rotated secret is seen at once. A
// path that is not absolute is relative to the working directory of that moment.
//
// The file is read whole each time, and not only when its time or size have changed: two writes within one tick of
// the file system's clock would look the same, and the read is a few microseconds against a request of milliseconds.
// Wrap the provider in [Cached] where that is too much. Rotate by renaming a new file over the old one, as Kubernetes
// does; of a file that is being written, a part may be read.
//
// One newline at the end ("\n" or "\r\n") is taken off, and all else is kept as it is: a secret may be binary. The
// faults:
//
//   - a missing file is [ErrNotFound], one that holds white space only is [ErrEmpty], one of more than 64 KiB is
//     [ErrTooLarge];
//   - a directory, pipe, socket or device is [ErrNotRegular], and is never waited for; symbolic links are followed,
//     since Kubernetes mounts secrets through them;
//   - a file that the group or others can read or write (mode 0077) is [ErrPermissions], except with [Shared]; Windows
//     has no such modes, and nothing is checked there;
//   - an error of the operating system is wrapped, for errors.Is with [fs.ErrNotExist], [fs.ErrPermission] and others;
//   - a path that is empty or holds a NUL is [ErrInvalid], and so is a nil option.
//
// A ctx that has ended is an error before the file is touched and before it is read. A file system that hangs cannot
// be interrupted; [Cached] lets the caller go all the same.
func File(path string, opts ...FileOption) Provider {
	f := file{path: path}
	for _, opt := range opts {
		if opt == nil {
			f.nilOption = true
			continue
		}
		opt.applyFile(&f)
	}
	return f
}

// FileOption is an option of [File].
type FileOption interface {
	applyFile(*file)
}

// Shared lets [File] read a file that its group can write and others can read, which is how containers mount secrets
// (mode 0644 or 0440, another owner). Use it where everything that can see the file runs as one user. A file that
// everyone can write is refused all the same. The default is a file that none but its owner can read or write.
func Shared() FileOption { return shared{} }

type shared struct{}

func (shared) applyFile(f *file) { f.shared = true }

type file struct {
	path      string
	shared    bool
	nilOption bool
}

// Secret implements [Provider].
func (f file) Secret(ctx context.Context) (Value, error) {
	if err := f.Validate(); err != nil {
		return Value{}, err
	}
	text, err := f.read(ctx)
	if err != nil {
		return Value{}, &Error{Ref: f.String(), Err: err}
	}
	return clean(f.String(), text)
}

// Validate implements [Validator].
func (f file) Validate() error {
	switch {
	case f.path == "":
		return &Error{Ref: f.String(), Err: invalid("the path is empty")}
	case strings.Contains(f.path, "\x00"):
		return &Error{Ref: f.String(), Err: invalid("there is a NUL in the path")}
	case f.nilOption:
		return &Error{Ref: f.String(), Err: invalid("an option is nil")}
	}
	return nil
}

// String returns the reference, quoted if it does not print. A path that cannot be one is left out.
func (f file) String() string {
	switch {
	case f.path == "" || strings.Contains(f.path, "\x00"):
		return "file"
	case !printable(f.path):
		return "file:" + strconv.Quote(f.path)
	}
	return "file:" + f.path
}

// read looks before it opens, because to open a device can do something already.
func (f file) read(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	info, err := os.Stat(f.path)
	if err != nil {
		return "", cause(err)
	}
	if err := f.check(info); err != nil {
		return "", err
	}
	return f.readOpened(ctx)
}

// readOpened checks once more what it has opened: path may lead elsewhere since the first look. To open a pipe does
// not block, because of openFlags.
func (f file) readOpened(ctx context.Context) (string, error) {
	opened, err := os.OpenFile(f.path, openFlags, 0)
	if err != nil {
		return "", cause(err)
	}
	defer func() { _ = opened.Close() }()
	info, err := opened.Stat()
	if err != nil {
		return "", cause(err)
	}
	if err := f.check(info); err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return readCapped(opened)
}

// check reports whether a file may be read: its kind, its size and its mode.
func (f file) check(info fs.FileInfo) error {
	perm := info.Mode().Perm()
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w (%s)", ErrNotRegular, info.Mode().Type())
	case info.Size() > maxFileSize:
		return ErrTooLarge
	case !hasModes:
		return nil
	case perm&0o002 != 0:
		return fmt.Errorf("%w: everyone can write to it (mode %#o): chmod it to 0600", ErrPermissions, perm)
	case perm&0o077 != 0 && !f.shared:
		return fmt.Errorf("%w (mode %#o): chmod it to 0600, or pass secrets.Shared() if a container mounts it",
			ErrPermissions, perm)
	}
	return nil
}

// readCapped reads r to its end, which the size of a file does not always tell.
func readCapped(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFileSize+1))
	if err != nil {
		return "", cause(err)
	}
	if len(text) > maxFileSize {
		return "", ErrTooLarge
	}
	return string(text), nil
}

// cause returns the error of the operating system without the path, which the reference tells already.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}
