package body

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
)

func TestInterruptible(t *testing.T) {
	t.Parallel()
	if err := iotest.TestReader(Interruptible(strings.NewReader("some text")), []byte("some text")); err != nil {
		t.Error(err)
	}
	failing := errors.New("failing")
	if _, err := io.ReadAll(Interruptible(iotest.ErrReader(failing))); !errors.Is(err, failing) {
		t.Errorf("error %v", err)
	}
}

func TestInterruptibleBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		b := Interruptible(struct{ io.Reader }{r})
		ended := make(chan error)
		go func() {
			_, err := b.Read(make([]byte, 1))
			ended <- err
		}()
		synctest.Wait()
		_ = b.Close()
		_ = b.Close()
		if err := <-ended; !errors.Is(err, os.ErrClosed) {
			t.Errorf("error %v", err)
		}
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
			t.Errorf("error %v", err)
		}
		_ = w.Close() // the reader has an end, and its goroutine with it
	})
}
