package request_test

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// named answers with all of the source, under that Content-Disposition.
func named(disposition string) connectiontest.Reply {
	return whole().Header("Content-Disposition", disposition)
}

// The server chooses a name, and never more than that.
func TestDownloadInto(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		`attachment; filename="a.zip"`:                                "a.zip",
		`attachment; filename="b"; filename*=UTF-8''bl%C3%A5b%C3%A6r`: "blåbær",
		`attachment; filename="../../x"`:                              "x",
		`attachment; filename*=UTF-8''..%2F..%2Fx`:                    "x",
		`attachment; filename="/etc/x"`:                               "x",
		`attachment; filename="C:\dir\x"`:                             "x",
		`attachment; filename="sub/x"`:                                "x",
		`attachment; filename*=UTF-8''x%00.zip`:                       "x.zip",
		`attachment; filename=".profile"`:                             "profile",
		`attachment; filename="x.txt:stream"`:                         "x.txt_stream",
		`attachment; filename="NUL.txt"`:                              "_NUL.txt",
		`attachment; filename=".."`:                                   "default",
		`inline`:                                                      "default",
		`attachment; filename=` + strings.Repeat("x", 300) + ".zip":   strings.Repeat("x", 251) + ".zip",
	} {
		t.Run("I20 "+field, func(t *testing.T) {
			t.Parallel()
			outside := t.TempDir()
			dir := filepath.Join(outside, "dir", "sub")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			b, _ := getFrom(t, named(field))
			got, err := request.DownloadInto(t.Context(), b, dir, request.DefaultName("default"))
			if err != nil {
				t.Fatal(err)
			}
			if got.Name != want || got.Size != 100 || got.Requests != 1 ||
				got.Header.Get("Content-Disposition") != field {
				t.Errorf("got %+v, want the name %s", got, want)
			}
			wantFiles(t, dir, map[string]string{want: source})
			wantFiles(t, filepath.Dir(dir), map[string]string{"sub": "d---------"})
			wantFiles(t, outside, map[string]string{"dir": "d---------"})
		})
	}
}

func TestDownloadIntoMisuse(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]request.DownloadOption{
		"two elements": request.DefaultName("a/b"), "hidden": request.DefaultName(".a"), "device": request.DefaultName("nul"),
		"nil": nil, "wrong sum": request.Checksum(sha256.New, "00"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, srv := getFrom(t, named("filename=a"))
			_, err := request.DownloadInto(t.Context(), b, t.TempDir(), option)
			wantStage[*request.Error](t, err, request.StageBuild)
			wantRequests(t, srv, 0)
		})
	}
	b, srv := getFrom(t, named("filename=a"))
	_, err := request.DownloadInto(t.Context(), b, "")
	wantStage[*request.Error](t, err, request.StageBuild)
	wantRequests(t, srv, 0)
}

// A response without a usable name is an error before its body is read.
func TestDownloadIntoNameless(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"", "attachment", `attachment; filename="../"`, `attachment; filename=". ."`} {
		t.Run("I20 "+field, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			b, srv := getFrom(t, named(field))
			_, err := request.DownloadInto(t.Context(), b, dir,
				request.DownloadProgress(func(request.Progress) { t.Error("the body was read") }))
			wantStage[*request.DecodeError](t, err, request.StageDecode)
			if !strings.Contains(err.Error(), "DefaultName") {
				t.Errorf("error %v does not say what to do", err)
			}
			wantFiles(t, dir, map[string]string{})
			wantRequests(t, srv, 1)
		})
	}
}

// taken puts something at the path.
var taken = map[string]struct {
	put      func(t *testing.T, path string)
	is       string // what the path holds then
	replaced bool   // by Overwrite
}{
	"a file": {func(t *testing.T, path string) {
		if err := os.WriteFile(path, []byte("as it was"), 0o600); err != nil {
			t.Error(err)
		}
	}, "as it was", true},
	"a symbolic link": {func(t *testing.T, path string) {
		symlink(t, filepath.Join(filepath.Dir(filepath.Dir(path)), "victim"), path)
	}, "as it was", true},
	"a dangling symbolic link": {func(t *testing.T, path string) {
		symlink(t, filepath.Join(filepath.Dir(filepath.Dir(path)), "none"), path)
	}, fs.ModeSymlink.String(), true},
	"a directory": {func(t *testing.T, path string) {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Error(err)
		}
	}, fs.ModeDir.String(), false},
}

// twoDirs returns a directory with a file, and one below it.
func twoDirs(t *testing.T) (outside, dir string) {
	t.Helper()
	outside = dirWith(t, map[string]string{"victim": "as it was"})
	dir = filepath.Join(outside, "dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return outside, dir
}

// A name that is taken is not overwritten, whatever has it.
func TestDownloadIntoExists(t *testing.T) {
	t.Parallel()
	for name, c := range taken {
		t.Run("I20 "+name+" before the request", func(t *testing.T) {
			t.Parallel()
			outside, dir := twoDirs(t)
			c.put(t, filepath.Join(dir, "a"))
			b, _ := getFrom(t, named("filename=../a"))
			_, err := request.DownloadInto(t.Context(), b, dir,
				request.DownloadProgress(func(request.Progress) { t.Error("the body was read") }))
			wantExists(t, err)
			wantFiles(t, dir, map[string]string{"a": c.is})
			wantFiles(t, outside, map[string]string{"dir": "d---------", "victim": "as it was"})
		})
		t.Run("I20 "+name+" during the download", func(t *testing.T) {
			t.Parallel()
			outside, dir := twoDirs(t)
			put := sync.OnceFunc(func() { c.put(t, filepath.Join(dir, "a")) })
			b, _ := getFrom(t, named("filename=a"))
			_, err := request.DownloadInto(t.Context(), b, dir, request.DownloadProgress(func(request.Progress) { put() }))
			wantExists(t, err)
			wantFiles(t, dir, map[string]string{"a": c.is})
			wantFiles(t, outside, map[string]string{"dir": "d---------", "victim": "as it was"})
		})
		t.Run("I20 "+name+" with Overwrite", func(t *testing.T) {
			t.Parallel()
			outside, dir := twoDirs(t)
			c.put(t, filepath.Join(dir, "a"))
			b, _ := getFrom(t, named("filename=a"))
			_, err := request.DownloadInto(t.Context(), b, dir, request.Overwrite())
			want := source
			if !c.replaced {
				wantStage[*request.Error](t, err, request.StageSave)
				want = c.is
			} else if err != nil {
				t.Error(err)
			}
			wantFiles(t, dir, map[string]string{"a": want})
			wantFiles(t, outside, map[string]string{"dir": "d---------", "victim": "as it was"})
		})
	}
}

func wantExists(t *testing.T, err error) {
	t.Helper()
	wantStage[*request.Error](t, err, request.StageSave)
	if _, ok := errors.AsType[*fs.PathError](err); !ok || !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v, want a PathError that matches fs.ErrExist", err)
	}
}

// Of several downloads to one name one succeeds.
func TestDownloadIntoRace(t *testing.T) {
	t.Parallel()
	const n = 4
	dir := t.TempDir()
	var ready sync.WaitGroup
	ready.Add(n)
	srv := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Disposition", "filename=a")
		_, _ = io.WriteString(w, source[:50])
		_ = http.NewResponseController(w).Flush()
		ready.Done()
		ready.Wait()
		_, _ = io.WriteString(w, source[50:])
	}))
	b := request.Get(connectTo(t, srv, ""), "/")
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { _, errs[i] = request.DownloadInto(t.Context(), b, dir) })
	}
	all.Wait()
	succeeded := 0
	for _, err := range errs {
		if err == nil {
			succeeded++
			continue
		}
		wantExists(t, err)
	}
	if succeeded != 1 {
		t.Errorf("%d of %d downloads to one name succeeded, want 1: %v", succeeded, n, errs)
	}
	wantFiles(t, dir, map[string]string{"a": source})
}

// A file that cannot be put in its place leaves nothing behind, nor the name that was reserved for it.
func TestDownloadCannotRename(t *testing.T) {
	t.Parallel()
	t.Run("a directory has come to be at the path", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		put := sync.OnceFunc(func() { _ = os.Mkdir(filepath.Join(dir, "a"), 0o700) })
		b, _ := getFrom(t, whole())
		_, err := request.Download(t.Context(), b, filepath.Join(dir, "a"),
			request.DownloadProgress(func(request.Progress) { put() }))
		wantStage[*request.Error](t, err, request.StageSave)
		if _, ok := errors.AsType[*fs.PathError](err); !ok {
			t.Errorf("error %v, want a PathError", err)
		}
		wantFiles(t, dir, map[string]string{"a": "d---------"})
	})
	t.Run("the written file has gone", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		b, _ := getFrom(t, named("filename=a"))
		_, err := request.DownloadInto(t.Context(), b, dir, request.DownloadProgress(func(request.Progress) {
			for _, part := range namesIn(t, dir) {
				if err := os.Remove(filepath.Join(dir, part)); errors.Is(err, syscall.EACCES) {
					t.Skip("an open file cannot be removed here")
				}
			}
		}))
		wantStage[*request.Error](t, err, request.StageSave)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error %v, want one of a file that is not there", err)
		}
		wantFiles(t, dir, map[string]string{})
	})
}

// namesIn returns the names in a directory.
func namesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A file that is begun anew is that of the last response, with its name and header.
func TestDownloadIntoRenamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, srv := getFrom(t, cutAt(50, "filename=old"), named("filename=new"))
	got, err := request.DownloadInto(t.Context(), b, dir)
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "new" || got.Requests != 2 || got.Header.Get("Content-Disposition") != "filename=new" {
		t.Errorf("got %+v, want the file of the second response", got)
	}
	wantFiles(t, dir, map[string]string{"new": source})
	wantRequests(t, srv, 2)
}

// cutAt answers with the beginning of the source, and breaks off.
func cutAt(n int, disposition string) connectiontest.Reply {
	return connectiontest.Text(200, source[:n]).Header("Content-Length", strconv.Itoa(len(source))).
		Header("Content-Disposition", disposition)
}
