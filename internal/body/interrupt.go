package body

import (
	"io"
	"os"
	"sync"
)

// Interruptible returns a body of a reader whose reads may block. Closing it closes the reader, if that can be closed;
// a read that goes on all the same is left to itself: it ends in its goroutine, and what it brings is lost.
func Interruptible(r io.Reader) io.ReadCloser {
	return &interruptible{reader: r, closed: make(chan struct{})}
}

type interruptible struct {
	reader io.Reader
	buffer []byte
	result chan readResult
	closed chan struct{}
	once   sync.Once
}

type readResult struct {
	n   int
	err error
}

// Read is called by one goroutine.
func (b *interruptible) Read(p []byte) (int, error) {
	select {
	case <-b.closed:
		return 0, os.ErrClosed
	default:
	}
	if len(b.buffer) < len(p) { // not p: it is the caller's again when Read returns
		b.buffer = make([]byte, len(p))
	}
	if b.result == nil {
		b.result = make(chan readResult, 1) // so that the goroutine ends although nobody waits for it
	}
	buffer := b.buffer[:len(p)]
	go func() {
		n, err := b.reader.Read(buffer)
		b.result <- readResult{n, err}
	}()
	select {
	case r := <-b.result:
		return copy(p, buffer[:min(max(r.n, 0), len(buffer))]), r.err
	case <-b.closed:
		return 0, os.ErrClosed
	}
}

// Close is idempotent.
func (b *interruptible) Close() (err error) {
	b.once.Do(func() {
		close(b.closed)
		if c, ok := b.reader.(io.Closer); ok {
			err = c.Close()
		}
	})
	return err
}
