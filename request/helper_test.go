package request_test

import (
	"errors"
	"io"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// inBubble runs a case on a clock of its own.
func inBubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, f)
	})
}

// connectTo opens a connection to a server, with that path below its origin. It is closed at the end of the test.
func connectTo(
	t *testing.T, srv *connectiontest.Server, path string, opts ...connection.Option,
) *connection.Connection {
	t.Helper()
	conn, err := connection.New(srv.URL+path, append([]connection.Option{srv.Network().Option()}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// answered returns a request to a server that answers with a status, headers and a body, as they are.
func answered(
	t *testing.T, status int, header, body string, opts ...connection.Option,
) (request.Builder, *connectiontest.Server) {
	t.Helper()
	s := connectiontest.NewNetwork(t).Serve("http://127.0.0.1:8080",
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil // none, unless header has one
			for name, value := range headers(header) {
				w.Header().Set(name, value)
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
	conn := connectTo(t, s, "", opts...)
	return request.Get(conn, "/x"), s
}

// wantStage checks that err matches one stage and no other, and returns the error as a T.
func wantStage[T error](t *testing.T, err error, want request.Stage) T {
	t.Helper()
	for _, stage := range []request.Stage{
		request.StageBuild, request.StageAuth, request.StageSend, request.StageStatus, request.StageRead,
		request.StageDecode, request.StagePage, request.StageSave,
	} {
		if got := errors.Is(err, stage); got != (stage == want) {
			t.Errorf("errors.Is(%v, %s) is %v", err, stage, got)
		}
	}
	e, ok := errors.AsType[T](err)
	if !ok {
		t.Fatalf("the error is %T: %v; want %T", err, err, e)
	}
	return e
}

// wantRequests checks how many requests a server got.
func wantRequests(t *testing.T, srv *connectiontest.Server, want int) {
	t.Helper()
	if got := len(srv.Requests()); got != want {
		t.Errorf("the server got %d requests, want %d", got, want)
	}
}

// wantFiles checks that the directory has these files with these contents, and nothing else.
func wantFiles(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			data = []byte(e.Type().String())
		}
		got[e.Name()] = string(data)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the directory is not as expected (-want +got):\n%s", diff)
	}
}

// dirWith returns a new directory with these files.
func dirWith(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// onDisk writes a file of that name, and returns its path.
func onDisk(t *testing.T, name, content string) string {
	t.Helper()
	return filepath.Join(dirWith(t, map[string]string{name: content}), name)
}

// all ranges over a sequence to its end. It fails if anything comes after an error, or with it.
func all[T any](t *testing.T, seq iter.Seq2[T, error]) (values []T, err error) {
	t.Helper()
	for v, e := range seq {
		var none T
		switch {
		case err != nil:
			t.Errorf("after the error came %v, %v", v, e)
		case e != nil && !cmp.Equal(v, none):
			t.Errorf("beside the error came %v", v)
		case e == nil:
			values = append(values, v)
		}
		err = e
	}
	return values, err
}

// wantSame compares what a case got with what it wants.
func wantSame(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// last returns the error that a sequence ends with.
func last[T any](seq iter.Seq2[T, error]) error {
	var last error
	for _, err := range seq {
		last = err
	}
	return last
}

// unlessRace returns many, or few where the race detector makes everything slow.
func unlessRace(many, few int) int {
	if underRace() {
		return few
	}
	return many
}

// dropped closes a response that nobody reads.
func dropped(resp *http.Response, err error) error {
	if err == nil {
		_ = resp.Body.Close()
	}
	return err
}

// underRace reports whether this program was built with the race detector.
func underRace() bool {
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

// drained reads the body of a request to its end.
func drained(r *http.Request) error {
	_, err := io.Copy(io.Discard, r.Body)
	return err
}

// headers yields the header fields of texts: in each line a name, a colon, a space and a value.
func headers(texts ...string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, text := range texts {
			for line := range strings.Lines(text) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				if !yield(name, value) {
					return
				}
			}
		}
	}
}

// allocated returns how many bytes the process allocates while f runs.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
