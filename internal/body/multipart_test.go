package body

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
)

// content is the content of a part, and counts how often it was opened and closed.
type content struct {
	text   string
	open   func() io.Reader // unless nil, in the place of text
	opened atomic.Int32
	closed atomic.Int32
}

func (c *content) Open() (io.ReadCloser, error) {
	c.opened.Add(1)
	var r io.Reader = strings.NewReader(c.text)
	if c.open != nil {
		r = c.open()
	}
	return &counted{Reader: r, count: &c.closed}, nil
}

type counted struct {
	io.Reader
	count *atomic.Int32
}

func (c *counted) Close() error {
	c.count.Add(1)
	return nil
}

// partError is what the parts of these tests make of their faults.
type partError struct{ err error }

func (e *partError) Error() string { return "part: " + e.err.Error() }
func (e *partError) Unwrap() error { return e.err }

// part returns a part of that size. Its error is a *partError.
func part(name string, size int64, open func() (io.ReadCloser, error)) Part {
	header, err := FormHeader(name, "", "")
	fail := func(e error) error { return &partError{errors.Join(err, e)} }
	return Part{Header: header, Size: size, Open: open, Fail: fail}
}

// memory returns a part that lies in memory.
func memory(name, text string) Part {
	open := func() (io.ReadCloser, error) { return NewMemory([]byte(text)), nil }
	return part(name, int64(len(text)), open)
}

const boundary = "B0undary"

// read opens and reads a body to its end, and closes it.
func read(t *testing.T, m *Multipart) (string, error) {
	t.Helper()
	r, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err := r.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	return string(data), err
}

func TestMultipartBytes(t *testing.T) {
	t.Parallel()
	file := &content{text: "Hello"}
	m := &Multipart{Boundary: boundary, Parts: []Part{memory("a", "1"), part("f", 5, file.Open), memory("b", "")}}
	const want = "--B0undary\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1" +
		"\r\n--B0undary\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nHello" +
		"\r\n--B0undary\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n" +
		"\r\n--B0undary--\r\n"
	for range 2 { // each Open begins at the beginning
		if got, err := read(t, m); got != want || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
	if m.Size() != int64(len(want)) {
		t.Errorf("the size is %d, want %d", m.Size(), len(want))
	}
	if o, c := file.opened.Load(), file.closed.Load(); o != 2 || c != 2 {
		t.Errorf("opened %d times, closed %d times, want 2", o, c)
	}
	m.Parts[1].Size = -1
	if m.Size() != -1 {
		t.Errorf("the size is %d, want -1", m.Size())
	}
	if got, err := read(t, m); got != want || err != nil {
		t.Errorf("of unknown size: %q, %v", got, err)
	}
}

// Every way of reading gives the same bytes, whatever the readers of the parts do within their rights.
func TestMultipartReaders(t *testing.T) {
	t.Parallel()
	const text = "some content that is not short"
	readers := map[string]func(io.Reader) io.Reader{
		"plain":           func(r io.Reader) io.Reader { return r },
		"one byte":        iotest.OneByteReader,
		"half":            iotest.HalfReader,
		"data and EOF":    iotest.DataErrReader,
		"empty reads":     func(r io.Reader) io.Reader { return &stuttering{Reader: r} },
		"all and at once": func(r io.Reader) io.Reader { return iotest.DataErrReader(iotest.OneByteReader(r)) },
	}
	for name, wrap := range readers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := &content{open: func() io.Reader { return wrap(strings.NewReader(text)) }}
			m := &Multipart{Boundary: boundary, Parts: []Part{
				part("f", int64(len(text)), file.Open), memory("a", "1"), part("g", -1, file.Open),
			}}
			want, err := read(t, m)
			if err != nil || strings.Count(want, text) != 2 || int64(len(want)) != size(m, len(text)) {
				t.Fatalf("%q, %v", want, err)
			}
			r, _ := m.Open()
			if err := iotest.TestReader(r, []byte(want)); err != nil {
				t.Error(err)
			}
			_ = r.Close()
			if o, c := file.opened.Load(), file.closed.Load(); o != 4 || c != o {
				t.Errorf("opened %d times, closed %d times, want 4", o, c)
			}
		})
	}
}

// size returns the size of m whose third part has that length.
func size(m *Multipart, third int) int64 {
	known := *m
	known.Parts = append([]Part(nil), m.Parts...)
	known.Parts[2].Size = int64(third)
	return known.Size()
}

// stuttering returns nothing at every other read.
type stuttering struct {
	io.Reader
	odd bool
}

func (s *stuttering) Read(p []byte) (int, error) {
	s.odd = !s.odd
	if s.odd {
		return 0, nil
	}
	return s.Reader.Read(p)
}

// What lies in memory is read together; a reader that may wait never delays what is there.
func TestMultipartPieces(t *testing.T) {
	t.Parallel()
	waits := &content{open: func() io.Reader { return strings.NewReader("waits") }}
	m := &Multipart{Boundary: boundary, Parts: []Part{
		memory("a", "1"), memory("b", "2"), part("f", -1, waits.Open), memory("c", "3"),
	}}
	r, _ := m.Open()
	defer func() { _ = r.Close() }()
	var pieces []string
	p := make([]byte, 4096)
	for {
		n, err := r.Read(p)
		if err != nil {
			break
		}
		pieces = append(pieces, string(p[:n]))
	}
	if len(pieces) != 3 || pieces[1] != "waits" || !strings.HasSuffix(pieces[0], "\"f\"\r\n\r\n") {
		t.Errorf("pieces %q", pieces)
	}
}

func TestMultipartErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is on fire")
	opened := func(r io.Reader) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(r), nil }
	}
	for _, c := range []struct {
		name string
		size int64
		open func() (io.ReadCloser, error)
		want error  // that it is
		text string // that it says
	}{
		{"L2 shorter than declared", 10, opened(strings.NewReader("short")), io.ErrUnexpectedEOF, "5 bytes, and 10"},
		{"L2 longer than declared", 3, opened(strings.NewReader("long")), nil, "more than the 3 bytes"},
		{"L2 longer, byte by byte", 3, opened(iotest.OneByteReader(strings.NewReader("long"))), nil, "more than the 3"},
		{"L2 declared as empty", 0, opened(strings.NewReader("x")), nil, "more than the 0 bytes"},
		{"L2 broken", 10, opened(io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(broken))), broken, ""},
		{"L2 broken, of unknown size", -1, opened(iotest.ErrReader(broken)), broken, ""},
		{"L2 nothing for ever", -1, opened(nothing{}), io.ErrNoProgress, ""},
		{"L2 an impossible count", -1, opened(liar(1 << 30)), nil, "impossible count"},
		{"L2 a negative count", -1, opened(liar(-1)), nil, "impossible count"},
		{"not to be opened", -1, func() (io.ReadCloser, error) { return nil, broken }, broken, ""},
		{"nothing there", -1, func() (io.ReadCloser, error) {
			return nil, nil //nolint:nilnil // a fault of the caller
		}, nil, "nothing to read"},
		{"an error of Close", 1, func() (io.ReadCloser, error) {
			return failing{strings.NewReader("x"), broken}, nil
		}, broken, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			last := &content{text: "last"}
			m := &Multipart{Boundary: boundary, Parts: []Part{
				memory("first", "1"), part("bad", c.size, c.open), part("last", 4, last.Open),
			}}
			r, _ := m.Open()
			defer func() { _ = r.Close() }()
			data, err := io.ReadAll(r)
			var fault *partError
			if !errors.As(err, &fault) || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want a *partError, %v %s", err, c.want, c.text)
			}
			if bytes.Contains(data, []byte("--"+boundary+"--")) || bytes.Contains(data, []byte("last")) {
				t.Errorf("the body goes on after the fault: %q", data)
			}
			if n, again := r.Read(make([]byte, 10)); n != 0 || again != err { //nolint:errorlint // the very same
				t.Errorf("after the error: %d bytes, %v", n, again)
			}
			if last.opened.Load() != 0 {
				t.Error("a part after the fault was opened")
			}
		})
	}
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

type liar int

func (l liar) Read([]byte) (int, error) { return int(l), nil }

// failing fails to close.
type failing struct {
	io.Reader
	err error
}

func (f failing) Close() error { return f.err }

// What can be opened only once is closed once, wherever the body was left.
func TestMultipartOnceClosed(t *testing.T) {
	t.Parallel()
	for name, most := range map[string]int64{
		"not read": 0, "in the first head": 5, "in the first part": 60, "in the last part": 180, "to the end": 1 << 20,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var contents [3]content
			m := &Multipart{Boundary: boundary}
			for i := range contents {
				contents[i].text = strings.Repeat("x", 20)
				p := part("p", -1, contents[i].Open)
				p.Once = i != 1
				m.Parts = append(m.Parts, p)
			}
			if !m.Once() {
				t.Error("the body is not there once")
			}
			r, _ := m.Open()
			if _, err := io.CopyN(io.Discard, r, most); err != nil && !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			for range 2 {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
			if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("a closed body reads %d bytes, %v", n, err)
			}
			for i := range contents {
				o, c := contents[i].opened.Load(), contents[i].closed.Load()
				if o != c || o > 1 || o != 1 && i != 1 {
					t.Errorf("part %d: opened %d times, closed %d times", i, o, c)
				}
			}
		})
	}
}

// A body that is closed while it is read, at whatever point, ends and leaves nothing open.
func TestMultipartCloseWhileRead(t *testing.T) {
	t.Parallel()
	for nth := range int64(100) {
		reached := make(chan struct{})
		var reads atomic.Int64
		noted := func() io.Reader {
			return io.TeeReader(io.LimitReader(zeros{}, 1<<20), writer(func() {
				if reads.Add(1) == nth+1 {
					close(reached)
				}
			}))
		}
		file, once := &content{open: noted}, &content{text: "once"}
		m := &Multipart{Boundary: boundary, Parts: []Part{
			part("a", 1<<20, file.Open), part("b", 1<<20, file.Open), part("c", 4, once.Open),
		}}
		m.Parts[2].Once = true
		r, _ := m.Open()
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = io.Copy(io.Discard, r) })
		wg.Go(func() {
			<-reached
			_ = r.Close()
		})
		wg.Wait()
		if o, c := file.opened.Load(), file.closed.Load(); o != c {
			t.Fatalf("opened %d times, closed %d times", o, c)
		}
		if o, c := once.opened.Load(), once.closed.Load(); o != 1 || c != 1 {
			t.Fatalf("the part that is there once: opened %d times, closed %d times", o, c)
		}
	}
}

// writer is called for each piece.
type writer func()

func (w writer) Write(p []byte) (int, error) {
	w()
	return len(p), nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// L2 A part that blocks does not keep the body from being closed, and the read ends when the part's does.
func TestMultipartCloseUnblocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pr, pw := io.Pipe()
		defer func() { _ = pw.Close() }()
		m := &Multipart{Boundary: boundary, Parts: []Part{part("a", -1, func() (io.ReadCloser, error) { return pr, nil })}}
		r, _ := m.Open()
		_, _ = io.CopyN(io.Discard, r, int64(len(m.head(0))))
		ended := make(chan error)
		go func() {
			_, err := r.Read(make([]byte, 1))
			ended <- err
		}()
		synctest.Wait() // until it reads
		_ = r.Close()
		if err := <-ended; !errors.Is(err, errClosed) {
			t.Errorf("error %v, want that the body is closed", err)
		}
	})
}

// A part that was being opened when the body was closed is closed as well.
func TestMultipartCloseWhileOpened(t *testing.T) {
	t.Parallel()
	opening, closed := make(chan struct{}), make(chan struct{})
	slow := &content{text: "slow"}
	m := &Multipart{Boundary: boundary, Parts: []Part{part("a", -1, func() (io.ReadCloser, error) {
		close(opening)
		<-closed
		return slow.Open()
	})}}
	m.Parts[0].Once = true
	r, _ := m.Open()
	ended := make(chan error)
	go func() {
		_, err := r.Read(make([]byte, 1))
		ended <- err
	}()
	<-opening
	_ = r.Close()
	close(closed)
	if err := <-ended; !errors.Is(err, errClosed) || slow.opened.Load() != 1 || slow.closed.Load() != 1 {
		t.Errorf("error %v, opened %d times, closed %d times", err, slow.opened.Load(), slow.closed.Load())
	}
}

// What was encoded is what mime/multipart reads.
func TestMultipartRoundTrip(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		m := &Multipart{Boundary: boundary}
		var want []string
		for range 1 + random.IntN(8) {
			text := make([]byte, random.IntN(9000))
			for i := range text {
				text[i] = "\r\n-B0undary\x00"[random.IntN(12)]
			}
			text = bytes.ReplaceAll(text, []byte("--"+boundary), nil)
			want = append(want, string(text))
			c := &content{text: string(text)}
			p := memory("n", c.text)
			if random.IntN(2) == 0 {
				p = part("n", int64(len(text)), c.Open)
			}
			m.Parts = append(m.Parts, p)
		}
		r, _ := m.Open()
		data, err := io.ReadAll(iotest.HalfReader(r))
		_ = r.Close()
		if err != nil || int64(len(data)) != m.Size() {
			t.Fatalf("seed %d: %d bytes, %v, want %d", seed, len(data), err, m.Size())
		}
		got := parse(t, string(data), boundary)
		if len(got) != len(want) {
			t.Fatalf("seed %d: %d parts, want %d", seed, len(got), len(want))
		}
		for i := range got {
			if got[i].value != want[i] {
				t.Errorf("seed %d: part %d differs", seed, i)
			}
		}
	}
}

// parsed is a part as a server sees it.
type parsed struct {
	header map[string][]string
	value  string
}

// parse reads a body with mime/multipart.
func parse(t *testing.T, data, boundary string) []parsed {
	t.Helper()
	var parts []parsed
	r := multipart.NewReader(strings.NewReader(data), boundary)
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		value, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, parsed{p.Header, string(value)})
	}
}
