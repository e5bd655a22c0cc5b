package request_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// stalled answers with half of the source and then with nothing, until nobody waits for it any more.
func stalled(header ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		for name, value := range headers(header...) {
			w.Header().Set(name, value)
		}
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, source[:50])
		_ = http.NewResponseController(w).Flush()
		<-req.Context().Done()
	})
}

// The end of the caller's context ends a download at once, and leaves nothing behind.
func TestDownloadCancelled(t *testing.T) {
	t.Parallel()
	why := errors.New("no longer wanted")
	for name, c := range map[string]struct {
		replies  []http.Handler
		after    time.Duration // of the cancellation; 0: as soon as bytes have come
		requests int
	}{
		"L7 while bytes come":         {[]http.Handler{stalled("ETag: " + etag)}, 0, 1},
		"L7 while none come":          {[]http.Handler{stalled("ETag: " + etag)}, time.Second, 1},
		"L7 before the answer":        {[]http.Handler{connectiontest.Status(200).Delay(time.Minute)}, time.Second, 1},
		"L7 before the second answer": {[]http.Handler{answer(200, 0, 50), whole().Delay(time.Minute)}, time.Second, 2},
		"L7 while it waits to go on":  {[]http.Handler{answer(200, 0, 0)}, 100 * time.Millisecond, 1},
		"L7 while it waits after a 503": {
			[]http.Handler{answer(200, 0, 50), connectiontest.Status(503)}, 100 * time.Millisecond, 2,
		},
	} {
		inBubble(t, name, func(t *testing.T) {
			before := map[string]string{"a": "as it was"}
			dir := dirWith(t, before)
			b, srv := getFrom(t, c.replies...)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if c.after > 0 {
				time.AfterFunc(c.after, func() { cancel(why) })
			}
			began := time.Now()
			_, err := request.Download(ctx, b, filepath.Join(dir, "a"), request.DownloadProgress(func(p request.Progress) {
				if c.after == 0 && p.Done > 0 {
					cancel(why)
				}
			}))
			if !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
				t.Errorf("error %v, want the end of the context and its cause", err)
			}
			if e, ok := errors.AsType[*request.DownloadError](err); ok && e.Requests != c.requests {
				t.Errorf("error %v, want one of %d requests", err, c.requests)
			}
			if took := time.Since(began); took != c.after {
				t.Errorf("it took %v, want %v", took, c.after)
			}
			wantFiles(t, dir, before)
			wantRequests(t, srv, c.requests)
			synctest.Wait()
			if n := srv.OpenConns(); strings.Contains(name, "come") && n != 0 {
				t.Errorf("%d connections are open, want none", n)
			}
		})
	}
}

// A wait that would outlast the deadline is not begun.
func TestDownloadDeadline(t *testing.T) {
	t.Parallel()
	inBubble(t, "L7", func(t *testing.T) {
		dir := t.TempDir()
		b, srv := getFrom(t, answer(200, 0, 50, "ETag: "+etag), connectiontest.Status(503))
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond) // the shortest wait is 250 ms
		defer cancel()
		began := time.Now()
		_, err := request.Download(ctx, b, filepath.Join(dir, "a"))
		if !errors.Is(err, request.Status(503)) || !strings.Contains(err.Error(), "outlast the deadline") {
			t.Errorf("error %v, want a 503 that says why it was the last", err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v, want no wait", took)
		}
		wantFiles(t, dir, map[string]string{})
		wantRequests(t, srv, 2)
	})
}

// A server that falls silent costs the idle timeout, and the download goes on.
func TestDownloadIdle(t *testing.T) {
	t.Parallel()
	inBubble(t, "L11", func(t *testing.T) {
		dir := t.TempDir()
		srv := connectiontest.NewServer(t, connectiontest.Sequence(stalled("ETag: "+etag), partial(50, 100)))
		conn := connectTo(t, srv, "", connection.WithTimeouts(connection.Timeouts{Idle: 10 * time.Second}))
		began := time.Now()
		if _, err := request.Download(t.Context(), request.Get(conn, "/"), filepath.Join(dir, "a")); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("it took %v, want the idle timeout and no wait", took)
		}
		wantFiles(t, dir, map[string]string{"a": source})
		if diff := cmp.Diff([]string{"-", `bytes=50- "v1"`}, ranges(srv)); diff != "" {
			t.Errorf("the requests were not for (-want +got):\n%s", diff)
		}
	})
}

// Between requests that bring nothing the waits grow, as far as 30 s; Retry-After can make them longer.
func TestDownloadWaits(t *testing.T) {
	t.Parallel()
	wait := func(t *testing.T, option request.DownloadOption, replies ...http.Handler) (time.Duration, error) {
		t.Helper()
		b, _ := getFrom(t, replies...)
		began := time.Now()
		_, err := request.Download(t.Context(), b, filepath.Join(t.TempDir(), "a"), option)
		return time.Since(began), err
	}
	half := answer(200, 0, 50, "ETag: "+etag)
	inBubble(t, "none after bytes", func(t *testing.T) {
		took, err := wait(t, request.Resumes(3), half, half, half, whole())
		if err != nil || took != 0 {
			t.Errorf("it took %v, %v, want no wait", took, err)
		}
	})
	for n, middle := range map[int]time.Duration{
		1: 500 * time.Millisecond, 3: 3500 * time.Millisecond, 8: 91500 * time.Millisecond,
	} {
		inBubble(t, middle.String(), func(t *testing.T) {
			took, err := wait(t, request.Resumes(n+1), half, connectiontest.Status(503))
			if err == nil || took < middle/2 || took > middle*3/2 {
				t.Errorf("it took %v, %v, want %v, give or take a half, and a failure", took, err, middle)
			}
		})
	}
	inBubble(t, "short again after bytes", func(t *testing.T) {
		down := connectiontest.Status(503)
		b, _ := getFrom(t, half, down, down, down, down, down, down, partialCut(60), down, partial(60, 100))
		var came, ended time.Time
		_, err := request.Download(t.Context(), b, filepath.Join(t.TempDir(), "a"), request.Resumes(9),
			request.DownloadProgress(func(p request.Progress) {
				if p.Attempt == 8 {
					came = time.Now()
				}
				ended = time.Now()
			}))
		if took := ended.Sub(came); err != nil || took < 250*time.Millisecond || took > 750*time.Millisecond {
			t.Errorf("the last wait was %v, %v, want 500 ms, give or take a half", took, err)
		}
	})
	inBubble(t, "Retry-After", func(t *testing.T) {
		took, err := wait(t, request.Resumes(5), half, connectiontest.Status(503).Header("Retry-After", "20"), whole())
		if err != nil || took != 20*time.Second {
			t.Errorf("it took %v, %v, want 20 s", took, err)
		}
	})
	inBubble(t, "Retry-After too long", func(t *testing.T) {
		took, err := wait(t, request.Resumes(5), half, connectiontest.Status(503).Header("Retry-After", "61"), whole())
		if took != 0 || !errors.Is(err, request.Status(503)) || !strings.Contains(err.Error(), "1m1s") {
			t.Errorf("it took %v: %v, want a 503 at once that says why", took, err)
		}
	})
}

// Done is what is in the file, and falls back where that is begun anew.
func TestDownloadProgress(t *testing.T) {
	t.Parallel()
	step := func(attempt int, total, done int64) request.Progress {
		return request.Progress{Done: done, Total: total, Attempt: attempt}
	}
	for name, c := range map[string]struct {
		replies []http.Handler
		want    []request.Progress
	}{
		"at one go": {[]http.Handler{whole()}, []request.Progress{step(1, 100, 0), step(1, 100, 100)}},
		"resumed": {
			[]http.Handler{answer(200, 0, 50, "ETag: "+etag), partial(50, 100)},
			[]request.Progress{step(1, 100, 0), step(1, 100, 50), step(2, 100, 50), step(2, 100, 100)},
		},
		"begun anew": {
			[]http.Handler{answer(200, 0, 50), whole()},
			[]request.Progress{step(1, 100, 0), step(1, 100, 50), step(2, 100, 0), step(2, 100, 100)},
		},
		"of unknown length": {
			[]http.Handler{chunked(200, "ETag: "+etag, false, source[:50]), partial(50, 100)},
			[]request.Progress{step(1, -1, 0), step(1, -1, 50), step(2, 100, 50), step(2, 100, 100)},
		},
		"empty": {[]http.Handler{connectiontest.Status(200)}, []request.Progress{step(1, 0, 0)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := getFrom(t, c.replies...)
			var got []request.Progress
			_, err := request.Download(t.Context(), b, filepath.Join(t.TempDir(), "a"),
				request.DownloadProgress(func(p request.Progress) { got = append(got, p) }))
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("progress (-want +got):\n%s", diff)
			}
		})
	}
}

// A panic of the caller's function leaves no file and no connection behind.
func TestDownloadPanic(t *testing.T) {
	t.Parallel()
	inBubble(t, "L7", func(t *testing.T) {
		dir := t.TempDir()
		b, srv := getFrom(t, stalled())
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_, _ = request.Download(t.Context(), b, filepath.Join(dir, "a"), request.DownloadProgress(func(p request.Progress) {
				if p.Done > 0 {
					panic("a bug of the caller")
				}
			}))
		}()
		wantFiles(t, dir, map[string]string{})
		synctest.Wait()
		if n := srv.OpenConns(); n != 0 {
			t.Errorf("%d connections are open, want none", n)
		}
	})
}

// A connection that is closed by its owner ends the download.
func TestDownloadClosed(t *testing.T) {
	t.Parallel()
	inBubble(t, "L7", func(t *testing.T) {
		dir := t.TempDir()
		srv := connectiontest.NewServer(t, answer(200, 0, 50, "ETag: "+etag))
		conn := connectTo(t, srv, "")
		_, err := request.Download(t.Context(), request.Get(conn, "/"), filepath.Join(dir, "a"),
			request.DownloadProgress(func(request.Progress) { _ = conn.Close() }))
		if !errors.Is(err, connection.ErrClosed) {
			t.Errorf("error %v, want ErrClosed", err)
		}
		wantFiles(t, dir, map[string]string{})
		wantRequests(t, srv, 1)
	})
}

// The error of a file says nothing about the request but its URL.
func TestDownloadErrorText(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	b, _ := getFrom(t, whole())
	_, err := request.Download(t.Context(), b.Query("key", "hunter2"), filepath.Join(dir, "a"))
	text := err.Error()
	if !strings.HasPrefix(text, "GET https://api.example.test/export: ") || strings.Contains(text, "hunter2") {
		t.Errorf("error %q, want method and URL without query", text)
	}
}
