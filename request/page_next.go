package request

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/weblink"
)

// Next knows how a service says where the next page is. It is immutable, and of use for any number of runs; the zero
// Next is an error. The functions that it is made of are called in the goroutine that ranges over the pages, before the
// loop gets the page.
type Next[T any] struct {
	cursor func(a answer[T]) (string, error) // where the next page is; "" after the last one
	apply  func(first Builder, cursor string) (Builder, error)
	links  bool // cursors are URLs
	fault  error
}

// answer is a page as it came.
type answer[T any] struct {
	page     *Page[T]
	exchange *connection.Exchange
	first    *Builder
	asked    string // the cursor of the page; "" for the first
}

func (n *Next[T]) validate() error {
	if n.fault == nil && n.cursor == nil {
		return errors.New("the Next is the zero value: " +
			"make it with LinkHeader, NextURL, Cursor, PageNumber, Offset or NextFunc")
	}
	return n.fault
}

// wrongNext is a Next that cannot be used.
func wrongNext[T any](name, text string) Next[T] {
	return Next[T]{fault: errors.New(name + ": " + text)}
}

// LinkHeader finds the next page by the first link with rel="next" in the Link header (RFC 8288). Links that have an
// anchor are about another resource and do not count.
//
// The link is asked as it is, in the place of path and query, with method, body, headers and policy of the first
// request. It may be relative, to the URL that was asked last, after redirects; user name, password and fragment are
// left out, and so is a credential in the query that the service repeats. One that leads to another origin is a
// [*connection.OriginError], also with auth.None() and also if a redirect had led there before.
func LinkHeader[T any]() Next[T] {
	return linked(func(page *Page[T]) (string, bool) {
		return weblink.Find(page.Header.Values("Link"), "next")
	})
}

// NextURL finds the next page by a URL in the body, which next returns; "" after the last page. It is asked as in
// [LinkHeader].
func NextURL[T any](next func(value T) string) Next[T] {
	if next == nil {
		return wrongNext[T]("NextURL", "the function is nil")
	}
	return linked(func(page *Page[T]) (string, bool) {
		reference := next(page.Value)
		return reference, reference != ""
	})
}

// linked is the Next of a URL that the service has written.
func linked[T any](find func(page *Page[T]) (reference string, ok bool)) Next[T] {
	return Next[T]{links: true, apply: Builder.atCursor, cursor: func(a answer[T]) (string, error) {
		reference, ok := find(a.page)
		if !ok {
			return "", nil
		}
		target, err := a.exchange.Link(reference)
		if err != nil {
			return "", fmt.Errorf("the link to the next page: %w", err)
		}
		return target.String(), nil
	}}
}

// Cursor finds the next page by a token in the body, which next returns; "" after the last page. It is sent as a query
// parameter, in the place of all of that name that the first request has.
func Cursor[T any](parameter string, next func(value T) string) Next[T] {
	switch {
	case parameter == "":
		return wrongNext[T]("Cursor", "the parameter has no name")
	case next == nil:
		return wrongNext[T]("Cursor", "the function is nil")
	}
	return Next[T]{
		cursor: func(a answer[T]) (string, error) { return next(a.page.Value), nil },
		apply: func(first Builder, cursor string) (Builder, error) {
			return first.SetQuery(parameter, cursor), nil
		},
	}
}

// PageNumber counts pages in a query parameter. The first request is sent as it is: its page has the number that the
// parameter has there, or first where it has none. From the second page on the parameter is set.
//
// count returns how many items a page has. The page that has none is the last: a short one may be the service's own
// limit. A service that answers otherwise beyond its last page wants a [NextFunc].
func PageNumber[T any](parameter string, first int, count func(value T) int) Next[T] {
	if first < 0 {
		return wrongNext[T]("PageNumber", "the first number is negative")
	}
	return counted("PageNumber", parameter, first, count, func(int) int { return 1 })
}

// Offset counts items in a query parameter, from 0 or from the value that the first request has for it. All else is as
// in [PageNumber]; the offset grows by the number of items that came.
func Offset[T any](parameter string, count func(value T) int) Next[T] {
	return counted("Offset", parameter, 0, count, func(items int) int { return items })
}

// counted is the Next of a number. step says how far a page with that many items leads.
func counted[T any](name, parameter string, start int, count func(value T) int, step func(items int) int) Next[T] {
	switch {
	case parameter == "":
		return wrongNext[T](name, "the parameter has no name")
	case count == nil:
		return wrongNext[T](name, "the function is nil")
	}
	return Next[T]{
		cursor: func(a answer[T]) (string, error) {
			items := count(a.page.Value)
			switch {
			case items < 0:
				return "", errors.New(name + ": the count of the items is negative")
			case items == 0:
				return "", nil
			}
			at, err := position(a.first, a.asked, parameter, start)
			if err != nil {
				return "", fmt.Errorf("%s: %w", name, err)
			}
			next := at + step(items)
			if next < at {
				return "", errors.New(name + ": the number of the next page is too large")
			}
			return strconv.Itoa(next), nil
		},
		apply: func(first Builder, cursor string) (Builder, error) {
			if _, err := number(cursor); err != nil {
				return first, fmt.Errorf("%s: the cursor: %w", name, err)
			}
			return first.SetQuery(parameter, cursor), nil
		},
	}
}

// position returns the number that a page was asked with.
func position(first *Builder, asked, parameter string, start int) (int, error) {
	if asked == "" {
		asked = first.queryValue(parameter)
	}
	if asked == "" {
		return start, nil
	}
	return number(asked)
}

// number reads a number in the one form in which it is written.
func number(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || strconv.Itoa(n) != s {
		return 0, errors.New("it is not a number")
	}
	return n, nil
}

// NextFunc is for services of other habits: a cursor in a header, in the body of a POST, and so on. cursor returns
// where the page after this one is, and "" after the last; page.Cursor is not set yet. apply makes the request for it
// from the first one, and does not send it. An error of cursor comes after the page, as an [*Error] of [StagePage]; its
// text is shown, and should hold no secret.
func NextFunc[T any](
	cursor func(page *Page[T]) (string, error), apply func(first Builder, cursor string) Builder,
) Next[T] {
	if cursor == nil || apply == nil {
		return wrongNext[T]("NextFunc", "a function is nil")
	}
	return Next[T]{
		cursor: func(a answer[T]) (string, error) { return cursor(a.page) },
		apply:  func(first Builder, cursor string) (Builder, error) { return apply(first, cursor), nil },
	}
}
