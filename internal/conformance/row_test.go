package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// documents are the five documents, their prefix and the number of their rows.
var documents = []struct {
	prefix, title string
	rows          int
}{
	{"N", "Novacura Flow Connect: REST connector", 46},
	{"K", "Kinetic Platform: HTTP connections", 51},
	{"P", "Prismatic: HTTP connector", 60},
	{"I", "Informatica REST V3 connection", 44},
	{"E", "elastic.io REST API component, authorization", 47},
}

var update = flag.Bool("update", false, "write README.md anew")

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if code == 0 {
		code = checkReadme()
	}
	os.Exit(code)
}

// ran holds the names of the rows that ran and passed.
var ran = struct {
	sync.Mutex
	names []string
}{}

// Row is one row of a document under test.
type Row struct {
	*testing.T

	asserted int
}

var rowName = regexp.MustCompile(`^[NKPIE]-\d\d \S`)

// row runs f as the test of one row. name begins with the row's id. A row in which nothing was asserted fails.
func row(t *testing.T, name string, f func(r *Row)) {
	t.Helper()
	if !rowName.MatchString(name) {
		t.Fatalf("%q does not begin with the id of a row", name)
	}
	t.Run(name, func(t *testing.T) {
		(&Row{T: t}).run(f)
		if !t.Failed() {
			ran.Lock()
			defer ran.Unlock()
			ran.names = append(ran.names, name)
		}
	})
}

// run runs f on r, and fails if nothing was asserted.
func (r *Row) run(f func(r *Row)) {
	r.Helper()
	f(r)
	if r.asserted == 0 {
		r.Error("nothing was asserted in this row")
	}
}

// Case runs f as one case of the row's table. Like a row, a case asserts something.
func (r *Row) Case(name string, f func(r *Row)) {
	r.Helper()
	r.Run(name, func(t *testing.T) {
		c := &Row{T: t}
		c.run(f)
		r.asserted += c.asserted
	})
}

// bubble runs f on a clock of its own, which moves on when everybody waits. Servers and connections are made inside.
func bubble(r *Row, f func(r *Row)) {
	r.Helper()
	synctest.Test(r.T, func(t *testing.T) {
		b := &Row{T: t}
		b.run(f)
		r.asserted += b.asserted
	})
}

// timed is a row that runs in a bubble.
func timed(t *testing.T, name string, f func(r *Row)) {
	t.Helper()
	row(t, name, func(r *Row) { bubble(r, f) })
}

// Equal asserts that got is want: captured bytes, counts, values.
func (r *Row) Equal(what string, got, want any) {
	r.Helper()
	r.asserted++
	if diff := cmp.Diff(want, got); diff != "" {
		r.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// Line asserts that the raw request has exactly one line that begins as want does up to its colon, and that it is want.
// A want without colon is the request line.
func (r *Row) Line(req connectiontest.Request, want string) {
	r.Helper()
	r.asserted++
	head, _, _ := strings.Cut(req.Raw, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	name, _, isField := strings.Cut(want, ":")
	if !isField || strings.HasPrefix(want, req.Method+" ") {
		if lines[0] != want {
			r.Errorf("request line is %q, want %q", lines[0], want)
		}
		return
	}
	r.Lines(req, name, want)
}

// Lines asserts the lines of one field in the raw request, in their order: none of them wanted, none there.
func (r *Row) Lines(req connectiontest.Request, field string, want ...string) {
	r.Helper()
	r.asserted++
	head, _, _ := strings.Cut(req.Raw, "\r\n\r\n")
	got := slices.DeleteFunc(strings.Split(head, "\r\n")[1:], func(l string) bool {
		return !strings.HasPrefix(strings.ToLower(l), strings.ToLower(field)+":")
	})
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		r.Errorf("lines of field %s (-want +got):\n%s", field, diff)
	}
}

// Without asserts that none of the texts stands anywhere in the raw request.
func (r *Row) Without(req connectiontest.Request, texts ...string) {
	r.Helper()
	r.asserted++
	for _, text := range texts {
		if strings.Contains(strings.ToLower(req.Raw), strings.ToLower(text)) {
			r.Errorf("%q is in the request:\n%s", text, req.Raw)
		}
	}
}

// Hides asserts that none of the texts stands in something that people see.
func (r *Row) Hides(what, shown string, texts ...string) {
	r.Helper()
	r.asserted++
	for _, text := range texts {
		if strings.Contains(shown, text) {
			r.Errorf("%q is in the %s: %s", text, what, shown)
		}
	}
}

// Sent asserts how many requests the server has received, and returns them.
func (r *Row) Sent(s *connectiontest.Server, want int) []connectiontest.Request {
	r.Helper()
	r.asserted++
	got := s.Requests()
	if len(got) != want {
		r.Fatalf("%s received %d requests, want %d", s.URL, len(got), want)
	}
	return got
}

// NothingSent asserts that the server has not even seen a connection.
func (r *Row) NothingSent(s *connectiontest.Server) {
	r.Helper()
	r.asserted++
	if n := s.Conns(); n != 0 {
		r.Errorf("%s saw %d connections, want none", s.URL, n)
	}
}

// OptionError asserts that err has an *OptionError of that option.
func (r *Row) OptionError(err error, option string) {
	r.Helper()
	r.asserted++
	if !hasOptionError(err, option) {
		r.Errorf("error is %v, want an *OptionError of %s", err, option)
	}
}

func hasOptionError(err error, option string) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return slices.ContainsFunc(joined.Unwrap(), func(e error) bool { return hasOptionError(e, option) })
	}
	e, ok := errors.AsType[*connection.OptionError](err)
	return ok && e.Option == option
}

// Is asserts that err matches target.
func (r *Row) Is(err, target error) {
	r.Helper()
	r.asserted++
	if !errors.Is(err, target) {
		r.Errorf("error is %v, want one that is %v", err, target)
	}
}

// NoError stops the row if err is not nil. That alone asserts nothing.
func (r *Row) NoError(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// serve returns a server at https://api.example.test that answers with the replies, one after the other.
func (r *Row) serve(replies ...http.Handler) *connectiontest.Server {
	r.Helper()
	if len(replies) == 0 {
		replies = []http.Handler{connectiontest.JSON(http.StatusOK, map[string]int{"id": 1})}
	}
	return connectiontest.NewServer(r, connectiontest.Sequence(replies...))
}

// open opens a connection to https://api.example.test/v1 on the network of s. It is closed when the row ends.
func (r *Row) open(s *connectiontest.Server, options ...connection.Option) *connection.Connection {
	r.Helper()
	conn, err := connection.New(s.URL+"/v1", append([]connection.Option{s.Network().Option()}, options...)...)
	r.NoError(err)
	r.Cleanup(func() { _ = conn.Close() })
	return conn
}

// get sends GET /x over a connection with those options, and returns what the server received.
func (r *Row) get(options ...connection.Option) connectiontest.Request {
	r.Helper()
	s := r.serve()
	r.NoError(request.Get(r.open(s, options...), "/x").Exec(r.ctx()))
	return r.Sent(s, 1)[0]
}

// refuses asserts that GET /x over a connection with those options fails before a byte is sent, and returns the error.
func (r *Row) refuses(options ...connection.Option) error {
	r.Helper()
	s := r.serve()
	err := request.Get(r.open(s, options...), "/x").Exec(r.ctx())
	if err == nil {
		r.Error("the request was sent")
	}
	r.NothingSent(s)
	return err
}

// rejects asserts that New refuses the base URL and the options because of that option.
func (r *Row) rejects(option, baseURL string, options ...connection.Option) {
	r.Helper()
	_ = r.rejection(option, baseURL, options...)
}

// rejection is rejects, and returns the error.
func (r *Row) rejection(option, baseURL string, options ...connection.Option) error {
	r.Helper()
	conn, err := connection.New(baseURL, options...)
	if conn != nil {
		r.Error("New has returned a connection beside its error")
	}
	r.OptionError(err, option)
	return err
}

// as asserts that err has a T in it, and returns it.
func as[T error](r *Row, err error) T {
	r.Helper()
	r.asserted++
	e, ok := errors.AsType[T](err)
	if !ok {
		r.Fatalf("error is %v (%T), want a %T", err, err, e)
	}
	return e
}

func (r *Row) ctx() context.Context { return r.Context() }

// clocked is a handler that notes when requests arrive, and passes them on.
type clocked struct {
	next http.Handler

	mu sync.Mutex
	at []time.Time
}

func (c *clocked) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	c.mu.Lock()
	c.at = append(c.at, time.Now())
	c.mu.Unlock()
	c.next.ServeHTTP(w, req)
}

// waits returns the time between each request and the next.
func (c *clocked) waits() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []time.Duration
	for i := 1; i < len(c.at); i++ {
		all = append(all, c.at[i].Sub(c.at[i-1]))
	}
	return all
}

// logbook keeps what was written to a logger.
type logbook struct{ text bytes.Buffer }

// logger returns a logger that writes to the book. It is for one goroutine.
func (b *logbook) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(&b.text, nil)) }

// entry is the record of one request.
type entry struct {
	Method, URL    string
	Status         int
	RequestHeader  map[string]string `json:"request_header"`
	ResponseHeader map[string]string `json:"response_header"`
	RequestBody    loggedBody        `json:"request_body"`
	ResponseBody   loggedBody        `json:"response_body"`
}

type loggedBody struct {
	Size int
	Text string
}

// entries asserts how many records were written, and returns them.
func (b *logbook) entries(r *Row, want int) []entry {
	r.Helper()
	r.asserted++
	var all []entry
	for line := range strings.Lines(b.text.String()) {
		var e entry
		r.NoError(json.Unmarshal([]byte(line), &e))
		all = append(all, e)
	}
	if len(all) != want {
		r.Fatalf("%d records were written, want %d:\n%s", len(all), want, b.text.String())
	}
	return all
}
