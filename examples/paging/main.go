// Paging goes through a list that comes in pages, each with a Link header that names the next: item by item, and page
// by page from where an earlier run has stopped. The server is go-httpbin, a real HTTP server that it starts in-process
// on a loopback address.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"

	"github.com/mccutchen/go-httpbin/v2/httpbin"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// List is one page.
type List struct {
	Page  []string `json:"page"`
	Items []string `json:"item"`
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	server := httptest.NewServer(httpbin.New().Handler())
	defer server.Close()
	conn, err := connection.New(server.URL,
		connection.WithAuth(auth.APIKey(secrets.Static("key-123"), auth.InHeader("X-Api-Key"))))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()

	first := request.Get(conn, list(1, []string{"tea", "milk"}, []string{"bread"}, []string{"salt", "rice"}))
	pages := request.Pages(ctx, first, request.LinkHeader[List]())
	for item, err := range request.ItemsOf(pages, func(l List) []string { return l.Items }) {
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "item:", item)
	}

	var cursor string
	for page, err := range pages {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "page %s: %v\n", page.Value.Page[0], page.Value.Items)
		cursor = page.Cursor
		break // no further request is sent
	}
	fmt.Fprintln(out, "later:")
	for page, err := range request.Pages(ctx, first, request.LinkHeader[List](), request.FromCursor(cursor)) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "page %s: %v\n", page.Value.Page[0], page.Value.Items)
	}

	foreign := request.Get(conn, "/response-headers?item=x&Link="+url.QueryEscape(`<https://evil.example/>; rel="next"`))
	for _, err := range request.Pages(ctx, foreign, request.LinkHeader[List]()) {
		if _, ok := errors.AsType[*connection.OriginError](err); ok {
			fmt.Fprintln(out, "a next link to another origin is refused")
		}
	}
	return nil
}

// list returns the path of a page: httpbin answers it with these items, and with a link to the page after it.
func list(page int, items ...[]string) string {
	query := url.Values{"page": {strconv.Itoa(page)}, "item": items[0]}
	if len(items) > 1 {
		query.Set("Link", "<"+list(page+1, items[1:]...)+`>; rel="next"`)
	}
	return "/response-headers?" + query.Encode()
}
