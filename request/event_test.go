package request_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// feedOf is a handler that answers with a stream. f sends parts of it, each of which is on the wire at once.
func feedOf(contentType string, f func(send func(part string), req *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		w.Header()["Content-Type"] = nil
		w.Header().Set("Connection", "close") // or net/http sends again by itself what the next handler cuts
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(http.StatusOK)
		flush := http.NewResponseController(w).Flush
		_ = flush()
		f(func(part string) {
			_, _ = io.WriteString(w, part)
			_ = flush()
		}, req)
	}
}

const eventStream = "text/event-stream"

// stream answers with a stream of events that ends as it should.
func stream(text string) http.HandlerFunc {
	return feedOf(eventStream, func(send func(string), _ *http.Request) { send(text) })
}

// cutStream answers with a stream of events that breaks off.
func cutStream(text string) http.HandlerFunc {
	return feedOf(eventStream, func(send func(string), _ *http.Request) {
		send(text)
		panic(http.ErrAbortHandler)
	})
}

// openStream answers with a stream of events that stays open, and says nothing more.
func openStream(text string) http.HandlerFunc {
	return feedOf(eventStream, func(send func(string), req *http.Request) {
		send(text)
		<-req.Context().Done()
	})
}

// streaming returns a connection to a server that answers with the replies one after the other, and then with the last.
func streaming(
	t *testing.T, opts []connection.Option, replies ...http.Handler,
) (*connection.Connection, *connectiontest.Server) {
	t.Helper()
	srv := connectiontest.NewServer(t, connectiontest.Sequence(replies...))
	return connectTo(t, srv, "", opts...), srv
}

// data returns the data of events.
func data(events []request.Event) []string {
	var texts []string
	for _, e := range events {
		texts = append(texts, e.Data)
	}
	return texts
}

func message(text string) request.Event { return request.Event{Type: "message", Data: text} }

// A stream is read as the HTML standard says, in one piece and byte by byte.
func TestEventFormat(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, stream string
		want         []request.Event
	}{
		{"an event", "data: a\n\n", []request.Event{message("a")}},
		{"all fields", "id: 7\nevent: add\ndata: a\ndata: b\n\n", []request.Event{{ID: "7", Type: "add", Data: "a\nb"}}},
		{"one space is taken off, no more", "data:  a \n\ndata:b\n\n", []request.Event{message(" a "), message("b")}},
		{"CRLF", "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", []request.Event{message("a\nb"), message("c")}},
		{"CR alone", "data: a\rdata: b\r\rdata: c\r\r", []request.Event{message("a\nb"), message("c")}},
		{"mixed line ends", "data: a\r\n\rdata: b\n\r\ndata: c\r\r\n", []request.Event{
			message("a"), message("b"), message("c"),
		}},
		{"a byte order mark", "\xef\xbb\xbfdata: a\n\n", []request.Event{message("a")}},
		{"a byte order mark counts once, and at the beginning", "\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n",
			[]request.Event{message("b")}},
		{"a byte order mark after an empty line", "\n\xef\xbb\xbfdata: a\n\n", nil},
		{"comments", ": hi\n\n:\ndata: a\n:data: b\n\n", []request.Event{message("a")}},
		{"unknown fields", "dat: x\ndatas: x\nData: x\n data: x\nxyz\ndata: a\n\n", []request.Event{message("a")}},
		{"no colon", "data\n\n", []request.Event{message("")}},
		{"two lines without colon", "data\n" + "data\n\n", []request.Event{message("\n")}},
		{"empty data is an event", "data:\n\n", []request.Event{message("")}},
		{"no data is none", "event: x\nid: 1\n\ndata: a\n\n", []request.Event{{ID: "1", Type: "message", Data: "a"}}},
		{"the type is that of one event", "event: x\ndata: a\n\ndata: b\n\n", []request.Event{
			{Type: "x", Data: "a"}, message("b"),
		}},
		{"an empty type is none", "event: x\nevent:\ndata: a\n\n", []request.Event{message("a")}},
		{"the id stays", "id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", []request.Event{
			{ID: "1", Type: "message", Data: "a"}, {ID: "1", Type: "message", Data: "b"}, message("c"),
		}},
		{"L6 an id with NUL is ignored", "id: 1\ndata: a\n\nid: 2\x00\ndata: b\n\n", []request.Event{
			{ID: "1", Type: "message", Data: "a"}, {ID: "1", Type: "message", Data: "b"},
		}},
		{"what is not UTF-8 is replaced", "event: \xff\ndata: a\xffb\nid: \xfe\n\n", []request.Event{
			{ID: "\uFFFD", Type: "\uFFFD", Data: "a\uFFFDb"},
		}},
		{"an event that does not end is none", "data: a\n\ndata: b\n", []request.Event{message("a")}},
		{"a line that does not end is none", "data: a\n\ndata: b", []request.Event{message("a")}},
		{"nothing", "", nil},
		{"empty lines only", "\n\n\r\r\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, srv := streaming(t, nil, stream(tt.stream), feedOf(eventStream, func(send func(string), _ *http.Request) {
				for i := range len(tt.stream) {
					send(tt.stream[i : i+1])
				}
			}))
			seq := request.Events(t.Context(), request.Post(conn, "/x"))
			for _, how := range []string{"in one piece", "byte by byte"} {
				got, err := all(t, seq)
				if err != nil {
					t.Errorf("%s: %v", how, err)
				}
				wantSame(t, how, got, tt.want)
			}
			if n := len(srv.Requests()); n != 2 {
				t.Errorf("%d requests for two ranges", n)
			}
		})
	}
}

// An event is yielded when its last line end has come, also where that is a CR that an LF may follow.
func TestEventAtOnce(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]string{
		"LF": "\n\n", "CR": "\r\r", "CRLF": "\r\n\r\n", "CRLF without its LF": "\r\n\r",
	} {
		inBubble(t, name, func(t *testing.T) {
			conn, _ := streaming(t, nil, openStream("data: a"+end))
			began := time.Now()
			for e, err := range request.Events(t.Context(), request.Get(conn, "/x")) {
				if err != nil || e.Data != "a" || time.Since(began) != 0 {
					t.Errorf("%v, %v after %v", e, err, time.Since(began))
				}
				break
			}
		})
	}
}

func TestEventSize(t *testing.T) {
	t.Parallel()
	line := func(n int) string { return "data: " + strings.Repeat("x", n-len("data: ")) }
	endless := func(part string) http.Handler {
		return feedOf(eventStream, func(send func(string), req *http.Request) {
			send("data: first\n\n")
			for req.Context().Err() == nil {
				send(part)
			}
		})
	}
	for _, tt := range []struct {
		name  string
		reply http.Handler
		limit int // 0: the default
		want  []int
		fault error
	}{
		{"L5 a line of 65,537 bytes", stream(line(65537) + "\n\n"), 0, []int{65537 - 6}, nil},
		{"L5 an event of 10 MB, by default", stream(line(10<<20) + "\n\n"), 0, nil, request.ErrEventTooLarge},
		{"L5 an event of 10 MB, allowed", stream(line(10<<20) + "\n\n"), 10<<20 + 1, []int{10<<20 - 6}, nil},
		{"L5 an endless line", endless(strings.Repeat("x", 4<<10)), 0, []int{5}, request.ErrEventTooLarge},
		{"L5 an endless event", endless(strings.Repeat("data: x\n", 512)), 0, []int{5}, request.ErrEventTooLarge},
		{"L5 an endless comment", endless(":" + strings.Repeat("x", 4<<10)), 0, []int{5}, request.ErrEventTooLarge},
		{"the limit is exact", stream(line(99) + "\n\n" + line(100) + "\n\n"), 100, []int{93}, request.ErrEventTooLarge},
		{"lines add up", stream("data: a\nid: 1\n\n"), 14, []int{1}, nil},
		{"lines add up to too much", stream("data: a\nid: 1\n\n"), 13, nil, request.ErrEventTooLarge},
		{"other lines do not count", stream(strings.Repeat(":\nxx: y\nretry: 1\n", 9) + "data: a\n\n"), 8, []int{1}, nil},
		{"an event does not count for the next", stream(strings.Repeat("data: a\n\n", 3)), 8, []int{1, 1, 1}, nil},
		{"one byte", stream("x\n\n"), 1, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, srv := streaming(t, nil, tt.reply)
			var options []request.EventOption
			if tt.limit > 0 {
				options = append(options, request.MaxEventSize(tt.limit))
			}
			b := request.Post(conn, "/x")
			if tt.fault != nil { // such a stream is not reconnected either
				b = request.Get(conn, "/x")
			}
			got, err := all(t, request.Events(t.Context(), b, options...))
			var sizes []int
			for _, e := range got {
				sizes = append(sizes, len(e.Data))
			}
			wantSame(t, "sizes", sizes, tt.want)
			if !errors.Is(err, tt.fault) {
				t.Errorf("error is %v, want %v", err, tt.fault)
			}
			if tt.fault != nil {
				wantStage[*request.Error](t, err, request.StageRead)
			}
			if n := len(srv.Requests()); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// A stream is asked for as such, and whatever else comes is an error, without being read.
func TestEventAnswer(t *testing.T) {
	t.Parallel()
	t.Run("headers", func(t *testing.T) {
		t.Parallel()
		conn, srv := streaming(t, nil, stream(""))
		for _, b := range []request.Builder{
			request.Post(conn, "/x"), request.Post(conn, "/x").Header("Cache-Control", "max-age=0").Header("Accept", "*/*"),
		} {
			if _, err := all(t, request.Events(t.Context(), b)); err != nil {
				t.Error(err)
			}
		}
		var got []string
		for _, r := range srv.Requests() {
			got = append(got, fmt.Sprint(r.Header["Accept"], r.Header["Cache-Control"], r.Header["Last-Event-Id"]))
		}
		wantSame(t, "headers", got, []string{"[text/event-stream] [no-store] []", "[*/*] [max-age=0] []"})
	})
	for _, contentType := range []string{
		"text/event-stream", "Text/Event-Stream; charset=utf-8", "text/event-stream;charset=latin1", "text/event-stream; x",
	} {
		t.Run("content type "+contentType, func(t *testing.T) {
			t.Parallel()
			conn, _ := streaming(t, nil, feedOf(contentType, func(send func(string), _ *http.Request) { send("data: a\n\n") }))
			got, err := all(t, request.Events(t.Context(), request.Post(conn, "/x")))
			if err != nil || len(got) != 1 {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	for _, contentType := range []string{"", "text/html", "application/json", "text/event-streams", "text/plain"} {
		inBubble(t, "no stream: "+contentType, func(t *testing.T) {
			conn, srv := streaming(t, nil, feedOf(contentType, func(send func(string), req *http.Request) {
				send("data: a\n\n")
				<-req.Context().Done() // the body has no end
			}))
			began := time.Now()
			got, err := all(t, request.Events(t.Context(), request.Get(conn, "/x")))
			wantStage[*request.DecodeError](t, err, request.StageDecode)
			synctest.Wait()
			if len(got) != 0 || time.Since(began) != 0 || len(srv.Requests()) != 1 || srv.OpenConns() != 0 {
				t.Errorf("%v after %v, %d connections", got, time.Since(began), srv.OpenConns())
			}
		})
	}
	t.Run("a content coding that was not undone", func(t *testing.T) {
		t.Parallel()
		conn, _ := streaming(t, nil, connectiontest.Text(200, "data: a\n\n").
			Header("Content-Type", eventStream).Header("Content-Encoding", "br"))
		_, err := all(t, request.Events(t.Context(), request.Get(conn, "/x")))
		wantStage[*request.DecodeError](t, err, request.StageDecode)
	})
	for _, status := range []int{201, 206, 304, 401, 404, 429, 500, 503} {
		t.Run(fmt.Sprintf("status %d at first", status), func(t *testing.T) {
			t.Parallel()
			conn, srv := streaming(t, nil, connectiontest.Status(status).Header("Content-Type", eventStream))
			got, err := all(t, request.Events(t.Context(), request.Get(conn, "/x")))
			if e := wantStage[*request.ResponseError](t, err, request.StageStatus); e.Status != status {
				t.Errorf("status is %d", e.Status)
			}
			if len(got) != 0 || len(srv.Requests()) != 1 {
				t.Errorf("%v, %d requests", got, len(srv.Requests()))
			}
		})
	}
	t.Run("the caller's own success", func(t *testing.T) {
		t.Parallel()
		conn, _ := streaming(t, nil, connectiontest.Text(201, "data: a\n\n").Header("Content-Type", eventStream))
		for _, b := range []request.Builder{
			request.Post(conn, "/x").ExpectStatus(201),
			request.Post(conn, "/x").Check(func(*http.Response, []byte) error { return nil }),
		} {
			if got, err := all(t, request.Events(t.Context(), b)); err != nil || len(got) != 1 {
				t.Errorf("%v, %v", got, err)
			}
		}
	})
	t.Run("L6 204 at first is an empty sequence", func(t *testing.T) {
		t.Parallel()
		conn, srv := streaming(t, nil, connectiontest.Status(204))
		got, err := all(t, request.Events(t.Context(), request.Get(conn, "/x")))
		if err != nil || len(got) != 0 || len(srv.Requests()) != 1 {
			t.Errorf("%v, %v, %d requests", got, err, len(srv.Requests()))
		}
	})
	t.Run("a HEAD has no events", func(t *testing.T) {
		t.Parallel()
		conn, srv := streaming(t, nil, connectiontest.Status(200).Header("Content-Type", eventStream))
		got, err := all(t, request.Events(t.Context(), request.Head(conn, "/x")))
		if err != nil || len(got) != 0 || len(srv.Requests()) != 1 {
			t.Errorf("%v, %v, %d requests", got, err, len(srv.Requests()))
		}
	})
}

// Misuse is an error of StageBuild, yielded first, and nothing is sent.
func TestEventMisuse(t *testing.T) {
	t.Parallel()
	conn, srv := streaming(t, nil, stream("data: a\n\n"))
	get := request.Get(conn, "/x")
	for name, seq := range map[string]iter.Seq2[request.Event, error]{
		"size 0":            request.Events(t.Context(), get, request.MaxEventSize(0)),
		"size -1":           request.Events(t.Context(), get, request.MaxEventSize(-1)),
		"reconnects -1":     request.Events(t.Context(), get, request.Reconnects(-1)),
		"no wait":           request.Events(t.Context(), get, request.ReconnectWait(0, time.Second)),
		"negative wait":     request.Events(t.Context(), get, request.ReconnectWait(-1, time.Second)),
		"waits in disorder": request.Events(t.Context(), get, request.ReconnectWait(2, 1)),
		"id with LF":        request.Events(t.Context(), get, request.LastEventID("1\nX-Evil: 1")),
		"id with CR":        request.Events(t.Context(), get, request.LastEventID("1\r")),
		"id with NUL":       request.Events(t.Context(), get, request.LastEventID("1\x00")),
		"nil option":        request.Events(t.Context(), get, nil),
		"id as header":      request.Events(t.Context(), get.Header("last-event-id", "1")),
		"nil connection":    request.Events(t.Context(), request.Get(nil, "/x")),
		"zero connection":   request.Events(t.Context(), request.Get(new(connection.Connection), "/x")),
		"nil context":       request.Events(context.Context(nil), get),
		"bad request":       request.Events(t.Context(), get.Path("a", "b")),
		"body on GET":       request.Events(t.Context(), get.JSON(1)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := all(t, seq)
			wantStage[*request.Error](t, err, request.StageBuild)
			if len(got) != 0 || strings.Contains(err.Error(), "X-Evil") {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	for _, o := range []interface{ String() string }{
		request.MaxEventSize(1), request.LastEventID(""), request.Reconnects(0), request.ReconnectWait(1, 1),
	} {
		if o.String() == "" {
			t.Error("an option has no name")
		}
	}
	t.Cleanup(func() {
		if n := srv.Conns(); n != 0 {
			t.Errorf("the server saw %d connections, want none", n)
		}
	})
}

// Who leaves the loop, however he does it, leaves nothing open behind.
func TestEventLeaving(t *testing.T) {
	t.Parallel()
	leave := map[string]func(ctx context.Context, seq iter.Seq2[request.Event, error], cancel func()) error{
		"break": func(_ context.Context, seq iter.Seq2[request.Event, error], _ func()) error {
			for _, err := range seq {
				return err
			}
			return nil
		},
		"panic": func(_ context.Context, seq iter.Seq2[request.Event, error], _ func()) error {
			defer func() { _ = recover() }()
			for _, err := range seq {
				panic(err)
			}
			return nil
		},
		"pull": func(_ context.Context, seq iter.Seq2[request.Event, error], _ func()) error {
			next, stop := iter.Pull2(seq)
			_, _, _ = next()
			stop()
			return nil
		},
		"cancel": func(_ context.Context, seq iter.Seq2[request.Event, error], cancel func()) error {
			var last error
			for _, err := range seq {
				last = err
				cancel()
			}
			return last
		},
	}
	for name, f := range leave {
		for method, build := range map[string]func(*connection.Connection, string) request.Builder{
			"GET": request.Get, "POST": request.Post,
		} {
			inBubble(t, "L7 "+name+" "+method, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := make(chan bool, 1)
				conn, srv := streaming(t, nil, feedOf(eventStream, func(send func(string), req *http.Request) {
					send("data: a\n\n")
					<-req.Context().Done()
					ended <- true
				}))
				began := time.Now()
				err := f(ctx, request.Events(ctx, build(conn, "/x")), cancel)
				if name != "cancel" && err != nil {
					t.Error(err)
				}
				if name == "cancel" {
					wantStage[*request.Error](t, err, request.StageRead)
					if !errors.Is(err, context.Canceled) {
						t.Errorf("error is %v", err)
					}
				}
				<-ended
				synctest.Wait()
				if n := srv.OpenConns(); n != 0 || time.Since(began) != 0 || len(srv.Requests()) != 1 {
					t.Errorf("%d connections are open after %v, %d requests", n, time.Since(began), len(srv.Requests()))
				}
			})
		}
	}
}

// Nothing is sent before the loop begins.
func TestEventLazy(t *testing.T) {
	t.Parallel()
	conn, srv := streaming(t, nil, stream("data: a\n\n"))
	_ = request.Events(t.Context(), request.Get(conn, "/x"))
	_ = request.JSONLines[int](t.Context(), request.Get(conn, "/x"))
	if n := srv.Conns(); n != 0 {
		t.Errorf("%d connections", n)
	}
}
