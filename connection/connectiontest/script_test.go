package connectiontest_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/connection/connectiontest"
)

// recorder is a test that notes its failures instead of failing.
type recorder struct {
	testing.TB
	failures []string
	logs     []string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Logf(format string, args ...any) {
	r.logs = append(r.logs, fmt.Sprintf(format, args...)) // the server has its lock
}

// fatal is what Fatalf ends the test with.
type fatal string

func (r *recorder) Fatalf(format string, args ...any) { panic(fatal(fmt.Sprintf(format, args...))) }

// end ends the test and returns its failures.
func (r *recorder) end() []string {
	for _, f := range r.cleanups {
		f()
	}
	return r.failures
}

// caught returns what f fails the test with.
func caught(f func()) (message string) {
	defer func() {
		if r, ok := recover().(fatal); ok {
			message = string(r)
		}
	}()
	f()
	return ""
}

func TestScript(t *testing.T) {
	t.Parallel()
	const secret = "s3cret-value"
	get := func(target string, header ...string) *http.Request {
		r := httptest.NewRequest("GET", target, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		return r
	}
	post := func(target, body string) *http.Request {
		return httptest.NewRequest("POST", target, strings.NewReader(body))
	}
	ok := connectiontest.Status(204)
	for name, tc := range map[string]struct {
		script   []connectiontest.Exchange
		requests []*http.Request
		statuses []int
		failures []string
	}{
		"as written": {
			script: []connectiontest.Exchange{
				{Want: "GET /a?x=1", Header: map[string]string{"accept": "a, b", "X-Key": secret, "Cookie": ""}, Reply: ok},
				{Want: "POST /b", Body: connectiontest.BodyText("hi"), Reply: connectiontest.Status(201)},
				{Want: "POST /b", Body: connectiontest.BodyJSON(`{"a":1,"b":[2]}`), Reply: ok},
				{Want: "GET /c", Header: map[string]string{"Host": "example.com"}, Reply: ok},
			},
			requests: []*http.Request{
				get("/a?x=1", "Accept", "a", "Accept", "b", "X-Key", secret), post("/b", "hi"), post("/b", ` {"b":[2], "a":1}`),
				get("/c"),
			},
			statuses: []int{204, 201, 204, 204},
		},
		"another request, and the right one after it": {
			script:   []connectiontest.Exchange{{Want: "GET /a", Reply: ok}, {Want: "GET /b", Reply: ok}},
			requests: []*http.Request{get("/a"), get("/a"), get("/b")},
			statuses: []int{204, 400, 204},
			failures: []string{"connectiontest: exchange 2 of 2: got GET /a, want GET /b"},
		},
		"one too many": {
			script:   []connectiontest.Exchange{{Want: "GET /a", Reply: ok}},
			requests: []*http.Request{get("/a"), get("/b")},
			statuses: []int{204, 400},
			failures: []string{"connectiontest: got GET /b after the last of 1 exchanges"},
		},
		"too few": {
			script:   []connectiontest.Exchange{{Want: "GET /a", Reply: ok}, {Want: "GET /b", Reply: ok}},
			requests: []*http.Request{get("/a")},
			statuses: []int{204},
			failures: []string{"connectiontest: GET /b was never sent"},
		},
		"headers": {
			script: []connectiontest.Exchange{{Want: "GET /a", Reply: ok, Header: map[string]string{
				"Accept": "text/html", "Authorization": "Bearer " + secret, "X-Api-Key": secret, "Cookie": "",
			}}},
			requests: []*http.Request{get("/a", "Accept", "a", "Authorization", secret, "Cookie", secret)},
			statuses: []int{204},
			failures: []string{
				`connectiontest: GET /a: header Accept is "a", want "text/html"`,
				"connectiontest: GET /a: header Authorization has another value than the one wanted (neither is shown)",
				"connectiontest: GET /a: header Cookie was sent, and must not be",
				"connectiontest: GET /a: header X-Api-Key was not sent",
			},
		},
		"bodies": {
			script: []connectiontest.Exchange{
				{Want: "POST /a", Reply: ok, Body: connectiontest.BodyText("want")},
				{Want: "POST /a", Reply: ok, Body: connectiontest.BodyJSON("1")},
				{Want: "POST /a", Reply: ok, Body: connectiontest.BodyJSON("1")},
				{Want: "POST /a", Reply: ok, Body: connectiontest.BodyJSON("1")},
				{Want: "POST /a", Reply: ok, Body: connectiontest.BodyJSON("")},
				{Want: "POST /a", Reply: ok, Body: func([]byte) error { return errors.New("do not like it") }},
				{Want: "POST /a", Reply: ok, Body: connectiontest.BodyText("")},
			},
			requests: []*http.Request{
				post("/a", "got"), post("/a", "2"), post("/a", "x"), post("/a", "1 1"), post("/a", "1"), post("/a", "1"),
				post("/a", strings.Repeat("x", 2000)),
			},
			statuses: []int{204, 204, 204, 204, 204, 204, 204},
			failures: []string{
				`connectiontest: POST /a: body is "got", want "want"`,
				`connectiontest: POST /a: body is "2", want the JSON "1"`,
				`connectiontest: POST /a: body is "x", which is not JSON: ` +
					"invalid character 'x' looking for beginning of value",
				`connectiontest: POST /a: body is "1 1", which is not JSON: more than one value`,
				"connectiontest: POST /a: the wanted body is not JSON: EOF",
				"connectiontest: POST /a: do not like it",
				`connectiontest: POST /a: body is "` + strings.Repeat("x", 1024) + `"... (2000 bytes), want ""`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tb := new(recorder)
			h := connectiontest.Script(tb, tc.script...)
			var statuses []int
			for _, r := range tc.requests {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				statuses = append(statuses, w.Code)
			}
			failures := tb.end()
			if diff := cmp.Diff(tc.statuses, statuses); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.failures, failures); diff != "" {
				t.Errorf("failures (-want +got):\n%s", diff)
			}
			if strings.Contains(strings.Join(failures, "\n"), secret) {
				t.Error("the failures show the secret")
			}
			// A request that comes when the test has ended cannot fail it.
			w := httptest.NewRecorder()
			h.ServeHTTP(w, get("/late"))
			if w.Code != http.StatusBadRequest || len(tb.failures) != len(failures) {
				t.Errorf("late request: status %d, failures %q", w.Code, tb.failures[len(failures):])
			}
		})
	}
}

// The reply sees the body that the script has checked.
func TestScriptBodyForReply(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, connectiontest.Script(t, connectiontest.Exchange{
		Want: "POST /echo",
		Body: connectiontest.BodyText("hello"),
		Reply: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(w, r.Body)
		}),
	}))
	if _, body := fetch(t, client(srv.Network()), "POST", srv.URL+"/echo", strings.NewReader("hello")); body != "hello" {
		t.Errorf("body = %q", body)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	tb := new(recorder)
	defer tb.end()
	n := connectiontest.NewNetwork(tb)
	n.Serve("https://taken.test", hello)
	for want, f := range map[string]func(){
		"malformed origin":                func() { n.Serve("http://u:hunter2@[bad", hello) },
		"must begin with http://":         func() { n.Serve("api.example.test", hello) },
		"origin without a host":           func() { n.Serve("https://", hello) },
		"scheme, a host and a port alone": func() { n.Serve("https://u:hunter2@api.example.test/v1?x", hello) },
		"has a server already":            func() { n.Serve("https://TAKEN.test:443", hello) },
		"nil handler":                     func() { n.Serve("https://nil.test", nil) },
		"a server without TLS":            func() { n.ServeTLS("http://plain.test", hello, new(tls.Config)) },
		"Want is \"GET\"":                 func() { connectiontest.Script(tb, connectiontest.Exchange{Want: "GET"}) },
		"nil Reply":                       func() { connectiontest.Script(tb, connectiontest.Exchange{Want: "GET /"}) },
	} {
		if got := caught(f); !strings.Contains(got, want) || strings.Contains(got, "hunter2") {
			t.Errorf("got failure %q, want one with %q", got, want)
		}
	}
	n.Close()
	if got := caught(func() { n.Serve("https://late.test", hello) }); !strings.Contains(got, "network is closed") {
		t.Errorf("Serve after Close: %q", got)
	}
}

func TestReplies(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, connectiontest.Sequence(
		connectiontest.Status(503).Header("Retry-After", "2"),
		connectiontest.JSON(201, map[string]int{"id": 42}).Header("Set-Cookie", "a=1").Header("Set-Cookie", "b=2"),
		connectiontest.Text(400, "no"),
		connectiontest.Text(200, "<p>").Header("Content-Type", "text/html"),
		connectiontest.JSON(200, math.NaN()),
		connectiontest.Status(204),
		connectiontest.Reply{},
		connectiontest.Text(200, strings.Repeat("x", 5000)),
	))
	c := client(srv.Network())
	type answer struct {
		Status          int
		Type, Body      string
		Length          int64
		Cookies, Retry  string
		TransferEncoded bool
	}
	var got []answer
	for range 9 {
		resp, body := fetch(t, c, "GET", srv.URL, nil)
		got = append(got, answer{
			resp.StatusCode, resp.Header.Get("Content-Type"), body, resp.ContentLength,
			strings.Join(resp.Header["Set-Cookie"], ","), resp.Header.Get("Retry-After"), len(resp.TransferEncoding) > 0,
		})
	}
	const plain = "text/plain; charset=utf-8"
	long := answer{Status: 200, Type: plain, Body: strings.Repeat("x", 5000), Length: 5000}
	want := []answer{
		{Status: 503, Retry: "2"},
		{Status: 201, Type: "application/json", Body: `{"id":42}`, Length: 9, Cookies: "a=1,b=2"},
		{Status: 400, Type: plain, Body: "no", Length: 2},
		{Status: 200, Type: "text/html", Body: "<p>", Length: 3},
		{Status: 500, Type: plain, Body: "connectiontest: json: unsupported value: NaN", Length: 44},
		{Status: 204},
		{Status: 200},
		long, long,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if resp, _ := fetch(t, c, "HEAD", srv.URL, nil); resp.ContentLength != 5000 {
		t.Errorf("HEAD: Content-Length %d, want 5000", resp.ContentLength)
	}

	short := srv.Network().Serve("https://short.test", connectiontest.Text(200, "x").Header("Content-Length", "2"))
	resp, err := c.Get(short.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Content-Length too large: %v, want io.ErrUnexpectedEOF", err)
	}

	none := srv.Network().Serve("https://none.test", connectiontest.Sequence())
	if _, body := fetch(t, c, "GET", none.URL, nil); !strings.Contains(body, "without a reply") {
		t.Errorf("empty Sequence: %q", body)
	}
}

func TestReplyIsImmutable(t *testing.T) {
	t.Parallel()
	base := connectiontest.Status(200).Header("X-A", "1")
	one, two := base.Header("X-A", "2"), base.Header("X-A", "3")
	for want, reply := range map[string]connectiontest.Reply{"[1]": base, "[1 2]": one, "[1 3]": two} {
		w := httptest.NewRecorder()
		reply.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if got := fmt.Sprint(w.Header()["X-A"]); got != want {
			t.Errorf("X-A = %s, want %s", got, want)
		}
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Text(200, "late").Delay(time.Hour))
		c := client(srv.Network())
		start := time.Now()
		if _, body := fetch(t, c, "GET", srv.URL, nil); body != "late" || time.Since(start) != time.Hour {
			t.Errorf("%q after %v, want late after 1h", body, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want a deadline", err)
		}
		srv.Close() // the handler does not wait for the hour to end
		if got := time.Since(start); got != time.Hour+time.Second {
			t.Errorf("closed after %v", got)
		}
	})
}

func TestCut(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	h := connectiontest.Sequence(connectiontest.Cut(), connectiontest.Status(200))
	srv := n.Serve("https://api.example.test", h)
	c := client(n)
	if _, err := c.Post(srv.URL, "text/plain", strings.NewReader("x")); !errors.Is(err, io.EOF) {
		t.Errorf("Cut: %v, want io.EOF", err)
	}
	fetch(t, c, "GET", srv.URL, nil)
	if got := srv.Conns(); got != 2 {
		t.Errorf("Conns = %d, want 2", got)
	}
	two := n.ServeH2("https://two.test", connectiontest.Cut())
	if _, err := c.Post(two.URL, "text/plain", strings.NewReader("x")); err == nil {
		t.Error("Cut over HTTP/2: no error")
	}
	if got := string(two.Requests()[0].Body); got != "x" {
		t.Errorf("Body = %q, want x", got)
	}

	hijacked := n.Serve("http://hijack.test", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if err := connectiontest.Reset(conn); err != nil {
			t.Error(err)
		}
	}))
	if _, err := c.Post(hijacked.URL, "text/plain", nil); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Reset: %v, want ECONNRESET", err)
	}
}
