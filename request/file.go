package request

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// ErrFileChanged means that a file is not what it was when its request was built: another size, another time of
// modification, or no regular file any more. Nothing of it was sent by that attempt.
var ErrFileChanged = errors.New("the file has changed since the request was built")

var errNotRegular = errors.New("it is not a regular file: send a pipe or a device with Open or Once")

const octetStream = "application/octet-stream"

// File is the content of the file at path; contentType "" stands for application/octet-stream. A path that is not
// absolute is relative to the working directory.
//
// The file is looked at when the request is built, and opened anew for every attempt. It has to be a regular file, and
// may be empty; symbolic links are followed. If it has another size or time of modification by the time of an attempt,
// or is another file, that is [ErrFileChanged]. Errors are [*fs.PathError], and name the path.
func File(contentType, path string) Body {
	if contentType == "" {
		contentType = octetStream
	}
	return fileBody{contentType: contentType, path: path}
}

type fileBody struct{ contentType, path string }

func (b fileBody) Payload() (Payload, error) {
	info, err := os.Stat(b.path)
	switch {
	case err != nil:
		return Payload{}, err
	case !info.Mode().IsRegular():
		return Payload{}, b.fault(errNotRegular)
	}
	open := func() (io.ReadCloser, error) { return b.open(info) }
	return Payload{Open: open, Len: info.Size(), ContentType: b.contentType}, nil
}

// open opens the file, if it is still as it was. It looks before it opens, because to open a pipe would wait for its
// writer.
func (b fileBody) open(was fs.FileInfo) (io.ReadCloser, error) {
	info, err := os.Stat(b.path)
	if err != nil {
		return nil, err
	}
	if changed(was, info) {
		return nil, b.fault(ErrFileChanged)
	}
	f, err := os.Open(b.path)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil && changed(was, info) {
		err = b.fault(ErrFileChanged)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func (b fileBody) fault(err error) error { return &fs.PathError{Op: "upload", Path: b.path, Err: err} }

func changed(was, is fs.FileInfo) bool {
	return !is.Mode().IsRegular() || is.Size() != was.Size() || !is.ModTime().Equal(was.ModTime()) || !os.SameFile(was, is)
}
