package readall

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"
)

// random is as much as the longest test reads.
var random = sync.OnceValue(func() []byte {
	data := make([]byte, 4*partSize)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
	return data
})

// text returns n bytes; those of another length are others.
func text(n int) []byte { return random()[n%1000:][:n] }

var sizes = []int{
	0, 1, firstSize - 1, firstSize, firstSize + 1, partSize - 1, partSize, partSize + 1, 2 * partSize, 3*partSize + 5,
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, size := range sizes {
		n := int64(size)
		for _, declared := range []int64{-1, 0, n / 2, n, 2 * n, 7 * n, 9 * n} {
			for name, reader := range map[string]func(r io.Reader) io.Reader{
				"whole":         func(r io.Reader) io.Reader { return r },
				"halves":        iotest.HalfReader,
				"end with data": iotest.DataErrReader,
			} {
				want := text(size)
				var b Buffer
				n, err := b.Read(reader(bytes.NewReader(want)), declared, 100<<20)
				if err != nil || n != int64(size) || !bytes.Equal(b.Bytes(), want) {
					t.Errorf("%d bytes, %d declared, in %s: %d, %v", size, declared, name, n, err)
				}
				b.Release()
				b.Release()
				if b.Bytes() != nil {
					t.Error("there is something after Release")
				}
			}
		}
	}
}

func TestReadLimit(t *testing.T) {
	t.Parallel()
	for _, size := range sizes[1:] {
		for _, c := range []struct {
			declared, limit int64
			want            error
		}{
			{-1, int64(size), nil},
			{-1, int64(size) - 1, ErrLimit},
			{int64(size), int64(size), nil},
			{int64(size), int64(size) - 1, ErrLimit},
			{0, int64(size) - 1, ErrLimit},
			{-1, math.MaxInt64, nil},
			{math.MaxInt64, math.MaxInt64, nil},
		} {
			var b Buffer
			if _, err := b.Read(bytes.NewReader(text(size)), c.declared, c.limit); !errors.Is(err, c.want) {
				t.Errorf("%d bytes, %d declared, limit %d: %v", size, c.declared, c.limit, err)
			}
			b.Release()
		}
	}
}

// An end in the middle is an error, even if what is behind it looks like an end.
func TestReadError(t *testing.T) {
	t.Parallel()
	for _, size := range sizes {
		for _, cause := range []error{io.ErrUnexpectedEOF, errors.Join(io.EOF)} {
			var b Buffer
			n, err := b.Read(io.MultiReader(bytes.NewReader(text(size)), iotest.ErrReader(cause)), -1, 100<<20)
			if n != int64(size) || !errors.Is(err, cause) {
				t.Errorf("%d bytes: %d, %v", size, n, err)
			}
			b.Release()
		}
	}
}

// Nobody sees the bytes of another, whatever becomes of the buffers.
func TestReadConcurrently(t *testing.T) {
	t.Parallel()
	var reading sync.WaitGroup
	for i := range 8 {
		reading.Go(func() {
			for j := range 20 {
				size := sizes[(i+j)%len(sizes)]
				want := text(size)
				var b Buffer
				if _, err := b.Read(bytes.NewReader(want), -1, 100<<20); err != nil || !bytes.Equal(b.Bytes(), want) {
					t.Errorf("%d bytes: %v", size, err)
				}
				if j%2 == 0 {
					_, _ = new(Buffer).Read(bytes.NewReader(want), -1, int64(size)/2) // and is never released
				}
				b.Release()
			}
		})
	}
	reading.Wait()
}
