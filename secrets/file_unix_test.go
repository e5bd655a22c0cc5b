//go:build unix

package secrets_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/restconn/restconn/internal/asnobody"
	"github.com/restconn/restconn/secrets"
)

func TestFileG14Mode(t *testing.T) {
	t.Parallel()
	ok, refused := answer{Text: canary}, answer{Is: secrets.ErrPermissions}
	for _, tt := range []struct {
		mode           fs.FileMode
		strict, shared answer
	}{
		{0o400, ok, ok},
		{0o600, ok, ok},
		{0o700, ok, ok},
		{0o440, refused, ok},
		{0o640, refused, ok},
		{0o644, refused, ok},
		{0o660, refused, ok},
		{0o604, refused, ok},
		{0o601, refused, ok},
		{0o620, refused, ok},
		{0o602, refused, refused},
		{0o666, refused, refused},
		{0o777, refused, refused},
	} {
		t.Run(fmt.Sprintf("%04o", tt.mode), func(t *testing.T) {
			t.Parallel()
			path := write(t, canary, tt.mode)
			strict, err := ask(t.Context(), secrets.File(path))
			checkError(t, err, "file:"+path)
			checkModeError(t, err, tt.mode)
			shared, err := ask(t.Context(), secrets.File(path, secrets.Shared()))
			checkError(t, err, "file:"+path)
			want, got := []answer{tt.strict, tt.shared}, []answer{strict, shared}
			if diff := cmp.Diff(want, got, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// checkModeError fails unless err names the mode and the ways out.
func checkModeError(t *testing.T, err error, mode fs.FileMode) {
	t.Helper()
	if err == nil {
		return
	}
	want := []string{fmt.Sprintf("%04o", mode), "0600"}
	if mode&0o002 == 0 {
		want = append(want, "secrets.Shared()")
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("no %q in %q", part, err)
		}
	}
}

func TestFileG14SymbolicLinks(t *testing.T) {
	t.Parallel()
	// The layout of a Kubernetes volume: secret -> ..data/secret, ..data -> ..1.
	dir := t.TempDir()
	link := filepath.Join(dir, "secret")
	err := errors.Join(
		os.Mkdir(filepath.Join(dir, "..1"), 0o755), os.Mkdir(filepath.Join(dir, "..2"), 0o755),
		os.WriteFile(filepath.Join(dir, "..1", "secret"), []byte("one"), private),
		os.WriteFile(filepath.Join(dir, "..2", "secret"), []byte("two"), private),
		os.Symlink("..1", filepath.Join(dir, "..data")), os.Symlink("..data/secret", link),
	)
	if err != nil {
		t.Fatal(err)
	}
	p := secrets.File(link)
	before, _ := ask(t.Context(), p)
	err = errors.Join(
		os.Symlink("..2", filepath.Join(dir, "..tmp")),
		os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")),
	)
	if err != nil {
		t.Fatal(err)
	}
	after, _ := ask(t.Context(), p)
	if err := os.Remove(filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	dangling, err := ask(t.Context(), p)
	checkError(t, err, "file:"+link)
	want := []answer{{Text: "one"}, {Text: "two"}, {Is: secrets.ErrNotFound}}
	if diff := cmp.Diff(want, []answer{before, after, dangling}, cmpopts.EquateErrors()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFileG14FIFODoesNotHang(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, private); err != nil {
		t.Fatal(err)
	}
	t.Run("at the first look", func(t *testing.T) {
		t.Parallel()
		_, err := secrets.File(path).Secret(t.Context())
		if !errors.Is(err, secrets.ErrNotRegular) {
			t.Errorf("error %v, want %v", err, secrets.ErrNotRegular)
		}
		checkError(t, err, "file:"+path)
	})
	t.Run("put there after the first look", func(t *testing.T) {
		t.Parallel()
		if _, err := secrets.ReadOpened(t.Context(), path); !errors.Is(err, secrets.ErrNotRegular) {
			t.Errorf("error %v, want %v", err, secrets.ErrNotRegular)
		}
	})
}

func TestFileG14Device(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	for _, path := range []string{"/dev/zero", "/dev/null", socket} {
		_, err := secrets.File(path, secrets.Shared()).Secret(t.Context())
		if !errors.Is(err, secrets.ErrNotRegular) {
			t.Errorf("%s: error %v, want %v", path, err, secrets.ErrNotRegular)
		}
	}
}

func TestFileDenied(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 { // to whom nothing is denied
		asnobody.Run(t)
		return
	}
	path := write(t, canary, 0)
	_, err := secrets.File(path).Secret(t.Context())
	if !errors.Is(err, fs.ErrPermission) || errors.Is(err, secrets.ErrNotFound) {
		t.Errorf("error %v, want %v", err, fs.ErrPermission)
	}
	checkError(t, err, "file:"+path)
}

func TestFilePathThroughAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(write(t, canary, private), "secret")
	_, err := secrets.File(path).Secret(t.Context())
	if !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("error %v, want %v", err, syscall.ENOTDIR)
	}
	checkError(t, err, "file:"+path)
}
