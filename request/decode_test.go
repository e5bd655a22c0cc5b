package request_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
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

// account is what most of these tests want to have decoded.
type account struct {
	ID    int
	Admin bool
}

const jsonType = "Content-Type: application/json"

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	const limit = 10_000
	few := connection.WithMaxBody(limit)
	t.Run("I1 the limit counts what a small gzip inflates to", func(t *testing.T) {
		t.Parallel()
		for size, large := range map[int]bool{limit - 1: false, limit: true, unlessRace(10<<20, 1<<20): true} {
			body := gzipped(`"` + strings.Repeat("x", size-1) + `"`)
			b, _ := answered(t, http.StatusOK, jsonType+"\nContent-Encoding: gzip", body, few)
			_, err := request.Do[string](t.Context(), b)
			if !large {
				if err != nil {
					t.Errorf("%d bytes: %v", size+1, err)
				}
				continue
			}
			wantStage[*request.Error](t, err, request.StageRead)
			if !errors.Is(err, request.ErrTooLarge) {
				t.Errorf("%d bytes: the error is %v", size+1, err)
			}
		}
	})
	t.Run("I2 a Content-Length over the limit is refused, and nothing is read", func(t *testing.T) {
		t.Parallel()
		for _, length := range []string{strconv.Itoa(limit + 1), "10000000000", "9223372036854775807"} {
			s := connectiontest.NewNetwork(t).ServeRaw("http://127.0.0.1:8080", func(conn net.Conn) {
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil { // and the body never comes
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: "+length+"\r\n\r\n")
					_, _ = io.Copy(io.Discard, conn)
				}
			})
			conn := connectTo(t, s, "", few,
				connection.WithTimeouts(connection.Timeouts{Attempt: 20 * time.Second}))
			_, err := request.Do[[]byte](t.Context(), request.Get(conn, "/x"))
			wantStage[*request.Error](t, err, request.StageRead)
			if !errors.Is(err, request.ErrTooLarge) {
				t.Errorf("%s bytes: the error is %v", length, err)
			}
		}
	})
	t.Run("I2 a body without length and end is refused at the limit", func(t *testing.T) {
		t.Parallel()
		s := connectiontest.NewNetwork(t).Serve("http://127.0.0.1:8080",
			http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for {
					if _, err := w.Write(make([]byte, 1<<10)); err != nil {
						return
					}
				}
			}))
		conn := connectTo(t, s, "", few)
		_, err := request.Do[[]byte](t.Context(), request.Get(conn, "/x"))
		if !errors.Is(err, request.ErrTooLarge) {
			t.Errorf("the error is %v", err)
		}
		if _, err := request.Do[account](t.Context(), request.Get(conn, "/x")); !errors.Is(err, request.ErrTooLarge) {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("I2 the Content-Length of a HEAD is that of another answer", func(t *testing.T) {
		t.Parallel()
		s := connectiontest.NewNetwork(t).Serve("http://127.0.0.1:8080",
			connectiontest.Status(http.StatusOK).Header("Content-Length", "10000000000"))
		conn := connectTo(t, s, "", few)
		full, err := request.Full[struct{}](t.Context(), request.Head(conn, "/x"))
		if err != nil || full.Header.Get("Content-Length") != "10000000000" {
			t.Errorf("%+v, %v", full, err)
		}
	})
}

func TestTruncatedBody(t *testing.T) {
	t.Parallel()
	whole := `{"id":1}`
	packed := gzipped(whole)
	for name, answer := range map[string]string{
		"I4 Content-Length 100, one whole value": "Content-Length: 100\r\n\r\n" + whole,
		"I4 chunks without an end":               "Transfer-Encoding: chunked\r\n\r\n8\r\n" + whole + "\r\n",
		"I5 gzip without its checksum": fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s",
			len(packed)-8, packed[:len(packed)-8]),
		"I5 gzip with a wrong checksum": fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s",
			len(packed), packed[:len(packed)-8]+"\x00\x00\x00\x00"+packed[len(packed)-4:]),
	} {
		t.Run(name+" is an error", func(t *testing.T) {
			t.Parallel()
			s := connectiontest.NewNetwork(t).ServeRaw("http://127.0.0.1:8080", func(conn net.Conn) {
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+jsonType+"\r\n"+answer)
				}
			})
			conn := connectTo(t, s, "")
			b := request.Get(conn, "/x")
			_, err := request.Do[account](t.Context(), b)
			wantStage[*request.Error](t, err, request.StageRead)
			_, err = request.Do[[]byte](t.Context(), b)
			wantStage[*request.Error](t, err, request.StageRead)
			_, err = request.Do[json.RawMessage](t.Context(), b)
			wantStage[*request.Error](t, err, request.StageRead)
		})
	}
}

func TestStrictJSON(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ header, body, want string }{
		"I6 two values":                  {jsonType, `{"id":1}{"id":2,"admin":true}`, "after top-level value"},
		"I7 garbage behind the value":    {jsonType, `{"id":1} x`, "after top-level value"},
		"I7 a brace too many":            {jsonType, `{"id":1}}`, "after top-level value"},
		"I8 a login page with 200":       {"Content-Type: text/html; charset=utf-8", `<html>Log in`, "type is not JSON"},
		"I8 JSON that says it is a page": {"Content-Type: text/html", `{"id":1}`, "content type is not JSON"},
		"I8 a page that says it is JSON": {jsonType, `<html>`, "invalid character"},
		"I8 a malformed type":            {"Content-Type: ;", `{"id":1}`, "content type is not JSON"},
		"I9 an empty body":               {jsonType, ``, "empty"},
		"I9 a body of blanks":            {jsonType, " \r\n\t", "empty"},
		"I9 null":                        {jsonType, ` null `, "null"},
		"I9 an empty string":             {jsonType, `""`, "cannot unmarshal string"},
		"I9 a list":                      {jsonType, `[]`, "cannot unmarshal array"},
		"I9 another type of field":       {jsonType, `{"id":"1"}`, "cannot unmarshal string"},
		"I11 UTF-16":                     {"Content-Type: application/json; charset=utf-16", "\xff\xfe{\x00}\x00", "charset"},
		"I11 ISO-8859-1":                 {"Content-Type: application/json; charset=iso-8859-1", `{"id":1}`, "charset"},
		"I11 UTF-16 that does not say so": {
			jsonType, "\xff\xfe{\x00}\x00", "not UTF-8",
		},
	} {
		t.Run(name+" is an error", func(t *testing.T) {
			t.Parallel()
			b, s := answered(t, http.StatusOK, c.header, c.body)
			v, err := request.Do[account](t.Context(), b)
			e := wantStage[*request.DecodeError](t, err, request.StageDecode)
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, want one of %q", err, c.want)
			}
			if v != (account{}) || string(e.Body) != c.body || e.Status != http.StatusOK || e.URL != s.URL+"/x" {
				t.Errorf("%+v with %d, %s, %q", v, e.Status, e.URL, e.Body)
			}
			if strings.Contains(err.Error(), "Log in") {
				t.Errorf("the text has the page: %v", err)
			}
		})
	}
	for name, c := range map[string]struct{ header, body string }{
		"I7 white space":                {jsonType, "\r\n{\"id\":7} \t\r\n"},
		"I11 a byte order mark":         {jsonType, "\ufeff{\"id\":7}"},
		"I11 charset=UTF-8":             {"Content-Type: application/json; charset=UTF-8", `{"id":7}`},
		"I8 a suffix":                   {"Content-Type: application/hal+json", `{"id":7}`},
		"I8 a type in capitals":         {"Content-Type: Application/JSON;x=y", `{"id":7}`},
		"I8 no content type at all":     {"", `{"id":7}`},
		"I8 problem details":            {"Content-Type: application/problem+json", `{"id":7}`},
		"I8 what IANA forgot":           {"Content-Type: text/json", `{"id":7}`},
		"I9 a member that is not known": {jsonType, `{"id":7,"more":[]}`},
	} {
		t.Run(name+" is none", func(t *testing.T) {
			t.Parallel()
			b, _ := answered(t, http.StatusOK, c.header, c.body)
			v, err := request.Do[account](t.Context(), b)
			if err != nil || v.ID != 7 {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
}

// decoded does a request as T, and fails the test unless the result is want.
func decoded[T any](want T) func(t *testing.T, b request.Builder) {
	return func(t *testing.T, b request.Builder) {
		t.Helper()
		got, err := request.Do[T](t.Context(), b)
		if err != nil {
			t.Errorf("%T: %v", want, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%T (-want +got):\n%s", want, diff)
		}
	}
}

func refused[T any](t *testing.T, b request.Builder) {
	t.Helper()
	if got, err := request.Do[T](t.Context(), b); err == nil {
		t.Errorf("%T: %v and no error", got, got)
	} else {
		wantStage[*request.DecodeError](t, err, request.StageDecode)
	}
}

func TestAbsentBody(t *testing.T) {
	t.Parallel()
	type check = func(t *testing.T, b request.Builder)
	for name, c := range map[string]struct {
		status int
		body   string
		checks []check
	}{
		"I9 an empty 200": {http.StatusOK, "", []check{
			refused[account], refused[int], refused[[2]int],
			decoded[*account](nil), decoded[[]account](nil), decoded[map[string]int](nil), decoded[any](nil),
			decoded(struct{}{}), decoded(""), decoded[json.RawMessage](nil),
		}},
		"I9 null with 200": {http.StatusOK, "null", []check{
			refused[account], refused[int], refused[bool],
			decoded[*account](nil), decoded[[]account](nil), decoded[map[string]int](nil), decoded[any](nil),
			decoded(struct{}{}), decoded("null"), decoded([]byte("null")), decoded(json.RawMessage("null")),
		}},
		"I10 204": {http.StatusNoContent, "", []check{
			decoded(account{}), decoded(0), decoded(""), decoded[*account](nil), decoded[[]byte](nil),
		}},
		"I10 205": {http.StatusResetContent, "", []check{decoded(account{}), decoded(0), decoded("")}},
		"I10 304": {http.StatusNotModified, "", []check{decoded(account{}), decoded(0), decoded("")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := answered(t, c.status, jsonType, c.body)
			for _, check := range c.checks {
				check(t, b)
			}
			if err := b.Exec(t.Context()); err != nil {
				t.Errorf("Exec: %v", err)
			}
			full, err := request.Full[*account](t.Context(), b)
			if err != nil || full.Status != c.status {
				t.Errorf("Full: %+v, %v", full, err)
			}
			resp, err := b.Stream(t.Context())
			if err != nil {
				t.Fatalf("Stream: %v", err)
			}
			_ = resp.Body.Close()
		})
	}
	t.Run("I10 HEAD", func(t *testing.T) {
		t.Parallel()
		_, s := answered(t, http.StatusOK, jsonType, `{"id":1}`)
		conn := connectTo(t, s, "")
		decoded(account{})(t, request.Head(conn, "/x"))
		decoded("")(t, request.Head(conn, "/x"))
	})
}

func TestTextAndBytes(t *testing.T) {
	t.Parallel()
	const text = "Content-Type: text/plain"
	for name, c := range map[string]struct {
		header, body string
		check        func(t *testing.T, b request.Builder)
	}{
		"I11 ISO-8859-1 becomes UTF-8": {text + "; charset=ISO-8859-1", "caf\xe9", decoded("café")},
		"I11 a byte order mark goes":   {text, "\ufeffcafé", decoded("café")},
		"I11 text that is not UTF-8":   {text, "caf\xe9", refused[string]},
		"I11 an unknown charset":       {text + "; charset=shift_jis", "caf\xe9", refused[string]},
		"I11 bytes are what they are":  {text + "; charset=koi8-r", "\ufeffc\xe9\x00", decoded([]byte("\ufeffc\xe9\x00"))},
		"I12 numbers keep their digits in an any": {
			jsonType, `{"id":12345678901234567890.1}`,
			decoded[any](map[string]any{"id": json.Number("12345678901234567890.1")}),
		},
		"I12 numbers keep their digits in a member": {
			jsonType, `{"V":[1e400]}`, decoded(struct{ V any }{[]any{json.Number("1e400")}}),
		},
		"I6 two values in an any":            {jsonType, `{} {}`, refused[any]},
		"I7 garbage in an any":               {jsonType, `{}}`, refused[any]},
		"I4 half a value in an any":          {jsonType, `{"a":`, refused[any]},
		"I6 two values in a RawMessage":      {jsonType, `{} {}`, refused[json.RawMessage]},
		"I8 a page is no RawMessage":         {"Content-Type: text/html", `{}`, refused[json.RawMessage]},
		"I11 a RawMessage without its mark":  {jsonType, "\ufeff {\"id\": 1} ", decoded(json.RawMessage(`{"id": 1}`))},
		"I8 a page is a string if asked for": {"Content-Type: text/html", "<html>", decoded("<html>")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := answered(t, http.StatusOK, c.header, c.body)
			c.check(t, b)
		})
	}
	t.Run("I2 what was decoded is not overwritten by the next answer", func(t *testing.T) {
		t.Parallel()
		n := 0
		s := connectiontest.NewNetwork(t).Serve("http://127.0.0.1:8080",
			http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				n++
				w.Header().Set("Content-Type", "application/json")
				_, _ = fmt.Fprintf(w, `"%03d"`, n)
			}))
		conn := connectTo(t, s, "")
		b := request.Get(conn, "/x")
		raw, err1 := request.Do[json.RawMessage](t.Context(), b)
		data, err2 := request.Do[[]byte](t.Context(), b)
		text, err3 := request.Do[string](t.Context(), b)
		for range 20 {
			_, _ = request.Do[string](t.Context(), b)
		}
		if err := errors.Join(err1, err2, err3); err != nil || string(raw) != `"001"` || string(data) != `"002"` ||
			text != `"003"` {
			t.Errorf("%s %s %s %v", raw, data, text, err)
		}
	})
}

func TestErrorBodies(t *testing.T) {
	t.Parallel()
	type fault struct{ Code string }
	t.Run("I15 64 KiB of an error body are kept, and the connection is used again", func(t *testing.T) {
		t.Parallel()
		b, s := answered(t, http.StatusBadRequest, jsonType, strings.Repeat("x", 200<<10))
		for range 20 {
			_, err := request.Do[account](t.Context(), b)
			e := wantStage[*request.ResponseError](t, err, request.StageStatus)
			if len(e.Body) != 64<<10 || cap(e.Body) > 128<<10 {
				t.Fatalf("%d bytes are kept, of a buffer of %d", len(e.Body), cap(e.Body))
			}
		}
		if got := s.Conns(); got != 1 {
			t.Errorf("there were %d connections, want 1", got)
		}
	})
	t.Run("I15 an error body that inflates, or never ends, does not hold the caller", func(t *testing.T) {
		t.Parallel()
		packed := string(bomb(64))
		b, _ := answered(t, http.StatusBadRequest, "Content-Encoding: gzip", packed)
		_, err := request.Do[account](t.Context(), b)
		if e := wantStage[*request.ResponseError](t, err, request.StageStatus); len(e.Body) != 64<<10 {
			t.Errorf("%d bytes are kept", len(e.Body))
		}
	})
	t.Run("I15 the body of a refused answer is not longer than 64 KiB either", func(t *testing.T) {
		t.Parallel()
		b, _ := answered(t, http.StatusOK, jsonType, strings.Repeat("x", 200<<10))
		_, err := request.Do[account](t.Context(), b)
		if e := wantStage[*request.DecodeError](t, err, request.StageDecode); len(e.Body) != 64<<10 {
			t.Errorf("%d bytes are kept", len(e.Body))
		}
		no := b.Check(func(*http.Response, []byte) error { return errors.New("no") })
		if e := wantStage[*request.ResponseError](t, no.Exec(t.Context()), request.StageStatus); len(e.Body) != 64<<10 {
			t.Errorf("%d bytes are kept", len(e.Body))
		}
	})
	t.Run("I15 the error body is decoded on demand", func(t *testing.T) {
		t.Parallel()
		b, s := answered(t, http.StatusConflict, jsonType, "\ufeff{\"code\":\"taken\"}")
		for name, err := range map[string]error{
			"Do":     func() error { _, err := request.Do[account](t.Context(), b); return err }(),
			"Exec":   b.Exec(t.Context()),
			"Stream": func() error { _, err := b.Stream(t.Context()); return err }(),
		} {
			f, ok := request.ErrorBody[fault](fmt.Errorf("wrapped: %w", err))
			if !ok || f.Code != "taken" {
				t.Errorf("%s: %+v, %v", name, f, ok)
			}
			if _, ok := request.ErrorBody[[]int](err); ok {
				t.Errorf("%s: an object fits a list", name)
			}
			if !errors.Is(err, request.Status(409)) || errors.Is(err, request.Status(404)) {
				t.Errorf("%s: the status of %v is not 409", name, err)
			}
			if want := "GET " + s.URL + "/x: 409 Conflict"; err.Error() != want {
				t.Errorf("%s: the text is %q, want %q", name, err, want)
			}
		}
		if _, ok := request.ErrorBody[fault](errors.New("another")); ok {
			t.Error("any error has a body")
		}
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	refusal := errors.New("the service says no")
	byFlag := func(resp *http.Response, body []byte) error {
		if resp.StatusCode == http.StatusOK && bytes.Contains(body, []byte(`"ok":true`)) {
			return nil
		}
		return refusal
	}
	t.Run("I19 an error in a 200 is an error", func(t *testing.T) {
		t.Parallel()
		b, _ := answered(t, http.StatusOK, jsonType, `{"ok":false,"code":"quota"}`)
		for _, err := range []error{
			func() error { _, err := request.Do[account](t.Context(), b.Check(byFlag)); return err }(),
			b.Check(byFlag).Exec(t.Context()),
		} {
			e := wantStage[*request.ResponseError](t, err, request.StageStatus)
			f, ok := request.ErrorBody[struct{ Code string }](err)
			if !errors.Is(err, refusal) || e.Status != http.StatusOK || !ok || f.Code != "quota" {
				t.Errorf("%v, %d, %+v", err, e.Status, f)
			}
		}
	})
	t.Run("I19 Check replaces the rule about the status", func(t *testing.T) {
		t.Parallel()
		b, _ := answered(t, http.StatusNotFound, jsonType, `{"id":7}`)
		v, err := request.Do[account](t.Context(), b.Check(func(*http.Response, []byte) error { return nil }))
		if err != nil || v.ID != 7 {
			t.Errorf("%+v, %v", v, err)
		}
	})
	t.Run("I19 Check of a stream sees no body, and leaves it", func(t *testing.T) {
		t.Parallel()
		b, _ := answered(t, http.StatusOK, jsonType, `{"ok":true}`)
		resp, err := b.Check(func(_ *http.Response, body []byte) error {
			if body != nil {
				return errors.New("there is a body")
			}
			return nil
		}).Stream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); err != nil || string(text) != `{"ok":true}` {
			t.Errorf("%q, %v", text, err)
		}
	})
}

func TestStages(t *testing.T) {
	t.Parallel()
	ok, s := answered(t, http.StatusOK, jsonType, `{"id":1}`)
	down := connectiontest.NewServer(t, connectiontest.Status(http.StatusOK))
	down.Refuse()
	gone := connectTo(t, down, "")
	closed, err := gone.With()
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	missing := auth.Bearer(auth.Static(secrets.Func(func(context.Context) (secrets.Value, error) {
		return secrets.Value{}, errors.New("sealed")
	})))
	conn := connectTo(t, s, "")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		b        request.Builder
		ctx      context.Context
		want     request.Stage
		attempts int
	}{
		"no connection":              {b: request.Get(nil, "/x"), want: request.StageBuild},
		"a path without value":       {b: request.Get(conn, "/{id}"), want: request.StageBuild},
		"a header with a line break": {b: ok.Header("X-A", "a\nb"), want: request.StageBuild},
		"a body that has no JSON":    {b: request.Post(conn, "/x").JSON(func() {}), want: request.StageBuild},
		"a nil authenticator":        {b: ok.Auth(nil), want: request.StageBuild},
		"a negative retry":           {b: ok.Retry(connection.Retry{Max: -1}), want: request.StageBuild},
		"a foreign origin":           {b: request.Get(conn, "https://other.test/"), want: request.StageBuild},
		"a closed connection":        {b: request.Get(closed, "/x"), want: request.StageBuild},
		"a body that is sent once": {
			b:    request.Put(conn, "/x").Body(request.Once("", strings.NewReader("x"))).Retry(connection.Retry{Max: 1}),
			want: request.StageBuild,
		},
		"a secret that fails":   {b: ok.Auth(missing), want: request.StageAuth, attempts: 1},
		"a server that is down": {b: request.Get(gone, "/x"), want: request.StageSend, attempts: 1},
		"retries of one": {
			b: request.Get(gone, "/x").Retry(connection.Retry{Max: 2}), want: request.StageSend, attempts: 3,
		},
		"a caller that has left": {b: ok, ctx: ended, want: request.StageSend, attempts: 1},
	} {
		t.Run("I8 "+name+" is an error of stage "+string(c.want), func(t *testing.T) {
			t.Parallel()
			ctx := c.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			_, err := request.Do[account](ctx, c.b)
			if e := wantStage[*request.Error](t, err, c.want); e.Attempts != c.attempts || e.Stage != c.want {
				t.Errorf("stage %s after %d attempts, want %s after %d", e.Stage, e.Attempts, c.want, c.attempts)
			}
			wantStage[*request.Error](t, c.b.Exec(ctx), c.want)
			_, err = c.b.Stream(ctx)
			wantStage[*request.Error](t, err, c.want)
		})
	}
}

// A Content-Type that is malformed, and may be about a charset, does not leave it to chance what the text is.
func TestMalformedCharset(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		contentType string
		check       func(t *testing.T, b request.Builder)
	}{
		"I11 a parameter without a value behind a charset": {"text/plain; charset=utf-16le; x", refused[string]},
		"I11 a charset without a semicolon":                {"text/plain charset=utf-16le", refused[string]},
		"I11 a charset twice":                              {"text/plain; charset=utf-8; charset=utf-16le", refused[string]},
		"I11 a charset in capitals":                        {"text/plain; CHARSET=utf-16le; x", refused[string]},
		"I11 JSON with a charset that is not UTF-8":        {"application/json; charset=utf-16; x", refused[account]},
		"I11 JSON with a charset without a semicolon":      {"application/json charset=utf-16", refused[account]},
		"I11 a RawMessage with a charset that is not UTF-8": {
			"application/json; charset=utf-16; x", refused[json.RawMessage],
		},
		"I11 what names no charset is text all the same": {"text/plain; x", decoded(`{"id":7}`)},
		"I11 bytes": {"text/plain; charset=utf-16le; x", decoded([]byte(`{"id":7}`))},
		"I11 a parameter without a value is JSON all the same": {"application/json; x", decoded(account{ID: 7})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := answered(t, http.StatusOK, "Content-Type: "+c.contentType, `{"id":7}`)
			c.check(t, b)
		})
	}
}

// The largest limit is a limit like any other, and an error keeps little of what was read.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	t.Run("I1 with the largest limit a body of unknown length is whole", func(t *testing.T) {
		t.Parallel()
		text := strings.Repeat("x", 10_000)
		srv := connectiontest.NewServer(t, chunked(200, "Content-Type: text/plain", true, text[:1], text[1:]))
		b := request.Get(connectTo(t, srv, "", connection.WithMaxBody(math.MaxInt64)), "/x")
		decoded(text)(t, b)
		decoded([]byte(text))(t, b)
	})
	t.Run("I1 an error of Check keeps 64 KiB of a long body", func(t *testing.T) {
		t.Parallel()
		no := errors.New("no")
		b, _ := answered(t, http.StatusOK, "Content-Type: text/plain", strings.Repeat("x", unlessRace(20<<20, 2<<20)))
		err := b.Check(func(*http.Response, []byte) error { return no }).Exec(t.Context())
		e := wantStage[*request.ResponseError](t, err, request.StageStatus)
		if !errors.Is(err, no) || len(e.Body) != 64<<10 || cap(e.Body) > 64<<10 {
			t.Errorf("error %v with %d bytes, and room for %d", err, len(e.Body), cap(e.Body))
		}
	})
}
