//go:build unix

package keystore_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/restconn/restconn/connection/keystore"
)

func TestPipeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{pipe, "/dev/zero"} {
		_, err := keystore.File(file).Identity(t.Context())
		wantError(t, err, keystore.ErrNotRegular, "")
	}
}
