package request_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

const homeURL = "https://api.example.test"

// book is a list with its cursor, as services have it in the body.
type book struct {
	Items []string `json:"items"`
	Next  string   `json:"next"`
}

func nextOf(b book) string { return b.Next }

// count counts what is in a list.
func count(list []string) int { return len(list) }

// shelf answers by request-target. A target that it does not know is a 404.
type shelf map[string]http.Handler

func (s shelf) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h, ok := s[req.URL.RequestURI()]
	if !ok {
		h = connectiontest.Status(404)
	}
	h.ServeHTTP(w, req)
}

// linked answers with a list and a Link header.
func linked(link string, items ...string) http.Handler {
	return connectiontest.JSON(200, slices.Concat([]string{}, items)).Header("Link", link)
}

// listed answers with a list.
func listed(items ...string) http.Handler {
	return connectiontest.JSON(200, slices.Concat([]string{}, items))
}

// moved redirects.
func moved(location string) http.Handler {
	return connectiontest.Status(302).Header("Location", location)
}

// seen is what came of a run.
type seen[T any] struct {
	values  []T
	cursors []string
	err     error
}

// walk ranges over pages. It fails the test if something comes after an error, or the numbers are wrong.
func walk[T any](t *testing.T, pages iter.Seq2[*request.Page[T], error]) seen[T] {
	t.Helper()
	var s seen[T]
	for page, err := range pages {
		switch {
		case s.err != nil:
			t.Fatalf("after the error came %v, %v", page, err)
		case err != nil:
			if page != nil {
				t.Errorf("beside the error is a page: %v", page)
			}
			s.err = err
		default:
			s.values, s.cursors = append(s.values, page.Value), append(s.cursors, page.Cursor)
			if page.Number != len(s.values) {
				t.Errorf("page %d has the number %d", len(s.values), page.Number)
			}
			if page.Status == 0 || page.Header == nil {
				t.Errorf("page %d has the status %d and the header %v", page.Number, page.Status, page.Header)
			}
		}
	}
	return s
}

// wantTargets compares what a server was asked for.
func wantTargets(t *testing.T, srv *connectiontest.Server, want ...string) {
	t.Helper()
	var got []string
	for _, r := range srv.Requests() {
		got = append(got, r.Method+" "+r.Target)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s was asked for (-want +got)\n%s", srv.URL, diff)
	}
}

// wantPageError checks that a run ended with an error of StagePage, and returns its text.
func wantPageError(t *testing.T, err, want error) string {
	t.Helper()
	e := wantStage[*request.Error](t, err, request.StagePage)
	if want != nil && !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
	return e.Error()
}

// Every style, with the requests as they were read from the wire.
func TestPageStyles(t *testing.T) {
	t.Parallel()
	type lists = iter.Seq2[*request.Page[[]string], error]
	for name, tt := range map[string]struct {
		shelf shelf
		pages func(ctx context.Context, conn *connection.Connection) lists
		want  []string // the targets
	}{
		"H47 LinkHeader": {
			shelf{
				"/v1/x?per_page=2":        linked(`<`+homeURL+`/v1/x?per_page=2&page=2>; rel="next", </l>; rel="last"`, "a", "b"),
				"/v1/x?per_page=2&page=2": linked(`<?page=3>; rel="next"`, "c"),
				"/v1/x?page=3":            linked(`<y/4#top>; title="a, b"; rel="prefetch NEXT"`),
				"/v1/y/4":                 linked(`<//api.example.test/v2/5>;rel=next`),
				"/v2/5":                   linked(`</v1/x>; rel="prev", </v1/x>; rel=next; anchor="/z"`, "d"),
			},
			func(ctx context.Context, conn *connection.Connection) lists {
				return request.Pages(ctx, request.Get(conn, "/x").Query("per_page", "2"), request.LinkHeader[[]string]())
			},
			[]string{"GET /v1/x?per_page=2", "GET /v1/x?per_page=2&page=2", "GET /v1/x?page=3", "GET /v1/y/4", "GET /v2/5"},
		},
		"H47 PageNumber": {
			shelf{
				"/v1/x?sort=id":         listed("a"),
				"/v1/x?sort=id&page=2":  listed("b", "c"),
				"/v1/x?sort=id&page=3":  listed("d"),
				"/v1/x?sort=id&page=4":  listed(),
				"/v1/x?sort=id&page=5":  listed("never"),
				"/v1/x?sort=id&page=-1": listed("never"),
			},
			func(ctx context.Context, conn *connection.Connection) lists {
				return request.Pages(ctx, request.Get(conn, "/x").Query("sort", "id"), request.PageNumber("page", 1, count))
			},
			[]string{
				"GET /v1/x?sort=id", "GET /v1/x?sort=id&page=2", "GET /v1/x?sort=id&page=3", "GET /v1/x?sort=id&page=4",
			},
		},
		"H47 PageNumber from the parameter that is there": {
			shelf{
				"/v1/x?page=0&sort=id": listed("a", "b"),
				"/v1/x?sort=id&page=1": listed("c", "d"),
				"/v1/x?sort=id&page=2": listed(),
			},
			func(ctx context.Context, conn *connection.Connection) lists {
				return request.Pages(ctx, request.Get(conn, "/x?page=0&sort=id"), request.PageNumber("page", 1, count))
			},
			[]string{"GET /v1/x?page=0&sort=id", "GET /v1/x?sort=id&page=1", "GET /v1/x?sort=id&page=2"},
		},
		"H47 Offset": {
			shelf{
				"/v1/x":          listed("a", "b"),
				"/v1/x?offset=2": listed("c"),
				"/v1/x?offset=3": listed("d"),
				"/v1/x?offset=4": listed(),
			},
			func(ctx context.Context, conn *connection.Connection) lists {
				return request.Pages(ctx, request.Get(conn, "/x"), request.Offset("offset", count))
			},
			[]string{"GET /v1/x", "GET /v1/x?offset=2", "GET /v1/x?offset=3", "GET /v1/x?offset=4"},
		},
		"H47 Offset from the parameter that is there": {
			shelf{
				"/v1/x?from=10&n=3": listed("a", "b", "c"),
				"/v1/x?n=3&from=13": listed("d"),
				"/v1/x?n=3&from=14": listed(),
			},
			func(ctx context.Context, conn *connection.Connection) lists {
				first := request.Get(conn, "/x").Query("from", "10").Query("n", "3")
				return request.Pages(ctx, first, request.Offset("from", count))
			},
			[]string{"GET /v1/x?from=10&n=3", "GET /v1/x?n=3&from=13", "GET /v1/x?n=3&from=14"},
		},
		"H47 NextFunc with a cursor in a header": {
			shelf{
				"/v1/x":     connectiontest.JSON(200, []string{"a", "b", "c"}).Header("X-Next", "t 2"),
				"/v1/x/t_2": connectiontest.JSON(200, []string{"d"}),
			},
			func(ctx context.Context, conn *connection.Connection) lists {
				return request.Pages(ctx, request.Get(conn, "/x"), request.NextFunc(
					func(p *request.Page[[]string]) (string, error) { return p.Header.Get("X-Next"), nil },
					func(_ request.Builder, cursor string) request.Builder {
						return request.Get(conn, "/x/{t}").Path("t", strings.ReplaceAll(cursor, " ", "_"))
					}))
			},
			[]string{"GET /v1/x", "GET /v1/x/t_2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewServer(t, tt.shelf)
			pages := tt.pages(t.Context(), connectTo(t, srv, "/v1"))
			if n := srv.Conns(); n != 0 {
				t.Errorf("%d connections before the loop", n)
			}
			got := walk(t, pages)
			if diff := cmp.Diff([]string{"a", "b", "c", "d"}, slices.Concat(got.values...)); got.err != nil || diff != "" {
				t.Errorf("error %v; (-want +got)\n%s", got.err, diff)
			}
			wantTargets(t, srv, tt.want...)
			if last := got.cursors[len(got.cursors)-1]; last != "" {
				t.Errorf("the last page has the cursor %q", last)
			}
			// A second run begins anew.
			if again := walk(t, pages); !cmp.Equal(got.values, again.values) || again.err != nil {
				t.Errorf("the second run had %v, %v", again.values, again.err)
			}
			wantTargets(t, srv, slices.Concat(tt.want, tt.want)...)
		})
	}
}

func TestPagesInBody(t *testing.T) {
	t.Parallel()
	t.Run("H47 NextURL", func(t *testing.T) {
		t.Parallel()
		srv := connectiontest.NewServer(t, shelf{
			"/v1/x":        connectiontest.JSON(200, book{[]string{"a"}, "/v1/x?page=b"}),
			"/v1/x?page=b": connectiontest.JSON(200, book{nil, "?page=c"}),
			"/v1/x?page=c": connectiontest.JSON(200, book{[]string{"b"}, "HTTPS://API.example.test:443/v1/x?page=d#f"}),
			"/v1/x?page=d": connectiontest.JSON(200, book{[]string{"c"}, ""}),
		})
		got := walk(t, request.Pages(t.Context(), request.Get(connectTo(t, srv, "/v1"), "/x"), request.NextURL(nextOf)))
		wantTargets(t, srv, "GET /v1/x", "GET /v1/x?page=b", "GET /v1/x?page=c", "GET /v1/x?page=d")
		want := []string{homeURL + "/v1/x?page=b", homeURL + "/v1/x?page=c", "https://API.example.test:443/v1/x?page=d", ""}
		if diff := cmp.Diff(want, got.cursors); got.err != nil || diff != "" {
			t.Errorf("error %v; cursors (-want +got)\n%s", got.err, diff)
		}
	})
	t.Run("H47 Cursor", func(t *testing.T) {
		t.Parallel()
		srv := connectiontest.NewServer(t, shelf{
			"/x?after=&q=1":             connectiontest.JSON(200, book{[]string{"a"}, "t&=? 2"}),
			"/x?q=1&after=t%26%3D%3F+2": connectiontest.JSON(200, book{nil, "t3"}),
			"/x?q=1&after=t3":           connectiontest.JSON(200, book{[]string{"b"}, ""}),
		})
		first := request.Get(connectTo(t, srv, ""), "/x").Query("after", "").Query("q", "1")
		got := walk(t, request.Pages(t.Context(), first, request.Cursor("after", nextOf)))
		wantTargets(t, srv, "GET /x?after=&q=1", "GET /x?q=1&after=t%26%3D%3F+2", "GET /x?q=1&after=t3")
		if diff := cmp.Diff([]string{"t&=? 2", "t3", ""}, got.cursors); got.err != nil || diff != "" {
			t.Errorf("error %v; cursors (-want +got)\n%s", got.err, diff)
		}
	})
	t.Run("H47 NextFunc in the body of a POST", func(t *testing.T) {
		t.Parallel()
		type search struct {
			Q     string `json:"q"`
			After string `json:"after,omitempty"`
		}
		srv := connectiontest.NewServer(t, connectiontest.Sequence(
			connectiontest.JSON(200, book{[]string{"a"}, "t2"}), connectiontest.JSON(200, book{[]string{"b"}, ""})))
		first := request.Post(connectTo(t, srv, ""), "/search").JSON(search{Q: "x"}).Header("X-Own", "1")
		got := walk(t, request.Pages(t.Context(), first, request.NextFunc(
			func(p *request.Page[book]) (string, error) { return p.Value.Next, nil },
			func(first request.Builder, cursor string) request.Builder { return first.JSON(search{"x", cursor}) })))
		if got.err != nil || len(got.values) != 2 {
			t.Fatalf("%d pages, error %v", len(got.values), got.err)
		}
		for i, want := range []string{`{"q":"x"}`, `{"q":"x","after":"t2"}`} {
			if r := srv.Requests()[i]; string(r.Body) != want || r.Header.Get("X-Own") != "1" {
				t.Errorf("request %d is\n%s", i+1, r.Raw)
			}
		}
	})
}

// Whatever the style, the next page is asked with the method, body and headers of the first.
func TestPagesOfPost(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]request.Next[book]{
		"LinkHeader": request.LinkHeader[book](),
		"NextURL":    request.NextURL(nextOf),
		"Cursor":     request.Cursor("next", nextOf),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewServer(t, connectiontest.Sequence(
				connectiontest.JSON(200, book{nil, "?next=2"}).Header("Link", "<?next=2>; rel=next"),
				connectiontest.JSON(200, book{})))
			conn := connectTo(t, srv, "", connection.WithAuth(auth.Basic("svc", secrets.Static("pw"))))
			first := request.Post(conn, "/search").JSON(map[string]int{"q": 1}).Header("X-Own", "1").Idempotent()
			if got := walk(t, request.Pages(t.Context(), first, next)); got.err != nil || len(got.values) != 2 {
				t.Fatalf("%d pages, error %v", len(got.values), got.err)
			}
			keys := make(map[string]bool)
			for _, r := range srv.Requests() {
				keys[r.Header.Get("Idempotency-Key")] = true
				if r.Method != "POST" || string(r.Body) != `{"q":1}` || r.Header.Get("X-Own") != "1" ||
					r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Authorization") == "" {
					t.Errorf("a request is\n%s", r.Raw)
				}
			}
			if len(keys) != 2 {
				t.Errorf("the pages share a key: %v", keys)
			}
		})
	}
}

// A body that is gone is not sent as if it were empty.
func TestPagesWithBodyOnce(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, connectiontest.JSON(200, book{nil, "t2"}))
	first := request.Post(connectTo(t, srv, ""), "/x").Body(request.Once("text/plain", strings.NewReader("once")))
	pages := request.Pages(t.Context(), first, request.Cursor("next", nextOf))
	for run, want := range []int{1, 0} {
		got := walk(t, pages)
		wantStage[*request.Error](t, got.err, request.StageBuild)
		if !errors.Is(got.err, connection.ErrNotReplayable) || len(got.values) != want {
			t.Errorf("run %d: %d pages, error %v; want ErrNotReplayable after %d", run+1, len(got.values), got.err, want)
		}
	}
	if rs := srv.Requests(); len(rs) != 1 || string(rs[0].Body) != "once" {
		t.Errorf("%d requests", len(rs))
	}
}

// A break sends no further request, and nothing is sent ahead.
func TestPagesAreLazy(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, connectiontest.JSON(200, []string{"a", "b"}))
	conn := connectTo(t, srv, "")
	pages := request.Pages(t.Context(), request.Get(conn, "/x"), request.Offset("offset", count))
	n := 0
	for page, err := range pages {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if n != len(srv.Requests()) || n != page.Number {
			t.Errorf("at page %d the server has had %d requests", n, len(srv.Requests()))
		}
		page.Cursor, page.Number = "changed", -1 // which is the caller's business only
		if n == 3 {
			break
		}
	}
	wantTargets(t, srv, "GET /x", "GET /x?offset=2", "GET /x?offset=4")

	items := 0
	for _, err := range request.Items(pages) {
		if err != nil {
			t.Fatal(err)
		}
		items++
		if items == 3 {
			break
		}
	}
	wantTargets(t, srv, "GET /x", "GET /x?offset=2", "GET /x?offset=4", "GET /x", "GET /x?offset=2")
}

func TestPageLoop(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		shelf shelf
		next  request.Next[book]
		want  []string
	}{
		"H47 LinkHeader to itself": {
			shelf{"/a?x=1": connectiontest.JSON(200, book{}).Header("Link", `</a?x=1#2>; rel=next`)},
			request.LinkHeader[book](), []string{"GET /a?x=1"},
		},
		"H47 NextURL A, B, A": {
			shelf{
				"/a?x=1": connectiontest.JSON(200, book{Next: "/b"}),
				"/b":     connectiontest.JSON(200, book{Next: "/a?x=1"}),
			},
			request.NextURL(nextOf), []string{"GET /a?x=1", "GET /b"},
		},
		"H47 NextURL to itself after a redirect": {
			shelf{
				"/a?x=1": moved("/b"),
				"/b":     connectiontest.JSON(200, book{Next: "b"}),
			},
			request.NextURL(nextOf), []string{"GET /a?x=1", "GET /b"},
		},
		"H47 Cursor": {
			shelf{
				"/a?x=1":     connectiontest.JSON(200, book{Next: "t"}),
				"/a?x=1&c=t": connectiontest.JSON(200, book{Next: "u"}),
				"/a?x=1&c=u": connectiontest.JSON(200, book{Next: "t"}),
			},
			request.Cursor("c", nextOf), []string{"GET /a?x=1", "GET /a?x=1&c=t", "GET /a?x=1&c=u"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewServer(t, tt.shelf)
			first := request.Get(connectTo(t, srv, ""), "/a").Query("x", "1")
			got := walk(t, request.Pages(t.Context(), first, tt.next))
			wantPageError(t, got.err, request.ErrPageLoop)
			wantTargets(t, srv, tt.want...)
			if len(got.cursors) == 0 || got.cursors[len(got.cursors)-1] == "" {
				t.Errorf("the cursors are %q", got.cursors)
			}
		})
	}
}

func TestMaxPages(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, connectiontest.Sequence(listed("a"), listed("b"), listed("c"), listed()))
	first := request.Get(connectTo(t, srv, ""), "/x").Query("q", hidden)
	next := request.Offset("offset", count)
	got := walk(t, request.Pages(t.Context(), first, next, request.MaxPages(7), request.MaxPages(2)))
	text := wantPageError(t, got.err, request.ErrTooManyPages)
	if len(got.values) != 2 || got.cursors[1] != "2" {
		t.Errorf("%d pages, cursors %q", len(got.values), got.cursors)
	}
	want := "GET " + homeURL + "/x: there are more pages than MaxPages allows (2)"
	if text != want {
		t.Errorf("the text is %q, want %q", text, want)
	}
	wantTargets(t, srv, "GET /x?q="+hidden, "GET /x?q="+hidden+"&offset=1")
	// The last page that is allowed may be the last one.
	got = walk(t, request.Pages(t.Context(), first, next, request.MaxPages(2), request.FromCursor("2")))
	if got.err != nil || len(got.values) != 2 {
		t.Errorf("%d pages, error %v", len(got.values), got.err)
	}
}

// endless is a transport whose service never comes to an end. It counts the requests.
type endless int

func (e *endless) RoundTrip(req *http.Request) (*http.Response, error) {
	*e++
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`["a"]`)), Request: req}, nil
}

// A service that never ends meets the default.
func TestMaxPagesDefault(t *testing.T) {
	t.Parallel()
	var asked endless
	conn, err := connection.New(homeURL, connection.WithTransport(&asked))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	n, last := 0, error(nil)
	for _, err := range request.Pages(t.Context(), request.Get(conn, "/x"), request.PageNumber("p", 0, count)) {
		if last = err; err == nil {
			n++
		}
	}
	wantPageError(t, last, request.ErrTooManyPages)
	if n != 10_000 || int(asked) != n {
		t.Errorf("%d pages, %d requests", n, asked)
	}
}

func TestMaxItems(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		most     int
		items    string
		requests int
		err      bool
	}{
		"one more in the page":     {3, "abc", 2, true},
		"one more in a later page": {4, "abcd", 4, true},
		"no more":                  {5, "abcde", 5, false},
		"fewer":                    {9, "abcde", 5, false},
	} {
		t.Run("H47 "+name, func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewServer(t, connectiontest.Sequence(
				connectiontest.JSON(200, book{[]string{"a", "b"}, "1"}), connectiontest.JSON(200, book{[]string{"c", "d"}, "2"}),
				connectiontest.JSON(200, book{nil, "3"}), connectiontest.JSON(200, book{[]string{"e"}, "4"}),
				connectiontest.JSON(200, book{nil, ""})))
			pages := request.Pages(t.Context(), request.Get(connectTo(t, srv, ""), "/x"), request.Cursor("c", nextOf))
			items := request.ItemsOf(pages, func(b book) []string { return b.Items }, request.MaxItems(tt.most))
			got, last := "", error(nil)
			for item, err := range items {
				if last != nil {
					t.Fatalf("after the error came %q, %v", item, err)
				}
				got, last = got+item, err
			}
			if got != tt.items || len(srv.Requests()) != tt.requests || (last != nil) != tt.err {
				t.Errorf("got %q in %d requests, error %v", got, len(srv.Requests()), last)
			}
			if !tt.err {
				return
			}
			text := wantPageError(t, last, request.ErrTooManyItems)
			if want := fmt.Sprintf("there are more items than MaxItems allows (%d)", tt.most); text != want {
				t.Errorf("the text is %q, want %q", text, want)
			}
		})
	}
}

// What is wrong in the call is found before anything is sent, and is no panic.
func TestPagesMisuse(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, listed("a"))
	conn := connectTo(t, srv, "")
	get := request.Get(conn, "/x")
	link := request.LinkHeader[[]string]()
	pages := func(first request.Builder, next request.Next[[]string], options ...request.PageOption) error {
		return walk(t, request.Pages(t.Context(), first, next, options...)).err
	}
	items := func(options ...request.ItemOption) error {
		for _, err := range request.Items(request.Pages(t.Context(), get, link), options...) {
			return err
		}
		return nil
	}
	collect := func(items iter.Seq2[string, error]) error {
		for _, err := range items {
			return err
		}
		return nil
	}
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"zero Next":          {pages(get, request.Next[[]string]{}), "make it with LinkHeader"},
		"NextURL":            {pages(get, request.NextURL[[]string](nil)), "NextURL: the function is nil"},
		"Cursor":             {pages(get, request.Cursor[[]string]("c", nil)), "Cursor: the function is nil"},
		"Cursor name":        {pages(get, request.Cursor("", func([]string) string { return "" })), "no name"},
		"PageNumber":         {pages(get, request.PageNumber[[]string]("p", 1, nil)), "PageNumber: the function is nil"},
		"PageNumber name":    {pages(get, request.PageNumber("", 1, count)), "no name"},
		"PageNumber first":   {pages(get, request.PageNumber("p", -1, count)), "negative"},
		"Offset":             {pages(get, request.Offset[[]string]("o", nil)), "Offset: the function is nil"},
		"NextFunc":           {pages(get, request.NextFunc[[]string](nil, nil)), "NextFunc: a function is nil"},
		"MaxPages":           {pages(get, link, request.MaxPages(0)), "MaxPages"},
		"nil PageOption":     {pages(get, link, nil), "is nil"},
		"FromCursor":         {pages(get, link, request.FromCursor("")), "FromCursor: the cursor is empty"},
		"nil connection":     {pages(request.Get(nil, "/x"), link), "connection.New"},
		"nil, with a cursor": {pages(request.Get(nil, "/x"), link, request.FromCursor(homeURL)), "connection.New"},
		"zero, with a cursor": {
			pages(request.Get(new(connection.Connection), "/x"), link, request.FromCursor(homeURL)), "connection.New",
		},
		"bad template":   {pages(request.Get(conn, "/{id}"), link), "missing"},
		"MaxItems":       {items(request.MaxItems(0)), "MaxItems"},
		"nil ItemOption": {items(nil), "is nil"},
		"nil pages":      {collect(request.Items[string](nil)), "the pages are nil"},
		"nil items": {
			collect(request.ItemsOf[[]string, string](request.Pages(t.Context(), get, link), nil)),
			"ItemsOf: the function is nil",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := wantStage[*request.Error](t, tt.err, request.StageBuild)
			if !strings.Contains(e.Error(), tt.want) || strings.Contains(e.Error(), `\n`) {
				t.Errorf("error %v, want one that says %s", e, tt.want)
			}
		})
	}
	if srv.Conns() != 0 {
		t.Error("the server was dialled")
	}
}

// What a function of the caller, or of the service, makes of the next page ends the run after the page.
func TestPageFunctionErrors(t *testing.T) {
	t.Parallel()
	own := errors.New("own\nerror")
	for name, tt := range map[string]struct {
		first func(b request.Builder) request.Builder
		next  request.Next[[]string]
		is    error
		want  string
	}{
		"error of NextFunc": {
			next: request.NextFunc(func(*request.Page[[]string]) (string, error) { return "x", own },
				func(b request.Builder, _ string) request.Builder { return b }),
			is: own, want: `own\nerror`,
		},
		"negative count": {
			next: request.Offset("o", func([]string) int { return -1 }), want: "Offset: the count of the items is negative",
		},
		"parameter that is no number": {
			first: func(b request.Builder) request.Builder { return b.Query("p", "one") },
			next:  request.PageNumber("p", 1, count), want: "PageNumber: it is not a number",
		},
		"overflow": {
			next: request.PageNumber("p", int(^uint(0)>>1), count), want: "too large",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewServer(t, listed("a"))
			first := request.Get(connectTo(t, srv, ""), "/x")
			if tt.first != nil {
				first = tt.first(first)
			}
			got := walk(t, request.Pages(t.Context(), first, tt.next))
			text := wantPageError(t, got.err, tt.is)
			if !strings.Contains(text, tt.want) || len(got.values) != 1 || got.cursors[0] != "" {
				t.Errorf("error %v after %d pages, want one that says %s", text, len(got.values), tt.want)
			}
		})
	}
}

// A page fails as any request does, and the pages before it are the caller's.
func TestErrorInTheMiddle(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		reply http.Handler
		stage request.Stage
	}{
		"503":           {connectiontest.Status(503), request.StageStatus},
		"no JSON":       {connectiontest.JSON(200, 7), request.StageDecode},
		"a login page":  {connectiontest.Text(200, "<html>").Header("Content-Type", "text/html"), request.StageDecode},
		"breaks off":    {connectiontest.JSON(200, book{}).Header("Content-Length", "1000"), request.StageRead},
		"no answer":     {connectiontest.Cut(), request.StageSend},
		"302 to itself": {moved("/x?c=t2"), request.StageSend},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := connectiontest.JSON(200, book{[]string{"a"}, "t2"})
			srv := connectiontest.NewServer(t, shelf{"/x": first, "/x?c=t2": tt.reply})
			pages := request.Pages(t.Context(), request.Get(connectTo(t, srv, ""), "/x"), request.Cursor("c", nextOf))
			got := walk(t, pages)
			wantStage[error](t, got.err, tt.stage)
			if len(got.values) != 1 || got.cursors[0] != "t2" {
				t.Errorf("pages %v, cursors %q", got.values, got.cursors)
			}
			items, last := 0, error(nil)
			for _, err := range request.ItemsOf(pages, func(b book) []string { return b.Items }) {
				if last = err; err == nil {
					items++
				}
			}
			if items != 1 || !errors.Is(last, tt.stage) {
				t.Errorf("%d items, error %v", items, last)
			}
		})
	}
	inBubble(t, "retried", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(
			connectiontest.JSON(200, book{Next: "t2"}), connectiontest.Status(503), connectiontest.JSON(200, book{})))
		conn := connectTo(t, srv, "", connection.WithRetry(connection.Retry{Max: 1, Wait: connection.Constant(time.Second)}))
		got := walk(t, request.Pages(t.Context(), request.Get(conn, "/x"), request.Cursor("c", nextOf)))
		if got.err != nil || len(got.values) != 2 {
			t.Errorf("%d pages, error %v", len(got.values), got.err)
		}
		wantTargets(t, srv, "GET /x", "GET /x?c=t2", "GET /x?c=t2")
	})
}

func TestContextBetweenPages(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, listed("a"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n, last := 0, error(nil)
	for _, err := range request.Pages(ctx, request.Get(connectTo(t, srv, ""), "/x"), request.Offset("o", count)) {
		last = err
		n++
		cancel()
	}
	wantStage[*request.Error](t, last, request.StageSend)
	if n != 2 || !errors.Is(last, context.Canceled) {
		t.Errorf("%d rounds, error %v", n, last)
	}
	wantTargets(t, srv, "GET /x")
}

func TestPagesWithoutBody(t *testing.T) {
	t.Parallel()
	link := "<?p=2>; rel=next"
	none := func(*book) string {
		t.Error("a page that is not there was looked at")
		return ""
	}
	for name, tt := range map[string]struct {
		reply http.Handler
		next  request.Next[*book]
		want  int
	}{
		"204":          {connectiontest.Status(204).Header("Link", link), request.LinkHeader[*book](), 1},
		"204, NextURL": {connectiontest.Status(204), request.NextURL(none), 1},
		"304, Cursor":  {connectiontest.Status(304), request.Cursor("c", none), 1},
		"empty with a link": {
			connectiontest.Sequence(connectiontest.Status(200).Header("Link", link), connectiontest.Status(200)),
			request.LinkHeader[*book](), 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewServer(t, tt.reply)
			got := walk(t, request.Pages(t.Context(), request.Get(connectTo(t, srv, ""), "/x"), tt.next))
			if got.err != nil || len(got.values) != tt.want || len(srv.Requests()) != tt.want {
				t.Errorf("%d pages in %d requests, error %v", len(got.values), len(srv.Requests()), got.err)
			}
		})
	}
}

// Two goroutines range over the same pages without seeing each other.
func TestPagesConcurrently(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, shelf{
		"/x": connectiontest.JSON(200, book{Next: "t"}),
		"/x?c=t": http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			body, _ := io.ReadAll(req.Body)
			connectiontest.JSON(200, book{Items: []string{string(body)}}).ServeHTTP(w, req)
		}),
	})
	pages := request.Pages(t.Context(), request.Post(connectTo(t, srv, ""), "/x").JSON(1), request.Cursor("c", nextOf))
	done := make(chan string)
	for range 2 {
		go func() {
			var all strings.Builder
			for page, err := range pages {
				fmt.Fprint(&all, err, page.Value.Items)
			}
			done <- all.String()
		}()
	}
	for range 2 {
		if got := <-done; got != "<nil> []<nil> [1]" {
			t.Errorf("a run has %s", got)
		}
	}
}

// The cursor that a page was asked with asks for that page again.
func TestPageFrom(t *testing.T) {
	t.Parallel()
	books := [][2]string{{"a", "?n=1"}, {"b", "?n=2"}, {"c", ""}}
	handler := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		n, _ := strconv.Atoi(strings.TrimPrefix(req.FormValue("n"), "?n="))
		if n >= len(books) {
			connectiontest.JSON(200, book{}).ServeHTTP(w, req)
			return
		}
		reply := connectiontest.JSON(200, book{[]string{books[n][0]}, books[n][1]})
		if next := books[n][1]; next != "" {
			reply = reply.Header("Link", "<"+next+">; rel=next")
		}
		reply.ServeHTTP(w, req)
	})
	items := func(b book) int { return len(b.Items) }
	type pages = iter.Seq2[*request.Page[book], error]
	for name, c := range map[string]struct {
		next request.Next[book]
		want []string // From of each page
	}{
		"LinkHeader": {request.LinkHeader[book](), []string{"", homeURL + "/x?n=1", homeURL + "/x?n=2"}},
		"NextURL":    {request.NextURL(nextOf), []string{"", homeURL + "/x?n=1", homeURL + "/x?n=2"}},
		"Cursor":     {request.Cursor("n", nextOf), []string{"", "?n=1", "?n=2"}},
		"PageNumber": {request.PageNumber("n", 0, items), []string{"", "1", "2", "3"}},
		"Offset":     {request.Offset("n", items), []string{"", "1", "2", "3"}},
		"NextFunc": {request.NextFunc(
			func(p *request.Page[book]) (string, error) { return strings.TrimPrefix(p.Value.Next, "?n="), nil },
			func(first request.Builder, cursor string) request.Builder { return first.SetQuery("n", cursor) },
		), []string{"", "1", "2"}},
	} {
		t.Run("H47 "+name, func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewServer(t, handler)
			first := request.Get(connectTo(t, srv, ""), "/x")
			run := func(options ...request.PageOption) pages {
				return request.Pages(t.Context(), first, c.next, options...)
			}
			var from []string
			for page, err := range run() {
				if err != nil {
					t.Fatal(err)
				}
				from = append(from, page.From)
				if page.From == "" {
					continue
				}
				target := srv.Requests()[len(srv.Requests())-1].Target
				for again, err := range run(request.FromCursor(page.From)) {
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(page.Value, again.Value); diff != "" || again.From != page.From || again.Number != 1 {
						t.Errorf("page %d from %s: %s", again.Number, again.From, diff)
					}
					break
				}
				if got := srv.Requests()[len(srv.Requests())-1].Target; got != target {
					t.Errorf("from %s: %s is asked, want %s", page.From, got, target)
				}
			}
			if diff := cmp.Diff(c.want, from); diff != "" {
				t.Errorf("From (-want +got)\n%s", diff)
			}
		})
	}
}
