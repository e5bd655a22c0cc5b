package request_test

import (
	"context"
	"errors"
	"iter"
	"path/filepath"
	"testing"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// terminals are all the ways to send a request, or to build it.
func terminals(dir string) map[string]func(ctx context.Context, b request.Builder) error {
	type ctxt = context.Context
	pages := func(ctx ctxt, b request.Builder) iter.Seq2[*request.Page[[]string], error] {
		return request.Pages(ctx, b, request.LinkHeader[[]string]())
	}
	return map[string]func(ctx context.Context, b request.Builder) error{
		"Do":     func(ctx ctxt, b request.Builder) error { _, err := request.Do[any](ctx, b); return err },
		"Full":   func(ctx ctxt, b request.Builder) error { _, err := request.Full[any](ctx, b); return err },
		"Into":   func(ctx ctxt, b request.Builder) error { return b.Into(ctx, new(any)) },
		"Exec":   func(ctx ctxt, b request.Builder) error { return b.Exec(ctx) },
		"Stream": func(ctx ctxt, b request.Builder) error { return dropped(b.Stream(ctx)) },
		"Request": func(ctx ctxt, b request.Builder) error {
			req, err := b.Request(ctx)
			if err == nil {
				_ = req.Body.Close()
			}
			return err
		},
		"Download": func(ctx ctxt, b request.Builder) error {
			_, err := request.Download(ctx, b, filepath.Join(dir, "a"))
			return err
		},
		"DownloadInto": func(ctx ctxt, b request.Builder) error {
			_, err := request.DownloadInto(ctx, b, dir, request.DefaultName("b"))
			return err
		},
		"Events":    func(ctx ctxt, b request.Builder) error { return last(request.Events(ctx, b)) },
		"JSONLines": func(ctx ctxt, b request.Builder) error { return last(request.JSONLines[any](ctx, b)) },
		"Pages":     func(ctx ctxt, b request.Builder) error { return last(pages(ctx, b)) },
		"Items":     func(ctx ctxt, b request.Builder) error { return last(request.Items(pages(ctx, b))) },
	}
}

// wantRefused sends a request with a body that is there once, which is refused: the body is closed, and not read.
func wantRefused(t *testing.T, b request.Builder, stage request.Stage, send func(b request.Builder) error) {
	t.Helper()
	var books bookkeeper
	err := send(b.Body(request.Once("", books.once("x"))))
	wantStage[*request.Error](t, err, stage)
	if books.closed.Load() != 1 || books.reads.Load() != 0 {
		t.Errorf("after %v: closed %d times, read %d times", err, books.closed.Load(), books.reads.Load())
	}
}

// A Once that belongs to a request that is refused is closed by whichever terminal refused it.
func TestOnceRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := connectiontest.NewServer(t, connectiontest.Status(204))
	t.Cleanup(func() {
		if n := srv.Conns(); n != 0 {
			t.Errorf("the server saw %d connections, want none", n)
		}
	})
	post := request.Post(connectTo(t, srv, ""), "/")
	for refusal, b := range map[string]request.Builder{
		"a path parameter that the template has not": post.Path("id", "1"),
		"no connection":              request.Post(nil, "/"),
		"a connection not from New":  request.Post(new(connection.Connection), "/"),
		"a reserved header":          post.Header("Host", "other.test"),
		"a body on GET":              request.Get(connectTo(t, srv, ""), "/"),
		"an option":                  post.Timeout(-time.Second),
		"a nil authenticator":        post.Auth(nil),
		"no status that is expected": post.ExpectStatus(),
		"retries":                    post.Retry(connection.Retry{Max: 1}),
	} {
		for name, terminal := range terminals(dir) {
			t.Run("L3 "+name+" refuses "+refusal, func(t *testing.T) {
				t.Parallel()
				wantRefused(t, b, request.StageBuild, func(b request.Builder) error { return terminal(t.Context(), b) })
			})
		}
	}
	wantFiles(t, dir, map[string]string{})
}

// What only one terminal refuses closes the body as well.
func TestOnceRefusedByOne(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	srv := connectiontest.NewServer(t, connectiontest.Status(204))
	post := request.Post(connectTo(t, srv, ""), "/")
	download := func(path string, options ...request.DownloadOption) func(b request.Builder) error {
		return func(b request.Builder) error { _, err := request.Download(ctx, b, path, options...); return err }
	}
	downloadInto := func(dir string, options ...request.DownloadOption) func(b request.Builder) error {
		return func(b request.Builder) error { _, err := request.DownloadInto(ctx, b, dir, options...); return err }
	}
	events := func(options ...request.EventOption) func(b request.Builder) error {
		return func(b request.Builder) error { return last(request.Events(ctx, b, options...)) }
	}
	jsonLines := func(options ...request.LineOption) func(b request.Builder) error {
		return func(b request.Builder) error { return last(request.JSONLines[any](ctx, b, options...)) }
	}
	pages := func(next request.Next[[]string], options ...request.PageOption) func(b request.Builder) error {
		return func(b request.Builder) error { return last(request.Items(request.Pages(ctx, b, next, options...))) }
	}
	numbered := request.PageNumber("page", 1, count)
	header := func(name string, send func(b request.Builder) error) func(b request.Builder) error {
		return func(b request.Builder) error { return send(b.Header(name, "1")) }
	}
	for name, send := range map[string]func(b request.Builder) error{
		"Into, what is no pointer":   func(b request.Builder) error { return b.Into(ctx, 1) },
		"Into, nil":                  func(b request.Builder) error { return b.Into(ctx, nil) },
		"Into, a nil pointer":        func(b request.Builder) error { return b.Into(ctx, (*int)(nil)) },
		"Download, no path":          download(""),
		"Download, a dot":            download(dir + "/."),
		"Download, nil":              download(filepath.Join(dir, "a"), nil),
		"Download, a bad option":     download(filepath.Join(dir, "a"), request.MaxDownload(0)),
		"Download, another's option": download(filepath.Join(dir, "a"), request.Overwrite()),
		"Download, Range":            header("Range", download(filepath.Join(dir, "a"))),
		"DownloadInto, no name":      downloadInto(""),
		"DownloadInto, nil":          downloadInto(dir, nil),
		"DownloadInto, a bad option": downloadInto(dir, request.DefaultName("a/b")),
		"Events, nil":                events(nil),
		"Events, a bad option":       events(request.MaxEventSize(0)),
		"Events, a header":           header("Last-Event-ID", events()),
		"JSONLines, nil":             jsonLines(nil),
		"JSONLines, a bad option":    jsonLines(request.MaxLineSize(0)),
		"JSONLines, XML":             func(b request.Builder) error { return jsonLines()(b.Codec(request.XMLCodec())) },
		"Pages, a bad option":        pages(numbered, request.MaxPages(0)),
		"Pages, a bad cursor":        pages(numbered, request.FromCursor("x")),
		"Pages, a foreign cursor":    pages(request.LinkHeader[[]string](), request.FromCursor("https://other.test/")),
		"Pages, a bad Next":          pages(request.PageNumber("", 1, count)),
		"Pages, no Next":             pages(request.Next[[]string]{}),
	} {
		t.Run("L3 "+name, func(t *testing.T) {
			t.Parallel()
			wantRefused(t, post, request.StageBuild, send)
		})
	}
	for name, send := range map[string]func(b request.Builder) error{
		"Download, a directory that is not there":     download(filepath.Join(dir, "none", "a")),
		"Download, a directory":                       download(dir),
		"DownloadInto, a directory that is not there": downloadInto(filepath.Join(dir, "none")),
	} {
		t.Run("L3 "+name, func(t *testing.T) {
			t.Parallel()
			wantRefused(t, post, request.StageSave, send)
		})
	}
	t.Cleanup(func() {
		if n := srv.Conns(); n != 0 {
			t.Errorf("the server saw %d connections, want none", n)
		}
	})
}

// A Builder whose Once was sent is refused by every terminal, before anything is sent.
func TestOnceSent(t *testing.T) {
	t.Parallel()
	for name, terminal := range terminals(t.TempDir()) {
		t.Run("L3 "+name+" does not send it again", func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewServer(t, connectiontest.Status(204))
			var books bookkeeper
			b := request.Post(connectTo(t, srv, ""), "/").Body(request.Once("", books.once("x")))
			if err := b.Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			err := terminal(t.Context(), b)
			wantStage[*request.Error](t, err, request.StageBuild)
			if !errors.Is(err, connection.ErrNotReplayable) {
				t.Errorf("error %v, want ErrNotReplayable", err)
			}
			wantRequests(t, srv, 1)
			if n := books.closed.Load(); n != 1 {
				t.Errorf("closed %d times", n)
			}
		})
	}
}
