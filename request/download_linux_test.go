package request_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/restconn/restconn/request"
)

// A device at the path is not replaced by a file: as root, a download to /dev/null would take it from everybody.
func TestDownloadDevice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "a"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, srv := getFrom(t, named("filename=a"))
	_, err := request.Download(t.Context(), b, filepath.Join(dir, "a"))
	wantStage[*request.Error](t, err, request.StageSave)
	wantRequests(t, srv, 0)
	_, err = request.DownloadInto(t.Context(), b, dir, request.Overwrite())
	wantStage[*request.Error](t, err, request.StageSave)
	if info, err := os.Lstat(filepath.Join(dir, "a")); err != nil || info.Mode().Type() != fs.ModeNamedPipe {
		t.Errorf("what is at the path is %v, %v, want the pipe", info, err)
	}
	if names := namesIn(t, dir); len(names) != 1 {
		t.Errorf("the directory has %q, want the pipe only", names)
	}
}

// Nothing is sent for a file that cannot be written. To root nothing is denied, and so its thread asks as nobody.
func TestDownloadDenied(t *testing.T) { //nolint:paralleltest // it changes its thread
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	b, srv := getFrom(t, whole())
	if os.Geteuid() == 0 {
		const nobody = 65534
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer func() { _ = syscall.Setfsuid(0) }()
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
	}
	_, err := request.Download(t.Context(), b, filepath.Join(dir, "a"))
	wantStage[*request.Error](t, err, request.StageSave)
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("error %v, want one of permissions", err)
	}
	wantRequests(t, srv, 0)
}

const fullDisk = "RESTCONN_TEST_FULL_DISK"

// A write that fails in the middle is an error with its cause, and leaves nothing behind. The limit that makes it fail
// holds for a whole process, and so the test runs in one of its own.
func TestDownloadFullDisk(t *testing.T) {
	t.Parallel()
	if os.Getenv(fullDisk) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDownloadFullDisk$", "-test.count=1")
		cmd.Env = append(os.Environ(), fullDisk+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	dir := dirWith(t, map[string]string{"a": "as it was"})
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 64, Max: 64}); err != nil {
		t.Fatal(err)
	}
	b, srv := getFrom(t, whole())
	_, err := request.Download(t.Context(), b, filepath.Join(dir, "a"))
	wantStage[*request.Error](t, err, request.StageSave)
	if _, ok := errors.AsType[*fs.PathError](err); !ok || !errors.Is(err, syscall.EFBIG) {
		t.Errorf("error %v, want a PathError with EFBIG", err)
	}
	wantFiles(t, dir, map[string]string{"a": "as it was"})
	wantRequests(t, srv, 1)
}
