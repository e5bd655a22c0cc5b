package request_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// wantForm sends a multipart, and checks the bytes that the server received. want has BOUND where the boundary is.
func wantForm(t *testing.T, body request.Body, want string, opts ...connection.Option) connectiontest.Request {
	t.Helper()
	srv := connectiontest.NewServer(t, connectiontest.Status(204))
	if err := request.Post(connectTo(t, srv, "", opts...), "/up").Body(body).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	sent := srv.Requests()[0]
	if diff := cmp.Diff(want, strings.ReplaceAll(string(sent.Body), boundaryOf(t, sent.Header), "BOUND")); diff != "" {
		t.Errorf("the body (-want +got):\n%s", diff)
	}
	return sent
}

func boundaryOf(t *testing.T, header http.Header) string {
	t.Helper()
	media, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || media != "multipart/form-data" || len(params["boundary"]) < 26 || len(params["boundary"]) > 70 {
		t.Fatalf("the content type is %q, %v", header.Get("Content-Type"), err)
	}
	return params["boundary"]
}

func TestMultipartParts(t *testing.T) {
	t.Parallel()
	path := onDisk(t, "report.csv", "a;b")
	const form = `--BOUND` + "\r\n" + `Content-Disposition: form-data; name="f"`
	opened := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("opened")), nil }
	for _, c := range []struct {
		name string
		body request.MultipartBody
		want string
	}{
		{"a field", request.Multipart().Field("f", " a b&c\r\n"), form + "\r\n\r\n a b&c\r\n"},
		{"an empty field", request.Multipart().Field("f", ""), form + "\r\n\r\n"},
		{"a value", request.Multipart().Part("f", request.JSON([]byte("hi"))),
			form + "\r\nContent-Type: application/json\r\n\r\n\"aGk=\""},
		{"bytes without a content type", request.Multipart().Part("f", request.Bytes("", []byte{0, 1})),
			form + "\r\n\r\n\x00\x01"},
		{"a file", request.Multipart().File("f", path),
			form + "; filename=\"report.csv\"\r\nContent-Type: application/octet-stream\r\n\r\na;b"},
		{"a file of some type", request.Multipart().FileFrom("f", request.File("text/csv", path)),
			form + "; filename=\"report.csv\"\r\nContent-Type: text/csv\r\n\r\na;b"},
		{"a file without a file name", request.Multipart().Part("f", request.File("", path)),
			form + "\r\nContent-Type: application/octet-stream\r\n\r\na;b"},
		{"a file of bytes", request.Multipart().FileFrom("f", request.Bytes("", []byte("b"))),
			form + "; filename=\"f\"\r\nContent-Type: application/octet-stream\r\n\r\nb"},
		{"a file of JSON", request.Multipart().FileFrom("f", request.JSON(1)).FileName("f", "one.json"),
			form + "; filename=\"one.json\"\r\nContent-Type: application/json\r\n\r\n1"},
		{"a file of unknown length", request.Multipart().FileFrom("f", request.Open("text/plain", -1, opened)),
			form + "; filename=\"f\"\r\nContent-Type: text/plain\r\n\r\nopened"},
		{"a file that is there once", request.Multipart().FileFrom("f", request.Once("text/plain", strings.NewReader("x"))),
			form + "; filename=\"f\"\r\nContent-Type: text/plain\r\n\r\nx"},
		{"L1 a file name is what it is, in one line",
			request.Multipart().File("f", path).FileName("f", "../a\"b\r\nX-Evil: 1\\"),
			form + `; filename="../a%22b%0D%0AX-Evil: 1\\"` + "\r\nContent-Type: application/octet-stream\r\n\r\na;b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sent := wantForm(t, c.body, c.want+"\r\n--BOUND--\r\n")
			length := strconv.Itoa(len(sent.Body))
			if strings.Contains(c.name, "unknown") || strings.Contains(c.name, "once") {
				length = ""
			}
			if got := sent.Header.Get("Content-Length"); got != length {
				t.Errorf("Content-Length: %q, want %q", got, length)
			}
		})
	}
}

func TestMultipartOrder(t *testing.T) {
	t.Parallel()
	wantForm(t, request.Multipart().Field("b", "1").Field("a", "2").Field("b", "3"),
		"--BOUND\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n1\r\n"+
			"--BOUND\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n2\r\n"+
			"--BOUND\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n3\r\n--BOUND--\r\n")
}

// A value is written by the codec of the request, also through a pointer to the multipart.
func TestMultipartCodec(t *testing.T) {
	t.Parallel()
	type Note struct{ Text string }
	form := request.Multipart().Part("note", request.Value(Note{"hi"}))
	const xml = "--BOUND\r\nContent-Disposition: form-data; name=\"note\"\r\n" +
		"Content-Type: application/xml\r\n\r\n" + `<?xml version="1.0" encoding="UTF-8"?>` +
		"\n<Note><Text>hi</Text></Note>\r\n--BOUND--\r\n"
	wantForm(t, form, xml, connection.WithCodec(request.XMLCodec()))
	wantForm(t, &form, xml, connection.WithCodec(request.XMLCodec()))
	wantForm(t, form, "--BOUND\r\nContent-Disposition: form-data; name=\"note\"\r\n"+
		"Content-Type: application/json\r\n\r\n{\"Text\":\"hi\"}\r\n--BOUND--\r\n")
}

func TestMultipartFileNames(t *testing.T) {
	t.Parallel()
	x := request.Bytes("", nil)
	files := request.Multipart().FileFrom("a", x).FileFrom("b", x).FileFrom("a", x)
	for _, c := range []struct {
		name string
		body request.MultipartBody
		want []string
	}{
		{"none is given", files, []string{"a", "b", "a"}},
		{"by name", files.FileName("b", "2").FileName("a", "1"), []string{"1", "2", "a"}},
		{"in the order of the calls", files.FileName("a", "1").FileName("a", "3"), []string{"1", "b", "3"}},
		{"before the file", request.Multipart().FileName("c", "3").FileFrom("c", x), []string{"3"}},
		{"a field of that name is no file", request.Multipart().Field("c", "").FileFrom("c", x).FileName("c", "3"),
			[]string{"", "3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewServer(t, connectiontest.Status(204))
			if err := request.Put(connectTo(t, srv, ""), "/").Body(c.body).Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			sent := srv.Requests()[0]
			r := multipart.NewReader(bytes.NewReader(sent.Body), boundaryOf(t, sent.Header))
			var got []string
			for p, err := r.NextPart(); err == nil; p, err = r.NextPart() {
				got = append(got, p.FileName())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Forks of a multipart do not see each other.
func TestMultipartForks(t *testing.T) {
	t.Parallel()
	base := request.Multipart()
	for i := range 5 { // so that there would be room for one more
		base = base.Field("base", strconv.Itoa(i)).FileFrom("f", request.Text("x")).FileName("f", strconv.Itoa(i))
	}
	a, b := base.Field("fork", "a"), base.Field("fork", "b")
	c := base.FileFrom("g", request.Text("c")).FileName("g", "c")
	d := base.FileFrom("g", request.Text("d")).FileName("g", "d")
	for i, form := range []request.MultipartBody{a, b, c, d, base} {
		p, err := form.Payload()
		if err != nil {
			t.Fatal(err)
		}
		r, _ := p.Open()
		data, _ := io.ReadAll(r)
		_ = r.Close()
		for j, text := range []string{"\r\n\r\na\r\n", "\r\n\r\nb\r\n", "filename=\"c\"", "filename=\"d\""} {
			if strings.Contains(string(data), text) != (i == j) {
				t.Errorf("fork %d has, or lacks, what belongs to fork %d", i, j)
			}
		}
	}
}

// Each call has a boundary of its own.
func TestMultipartBoundary(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, connectiontest.Status(204))
	post := request.Post(connectTo(t, srv, ""), "/").Body(request.Multipart().Field("a", "1"))
	for range 2 {
		if err := post.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if sent := srv.Requests(); boundaryOf(t, sent[0].Header) == boundaryOf(t, sent[1].Header) {
		t.Error("two calls have the same boundary")
	}
}

func TestMultipartPrints(t *testing.T) {
	t.Parallel()
	form := request.Multipart().Field("password", hidden)
	if got := fmt.Sprintf("%v %+v %#v %s", form, form, form, &form); strings.Contains(got, hidden) ||
		!strings.Contains(got, "multipart/form-data (1 parts)") {
		t.Errorf("it prints as %s", got)
	}
}

// What is wrong with a multipart is found before the server is dialled, and what is there once is closed.
func TestMultipartRefused(t *testing.T) {
	t.Parallel()
	x := request.Text("x")
	field := request.Multipart().Field("a", "1")
	missing := filepath.Join(t.TempDir(), "missing")
	for _, c := range []struct {
		name   string
		body   request.Body
		change func(b request.Builder) request.Builder
		part   string // the name in the *PartError; "" if there is none
		want   string
		is     error
	}{
		{"no part", request.Multipart(), nil, "", "has no part", nil},
		{"no part, by pointer", new(request.MultipartBody), nil, "", "has no part", nil},
		{"no name", field.Field("", "1"), nil, "", "the name is empty", nil},
		{"no body", field.Part("p", nil), nil, "p", "its body is nil", nil},
		{"nothing to open", field.Part("p", request.Open("", 1, nil)), nil, "p", "nothing to open", nil},
		{"a missing file", field.File("p", missing), nil, "p", missing, fs.ErrNotExist},
		{"a directory", field.File("p", t.TempDir()), nil, "p", "not a regular file", nil},
		{"a value without JSON", field.Part("p", request.JSON(make(chan int))), nil, "p", "unsupported type", nil},
		{"an empty multipart in a multipart", field.Part("p", request.Multipart()), nil, "p", "has no part", nil},
		{"a file name without file", field.FileName("p", "x.txt"), nil, "p", "no file for this", nil},
		{"a file name for a field", field.FileName("a", "x.txt"), nil, "a", "no file for this", nil},
		{
			"a second file name", field.FileFrom("p", x).FileName("p", "1").FileName("p", "2"), nil,
			"p", "no file for this", nil,
		},
		{"an empty file name", field.FileFrom("p", x).FileName("p", ""), nil, "p", "file name is empty", nil},
		{"L1 control characters in a name", field.Field("p\x00", "1"), nil, "p\x00", "control characters", nil},
		{"L1 control characters in a file name", field.FileFrom("p", x).FileName("p", "\x1b[2J"), nil, "p", "control", nil},
		{"L1 CRLF in a content type", field.Part("p", request.Bytes("text/plain\r\nX-Evil: 1", nil)), nil,
			"p", "not a media type", nil},
		{"a name that is not UTF-8", field.Field("p\xff", "1"), nil, "p\xff", "not UTF-8", nil},
		{"PATCH", field, func(b request.Builder) request.Builder {
			return b
		}, "", "POST or PUT", nil},
		{"a content type of its own", field, func(b request.Builder) request.Builder {
			return b.Header("content-type", "multipart/form-data")
		}, "", "not set by hand", nil},
		{"a path without its value", field, func(b request.Builder) request.Builder {
			return b.Path("id", "1")
		}, "", `parameter "id"`, nil},
		{"defect 15: a reader and retries", field, func(b request.Builder) request.Builder {
			return b.Retry(connection.Retry{Max: 1})
		}, "once", "read only once", connection.ErrNotReplayable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewServer(t, connectiontest.Status(204))
			var books bookkeeper
			body := c.body
			if m, ok := body.(request.MultipartBody); ok && c.name != "no part" {
				body = m.Part("once", request.Once("", books.once("x")))
			} else {
				books.closed.Add(1)
			}
			method := http.MethodPost
			if c.name == http.MethodPatch {
				method = c.name
			}
			b := request.New(connectTo(t, srv, ""), method, "/up").Body(body)
			if c.change != nil {
				b = c.change(b)
			}
			err := b.Exec(t.Context())
			wantNothingSent(t, srv, err)
			fault := wantStage[*request.Error](t, err, request.StageBuild)
			if !strings.Contains(fault.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("error %v, want one that says %s, and is %v", err, c.want, c.is)
			}
			if pe, ok := errors.AsType[*request.PartError](err); ok != (c.part != "" || c.name == "no name") ||
				ok && pe.Name != c.part {
				t.Errorf("error %v, want a *PartError of %q", err, c.part)
			}
			if n := books.closed.Load(); n != 1 {
				t.Errorf("the part that is there once was closed %d times", n)
			}
		})
	}
}

// A type of somebody else's that holds a multipart makes the payload itself.
func TestMultipartEmbedded(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, connectiontest.Status(204))
	body := wrappedForm{request.Multipart().Field("a", "1")}
	if err := request.Post(connectTo(t, srv, ""), "/").Body(body).Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := srv.Requests()[0]; string(got.Body) != "wrapped" {
		t.Errorf("the body is %q", got.Body)
	}
}

type wrappedForm struct{ request.MultipartBody }

func (wrappedForm) Payload() (request.Payload, error) { return request.Text("wrapped").Payload() }
