package request

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"net/http"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/redact"
)

// Page is one page of a list that a service gives out page by page.
type Page[T any] struct {
	Value  T
	Status int
	Header http.Header
	// Number counts the pages of this run, from 1.
	Number int
	// From is the cursor that this page was asked with; "" for the first page of all. With it a later run begins with this
	// page again.
	From string
	// Cursor says where the next page is, for [FromCursor]; "" on the last page. It has no credential of the connection in
	// it, but with [LinkHeader] and [NextURL] it is a URL, with what the service repeats of a [Builder.PathSecret].
	Cursor string
}

// Errors of [Pages], [Items] and [ItemsOf], for errors.Is.
var (
	// ErrPageLoop means that the next page is one that was asked for already.
	ErrPageLoop = errors.New("the next page is one that was asked for already: " +
		"the service leads in a circle, or the cursor is not used")
	// ErrTooManyPages means that there are more pages than [MaxPages] allows.
	ErrTooManyPages = errors.New("there are more pages than MaxPages allows")
)

// Pages asks for one page after the other. The first request is first as it is; next, made by [LinkHeader], [NextURL],
// [Cursor], [PageNumber], [Offset] or [NextFunc], finds the others.
//
//	for page, err := range request.Pages(ctx, request.Get(conn, "/users"), request.LinkHeader[[]User]()) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// Nothing is sent before the loop begins, a page is asked for when the loop comes to it, and after a break nothing is
// sent any more. To range over the pages again begins anew. Each page is a request of its own: headers, credentials,
// retries, time limits, success and decoding are those of first. A body that can be sent only once is
// [connection.ErrNotReplayable] on the second page.
//
// A 204, 205 or 304 is the last page. A page that is merely empty is not, but for PageNumber and Offset.
//
// An error comes once, in the place of a page, and is the last. What keeps the next page from being asked for, after a
// page that is good, is an [*Error] of [StagePage] around [ErrPageLoop], [ErrTooManyPages], a
// [*connection.OriginError] for a link to another origin, or what a function of next returned. Others are those of
// [Do].
//
// The pages can be ranged over by several goroutines at a time, each from the beginning, if the functions in next can
// be called so.
func Pages[T any](ctx context.Context, first Builder, next Next[T], options ...PageOption) iter.Seq2[*Page[T], error] {
	settings, err := pageSettingsOf(options)
	if err == nil {
		err = next.validate()
	}
	return func(yield func(*Page[T], error) bool) {
		if err != nil {
			yield(nil, first.wrong(err))
			return
		}
		r := pageRun[T]{first: first, next: next, most: settings.most, asked: settings.from, used: make(map[digest]bool)}
		r.run(ctx, yield)
	}
}

// pageRun is one run over the pages.
type pageRun[T any] struct {
	first Builder
	next  Next[T]
	most  int
	asked string          // the cursor of the page under way; "" for the first
	used  map[digest]bool // the cursors that were asked for
}

// digest stands for a cursor, which may be long.
type digest [sha256.Size]byte

func (r *pageRun[T]) run(ctx context.Context, yield func(*Page[T], error) bool) {
	first, err := r.first.resolved(ctx) // once: all pages are of one host
	if err != nil {
		yield(nil, err)
		return
	}
	r.first = *first
	for number := 1; ; number++ {
		b, err := r.request()
		if err != nil {
			yield(nil, r.first.wrong(err))
			return
		}
		page := &Page[T]{Number: number, From: r.asked}
		x, err := b.into(ctx, &page.Value)
		if err != nil {
			yield(nil, err)
			return
		}
		page.Status, page.Header = x.Response.StatusCode, x.Response.Header
		next, err := r.following(page, x)
		page.Cursor = next
		if !yield(page, nil) {
			return
		}
		if err == nil && next != "" && number == r.most {
			err = fmt.Errorf("%w (%d)", ErrTooManyPages, r.most)
		}
		if err != nil {
			yield(nil, &Error{
				Stage: StagePage, Method: b.method, URL: x.URL(), Attempts: x.Attempts(), Err: redact.Error(err),
			})
			return
		}
		if next == "" {
			return
		}
		r.asked = next
	}
}

// request returns the request for the page that is next.
func (r *pageRun[T]) request() (Builder, error) {
	if r.asked == "" {
		return r.first, nil
	}
	return r.next.apply(r.first, r.asked)
}

// following returns the cursor of the page after this one; "" if there is none.
func (r *pageRun[T]) following(page *Page[T], x *connection.Exchange) (string, error) {
	r.used[sha256.Sum256([]byte(r.asked))] = true
	if r.next.links {
		// A same-document reference (RFC 3986, section 4.4) is the URL of the page itself.
		if self, err := x.Link("#"); err == nil {
			r.used[sha256.Sum256([]byte(self.String()))] = true
		}
	}
	switch page.Status {
	case http.StatusNoContent, http.StatusResetContent, http.StatusNotModified:
		return "", nil
	}
	next, err := r.next.cursor(answer[T]{page: page, exchange: x, first: &r.first, asked: r.asked})
	if err != nil {
		return "", err
	}
	if next != "" && r.used[sha256.Sum256([]byte(next))] {
		return next, ErrPageLoop
	}
	return next, nil
}
