package request_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

const lineType = "application/x-ndjson"

// lines answers with a body that ends as it should.
func lines(text string) http.HandlerFunc {
	return feedOf(lineType, func(send func(string), _ *http.Request) { send(text) })
}

// item is what most lines of these tests hold.
type item struct {
	A int `json:"a"`
}

func TestJSONLinesFormat(t *testing.T) {
	t.Parallel()
	three := []item{{1}, {2}, {3}}
	for _, tt := range []struct {
		name, body string
		want       []item
		fault      string // what the error says
	}{
		{"L10 LF", "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n", three, ""},
		{"L10 CRLF", "{\"a\":1}\r\n{\"a\":2}\r\n{\"a\":3}\r\n", three, ""},
		{"L10 blank lines", "\n\r\n \t\r\n{\"a\":1}\n\n{\"a\":2}\r\n\n\n{\"a\":3}\n\n", three, ""},
		{"L10 the last line without LF", "{\"a\":1}\n{\"a\":2}\n{\"a\":3}", three, ""},
		{"spaces", "  {\"a\":1}\t\n{ \"a\" :\r2}\n\t{\"a\":3}", three, ""},
		{"a byte order mark", "\xef\xbb\xbf{\"a\":1}\n{\"a\":2}\n{\"a\":3}", three, ""},
		{"a byte order mark alone in its line", "\xef\xbb\xbf\n{\"a\":1}\n", []item{{1}}, ""},
		{"nothing", "", nil, ""},
		{"blank lines only", "\n \n\r\n", nil, ""},
		{"L10 a partial last line", "{\"a\":1}\n{\"a\":2", []item{{1}}, "line 2: unexpected end of JSON input"},
		{"L10 a partial line", "{\"a\":1}\n\n{\"a\":\n2}\n", []item{{1}}, "line 3: unexpected end of JSON input"},
		{"two values", "{\"a\":1} {\"a\":2}\n", nil, "line 1: "},
		{"a bare CR ends no line", "{\"a\":1}\r{\"a\":2}\n", nil, "line 1: "},
		{"another type", "{\"a\":1}\n{\"a\":\"canary\"}\n{\"a\":3}\n", []item{{1}},
			"line 2: cannot unmarshal string into field a of type int"},
		{"not UTF-8", "{\"a\":1,\"b\":\"\xff\"}\n", nil, "line 1: the body is not UTF-8"},
		{"no JSON", "{\"a\":1}\ncanary\n", []item{{1}}, "line 2: "},
		{"null", "{\"a\":1}\nnull\n", []item{{1}}, "line 2: the body is null"},
		{"an RS of RFC 7464", "\x1e{\"a\":1}\n", nil, "line 1: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, srv := streaming(t, nil, lines(tt.body), feedOf(lineType, func(send func(string), _ *http.Request) {
				for i := range len(tt.body) {
					send(tt.body[i : i+1])
				}
			}))
			seq := request.JSONLines[item](t.Context(), request.Get(conn, "/x"))
			for _, how := range []string{"in one piece", "byte by byte"} {
				got, err := all(t, seq)
				wantSame(t, how, got, tt.want)
				if tt.fault == "" {
					if err != nil {
						t.Errorf("%s: %v", how, err)
					}
					continue
				}
				wantStage[*request.DecodeError](t, err, request.StageDecode)
				if !strings.Contains(err.Error(), tt.fault) || strings.Contains(err.Error(), "canary") {
					t.Errorf("%s: %v; want one that says %s", how, err, tt.fault)
				}
			}
			if n := len(srv.Requests()); n != 2 {
				t.Errorf("%d requests for two ranges", n)
			}
		})
	}
}

// What a line becomes is up to T and to the codec.
func TestJSONLinesTypes(t *testing.T) {
	t.Parallel()
	t.Run("raw values do not change under their owner", func(t *testing.T) {
		t.Parallel()
		var text strings.Builder
		for i := range 10_000 {
			fmt.Fprintf(&text, "{\"n\":%d}\n", i)
		}
		conn, _ := streaming(t, nil, lines(text.String()))
		got, err := all(t, request.JSONLines[json.RawMessage](t.Context(), request.Get(conn, "/x")))
		if err != nil || len(got) != 10_000 {
			t.Fatalf("%d values, %v", len(got), err)
		}
		for i, raw := range got {
			if string(raw) != fmt.Sprintf(`{"n":%d}`, i) {
				t.Fatalf("value %d is %s", i, raw)
			}
		}
	})
	t.Run("values do not share what the one before has left", func(t *testing.T) {
		t.Parallel()
		conn, _ := streaming(t, nil, lines("{\"a\":1}\n{}\nnull\n"))
		got, err := all(t, request.JSONLines[map[string]int](t.Context(), request.Get(conn, "/x")))
		if err != nil {
			t.Error(err)
		}
		wantSame(t, "values", got, []map[string]int{{"a": 1}, {}, nil})
	})
	t.Run("numbers keep their digits", func(t *testing.T) {
		t.Parallel()
		conn, _ := streaming(t, nil, lines("12345678901234567890\n\"s\"\nnull"))
		got, err := all(t, request.JSONLines[any](t.Context(), request.Get(conn, "/x")))
		if err != nil {
			t.Error(err)
		}
		wantSame(t, "values", got, []any{json.Number("12345678901234567890"), "s", nil})
	})
	t.Run("the codec of the request", func(t *testing.T) {
		t.Parallel()
		conn, _ := streaming(t, nil, lines("{\"a\":1}\n{\"a\":1,\"A\":2}\n"))
		got, err := all(t, request.JSONLines[item](t.Context(), request.Get(conn, "/x").Codec(request.StrictJSON())))
		wantStage[*request.DecodeError](t, err, request.StageDecode)
		wantSame(t, "values", got, []item{{1}})
	})
	t.Run("the bad line is in the error, and not in its text", func(t *testing.T) {
		t.Parallel()
		conn, srv := streaming(t, nil, lines("{\"a\":1}\n"+`"canary `+strings.Repeat("x", 100<<10)+"\n"))
		_, err := all(t, request.JSONLines[item](t.Context(), request.Get(conn, "/x").Query("key", "canary")))
		e := wantStage[*request.DecodeError](t, err, request.StageDecode)
		if len(e.Body) != 64<<10 || !strings.HasPrefix(string(e.Body), `"canary x`) || e.Status != 200 ||
			e.ContentType != lineType || e.URL != srv.URL+"/x" {
			t.Errorf("%d bytes of %q from %s", len(e.Body), e.ContentType, e.URL)
		}
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
			if strings.Contains(text, "canary") {
				t.Error(text)
			}
		}
	})
}

func TestJSONLinesSize(t *testing.T) {
	t.Parallel()
	line := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }
	for _, tt := range []struct {
		name, body string
		limit      int // 0: the default
		want       int
		large      bool
	}{
		{"65,537 bytes", line(65537) + "\n", 0, 1, false},
		{"1 MiB by default", line(1<<20) + "\n" + line(1<<20), 0, 2, false},
		{"more by default", line(1<<20+1) + "\n", 0, 0, true},
		{"10 MB, allowed", line(10<<20) + "\n", 10 << 20, 1, false},
		{"a small limit", line(10) + "\n" + line(11) + "\n", 10, 1, true},
		{"a small limit without LF", line(10) + "\n" + line(11), 10, 1, true},
		{"all at the limit", strings.Repeat(line(10)+"\n", 1000), 10, 1000, false},
		{"blanks count", line(10) + "\n" + strings.Repeat(" ", 11) + "\n", 10, 1, true},
		{"one byte", "1\n2\n12\n", 1, 2, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, _ := streaming(t, nil, lines(tt.body))
			var options []request.LineOption
			if tt.limit > 0 {
				options = append(options, request.MaxLineSize(tt.limit))
			}
			got, err := all(t, request.JSONLines[any](t.Context(), request.Get(conn, "/x"), options...))
			if len(got) != tt.want || errors.Is(err, request.ErrLineTooLarge) != tt.large || !tt.large && err != nil {
				t.Errorf("%d values, %v", len(got), err)
			}
			if tt.large {
				wantStage[*request.Error](t, err, request.StageRead)
				if !strings.Contains(err.Error(), fmt.Sprintf("line %d: ", tt.want+1)) {
					t.Errorf("error is %v", err)
				}
			}
		})
	}
}

// endlessBody is a body that never ends. It counts what was read of it.
type endlessBody struct{ read int }

func (b *endlessBody) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	b.read += len(p)
	return len(p), nil
}

// bodies is a transport that answers with a body as it is.
type bodies struct {
	contentType string
	body        func() io.Reader
}

func (b bodies) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req, ContentLength: -1,
		Header: http.Header{"Content-Type": {b.contentType}}, Body: io.NopCloser(b.body()),
	}, nil
}

//nolint:paralleltest // it counts the allocations of the whole process
func TestJSONLinesMemory(t *testing.T) {
	const limit = 16 << 20
	body := new(endlessBody)
	conn, err := connection.New("https://api.example.test",
		connection.WithTransport(bodies{lineType, func() io.Reader { return body }}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	n := allocated(func() {
		_, err = all(t, request.JSONLines[any](t.Context(), request.Get(conn, "/x"), request.MaxLineSize(limit)))
	})
	if !errors.Is(err, request.ErrLineTooLarge) {
		t.Errorf("error is %v", err)
	}
	if body.read > limit+1 {
		t.Errorf("L10 %d bytes were read for a limit of %d", body.read, limit)
	}
	if n > 5*limit/2 {
		t.Errorf("L10 %d bytes were allocated for a limit of %d", n, limit)
	}
}

func TestJSONLinesAnswer(t *testing.T) {
	t.Parallel()
	t.Run("headers", func(t *testing.T) {
		t.Parallel()
		conn, srv := streaming(t, nil, lines(""))
		get := request.Get(conn, "/x")
		for _, b := range []request.Builder{get, get.Header("Accept", "application/json")} {
			if _, err := all(t, request.JSONLines[any](t.Context(), b)); err != nil {
				t.Error(err)
			}
		}
		var got []string
		for _, r := range srv.Requests() {
			got = append(got, r.Header.Get("Accept"))
		}
		wantSame(t, "Accept", got, []string{"application/x-ndjson, application/jsonl, application/json", "application/json"})
	})
	for contentType, want := range map[string]bool{
		"": true, "application/x-ndjson": true, "application/ndjson": true, "application/jsonl": true,
		"application/x-jsonlines": true, "application/jsonlines": true, "application/stream+json": true,
		"application/json": true, "Application/X-NDJSON; charset=UTF-8": true, "application/jsonl; charset=us-ascii": true,
		"application/json-seq": false, "text/html": false, "text/plain": false, "application/xml": false,
		"application/jsonl; charset=latin1": false, "application/vnd.api+json": false, "text/json": false, ";": false,
	} {
		t.Run("content type "+contentType, func(t *testing.T) {
			t.Parallel()
			conn, _ := streaming(t, nil, feedOf(contentType, func(send func(string), _ *http.Request) { send("1\n") }))
			got, err := all(t, request.JSONLines[int](t.Context(), request.Get(conn, "/x")))
			if want && (err != nil || len(got) != 1) {
				t.Errorf("%v, %v", got, err)
			}
			if !want {
				wantStage[*request.DecodeError](t, err, request.StageDecode)
			}
			b := request.Get(conn, "/x").Codec(connection.Codec{AnyContentType: true})
			if got, err := all(t, request.JSONLines[int](t.Context(), b)); err != nil || len(got) != 1 {
				t.Errorf("with AnyContentType: %v, %v", got, err)
			}
		})
	}
	inBubble(t, "another type is not read, and its connection closed", func(t *testing.T) {
		conn, srv := streaming(t, nil, feedOf("text/html", func(send func(string), req *http.Request) {
			send("<html>")
			<-req.Context().Done()
		}))
		began := time.Now()
		_, err := all(t, request.JSONLines[any](t.Context(), request.Get(conn, "/x")))
		wantStage[*request.DecodeError](t, err, request.StageDecode)
		synctest.Wait()
		if time.Since(began) != 0 || srv.OpenConns() != 0 {
			t.Errorf("%d connections after %v", srv.OpenConns(), time.Since(began))
		}
	})
	t.Run("a content coding that was not undone", func(t *testing.T) {
		t.Parallel()
		conn, _ := streaming(t, nil, connectiontest.Text(200, "1\n").
			Header("Content-Type", lineType).Header("Content-Encoding", "br"))
		_, err := all(t, request.JSONLines[any](t.Context(), request.Get(conn, "/x")))
		wantStage[*request.DecodeError](t, err, request.StageDecode)
	})
	t.Run("what is read to its end leaves the connection to the next", func(t *testing.T) {
		t.Parallel()
		reply := func(contentType, text string) http.Handler {
			return connectiontest.Text(200, text).Header("Content-Type", contentType)
		}
		conn, srv := streaming(t, nil,
			reply(lineType, "1\n2\n"), reply(lineType, "1\n2"), reply(eventStream, "data: a\n\n"), nothingMore)
		for range 2 {
			if _, err := all(t, request.JSONLines[any](t.Context(), request.Get(conn, "/x"))); err != nil {
				t.Error(err)
			}
		}
		for range 2 {
			if _, err := all(t, request.Events(t.Context(), request.Post(conn, "/x"))); err != nil {
				t.Error(err)
			}
		}
		if n := srv.Conns(); n != 1 || len(srv.Requests()) != 4 {
			t.Errorf("%d connections, %d requests", n, len(srv.Requests()))
		}
	})
	for _, status := range []int{204, 205} {
		t.Run(fmt.Sprintf("%d is empty", status), func(t *testing.T) {
			t.Parallel()
			conn, _ := streaming(t, nil, connectiontest.Status(status).Header("Content-Type", "text/html"))
			got, err := all(t, request.JSONLines[any](t.Context(), request.Get(conn, "/x")))
			if err != nil || len(got) != 0 {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	t.Run("404", func(t *testing.T) {
		t.Parallel()
		conn, srv := streaming(t, nil, connectiontest.JSON(404, 1))
		_, err := all(t, request.JSONLines[any](t.Context(), request.Get(conn, "/x")))
		wantStage[*request.ResponseError](t, err, request.StageStatus)
		if len(srv.Requests()) != 1 {
			t.Errorf("%d requests", len(srv.Requests()))
		}
	})
}

// A body that breaks off, falls silent or is cancelled is an error after its whole lines, and is not asked for again.
func TestJSONLinesBroken(t *testing.T) {
	t.Parallel()
	cut := feedOf(lineType, func(send func(string), _ *http.Request) {
		send("{\"a\":1}\n{\"a\":2}\n{\"a\":3}")
		panic(http.ErrAbortHandler)
	})
	silent := feedOf(lineType, func(send func(string), req *http.Request) {
		send("{\"a\":1}\n{\"a\":2}\n{\"a\":3}")
		<-req.Context().Done()
	})
	retry := connection.WithRetry(connection.Retry{Max: 3})
	inBubble(t, "L10 cut", func(t *testing.T) {
		conn, srv := streaming(t, []connection.Option{retry}, cut)
		got, err := all(t, request.JSONLines[item](t.Context(), request.Get(conn, "/x")))
		wantStage[*request.Error](t, err, request.StageRead)
		wantSame(t, "values", got, []item{{1}, {2}})
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "in line 3: ") || len(srv.Requests()) != 1 {
			t.Errorf("%v, %d requests", err, len(srv.Requests()))
		}
	})
	inBubble(t, "L8 silent", func(t *testing.T) {
		conn, srv := streaming(t, []connection.Option{retry, connection.WithTimeouts(connection.Timeouts{
			Attempt: time.Second, Total: 2 * time.Second, Idle: time.Minute,
		})}, silent)
		began := time.Now()
		got, err := all(t, request.JSONLines[item](t.Context(), request.Get(conn, "/x")))
		wantStage[*request.Error](t, err, request.StageRead)
		wantSame(t, "values", got, []item{{1}, {2}})
		late, ok := errors.AsType[*connection.TimeoutError](err)
		if !ok || late.Phase != connection.PhaseIdle || time.Since(began) != time.Minute || len(srv.Requests()) != 1 {
			t.Errorf("%v after %v, %d requests", err, time.Since(began), len(srv.Requests()))
		}
	})
	inBubble(t, "cancelled", func(t *testing.T) {
		conn, srv := streaming(t, nil, silent)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := all(t, request.JSONLines[item](ctx, request.Get(conn, "/x")))
		wantStage[*request.Error](t, err, request.StageRead)
		synctest.Wait()
		if !errors.Is(err, context.DeadlineExceeded) || srv.OpenConns() != 0 {
			t.Errorf("%v, %d connections are open", err, srv.OpenConns())
		}
	})
	inBubble(t, "L9 long, with a token that expires and a consumer that takes its time", func(t *testing.T) {
		conn, srv := streaming(t, []connection.Option{
			connection.WithAuth(auth.Bearer(&renewingTokens{ttl: time.Hour})),
			connection.WithTimeouts(connection.Timeouts{Attempt: time.Second, Total: 2 * time.Second, Idle: time.Minute}),
		}, feedOf(lineType, func(send func(string), _ *http.Request) {
			for range 300 {
				time.Sleep(50 * time.Second)
				send("{\"a\":1}\n")
			}
		}), nothingMore)
		n := 0
		for _, err := range request.JSONLines[item](t.Context(), request.Get(conn, "/x")) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			time.Sleep(2 * time.Minute)
		}
		if n != 300 || len(srv.Requests()) != 1 {
			t.Errorf("%d values, %d requests", n, len(srv.Requests()))
		}
		if err := request.Get(conn, "/x").Retry(connection.NoRetry()).Exec(t.Context()); err != nil {
			t.Error(err)
		}
		wantSame(t, "credentials", authorizations(srv), []string{"Bearer tok-1", "Bearer tok-2"})
	})
	for name, leave := range map[string]func(seq iter.Seq2[item, error]){
		"break": func(seq iter.Seq2[item, error]) {
			for _, err := range seq {
				if err == nil {
					break
				}
			}
		},
		"panic": func(seq iter.Seq2[item, error]) {
			defer func() { _ = recover() }()
			for _, err := range seq {
				panic(err)
			}
		},
	} {
		inBubble(t, "L7 "+name, func(t *testing.T) {
			conn, srv := streaming(t, nil, silent)
			began := time.Now()
			leave(request.JSONLines[item](t.Context(), request.Get(conn, "/x")))
			synctest.Wait()
			if n := srv.OpenConns(); n != 0 || time.Since(began) != 0 {
				t.Errorf("%d connections are open after %v", n, time.Since(began))
			}
		})
	}
	inBubble(t, "a bad line closes the body", func(t *testing.T) {
		conn, srv := streaming(t, nil, feedOf(lineType, func(send func(string), req *http.Request) {
			send("x\n")
			<-req.Context().Done()
		}))
		_, err := all(t, request.JSONLines[item](t.Context(), request.Get(conn, "/x")))
		wantStage[*request.DecodeError](t, err, request.StageDecode)
		synctest.Wait()
		if n := srv.OpenConns(); n != 0 {
			t.Errorf("%d connections are open", n)
		}
	})
	inBubble(t, "a value comes when its line has ended", func(t *testing.T) {
		conn, _ := streaming(t, nil, silent)
		began, n := time.Now(), 0
		for v, err := range request.JSONLines[item](t.Context(), request.Get(conn, "/x")) {
			n++
			if err != nil || v.A != n || time.Since(began) != 0 {
				t.Errorf("%v, %v after %v", v, err, time.Since(began))
			}
			if n == 2 {
				break
			}
		}
	})
}

func TestJSONLinesMisuse(t *testing.T) {
	t.Parallel()
	conn, srv := streaming(t, nil, lines("1\n"))
	get := request.Get(conn, "/x")
	for name, seq := range map[string]iter.Seq2[int, error]{
		"size 0":          request.JSONLines[int](t.Context(), get, request.MaxLineSize(0)),
		"size -1":         request.JSONLines[int](t.Context(), get, request.MaxLineSize(-1)),
		"nil option":      request.JSONLines[int](t.Context(), get, nil),
		"XML":             request.JSONLines[int](t.Context(), get.Codec(request.XMLCodec())),
		"nil connection":  request.JSONLines[int](t.Context(), request.Get(nil, "/x")),
		"zero connection": request.JSONLines[int](t.Context(), request.Get(new(connection.Connection), "/x")),
		"nil context":     request.JSONLines[int](context.Context(nil), get),
		"bad request":     request.JSONLines[int](t.Context(), get.Path("a", "b")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := all(t, seq)
			wantStage[*request.Error](t, err, request.StageBuild)
			if len(got) != 0 {
				t.Errorf("%v", got)
			}
		})
	}
	if request.MaxLineSize(1).String() == "" {
		t.Error("an option has no name")
	}
	t.Cleanup(func() {
		if n := srv.Conns(); n != 0 {
			t.Errorf("the server saw %d connections, want none", n)
		}
	})
}

// One sequence can be ranged over by many: each sends a request of its own, whole.
func TestJSONLinesConcurrently(t *testing.T) {
	t.Parallel()
	t.Run("L10 a POST with a body, ranged over by 20 goroutines at once", func(t *testing.T) {
		t.Parallel()
		const ranges = 20
		conn, srv := streaming(t, nil, lines("{\"a\":1}\n{\"a\":2}\n"))
		var reports atomic.Int64
		post := request.Post(conn, "/x").JSON(item{7}).UploadProgress(func(request.Progress) { reports.Add(1) })
		seq := request.JSONLines[item](t.Context(), post)
		var wg sync.WaitGroup
		for range ranges {
			wg.Go(func() {
				if got, err := all(t, seq); err != nil || !slices.Equal(got, []item{{1}, {2}}) {
					t.Errorf("%v, %v", got, err)
				}
			})
		}
		wg.Wait()
		sent := srv.Requests()
		for _, r := range sent {
			if string(r.Body) != `{"a":7}` {
				t.Errorf("the server got %s", r.Body)
			}
		}
		if len(sent) != ranges || reports.Load() != 2*ranges {
			t.Errorf("%d requests and %d reports for %d ranges", len(sent), reports.Load(), ranges)
		}
	})
}

// Several Content-Type fields are the list that they stand for, as they are to Do.
func TestJSONLinesContentTypes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		types []string
		ok    bool
	}{
		"I8 the same type twice":               {[]string{lineType, lineType}, true},
		"I8 two types, lines first":            {[]string{lineType, "text/html"}, false},
		"I8 two types, lines last":             {[]string{"text/html", lineType}, false},
		"I8 two types of lines":                {[]string{lineType, "application/json"}, false},
		"I8 a charset in a malformed type":     {[]string{"application/json; charset=utf-16; x"}, false},
		"I8 a charset that is not a parameter": {[]string{"application/json charset=utf-16"}, false},
		"I11 charset=utf8":                     {[]string{lineType + "; charset=utf8"}, true},
		"I11 charset=ascii":                    {[]string{lineType + "; charset=ascii"}, true},
		"I11 utf-8 without a name":             {[]string{lineType + "; utf-8"}, true},
		"I11 charset=utf-16":                   {[]string{lineType + "; charset=utf-16"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, _ := streaming(t, nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = c.types
				_, _ = io.WriteString(w, "{\"a\":1}\n")
			}))
			got, err := all(t, request.JSONLines[item](t.Context(), request.Get(conn, "/x")))
			if c.ok {
				if err != nil || len(got) != 1 {
					t.Errorf("%v, %v", got, err)
				}
				return
			}
			wantStage[*request.DecodeError](t, err, request.StageDecode)
		})
	}
}

func TestEventsContentTypes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		types []string
		ok    bool
	}{
		"I8 the same type twice":     {[]string{eventStream, eventStream}, true},
		"I8 two types, events first": {[]string{eventStream, "text/html"}, false},
		"I8 two types, events last":  {[]string{"text/html", eventStream}, false},
		"I8 no type":                 {[]string{""}, false},
		"I8 another parameter":       {[]string{eventStream + "; x=y"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, _ := streaming(t, nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = c.types
				_, _ = io.WriteString(w, "data: a\n\n")
			}))
			got, err := all(t, request.Events(t.Context(), request.Get(conn, "/x"), request.Reconnects(0)))
			if c.ok {
				if err != nil || len(got) != 1 {
					t.Errorf("%v, %v", got, err)
				}
				return
			}
			wantStage[*request.DecodeError](t, err, request.StageDecode)
		})
	}
}
