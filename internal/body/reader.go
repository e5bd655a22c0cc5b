package body

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

var (
	errClosed = errors.New("the multipart body is closed")
	errReader = errors.New("its reader returned an impossible count")
	errNoBody = errors.New("there is nothing to read")
)

// reader reads a Multipart.
type reader struct {
	form *Multipart

	// Only Read knows these.
	text    string        // what is to be written before anything else
	part    *Part         // the part under way; nil between two parts
	content io.ReadCloser // of that part
	read    int64         // of that content
	empty   EmptyReads
	err     error // it stays

	mu     sync.Mutex
	open   io.ReadCloser // the content that is still to be closed: whoever takes it closes it
	next   int           // the first part that was not begun
	closed bool
}

// Read fills p from memory as far as it can. A reader that may wait is asked only where there is nothing to return yet.
func (r *reader) Read(p []byte) (int, error) {
	if r.err == nil && r.isClosed() {
		r.err = errClosed
	}
	n := 0
	for n < len(p) && r.err == nil {
		if r.text != "" {
			c := copy(p[n:], r.text)
			r.text = r.text[c:]
			n += c
			continue
		}
		if r.part == nil {
			r.err = r.advance()
			continue
		}
		_, memory := r.content.(*Memory)
		if n > 0 && !memory {
			break
		}
		var c int
		c, r.err = r.readPart(p[n:])
		n += c
	}
	if n > 0 {
		return n, nil
	}
	return 0, r.err
}

// advance opens the next part; after the last one it is [io.EOF].
func (r *reader) advance() error {
	i, err := r.begin()
	if err != nil {
		return err
	}
	switch n := len(r.form.Parts); {
	case i > n:
		return io.EOF
	case i == n:
		r.text = r.form.tail()
		return nil
	}
	part := &r.form.Parts[i]
	content, err := part.Open()
	if err == nil && content == nil {
		err = errNoBody
	}
	if err != nil {
		return part.Fail(err)
	}
	if !r.keep(content) {
		_ = content.Close()
		return errClosed
	}
	r.part, r.content, r.read, r.empty = part, content, 0, 0
	r.text = r.form.head(i)
	return nil
}

// readPart reads from the part under way, and ends it where its content ends.
func (r *reader) readPart(p []byte) (int, error) {
	n, err := r.content.Read(p)
	if n < 0 || n > len(p) {
		return 0, r.part.Fail(errReader)
	}
	r.read += int64(n)
	size := r.part.Size
	switch {
	case size >= 0 && r.read > size:
		return 0, r.part.Fail(fmt.Errorf("it has more than the %d bytes that were declared", size))
	case err == nil:
		if err = r.empty.Count(n, nil); err != nil {
			return 0, r.part.Fail(err)
		}
		return n, nil
	case err != io.EOF: //nolint:errorlint // a reader's EOF is not wrapped
		return n, r.failed(err)
	case size >= 0 && r.read < size:
		err = fmt.Errorf("it has %d bytes, and %d were declared: %w", r.read, size, io.ErrUnexpectedEOF)
		return n, r.part.Fail(err)
	}
	return n, r.finish()
}

// failed makes the error of a part that cannot be read. Once the body is closed, the part is not to blame.
func (r *reader) failed(err error) error {
	if r.isClosed() {
		return errClosed
	}
	return r.part.Fail(err)
}

// finish closes the part under way. One that says only then that it is not whole has failed all the same.
func (r *reader) finish() error {
	content := r.take(false)
	if content == nil {
		return errClosed
	}
	if err := content.Close(); err != nil {
		return r.part.Fail(err)
	}
	r.part, r.content = nil, nil
	return nil
}

// Close closes the part under way, and those that can be opened only once and were not reached.
func (r *reader) Close() error {
	if content := r.take(true); content != nil {
		_ = content.Close() // it was not read to its end, so that its faults do not matter
	}
	for {
		i, ok := r.unreached()
		if !ok {
			return nil
		}
		if content, err := r.form.Parts[i].Open(); err == nil && content != nil {
			_ = content.Close()
		}
	}
}

func (r *reader) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// begin returns the index of the next part, which is then no longer Close's to care for.
func (r *reader) begin() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, errClosed
	}
	r.next++
	return r.next - 1, nil
}

// keep puts the content of a part where Close finds it. It reports false where Close came first.
func (r *reader) keep(content io.ReadCloser) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.open = content
	}
	return !r.closed
}

// take returns the content that the caller is to close; nil if there is none. last means that no other follows.
func (r *reader) take(last bool) io.ReadCloser {
	r.mu.Lock()
	defer r.mu.Unlock()
	content := r.open
	r.open, r.closed = nil, r.closed || last
	return content
}

// unreached returns the next part that can be opened only once and never was.
func (r *reader) unreached() (int, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.next < len(r.form.Parts) {
		r.next++
		if r.form.Parts[r.next-1].Once {
			return r.next - 1, true
		}
	}
	return 0, false
}
