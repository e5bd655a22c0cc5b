package secrets_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/restconn/restconn/secrets"
)

const (
	capacity = 64 << 10
	private  = 0o600
)

// write makes a file of that mode, whatever the umask is, and returns its path.
func write(t *testing.T, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(os.WriteFile(path, []byte(text), private), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFileContent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		want       answer
	}{
		{"plain", canary, answer{Text: canary}},
		{"G12 trailing newline", canary + "\n", answer{Text: canary}},
		{"G12 trailing CRLF", canary + "\r\n", answer{Text: canary}},
		{"G12 one newline only", canary + "\n\n", answer{Text: canary + "\n"}},
		{"other white space is kept", "\n " + canary + " ", answer{Text: "\n " + canary + " "}},
		{"binary", "\x00\xff\xfe\x80\r", answer{Text: "\x00\xff\xfe\x80\r"}},
		{"G12 empty", "", answer{Is: secrets.ErrEmpty}},
		{"G12 white space", " \r\n\t\n", answer{Is: secrets.ErrEmpty}},
		{"G14 as large as may be", strings.Repeat("x", capacity), answer{Text: strings.Repeat("x", capacity)}},
		{"G14 too large", strings.Repeat("x", capacity+1), answer{Is: secrets.ErrTooLarge}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := write(t, tt.text, private)
			got, err := ask(t.Context(), secrets.File(path))
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			checkError(t, err, "file:"+path)
		})
	}
}

func TestFileG14Huge(t *testing.T) {
	t.Parallel()
	t.Run("by its size", func(t *testing.T) {
		t.Parallel()
		path := write(t, "x", private)
		if err := os.Truncate(path, 1<<30); err != nil {
			t.Fatal(err)
		}
		_, err := secrets.File(path).Secret(t.Context())
		if !errors.Is(err, secrets.ErrTooLarge) {
			t.Errorf("error %v, want %v", err, secrets.ErrTooLarge)
		}
		checkError(t, err, "file:"+path)
	})
	t.Run("more than its size says", func(t *testing.T) {
		t.Parallel()
		r := strings.NewReader(strings.Repeat("x", 1<<20))
		if _, err := secrets.ReadCapped(r); !errors.Is(err, secrets.ErrTooLarge) {
			t.Errorf("error %v, want %v", err, secrets.ErrTooLarge)
		}
		if read := 1<<20 - r.Len(); read > capacity+1 {
			t.Errorf("%d bytes read", read)
		}
	})
}

func TestFileMissing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none")
	got, err := ask(t.Context(), secrets.File(path))
	if diff := cmp.Diff(answer{Is: secrets.ErrNotFound}, got, cmpopts.EquateErrors()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want the one of the operating system in it", err)
	}
	if n := strings.Count(err.Error(), path); n != 1 {
		t.Errorf("the path is %d times in %q, want once", n, err)
	}
	checkError(t, err, "file:"+path)
}

func TestFileDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	got, err := ask(t.Context(), secrets.File(dir))
	if diff := cmp.Diff(answer{Is: secrets.ErrNotRegular}, got, cmpopts.EquateErrors()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	checkError(t, err, "file:"+dir)
}

func TestFileG14Context(t *testing.T) {
	t.Parallel()
	path := write(t, canary, private)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	t.Run("before the file is touched", func(t *testing.T) {
		t.Parallel()
		missing := path + ".none" // a look at the path would say so
		_, err := secrets.File(missing).Secret(ctx)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
		checkError(t, err, "file:"+missing)
	})
	t.Run("before the file is read", func(t *testing.T) {
		t.Parallel()
		if _, err := secrets.ReadOpened(ctx, path); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
	})
}

func TestFileG14Rotation(t *testing.T) {
	t.Parallel()
	path := write(t, "one", private)
	p := secrets.File(path)
	first, _ := ask(t.Context(), p)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	// Same size, same inode, same time: nothing but a read can tell.
	err = errors.Join(os.WriteFile(path, []byte("two"), private), os.Chtimes(path, info.ModTime(), info.ModTime()))
	if err != nil {
		t.Fatal(err)
	}
	second, _ := ask(t.Context(), p)
	if err := os.Rename(write(t, "three", private), path); err != nil {
		t.Fatal(err)
	}
	third, _ := ask(t.Context(), p)
	if diff := cmp.Diff([]string{"one", "two", "three"}, []string{first.Text, second.Text, third.Text}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func BenchmarkFile(b *testing.B) {
	path := filepath.Join(b.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(canary), private); err != nil {
		b.Fatal(err)
	}
	p := secrets.File(path)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Secret(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
