// Package readall reads a body whole, up to a limit, into memory that is used again.
package readall

import (
	"errors"
	"io"
	"slices"
	"sync"
)

// ErrLimit means that there is more to read than the limit allows.
var ErrLimit = errors.New("there is more than the limit allows")

const (
	// partSize is the size of the largest buffer that is kept for the next body. What is longer is read in parts.
	partSize = 1 << 20
	// mostTrusted is how much memory is set aside because somebody says that it will be needed.
	mostTrusted = partSize - 1
	// firstSize is the size of a buffer for a body of unknown length.
	firstSize = 4 << 10
)

// buffers hold what is short, parts what is long.
var (
	buffers = sync.Pool{New: func() any { return new([]byte) }}         //nolint:gochecknoglobals // a pool
	parts   = sync.Pool{New: func() any { return new([partSize]byte) }} //nolint:gochecknoglobals // a pool
)

// Buffer holds a body. The zero Buffer is empty. It is not for concurrent use.
type Buffer struct {
	data   []byte   // the body, or the end of it while it is read
	full   [][]byte // what was read before data
	before int64    // how much that is
	pooled *[]byte  // the buffer that came from the pool
}

// Bytes returns what was read. After Release it is somebody else's.
func (b *Buffer) Bytes() []byte { return b.data }

// Reused reports whether Release gives away the memory of Bytes.
func (b *Buffer) Reused() bool { return cap(b.data) <= partSize }

// Read reads r to its end. declared is how long it is said to be; below 0 if nobody has said. It returns how much came,
// and [ErrLimit] for what is longer than limit, or an error of r other than a bare [io.EOF].
func (b *Buffer) Read(r io.Reader, declared, limit int64) (int64, error) {
	if declared > limit {
		return 0, ErrLimit
	}
	b.pooled, _ = buffers.Get().(*[]byte)
	if declared < 0 {
		declared = firstSize
	}
	// One byte more than the body: the read that finds the end needs room.
	b.data = slices.Grow((*b.pooled)[:0], int(min(declared, mostTrusted))+1)
	b.keep()
	for {
		n, err := r.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		have := b.before + int64(len(b.data))
		switch {
		case have > limit:
			return have, ErrLimit
		case err == io.EOF: // the end is bare: a cause may be an EOF too
			if len(b.full) > 0 {
				b.join(have)
			}
			return have, nil
		case err != nil:
			return have, err
		case len(b.data) == cap(b.data):
			b.grow(have, declared, limit)
		}
	}
}

// Release gives the memory away.
func (b *Buffer) Release() {
	if b.pooled == nil {
		return
	}
	b.recycle()
	b.keep()
	buffers.Put(b.pooled)
	*b = Buffer{}
}

// keep notes data as the buffer that goes back to the pool, unless it is too large.
func (b *Buffer) keep() {
	if b.data != nil && cap(b.data) <= partSize {
		*b.pooled = b.data[:0]
	}
}

// grow makes room for more. Whoever has declared too much gains little by that, and no buffer is larger than the limit.
// What is long is not copied before its end is there.
func (b *Buffer) grow(have, declared, limit int64) {
	const factor = 8
	switch {
	case declared > have && declared < factor*have:
		b.join(declared + 1)
	case have < partSize:
		b.join(min(2*have, partSize, limit) + 1)
	default:
		b.full, b.before = append(b.full, b.data), have
		part, _ := parts.Get().(*[partSize]byte)
		b.data = part[:0]
	}
}

// join puts what was read into one buffer with that much room.
func (b *Buffer) join(room int64) {
	whole := make([]byte, 0, room)
	for _, part := range b.full {
		whole = append(whole, part...)
	}
	whole = append(whole, b.data...)
	b.recycle()
	b.data = whole
	b.keep()
}

// recycle gives the parts back: data and all that is full, but for the first, which is the buffer before there were
// parts.
func (b *Buffer) recycle() {
	if len(b.full) == 0 {
		return
	}
	for _, part := range append(b.full[1:], b.data[:partSize]) {
		parts.Put((*[partSize]byte)(part))
	}
	b.full, b.before, b.data = nil, 0, nil
}
