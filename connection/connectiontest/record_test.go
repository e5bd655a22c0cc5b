package connectiontest_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/connection/connectiontest"
)

// record returns what a server makes of the bytes in parts, each of which is one write.
func record(tb testing.TB, parts ...string) []connectiontest.Request {
	tb.Helper()
	n := connectiontest.NewNetwork(tb)
	done := make(chan struct{})
	srv := n.ServeRaw("http://api.example.test", func(c net.Conn) {
		defer close(done)
		_, _ = io.Copy(io.Discard, c)
	})
	c, err := n.Dial(tb.Context(), "tcp", "api.example.test:80")
	if err != nil {
		tb.Fatal(err)
	}
	for _, part := range parts {
		_, _ = io.WriteString(c, part)
	}
	_ = c.Close()
	<-done
	n.Close()
	return srv.Requests()
}

func TestRecord(t *testing.T) {
	t.Parallel()
	const get = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
	type short struct{ Method, Target, Raw, Body string }
	for name, tc := range map[string]struct {
		parts []string
		want  []short
	}{
		"nothing":         {parts: nil},
		"incomplete head": {parts: []string{"GET /a HTTP/1.1\r\nHost: x\r\n"}},
		"pipelined":       {parts: []string{get + get}, want: []short{{"GET", "/a", get, ""}, {"GET", "/a", get, ""}}},
		"byte by byte":    {parts: strings.Split(get, ""), want: []short{{"GET", "/a", get, ""}}},
		"line feeds alone": {
			parts: []string{"GET /a HTTP/1.1\nHost: x\n\n"},
			want:  []short{{"GET", "/a", "GET /a HTTP/1.1\nHost: x\n\n", ""}},
		},
		"body": {
			parts: []string{"PUT /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" + get},
			want: []short{
				{"PUT", "/a", "PUT /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "abc"}, {"GET", "/a", get, ""},
			},
		},
		"body that breaks off": {
			parts: []string{"PUT /a HTTP/1.1\r\nContent-Length: 9\r\n\r\n", "abc"},
			want:  []short{{"PUT", "/a", "PUT /a HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc", "abc"}},
		},
		"chunks, an extension and a trailer": {
			parts: []string{
				"PUT /a HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\nab",
				"c\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n" + get,
			},
			want: []short{{
				"PUT", "/a", "PUT /a HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n" +
					"3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n", "abc0123456789",
			}, {"GET", "/a", get, ""}},
		},
		"malformed chunk": {
			parts: []string{"PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n" + get},
			want:  []short{{"PUT", "/a", "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", ""}},
		},
		"not HTTP": {parts: []string{"EHLO x\r\n\r\n" + get}, want: []short{{Raw: "EHLO x\r\n\r\n"}}},
		"one word": {parts: []string{"EHLO\r\n\r\n" + get}, want: []short{{Raw: "EHLO\r\n\r\n"}}},
		"malformed header": {
			parts: []string{"GET / HTTP/1.1\r\nx\r\n\r\n" + get},
			want:  []short{{"GET", "/", "GET / HTTP/1.1\r\nx\r\n\r\n", ""}},
		},
		"tunnel": {
			parts: []string{"CONNECT a:1 HTTP/1.1\r\n\r\n", get},
			want:  []short{{"CONNECT", "a:1", "CONNECT a:1 HTTP/1.1\r\n\r\n", ""}},
		},
		"HTTP/2": {parts: []string{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []short
			for _, r := range record(t, tc.parts...) {
				got = append(got, short{r.Method, r.Target, r.Raw, string(r.Body)})
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("Requests (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzRecord checks that the requests are the bytes that were sent, from the first, without a gap.
func FuzzRecord(f *testing.F) {
	f.Add("GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")
	f.Add("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n", "abc\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n")
	f.Add("PUT / HTTP/1.1\nTransfer-Encoding: chunked\n\n-1\n", "\n\n\n\n")
	f.Fuzz(func(t *testing.T, one, two string) {
		var all strings.Builder
		for _, r := range record(t, one, two) {
			all.WriteString(r.Raw)
			if !strings.Contains(r.Raw, string(r.Body[:min(1, len(r.Body))])) || len(r.Body) > len(r.Raw) {
				t.Errorf("body %q is not in %q", r.Body, r.Raw)
			}
		}
		if !strings.HasPrefix(one+two, all.String()) {
			t.Errorf("recorded %q of %q", all.String(), one+two)
		}
	})
}

// What Requests returns belongs to the caller.
func TestRequestsAreCopies(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, connectiontest.Status(200))
	fetch(t, client(srv.Network()), "POST", srv.URL, strings.NewReader("body"))
	want := srv.Requests()
	got := srv.Requests()
	got[0].Header.Set("User-Agent", "changed")
	got[0].Body[0] = 'x'
	got[0].Method = "PUT"
	if diff := cmp.Diff(want, srv.Requests()); diff != "" {
		t.Errorf("Requests (-want +got):\n%s", diff)
	}
}

// A handler that reads nothing has the request in the record nevertheless: net/http reads it.
func TestUnreadBody(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, hello)
	c := client(srv.Network())
	for range 50 {
		fetch(t, c, "POST", srv.URL, strings.NewReader(strings.Repeat("x", 100_000)))
	}
	for i, r := range srv.Requests() {
		if len(r.Body) != 100_000 || !strings.HasSuffix(r.Raw, "\r\n\r\n"+string(r.Body)) {
			t.Errorf("request %d has %d bytes of body, want 100000", i, len(r.Body))
		}
	}
}

// A request is on record before its handler has answered.
func TestRequestsInFlight(t *testing.T) {
	t.Parallel()
	var srv *connectiontest.Server
	seen := make(chan []connectiontest.Request, 1)
	srv = connectiontest.NewServer(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		seen <- srv.Requests()
	}))
	fetch(t, client(srv.Network()), "GET", srv.URL+"/x", nil)
	if got := <-seen; len(got) != 1 || got[0].Target != "/x" {
		t.Errorf("Requests in the handler: %v", got)
	}
}

// A handler that panics is in the log of the test, and so is one that keeps Close waiting.
func TestLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tb := &recorder{TB: t}
		n := connectiontest.NewNetwork(tb)
		bad := n.Serve("https://bad.test", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }))
		if _, err := client(n).Post(bad.URL, "", nil); err == nil {
			t.Error("a handler that panics: no error")
		}
		bad.Close()
		if got := strings.Join(tb.logs, "\n"); !strings.HasPrefix(got, "https://bad.test: http: panic serving") ||
			!strings.Contains(got, "boom") {
			t.Errorf("log = %q, want the panic", got)
		}

		tb.logs = nil
		slow := n.Serve("https://slow.test", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			time.Sleep(time.Minute)
		}))
		raw := n.ServeRaw("http://raw.test", func(net.Conn) { time.Sleep(time.Minute) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", slow.URL+"/report", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client(n).Do(req); err == nil {
			t.Error("no error after the deadline")
		}
		slow.Close()
		if _, err := n.Dial(t.Context(), "tcp", "raw.test:80"); err != nil {
			t.Fatal(err)
		}
		raw.Close()
		want := []string{
			"connectiontest: Close of https://slow.test is waiting for the handlers of: GET /report",
			"connectiontest: Close of http://raw.test is waiting for the handlers of: a connection",
		}
		if diff := cmp.Diff(want, tb.logs); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
		tb.end()
	})
}
