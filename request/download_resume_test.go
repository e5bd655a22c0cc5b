package request_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

const (
	etag     = `"v1"`
	longAgo  = "Mon, 03 Jan 2000 10:00:00 GMT"
	justThen = "Mon, 03 Jan 2000 10:00:01 GMT"
)

// answer is a reply with the source from one byte to before another, and these header fields.
func answer(status, from, to int, header ...string) connectiontest.Reply {
	r := connectiontest.Text(status, source[from:to])
	if status == 200 {
		r = r.Header("Content-Length", strconv.Itoa(len(source))) // breaks off if it has less
	}
	if status == 206 && !strings.Contains(strings.Join(header, "\n"), "ETag: ") {
		r = r.Header("ETag", etag) // as RFC 9110, section 15.3.7 asks for
	}
	return fields(r, header...)
}

func fields(r connectiontest.Reply, header ...string) connectiontest.Reply {
	for name, value := range headers(header...) {
		r = r.Header(name, value)
	}
	return r
}

// partial is a 206 reply with the source from one byte to before another.
func partial(from, to int, header ...string) connectiontest.Reply {
	return answer(206, from, to, header...).
		Header("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(source)))
}

// partialCut is a 206 reply with the second half of the source that breaks off.
func partialCut(to int) connectiontest.Reply {
	return answer(206, 50, to, "Content-Range: bytes 50-99/100", "Content-Length: 50")
}

// chunked sends its parts without a length, and breaks off unless it is whole.
func chunked(status int, header string, isWhole bool, parts ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if status == 206 {
			w.Header().Set("ETag", etag)
		}
		for name, value := range headers(header) {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		for _, part := range parts {
			_, _ = io.WriteString(w, part)
			_ = http.NewResponseController(w).Flush()
		}
		if !isWhole {
			panic(http.ErrAbortHandler)
		}
	})
}

// ranges returns what the requests asked for: Range and If-Range of each, - for one without.
func ranges(srv *connectiontest.Server) []string {
	var got []string
	for _, r := range srv.Requests() {
		text := strings.TrimSpace(strings.Join(r.Header["Range"], ",") + " " + strings.Join(r.Header["If-Range"], ","))
		if text == "" {
			text = "-"
		}
		got = append(got, text)
	}
	return got
}

// A download that breaks off goes on where it can be sure of the bytes, and is begun anew where it cannot.
func TestDownloadResume(t *testing.T) {
	t.Parallel()
	const rest = `bytes=50- "v1"`
	other := strings.ToUpper(strings.ReplaceAll(source, "<", "["))
	for name, c := range map[string]struct {
		replies []http.Handler
		ranges  []string
		want    string // instead of the source
	}{
		"L11 cut twice": {
			[]http.Handler{
				answer(200, 0, 50, "ETag: "+etag), partialCut(75),
				partial(75, 100),
			},
			[]string{"-", rest, `bytes=75- "v1"`}, "",
		},
		"L11 206 with the same ETag": {
			[]http.Handler{answer(200, 0, 50, "ETag: "+etag), partial(50, 100, "ETag: "+etag)}, []string{"-", rest}, "",
		},
		"L11 206 of unknown total": {
			[]http.Handler{answer(200, 0, 50, "ETag: "+etag), answer(206, 50, 100, "Content-Range: bytes 50-99/*")},
			[]string{"-", rest}, "",
		},
		"L11 206 with less than was asked for": {
			[]http.Handler{answer(200, 0, 50, "ETag: "+etag), partial(50, 60), partial(60, 100)},
			[]string{"-", rest, `bytes=60- "v1"`}, "",
		},
		"L11 an old Last-Modified": {
			[]http.Handler{answer(200, 0, 50, "Last-Modified: "+longAgo, "Date: "+justThen), partial(50, 100)},
			[]string{"-", "bytes=50- " + longAgo}, "",
		},
		"L11 chunked, and the 206 tells the total": {
			[]http.Handler{chunked(200, "ETag: "+etag, false, source[:20], source[20:50]), partial(50, 100)},
			[]string{"-", rest}, "",
		},
		"L11 chunked, and nobody tells the total": {
			[]http.Handler{
				chunked(200, "ETag: "+etag, false, source[:50]), answer(206, 50, 100, "Content-Range: bytes 50-99/*"), whole(),
			},
			[]string{"-", rest, "-"}, "",
		},
		"L11 ETag changed, 200 with the new file": {
			[]http.Handler{
				answer(200, 0, 50, "ETag: "+etag), fields(connectiontest.Text(200, other), `ETag: "v2"`),
			},
			[]string{"-", rest}, other,
		},
		"L11 ETag changed to a shorter file": {
			[]http.Handler{answer(200, 0, 50, "ETag: "+etag), fields(connectiontest.Text(200, "short"), `ETag: "v2"`)},
			[]string{"-", rest}, "short",
		},
		"L11 206 with another ETag": {
			[]http.Handler{
				answer(200, 0, 50, "ETag: "+etag),
				fields(connectiontest.Text(206, other[50:]), `ETag: "v2"`, "Content-Range: bytes 50-99/100"),
				connectiontest.Text(200, other),
			},
			[]string{"-", rest, "-"}, other,
		},
		"L11 206 with the ETag made weak": {
			[]http.Handler{answer(200, 0, 50, "ETag: "+etag), partial(50, 100, "ETag: W/"+etag), whole()},
			[]string{"-", rest, "-"}, "",
		},
		"L11 206 with another Last-Modified": {
			[]http.Handler{
				answer(200, 0, 50, "Last-Modified: "+longAgo, "Date: "+justThen),
				partial(50, 100, "Last-Modified: "+justThen), whole(),
			},
			[]string{"-", "bytes=50- " + longAgo, "-"}, "",
		},
		"L11 200 with the same file": {
			[]http.Handler{answer(200, 0, 50, "ETag: "+etag), answer(200, 0, 100, "ETag: "+etag)}, []string{"-", rest}, "",
		},
		"L11 200 that breaks off as well": {
			[]http.Handler{
				answer(200, 0, 50, "ETag: "+etag), answer(200, 0, 25, `ETag: "v2"`), partial(25, 100, `ETag: "v2"`),
			},
			[]string{"-", rest, `bytes=25- "v2"`}, "",
		},
		"L11 206 from an earlier byte": {
			[]http.Handler{answer(200, 0, 50, "ETag: "+etag), partial(49, 100), whole()}, []string{"-", rest, "-"}, "",
		},
		"L11 206 from a later byte": {
			[]http.Handler{answer(200, 0, 50, "ETag: "+etag), partial(51, 100), whole()}, []string{"-", rest, "-"}, "",
		},
		"L11 206 of another total": {
			[]http.Handler{
				answer(200, 0, 50, "ETag: "+etag), answer(206, 50, 100, "Content-Range: bytes 50-99/101"), whole(),
			},
			[]string{"-", rest, "-"}, "",
		},
		"L11 206 beyond the total": {
			[]http.Handler{
				answer(200, 0, 60, "ETag: "+etag),
				fields(connectiontest.Text(206, source[60:]+"x"), "Content-Range: bytes 60-100/*"), whole(),
			},
			[]string{"-", `bytes=60- "v1"`, "-"}, "",
		},
		"L11 206 without Content-Range": {
			[]http.Handler{answer(200, 0, 50, "ETag: "+etag), answer(206, 50, 100), whole()}, []string{"-", rest, "-"}, "",
		},
		"L11 206 in several parts": {
			[]http.Handler{
				answer(200, 0, 50, "ETag: "+etag), partial(50, 100, "Content-Type: multipart/byteranges; boundary=b"), whole(),
			},
			[]string{"-", rest, "-"}, "",
		},
		"L11 206 of another length than its range": {
			[]http.Handler{
				answer(200, 0, 50, "ETag: "+etag), answer(206, 50, 90, "Content-Range: bytes 50-99/100", "Content-Length: 40"),
				whole(),
			},
			[]string{"-", rest, "-"}, "",
		},
		"L11 206 longer than its range": {
			[]http.Handler{
				answer(200, 0, 50, "ETag: "+etag),
				chunked(206, "Content-Range: bytes 50-59/100", true, source[50:55], source[55:65]), whole(),
			},
			[]string{"-", rest, "-"}, "",
		},
		"L11 206 shorter than its range": {
			[]http.Handler{
				answer(200, 0, 50, "ETag: "+etag),
				chunked(206, "Content-Range: bytes 50-99/100", true, source[50:60]), partial(60, 100),
			},
			[]string{"-", rest, `bytes=60- "v1"`}, "",
		},
		"L11 416": {
			[]http.Handler{answer(200, 0, 50, "ETag: "+etag), connectiontest.Status(416), whole()},
			[]string{"-", rest, "-"}, "",
		},
		"L11 a weak ETag": {
			[]http.Handler{answer(200, 0, 50, "ETag: W/"+etag), whole()}, []string{"-", "-"}, "",
		},
		"L11 a weak ETag and an old Last-Modified": {
			[]http.Handler{
				answer(200, 0, 50, "ETag: W/"+etag, "Last-Modified: "+longAgo, "Date: "+justThen), whole(),
			},
			[]string{"-", "-"}, "",
		},
		"L11 a malformed ETag": {[]http.Handler{answer(200, 0, 50, "ETag: v1"), whole()}, []string{"-", "-"}, ""},
		"L11 two ETags": {
			[]http.Handler{
				answer(200, 0, 50, "ETag: "+etag, `ETag: "v2"`, "Last-Modified: "+longAgo, "Date: "+justThen), whole(),
			},
			[]string{"-", "-"}, "",
		},
		"L11 a Last-Modified of the same second": {
			[]http.Handler{answer(200, 0, 50, "Last-Modified: "+longAgo, "Date: "+longAgo), whole()},
			[]string{"-", "-"}, "",
		},
		"L11 a Last-Modified that is no date": {
			[]http.Handler{answer(200, 0, 50, "Last-Modified: yesterday"), whole()}, []string{"-", "-"}, "",
		},
		"L11 no validator": {[]http.Handler{answer(200, 0, 50), whole()}, []string{"-", "-"}, ""},
		"L11 Accept-Ranges: none": {
			[]http.Handler{answer(200, 0, 50, "ETag: "+etag, "Accept-Ranges: none"), whole()}, []string{"-", "-"}, "",
		},
		"L11 cut before the first byte": {
			[]http.Handler{answer(200, 0, 0, "ETag: "+etag), whole()}, []string{"-", "-"}, "",
		},
		"L11 503 and a cut connection on the way": {
			[]http.Handler{
				answer(200, 0, 50, "ETag: "+etag), connectiontest.Cut(), connectiontest.Status(503), partial(50, 100),
			},
			[]string{"-", rest, rest, rest}, "",
		},
		"L11 chunked that breaks off at its end": {
			[]http.Handler{
				answer(200, 0, 50, "ETag: "+etag), chunked(206, "Content-Range: bytes 50-99/100", false, source[50:]),
			},
			[]string{"-", rest}, "",
		},
	} {
		inBubble(t, name, func(t *testing.T) {
			dir := t.TempDir()
			want := cmp.Or(c.want, source)
			b, srv := getFrom(t, c.replies...)
			n, err := request.Download(t.Context(), b, filepath.Join(dir, "a"), request.Checksum(sha256.New, sha(want)))
			if err != nil || n != int64(len(want)) {
				t.Errorf("got %d, %v, want %d bytes", n, err, len(want))
			}
			wantFiles(t, dir, map[string]string{"a": want})
			if diff := gocmp.Diff(c.ranges, ranges(srv)); diff != "" {
				t.Errorf("the requests were not for (-want +got):\n%s", diff)
			}
		})
	}
}

// What a resume asks for, byte for byte.
func TestDownloadResumeWire(t *testing.T) {
	t.Parallel()
	b, srv := getFrom(t, answer(200, 0, 50, "ETag: "+etag), partial(50, 100))
	if _, err := request.Download(t.Context(), b, filepath.Join(t.TempDir(), "a")); err != nil {
		t.Fatal(err)
	}
	raw := srv.Requests()[1].Raw
	for _, want := range []string{
		"GET /export HTTP/1.1\r\n", "\r\nRange: bytes=50-\r\n", "\r\nIf-Range: \"v1\"\r\n",
		"\r\nAccept-Encoding: identity\r\n",
	} {
		if strings.Count(raw, want) != 1 {
			t.Errorf("the request is %q, want it to have %q once", raw, want)
		}
	}
}

// What is not resumed, or no longer, is an error that says how far it came.
func TestDownloadGivesUp(t *testing.T) {
	t.Parallel()
	unexpected := []error{io.ErrUnexpectedEOF}
	for name, c := range map[string]struct {
		replies []http.Handler
		method  string
		build   func(b request.Builder) request.Builder
		option  request.DownloadOption
		stage   request.Stage
		far     request.DownloadError
		is      []error
		says    string
	}{
		"no resumes": {
			replies: []http.Handler{answer(200, 0, 50, "ETag: "+etag)}, option: request.Resumes(0),
			stage: request.StageRead, far: request.DownloadError{Done: 50, Total: 100, Requests: 1}, is: unexpected,
			says: "broke off after 50 of 100 bytes and 1 request: unexpected EOF (not tried again: the limit of Resumes is 0)",
		},
		"resumes used up": {
			replies: []http.Handler{answer(200, 0, 50, "ETag: "+etag), partialCut(60), connectiontest.Cut()},
			option:  request.Resumes(2),
			stage:   request.StageSend, far: request.DownloadError{Done: 60, Total: 100, Requests: 3},
			says: "broke off after 60 of 100 bytes and 3 requests: ",
		},
		"resumes used up by statuses": {
			replies: []http.Handler{answer(200, 0, 50, "ETag: "+etag), connectiontest.Status(503)},
			stage:   request.StageStatus, far: request.DownloadError{Done: 50, Total: 100, Requests: 6},
			is: []error{request.Status(503)}, says: "503 Service Unavailable: the download broke off after 50 of 100",
		},
		"chunked, of unknown length": {
			replies: []http.Handler{chunked(200, "", false, source[:50])}, option: request.Resumes(1),
			stage: request.StageRead, far: request.DownloadError{Done: 50, Total: -1, Requests: 2}, is: unexpected,
			says: "broke off after 50 bytes and 2 requests",
		},
		"404 to a resume": {
			replies: []http.Handler{answer(200, 0, 50, "ETag: "+etag), connectiontest.Status(404)},
			stage:   request.StageStatus, far: request.DownloadError{Done: 50, Total: 100, Requests: 2},
			is: []error{request.Status(404)},
		},
		"304 to a resume": {
			replies: []http.Handler{answer(200, 0, 50, "ETag: "+etag), connectiontest.Status(304)},
			stage:   request.StageStatus, far: request.DownloadError{Done: 50, Total: 100, Requests: 2},
			is: []error{request.Status(304)},
		},
		"206 to a restart": {
			replies: []http.Handler{answer(200, 0, 50), partial(0, 100)},
			stage:   request.StageStatus, far: request.DownloadError{Done: 50, Total: 100, Requests: 2},
			is: []error{request.Status(206)},
		},
		"a file that grows over the limit": {
			replies: []http.Handler{answer(200, 0, 50), connectiontest.Text(200, source+"x")}, option: request.MaxDownload(100),
			stage: request.StageRead, far: request.DownloadError{Done: 0, Total: 101, Requests: 2},
			is: []error{request.ErrDownloadTooLarge},
		},
		"POST": {
			replies: []http.Handler{answer(200, 0, 50, "ETag: "+etag)},
			method:  "POST",
			stage:   request.StageRead, far: request.DownloadError{Done: 50, Total: 100, Requests: 1}, is: unexpected,
			says: "a POST is not resumed",
		},
		"GET with a body": {
			replies: []http.Handler{answer(200, 0, 50, "ETag: "+etag)},
			build:   func(b request.Builder) request.Builder { return b.AllowBody().JSON(1) },
			stage:   request.StageRead, far: request.DownloadError{Done: 50, Total: 100, Requests: 1}, is: unexpected,
			says: "a request with a body is not resumed",
		},
	} {
		inBubble(t, "L11 "+name, func(t *testing.T) {
			before := map[string]string{"a": "as it was"}
			dir := dirWith(t, before)
			srv := connectiontest.NewServer(t, connectiontest.Sequence(c.replies...))
			b := request.New(connectTo(t, srv, ""), cmp.Or(c.method, "GET"), "/export")
			if c.build != nil {
				b = c.build(b)
			}
			var options []request.DownloadOption
			if c.option != nil {
				options = append(options, c.option)
			}
			_, err := request.Download(t.Context(), b, filepath.Join(dir, "a"), options...)
			wantFiles(t, dir, before)
			wantRequests(t, srv, c.far.Requests)
			wantStage[error](t, err, c.stage)
			for _, is := range c.is {
				if !errors.Is(err, is) {
					t.Errorf("error %v does not match %v", err, is)
				}
			}
			if !strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("error %v does not say %s", err, c.says)
			}
			e, ok := errors.AsType[*request.DownloadError](err)
			if !ok {
				t.Fatalf("error %v, want a DownloadError in it", err)
			}
			if e.Done != c.far.Done || e.Total != c.far.Total || e.Requests != c.far.Requests {
				t.Errorf("%d of %d bytes, %d requests, want %+v", e.Done, e.Total, e.Requests, c.far)
			}
		})
	}
}

// The answer to a resume is a success where only a 200 was expected, and Check sees each response.
func TestDownloadResumePolicy(t *testing.T) {
	t.Parallel()
	t.Run("ExpectStatus", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		b, srv := getFrom(t, answer(200, 0, 50, "ETag: "+etag), partial(50, 100))
		if _, err := request.Download(t.Context(), b.ExpectStatus(200), filepath.Join(dir, "a")); err != nil {
			t.Error(err)
		}
		wantFiles(t, dir, map[string]string{"a": source})
		wantRequests(t, srv, 2)
	})
	inBubble(t, "Check", func(t *testing.T) {
		dir := t.TempDir()
		b, _ := getFrom(t, answer(200, 0, 50, "ETag: "+etag), connectiontest.Status(416), whole())
		var seen []int
		b = b.Check(func(resp *http.Response, _ []byte) error {
			seen = append(seen, resp.StatusCode)
			return nil
		})
		if _, err := request.Download(t.Context(), b, filepath.Join(dir, "a")); err != nil {
			t.Error(err)
		}
		wantFiles(t, dir, map[string]string{"a": source})
		if diff := gocmp.Diff([]int{200, 416, 200}, seen); diff != "" {
			t.Errorf("Check saw (-want +got):\n%s", diff)
		}
	})
	t.Run("Accept-Encoding", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		b, srv := getFrom(t, answer(200, 0, 50, "ETag: "+etag, "Content-Encoding: gzip"), whole())
		if _, err := request.Download(t.Context(), b.Header("Accept-Encoding", "gzip"), filepath.Join(dir, "a")); err != nil {
			t.Error(err)
		}
		wantFiles(t, dir, map[string]string{"a": source})
		if diff := gocmp.Diff([]string{"-", "-"}, ranges(srv)); diff != "" {
			t.Errorf("the requests were not for (-want +got):\n%s", diff)
		}
	})
	t.Run("a transport that decodes", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		srv := connectiontest.NewServer(t, connectiontest.Sequence(answer(200, 0, 50, "ETag: "+etag), whole()))
		conn := connectTo(t, srv, "", connection.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
			return decoding{next}
		}))
		if _, err := request.Download(t.Context(), request.Get(conn, "/"), filepath.Join(dir, "a")); err != nil {
			t.Error(err)
		}
		wantFiles(t, dir, map[string]string{"a": source})
		if diff := gocmp.Diff([]string{"-", "-"}, ranges(srv)); diff != "" {
			t.Errorf("the requests were not for (-want +got):\n%s", diff)
		}
	})
	t.Run("a content coding on the rest only", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		b, srv := getFrom(t, answer(200, 0, 50, "ETag: "+etag), partial(50, 100, "Content-Encoding: gzip"))
		_, err := request.Download(t.Context(), b, filepath.Join(dir, "a"))
		wantStage[*request.DecodeError](t, err, request.StageDecode)
		wantFiles(t, dir, map[string]string{})
		wantRequests(t, srv, 2)
	})
}

// decoding says that it has undone a content coding.
type decoding struct{ next http.RoundTripper }

func (d decoding) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(req)
	if err == nil {
		resp.Uncompressed = true
	}
	return resp, err
}

// Each request has a credential of its own.
func TestDownloadResumeAuth(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, connectiontest.Sequence(
		answer(200, 0, 50, "ETag: "+etag), partialCut(75),
		partial(75, 100)))
	n := 0
	conn := connectTo(t, srv, "", connection.WithAuth(auth.Func(func(req *http.Request) error {
		n++
		req.Header.Set("Authorization", "Bearer token-"+strconv.Itoa(n))
		return nil
	})))
	if _, err := request.Download(t.Context(), request.Get(conn, "/"), filepath.Join(t.TempDir(), "a")); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range srv.Requests() {
		got = append(got, r.Header.Get("Authorization"))
	}
	if diff := gocmp.Diff([]string{"Bearer token-1", "Bearer token-2", "Bearer token-3"}, got); diff != "" {
		t.Errorf("the credentials are (-want +got):\n%s", diff)
	}
}

// A credential that is gone ends the download: another request would not bring it back.
func TestDownloadResumeNoCredential(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, answer(200, 0, 50, "ETag: "+etag))
	n := 0
	secret := secrets.Func(func(context.Context) (secrets.Value, error) {
		n++
		if n > 1 {
			return secrets.Value{}, errors.New("gone")
		}
		return secrets.Static("key"), nil
	})
	conn := connectTo(t, srv, "", connection.WithAuth(auth.APIKey(secret, auth.InHeader("X-Api-Key"))))
	dir := t.TempDir()
	_, err := request.Download(t.Context(), request.Get(conn, "/"), filepath.Join(dir, "a"))
	wantStage[*request.Error](t, err, request.StageAuth)
	wantFiles(t, dir, map[string]string{})
	wantRequests(t, srv, 1)
}

// A reset connection, a redirect to somewhere else on the way, and the retries of the connection.
func TestDownloadResumeOnTheWay(t *testing.T) {
	t.Parallel()
	inBubble(t, "reset", func(t *testing.T) {
		dir := t.TempDir()
		network := connectiontest.NewNetwork(t)
		first := true
		read := make(chan struct{})
		srv := network.ServeRaw("http://127.0.0.1:8080", func(conn net.Conn) { rawReset(conn, &first, read) })
		n, err := request.Download(t.Context(), request.Get(connectTo(t, srv, ""), "/"), filepath.Join(dir, "a"),
			request.DownloadProgress(func(p request.Progress) {
				if p.Done == 50 && p.Attempt == 1 {
					close(read)
				}
			}))
		if err != nil || n != 100 {
			t.Errorf("got %d, %v, want 100 bytes", n, err)
		}
		wantFiles(t, dir, map[string]string{"a": source})
		if diff := gocmp.Diff([]string{"-", `bytes=50- "v1"`}, ranges(srv)); diff != "" {
			t.Errorf("the requests were not for (-want +got):\n%s", diff)
		}
	})
	inBubble(t, "redirects", func(t *testing.T) {
		dir := t.TempDir()
		moved := connectiontest.Status(302).Header("Location", "/b")
		b, srv := getFrom(t, moved, answer(200, 0, 50, "ETag: "+etag), moved, partial(50, 100))
		if _, err := request.Download(t.Context(), b, filepath.Join(dir, "a")); err != nil {
			t.Error(err)
		}
		wantFiles(t, dir, map[string]string{"a": source})
		if diff := gocmp.Diff([]string{"-", "-", `bytes=50- "v1"`, `bytes=50- "v1"`}, ranges(srv)); diff != "" {
			t.Errorf("the requests were not for (-want +got):\n%s", diff)
		}
	})
	inBubble(t, "retries of the connection", func(t *testing.T) {
		dir := t.TempDir()
		down := connectiontest.Status(503)
		srv := connectiontest.NewServer(t, connectiontest.Sequence(
			down, answer(200, 0, 50, "ETag: "+etag), down, partial(50, 100)))
		conn := connectTo(t, srv, "", connection.WithRetry(connection.Retry{Max: 1, Wait: connection.Constant(time.Second)}))
		_, err := request.Download(t.Context(), request.Get(conn, "/"), filepath.Join(dir, "a"), request.Resumes(1))
		if err != nil {
			t.Error(err)
		}
		wantFiles(t, dir, map[string]string{"a": source})
		wantRequests(t, srv, 4)
	})
}

// rawReset sends half of the source and resets the connection once that was read; on the second request it sends the
// other half.
func rawReset(conn net.Conn, first *bool, read <-chan struct{}) {
	if _, err := conn.Read(make([]byte, 4<<10)); err != nil {
		return
	}
	if !*first {
		_, _ = io.WriteString(conn, "HTTP/1.1 206 Partial Content\r\nETag: "+etag+"\r\nContent-Length: 50\r\n"+
			"Content-Range: bytes 50-99/100\r\nConnection: close\r\n\r\n"+source[50:])
		return
	}
	*first = false
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nETag: "+etag+"\r\n\r\n"+source[:50])
	<-read
	_ = connectiontest.Reset(conn)
}

// A 503 inside an error is that of another request.
func TestDownloadOutage(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]request.DownloadOption{
		"the first of several": nil,
		"the last":             {request.Resumes(1)},
	} {
		inBubble(t, "L11 a resume without a credential, "+name, func(t *testing.T) {
			cause, dir := outage(), t.TempDir()
			srv := connectiontest.NewServer(t, connectiontest.Sequence(answer(200, 0, 50, "ETag: "+etag), partial(50, 100)))
			get := request.Get(connectTo(t, srv, "", failing(cause)), "/export")
			began := time.Now()
			_, err := request.Download(t.Context(), get, filepath.Join(dir, "a"), options...)
			wantOutage(t, err, cause)
			wantRequests(t, srv, 1)
			wantFiles(t, dir, map[string]string{})
			if took := time.Since(began); took != 0 {
				t.Errorf("it took %v", took)
			}
		})
	}
}
