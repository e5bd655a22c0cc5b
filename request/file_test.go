package request_test

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

func TestFile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, contentType, content, wantType, wantLength string }{
		{"a file", "", "a;b", "application/octet-stream", "3"},
		{"a file of some type", "text/csv", "a;b", "text/csv", "3"},
		{"an empty file", "text/csv", "", "text/csv", "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewServer(t, connectiontest.Sequence(connectiontest.Status(503), connectiontest.Status(204)))
			conn := connectTo(t, srv, "", connection.WithRetry(connection.Retry{Max: 1}))
			body := request.File(c.contentType, onDisk(t, "f", c.content))
			if err := request.Put(conn, "/").Body(body).Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, sent := range srv.Requests() {
				if string(sent.Body) != c.content || sent.Header.Get("Content-Type") != c.wantType ||
					sent.Header.Get("Content-Length") != c.wantLength {
					t.Errorf("the server received %q", sent.Raw)
				}
			}
			if n := len(srv.Requests()); n != 2 {
				t.Errorf("%d requests, want 2", n)
			}
		})
	}
}

func TestFileRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := filepath.Join(dir, "link")
	_ = os.Symlink(filepath.Join(dir, "nowhere"), broken)
	for name, path := range map[string]string{
		"missing": filepath.Join(dir, "missing"), "a directory": dir, "no path": "", "a link to nowhere": broken,
		"a device": os.DevNull,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewServer(t, connectiontest.Status(204))
			err := request.Put(connectTo(t, srv, ""), "/").Body(request.File("", path)).Exec(t.Context())
			wantNothingSent(t, srv, err)
			_ = wantStage[*request.Error](t, err, request.StageBuild)
			if pe, ok := errors.AsType[*fs.PathError](err); !ok || pe.Path != path {
				t.Errorf("error %v, want a *PathError that names %q", err, path)
			}
		})
	}
}

// A file that is not what it was is not sent, alone or in a multipart.
func TestFileChanged(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(path string) error{
		"longer": func(path string) error { return os.WriteFile(path, []byte("longer"), 0o600) },
		"longer, with the old time": func(path string) error {
			was, err := os.Stat(path)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(path, []byte("longer"), 0o600), os.Chtimes(path, time.Time{}, was.ModTime()))
		},
		"touched":  func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1, 0)) },
		"a folder": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"gone":     os.Remove,
	} {
		for kind, open := range map[string]func(path string) request.Body{
			"alone":          func(path string) request.Body { return request.File("", path) },
			"in a multipart": func(path string) request.Body { return request.Multipart().Field("a", "1").File("f", path) },
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				path := onDisk(t, "f", "short")
				var whole atomic.Int32
				once := sync.OnceValue(func() error { return change(path) })
				srv := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if err := drained(r); err == nil {
						whole.Add(1)
					}
					if err := once(); err != nil {
						t.Error(err)
					}
					w.WriteHeader(503)
				}))
				conn := connectTo(t, srv, "", connection.WithRetry(connection.Retry{Max: 3}))
				err := request.Put(conn, "/").Body(open(path)).Exec(t.Context())
				want := request.ErrFileChanged
				if name == "gone" {
					want = fs.ErrNotExist
				}
				_ = wantStage[*request.Error](t, err, request.StageSend)
				if pe, ok := errors.AsType[*fs.PathError](err); !errors.Is(err, want) || !ok || pe.Path != path {
					t.Errorf("error %v, want a *PathError that is %v", err, want)
				}
				if _, ok := errors.AsType[*request.PartError](err); ok != (kind != "alone") {
					t.Errorf("error %v, which is a *PartError: %v", err, ok)
				}
				srv.Close()
				if n := whole.Load(); n != 1 {
					t.Errorf("%d bodies were whole to the server, want 1", n)
				}
			})
		}
	}
}
