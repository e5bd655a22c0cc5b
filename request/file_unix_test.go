//go:build unix

package request_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// A pipe is not waited for: neither at first, nor where a file was before.
func TestFilePipe(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	srv := connectiontest.NewServer(t, connectiontest.Status(204))
	err := request.Put(connectTo(t, srv, ""), "/").Body(request.File("", pipe)).Exec(t.Context())
	wantNothingSent(t, srv, err)
	_ = wantStage[*request.Error](t, err, request.StageBuild)

	path, early := onDisk(t, "f", ""), time.Unix(1, 0) // nothing but the kind of the file changes
	if err := os.Chtimes(path, early, early); err != nil {
		t.Fatal(err)
	}
	srv = connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := errors.Join(
			os.Remove(path), syscall.Mkfifo(path, 0o600), os.Chtimes(path, early, early)); err != nil {
			t.Error(err)
		}
		w.WriteHeader(503)
	}))
	conn := connectTo(t, srv, "", connection.WithRetry(connection.Retry{Max: 1}))
	err = request.Put(conn, "/").Body(request.File("", path)).Exec(t.Context())
	if !errors.Is(err, request.ErrFileChanged) {
		t.Errorf("error %v, want that the file has changed", err)
	}
}
