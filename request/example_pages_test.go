package request_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

// openLibrary opens a connection to a server with five books, two on a page. It says where the next page is in every
// way that there is. The function that it returns closes both.
func openLibrary() (*connection.Connection, func()) {
	books := []string{"Emma", "Ulysses", "Walden", "Dracula", "Solaris"}
	return serveExample(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		begin, _ := strconv.Atoi(req.FormValue("from"))
		begin = min(begin, len(books))
		end := min(begin+2, len(books))
		next := ""
		if end < len(books) {
			next = strconv.Itoa(end)
			w.Header().Set("Link", `<?from=`+next+`>; rel="next"`)
		}
		w.Header().Set("Content-Type", "application/json")
		if req.URL.Path == "/titles" {
			_ = json.NewEncoder(w).Encode(books[begin:end])
			return
		}
		_ = json.NewEncoder(w).Encode(Shelf{Books: books[begin:end], Next: next})
	}))
}

type Shelf struct {
	Books []string `json:"books"`
	Next  string   `json:"next"`
}

func ExamplePages() {
	conn, stop := openLibrary()
	defer stop()
	pages := request.Pages(context.Background(), request.Get(conn, "/titles"), request.LinkHeader[[]string]())
	for page, err := range pages {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(page.Number, page.Value)
	}
	// Output:
	// 1 [Emma Ulysses]
	// 2 [Walden Dracula]
	// 3 [Solaris]
}

func ExampleItems() {
	conn, stop := openLibrary()
	defer stop()
	count := func(titles []string) int { return len(titles) }
	pages := request.Pages(context.Background(), request.Get(conn, "/titles"), request.Offset("from", count))
	for title, err := range request.Items(pages) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(title)
		if title == "Walden" {
			break // and the third page is not asked for
		}
	}
	// Output:
	// Emma
	// Ulysses
	// Walden
}

func ExampleItemsOf() {
	conn, stop := openLibrary()
	defer stop()
	next := request.Cursor("from", func(s Shelf) string { return s.Next })
	pages := request.Pages(context.Background(), request.Get(conn, "/shelf"), next)
	for title, err := range request.ItemsOf(pages, func(s Shelf) []string { return s.Books }, request.MaxItems(3)) {
		if err != nil {
			fmt.Println(errors.Is(err, request.ErrTooManyItems))
			return
		}
		fmt.Println(title)
	}
	// Output:
	// Emma
	// Ulysses
	// Walden
	// true
}

// A run that was left goes on later, in another process even: a cursor is a string without a credential.
func ExampleFromCursor() {
	conn, stop := openLibrary()
	defer stop()
	next := request.Cursor("from", func(s Shelf) string { return s.Next })
	cursor := ""
	for page, err := range request.Pages(context.Background(), request.Get(conn, "/shelf"), next) {
		if err != nil {
			fmt.Println(err)
			return
		}
		cursor = page.Cursor
		break
	}
	rest := request.Pages(context.Background(), request.Get(conn, "/shelf"), next, request.FromCursor(cursor))
	for page, err := range rest {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(page.Value.Books)
	}
	// Output:
	// [Walden Dracula]
	// [Solaris]
}

// A service that takes its cursor in the form of a POST.
func ExampleNextFunc() {
	conn, stop := openLibrary()
	defer stop()
	next := request.NextFunc(
		func(page *request.Page[Shelf]) (string, error) { return page.Value.Next, nil },
		func(first request.Builder, cursor string) request.Builder {
			return first.Form(map[string][]string{"from": {cursor}})
		})
	for page, err := range request.Pages(context.Background(), request.Post(conn, "/shelf"), next) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(page.Value.Books)
	}
	// Output:
	// [Emma Ulysses]
	// [Walden Dracula]
	// [Solaris]
}
