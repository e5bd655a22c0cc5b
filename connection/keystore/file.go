package keystore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// readFile looks before it opens, because to open a device can do something already, and once more at what it has
// opened: the path may lead elsewhere since. To open a pipe does not block, because of openFlags.
func readFile(ctx context.Context, path string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	if err := checkFile(info); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, openFlags, 0) //nolint:gosec // the path is what the caller wants to have read
	if err != nil {
		return nil, withoutPath(err)
	}
	defer func() { _ = file.Close() }()
	if info, err = file.Stat(); err != nil {
		return nil, withoutPath(err)
	}
	if err := checkFile(info); err != nil {
		return nil, err
	}
	return readCapped(file)
}

func checkFile(info fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w (%s)", ErrNotRegular, info.Mode().Type())
	case info.Size() > maxFile:
		return errFileSize()
	}
	return nil
}

// readCapped reads r to its end, which the size of a file does not always tell.
func readCapped(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if len(data) > maxFile {
		return nil, errFileSize()
	}
	return data, nil
}

func errFileSize() error { return because(ErrTooLarge, "the file is larger than %d MiB", maxFile>>20) }

// withoutPath returns the error of the operating system without the path, which an Error tells already.
func withoutPath(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
