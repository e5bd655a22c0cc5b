package request_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// source is the file that most servers of these tests have: 100 bytes, no two parts of which are the same.
var source = func() string {
	var b strings.Builder
	for i := range 25 {
		b.WriteString("<" + strconv.Itoa(10+i) + ">")
	}
	return b.String()
}()

// whole answers with all of the source.
func whole() connectiontest.Reply { return connectiontest.Text(200, source) }

// getFrom describes a GET to a new server with these answers.
func getFrom(
	t *testing.T, replies ...http.Handler,
) (request.Builder, *connectiontest.Server) {
	t.Helper()
	srv := connectiontest.NewServer(t, connectiontest.Sequence(replies...))
	return request.Get(connectTo(t, srv, ""), "/export"), srv
}

func TestDownload(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]map[string]string{
		"writes the file":                         {},
		"replaces a file and leaves others alone": {"a.zip": "a longer file" + source, "b": "b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := dirWith(t, before)
			b, srv := getFrom(t, whole())
			path := filepath.Join(dir, "a.zip")
			n, err := request.Download(t.Context(), b, path)
			if err != nil || n != int64(len(source)) {
				t.Errorf("got %d, %v, want 100 bytes and no error", n, err)
			}
			want := maps.Clone(before)
			want["a.zip"] = source
			wantFiles(t, dir, want)
			if got := srv.Requests()[0].Header["Accept-Encoding"]; !cmp.Equal(got, []string{"identity"}) {
				t.Errorf("Accept-Encoding is %q, want identity", got)
			}
			if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
				t.Errorf("the mode of the file is %v, %v, want 0600", info.Mode(), err)
			}
		})
	}
	t.Run("an empty file", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		b, _ := getFrom(t, connectiontest.Status(200))
		if n, err := request.Download(t.Context(), b, filepath.Join(dir, "a")); n != 0 || err != nil {
			t.Errorf("got %d, %v, want an empty file", n, err)
		}
		wantFiles(t, dir, map[string]string{"a": ""})
	})
	t.Run("chunked, over HTTP/2, in parts", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		srv := connectiontest.NewNetwork(t).ServeH2("https://api.example.test",
			http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for line := range strings.SplitAfterSeq(source, ">") {
					_, _ = io.WriteString(w, line)
					_ = http.NewResponseController(w).Flush()
				}
			}))
		if _, err := request.Download(t.Context(), request.Get(connectTo(t, srv, ""), "/"), dir+"/a"); err != nil {
			t.Error(err)
		}
		wantFiles(t, dir, map[string]string{"a": source})
	})
	t.Run("a POST", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		srv := connectiontest.NewServer(t, connectiontest.Text(201, source))
		b := request.Post(connectTo(t, srv, ""), "/reports").JSON(1)
		if _, err := request.Download(t.Context(), b, dir+"/a"); err != nil {
			t.Error(err)
		}
		wantFiles(t, dir, map[string]string{"a": source})
	})
}

// A response that carries no file leaves none, and what was there stays.
func TestDownloadStatus(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply http.Handler
		build func(b request.Builder) request.Builder
		want  int
	}{
		"404": {connectiontest.Text(404, "<html>"), nil, 404},
		"500": {connectiontest.Text(500, "<html>"), nil, 500},
		"204": {connectiontest.Status(204), nil, 204},
		"205": {connectiontest.Status(205), nil, 205},
		"304": {connectiontest.Status(304), nil, 304},
		"302 that is not followed": {
			connectiontest.Text(302, "moved").Header("Location", "/b"),
			func(b request.Builder) request.Builder { return b.MaxRedirects(0) }, 302,
		},
		"206 that was not asked for": {
			connectiontest.Text(206, source[:50]).Header("Content-Range", "bytes 0-49/100"), nil, 206,
		},
		"404 that Check lets pass": {
			connectiontest.Text(404, "<html>"),
			func(b request.Builder) request.Builder {
				return b.Check(func(*http.Response, []byte) error { return nil })
			}, 404,
		},
		"404 that is expected": {
			connectiontest.Text(404, "<html>"),
			func(b request.Builder) request.Builder { return b.ExpectStatus(404) }, 404,
		},
	} {
		t.Run("L11 "+name, func(t *testing.T) {
			t.Parallel()
			before := map[string]string{"a.zip": "as it was"}
			dir := dirWith(t, before)
			b, srv := getFrom(t, c.reply)
			if c.build != nil {
				b = c.build(b)
			}
			_, err := request.Download(t.Context(), b, filepath.Join(dir, "a.zip"))
			if e := wantStage[*request.ResponseError](t, err, request.StageStatus); e.Status != c.want {
				t.Errorf("the status in the error is %d, want %d", e.Status, c.want)
			}
			if _, ok := errors.AsType[*request.DownloadError](err); ok {
				t.Errorf("error %v says that a transfer broke off, and none had begun", err)
			}
			wantFiles(t, dir, before)
			wantRequests(t, srv, 1)
		})
	}
}

func sha(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// What is wrong with the options or the request is found before anything is sent or created.
func TestDownloadMisuse(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, whole())
	get := request.Get(connectTo(t, srv, ""), "/export")
	dir := t.TempDir()
	for name, c := range map[string]struct {
		b      request.Builder
		path   string
		option request.DownloadOption
		want   string
	}{
		"nil option":           {get, "a", nil, "nil"},
		"nil hash function":    {get, "a", request.Checksum(nil, sha("")), "nil"},
		"hash function to nil": {get, "a", request.Checksum(func() hash.Hash { return nil }, sha("")), "nil"},
		"checksum too short":   {get, "a", request.Checksum(sha256.New, sha("")[2:]), "31 bytes"},
		"checksum not hex":     {get, "a", request.Checksum(sha256.New, "g"+sha("")[1:]), "hexadecimal digits"},
		"nil progress":         {get, "a", request.DownloadProgress(nil), "DownloadProgress"},
		"no limit":             {get, "a", request.MaxDownload(0), "MaxDownload"},
		"negative resumes":     {get, "a", request.Resumes(-1), "Resumes"},
		"default name":         {get, "a", request.DefaultName("b"), "for DownloadInto"},
		"default name bad":     {get, "a", request.DefaultName("../b"), `"../b" is not a plain file name`},
		"default name empty":   {get, "a", request.DefaultName(""), "not a plain file name"},
		"overwrite":            {get, "a", request.Overwrite(), "for DownloadInto"},
		"empty path":           {get, "", request.Resumes(0), "names no file"},
		"path of a directory":  {get, "sub/", request.Resumes(0), "names no file"},
		"path of dots":         {get, "..", request.Resumes(0), "names no file"},
		"HEAD":                 {request.Head(connectTo(t, srv, ""), "/"), "a", request.Resumes(0), "HEAD"},
		"Range":                {get.Header("range", "bytes=1-"), "a", request.Resumes(0), "Range is set by"},
		"If-Range":             {get.Header("If-Range", `"a"`), "a", request.Resumes(0), "If-Range is set by"},
		"nil connection":       {request.Get(nil, "/"), "a", request.Resumes(0), "connection.New"},
		"zero builder":         {request.Builder{}, "a", request.Resumes(0), "connection.New"},
		"missing parameter":    {request.Get(connectTo(t, srv, ""), "/{id}"), "a", request.Resumes(0), "missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := c.path
			if path != "" {
				path = dir + "/" + path
			}
			_, err := request.Download(t.Context(), c.b, path, c.option)
			wantStage[*request.Error](t, err, request.StageBuild)
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %s", err, c.want)
			}
		})
	}
	t.Run("nil context", func(t *testing.T) {
		t.Parallel()
		_, err := request.Download(context.Context(nil), get, dir+"/a")
		wantStage[*request.Error](t, err, request.StageBuild)
	})
	t.Cleanup(func() {
		wantFiles(t, dir, map[string]string{})
		if n := srv.Conns(); n != 0 {
			t.Errorf("the server saw %d connections, want none", n)
		}
	})
}

func TestDownloadChecksum(t *testing.T) {
	t.Parallel()
	t.Run("the right one, in capitals", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		b, _ := getFrom(t, whole())
		sum := request.Checksum(sha256.New, strings.ToUpper(sha(source)))
		for _, name := range []string{"a", "b"} { // an option can be used again
			if _, err := request.Download(t.Context(), b, filepath.Join(dir, name), sum); err != nil {
				t.Error(err)
			}
		}
		wantFiles(t, dir, map[string]string{"a": source, "b": source})
	})
	t.Run("another one", func(t *testing.T) {
		t.Parallel()
		before := map[string]string{"a": "as it was"}
		dir := dirWith(t, before)
		b, srv := getFrom(t, whole())
		_, err := request.Download(t.Context(), b, filepath.Join(dir, "a"), request.Checksum(sha256.New, sha("x")))
		wantStage[*request.Error](t, err, request.StageDecode)
		if e, ok := errors.AsType[*request.ChecksumError](err); !ok || e.Got != sha(source) || e.Want != sha("x") {
			t.Errorf("error %v, want a ChecksumError with both sums", err)
		}
		wantFiles(t, dir, before)
		wantRequests(t, srv, 1)
	})
}

// endlessly sends bytes for as long as somebody takes them.
func endlessly() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for data := make([]byte, 64<<10); ; {
			if _, err := w.Write(data); err != nil {
				return
			}
		}
	})
}

func TestDownloadLimit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply    http.Handler
		limit    int64
		tooLarge bool
		read     bool
	}{
		"I2 a body without end":       {endlessly(), 1 << 20, true, true},
		"I2 a Content-Length over it": {connectiontest.Text(200, source), 99, true, false},
		"I2 a huge Content-Length": {
			connectiontest.Text(200, source).Header("Content-Length", strconv.Itoa(math.MaxInt64)), 100, true, false,
		},
		"I2 as long as the limit": {connectiontest.Text(200, source), 100, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			b, srv := getFrom(t, c.reply)
			var most int64
			_, err := request.Download(t.Context(), b, filepath.Join(dir, "a"), request.MaxDownload(c.limit),
				request.DownloadProgress(func(p request.Progress) { most = max(most, p.Done) }))
			if !c.tooLarge {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantStage[*request.Error](t, err, request.StageRead)
			if !errors.Is(err, request.ErrDownloadTooLarge) || !strings.Contains(err.Error(), "MaxDownload") {
				t.Errorf("error %v, want ErrDownloadTooLarge, which names the option", err)
			}
			if most > c.limit || (most > 0) != c.read {
				t.Errorf("%d bytes were written; the limit is %d", most, c.limit)
			}
			wantFiles(t, dir, map[string]string{})
			wantRequests(t, srv, 1)
		})
	}
}

// The bytes in the file are those whose length and checksum the server speaks of.
func TestDownloadCoding(t *testing.T) {
	t.Parallel()
	zipped := gzipped(source)
	reply := connectiontest.Text(200, zipped).Header("Content-Encoding", "gzip")
	t.Run("one that was not asked for", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		b, _ := getFrom(t, reply)
		_, err := request.Download(t.Context(), b, filepath.Join(dir, "a"))
		wantStage[*request.DecodeError](t, err, request.StageDecode)
		if !strings.Contains(err.Error(), "Accept-Encoding") {
			t.Errorf("error %v does not say what to do", err)
		}
		wantFiles(t, dir, map[string]string{})
	})
	t.Run("identity, by that name", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		b, _ := getFrom(t, whole().Header("Content-Encoding", "identity"))
		if _, err := request.Download(t.Context(), b, filepath.Join(dir, "a")); err != nil {
			t.Error(err)
		}
		wantFiles(t, dir, map[string]string{"a": source})
	})
	t.Run("one that the caller wants", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		b, srv := getFrom(t, reply)
		n, err := request.Download(t.Context(), b.Header("Accept-Encoding", "gzip"), filepath.Join(dir, "a"))
		if err != nil || n != int64(len(zipped)) {
			t.Errorf("got %d, %v, want %d bytes", n, err, len(zipped))
		}
		wantFiles(t, dir, map[string]string{"a": zipped})
		if got := srv.Requests()[0].Header["Accept-Encoding"]; !cmp.Equal(got, []string{"gzip"}) {
			t.Errorf("Accept-Encoding is %q, want gzip", got)
		}
	})
	t.Run("that of the connection is replaced", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		srv := connectiontest.NewServer(t, whole())
		conn := connectTo(t, srv, "", connection.WithHeader("Accept-Encoding", "br"))
		if _, err := request.Download(t.Context(), request.Get(conn, "/"), filepath.Join(dir, "a")); err != nil {
			t.Error(err)
		}
		if got := srv.Requests()[0].Header["Accept-Encoding"]; !cmp.Equal(got, []string{"identity"}) {
			t.Errorf("Accept-Encoding is %q, want identity", got)
		}
	})
}

// What stands in the way of the file is an error before anything is sent.
func TestDownloadPath(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path string
		want error
	}{
		"a directory":                        {"dir", syscall.EISDIR},
		"a directory that does not exist":    {"none/a", fs.ErrNotExist},
		"a file in the place of a directory": {"file/a", syscall.ENOTDIR},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := dirWith(t, map[string]string{"file": "as it was"})
			if err := os.Mkdir(filepath.Join(dir, "dir"), 0o700); err != nil {
				t.Fatal(err)
			}
			b, srv := getFrom(t, whole())
			_, err := request.Download(t.Context(), b, filepath.Join(dir, filepath.FromSlash(c.path)))
			wantStage[*request.Error](t, err, request.StageSave)
			if _, ok := errors.AsType[*fs.PathError](err); !ok || !errors.Is(err, c.want) {
				t.Errorf("error %v, want a PathError with %v", err, c.want)
			}
			wantRequests(t, srv, 0)
			wantFiles(t, dir, map[string]string{"dir": "d---------", "file": "as it was"})
		})
	}
}

// symlink makes a link. On Windows that may not be allowed.
func symlink(t *testing.T, target, name string) {
	t.Helper()
	err := os.Symlink(target, name)
	if err != nil && runtime.GOOS == "windows" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A symbolic link at the path is replaced, and what it leads to is not touched.
func TestDownloadSymlink(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]string{"to a file": "victim", "to nowhere": "none", "to a directory": "."} {
		t.Run("I20 "+name, func(t *testing.T) {
			t.Parallel()
			dir, outside := t.TempDir(), dirWith(t, map[string]string{"victim": "as it was"})
			symlink(t, filepath.Join(outside, target), filepath.Join(dir, "a"))
			b, _ := getFrom(t, whole())
			if _, err := request.Download(t.Context(), b, filepath.Join(dir, "a")); err != nil {
				t.Error(err)
			}
			if info, err := os.Lstat(filepath.Join(dir, "a")); err != nil || !info.Mode().IsRegular() {
				t.Errorf("what is at the path is %v, %v, want a file", info, err)
			}
			wantFiles(t, dir, map[string]string{"a": source})
			wantFiles(t, outside, map[string]string{"victim": "as it was"})
		})
	}
}

// The relative path of a file in the working directory.
func TestDownloadRelative(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	b, _ := getFrom(t, whole().Header("Content-Disposition", "attachment; filename=b"))
	if _, err := request.Download(t.Context(), b, "a"); err != nil {
		t.Error(err)
	}
	if _, err := request.DownloadInto(t.Context(), b, "."); err != nil {
		t.Error(err)
	}
	wantFiles(t, dir, map[string]string{"a": source, "b": source})
}
