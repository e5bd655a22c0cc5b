package request_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// bookkeeper counts what was opened, read and closed.
type bookkeeper struct{ opened, reads, closed atomic.Int32 }

func (b *bookkeeper) once(text string) io.ReadCloser { return b.keep(strings.NewReader(text)) }

func (b *bookkeeper) keep(r io.Reader) io.ReadCloser {
	b.opened.Add(1)
	return &kept{r, b}
}

// body returns a body of that length that makes new readers.
func (b *bookkeeper) body(size int64, open func() io.Reader) request.Body {
	return request.Open("application/octet-stream", size, func() (io.ReadCloser, error) { return b.keep(open()), nil })
}

type kept struct {
	io.Reader
	books *bookkeeper
}

func (k *kept) Read(p []byte) (int, error) {
	k.books.reads.Add(1)
	return k.Reader.Read(p)
}

func (k *kept) Close() error {
	k.books.closed.Add(1)
	return nil
}

// filler reads letters, and fails, unless err is nil, in the place of its end.
type filler struct {
	n     int
	pause time.Duration // before each piece
	err   error
}

func (f *filler) Read(p []byte) (int, error) {
	if f.n == 0 {
		if f.err != nil {
			return 0, f.err
		}
		return 0, io.EOF
	}
	time.Sleep(f.pause)
	n := min(len(p), f.n)
	for i := 0; i < n; { // each piece begins where the last one ended
		i += copy(p[i:n], alphabet[(f.n-i)%len(alphabet):])
	}
	f.n -= n
	return n, nil
}

var alphabet = strings.Repeat("zyxwvutsrqponmlkjihgfedcba", 100)

// renewing is an authenticator that has another credential after each 401.
type renewing struct{ n atomic.Int32 }

func (a *renewing) Authenticate(req *http.Request) error {
	req.Header.Set("X-Key", strconv.Itoa(int(a.n.Load())))
	return nil
}

func (a *renewing) Challenged(_ *http.Request, resp *http.Response) (bool, error) {
	a.n.Add(1)
	return resp.StatusCode == http.StatusUnauthorized, nil
}

// Whatever makes it necessary, a multipart is sent again as it was: all of its parts, with the same boundary.
func TestMultipartAgain(t *testing.T) {
	t.Parallel()
	path := onDisk(t, "blob.bin", strings.Repeat("0123456789abcdef", 6000))
	ok := connectiontest.Status(204)
	for _, c := range []struct {
		name  string
		first http.Handler
		n     int
	}{
		{"L4 a 503", connectiontest.Status(503), 2},
		{"L4 a 401", connectiontest.Status(401), 2},
		{"L4 a redirect", connectiontest.Status(307).Header("Location", "/else"), 2},
		{"L4 a cut", connectiontest.Cut(), 2},
		{"L4 nothing", ok, 1},
	} {
		for kind, form := range map[string]request.MultipartBody{
			"defect 1: a file whose type nobody gave": request.Multipart().FileFrom("f", request.File("", path)),
			"defect 2: a file by its path":            request.Multipart().File("f", path),
			"defect 3: ordered fields":                request.Multipart().Field("a", "1").Field("b", "2").Field("a", "3"),
			"defect 15: a file between fields": request.Multipart().Field("a", "1").File("f", path).
				Part("j", request.JSON([]int{1})).FileFrom("g", new(bookkeeper).body(-1, func() io.Reader {
				return &filler{n: 70_000}
			})),
		} {
			inBubble(t, c.name+", "+kind, func(t *testing.T) {
				srv := connectiontest.NewServer(t, connectiontest.Sequence(c.first, ok))
				conn := connectTo(t, srv, "", connection.WithAuth(new(renewing)),
					connection.WithRetry(connection.Retry{Max: 1, Wait: connection.Constant(time.Second)}))
				if err := request.Put(conn, "/up").Body(form).Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
				sent := srv.Requests()
				if len(sent) != c.n {
					t.Fatalf("%d requests, want %d", len(sent), c.n)
				}
				first := sent[0]
				_ = boundaryOf(t, first.Header)
				for _, r := range sent[1:] {
					if diff := cmp.Diff(first.Header["Content-Type"], r.Header["Content-Type"]); diff != "" ||
						!bytes.Equal(r.Body, first.Body) || len(r.Body) == 0 {
						t.Errorf("the second body has %d bytes and the first %d; %s", len(r.Body), len(first.Body), diff)
					}
				}
			})
		}
	}
}

// A part that fails breaks off the request: the server sees that the body is not whole, and the caller the fault.
func TestMultipartPartFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is on fire")
	for _, c := range []struct {
		name string
		size int64
		body filler
		want error
		text string
	}{
		{"L2 the reader fails", -1, filler{n: 100_000, err: broken}, broken, ""},
		{"L2 the reader fails at a known length", 200_000, filler{n: 100_000, err: broken}, broken, ""},
		{"L2 the reader fails at once", 10, filler{err: broken}, broken, ""},
		{"L2 the file shrinks", 200_000, filler{n: 100_000}, io.ErrUnexpectedEOF, "100000 bytes, and 200000"},
		{"L2 the file grows", 100_000, filler{n: 200_000}, nil, "more than the 100000"},
	} {
		send := func(t *testing.T, serve func(*connectiontest.Network, string, http.Handler) *connectiontest.Server) {
			t.Helper()
			var whole atomic.Int32
			handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if drained(r) == nil {
					whole.Add(1)
				}
			})
			srv := serve(connectiontest.NewNetwork(t), "https://api.example.test", handler)
			conn := connectTo(t, srv, "", connection.WithRetry(connection.Retry{Max: 3}))
			var books bookkeeper
			body := books.body(c.size, func() io.Reader {
				r := c.body
				return &r
			})
			form := request.Multipart().Field("a", "1").FileFrom("big", body).Field("b", "2")
			err := request.Put(conn, "/up").Body(form).Exec(t.Context())
			_ = wantStage[*request.Error](t, err, request.StageSend)
			pe, ok := errors.AsType[*request.PartError](err)
			if !ok || pe.Name != "big" || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want a *PartError of big, %v %s", err, c.want, c.text)
			}
			synctest.Wait()
			if o, n := books.opened.Load(), books.closed.Load(); o != 1 || n != 1 {
				t.Errorf("opened %d times, closed %d times, want 1", o, n)
			}
			if whole.Load() != 0 {
				t.Error("the server took the body for whole")
			}
		}
		inBubble(t, c.name, func(t *testing.T) { send(t, (*connectiontest.Network).Serve) })
		inBubble(t, c.name+", over HTTP/2", func(t *testing.T) { send(t, (*connectiontest.Network).ServeH2) })
	}
}

// A part whose reader waits for ever is closed when the call has ended, and everybody goes home.
func TestMultipartPartBlocks(t *testing.T) {
	t.Parallel()
	inBubble(t, "L2 the reader blocks", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Status(204))
		pr, pw := io.Pipe()
		defer func() { _ = pw.Close() }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		form := request.Multipart().Field("a", "1").FileFrom("p", request.Once("", pr))
		began := time.Now()
		err := request.Post(connectTo(t, srv, ""), "/up").Body(form).Exec(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("error %v after %v", err, time.Since(began))
		}
		synctest.Wait()
		if _, err := pw.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the reader is still there: %v", err)
		}
	})
}

// rawAnswer serves one request per connection: it reads the head and a little more, answers, and then only waits.
func rawAnswer(n *connectiontest.Network, origin, answer string) *connectiontest.Server {
	return n.ServeRaw(origin, func(conn net.Conn) {
		r := bufio.NewReader(conn)
		for line := ""; line != "\r\n"; {
			line, _ = r.ReadString('\n')
		}
		_, _ = r.Discard(1000)
		_, _ = io.WriteString(conn, answer)
		_, _ = io.Copy(io.Discard, io.LimitReader(conn, 1)) // the client hangs up, or sends on
		time.Sleep(time.Minute)
	})
}

// A server that has heard enough is obeyed: the parts are not read any further, and closed.
func TestMultipartEarlyAnswer(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 8\r\n\r\n"
	early := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, 1<<10)
		w.WriteHeader(413)
		_, _ = io.WriteString(w, "too much")
	})
	for name, serve := range map[string]func(n *connectiontest.Network) *connectiontest.Server{
		"from raw bytes": func(n *connectiontest.Network) *connectiontest.Server {
			return rawAnswer(n, "https://api.example.test", head+"too much")
		},
		"over HTTP/1": func(n *connectiontest.Network) *connectiontest.Server {
			return n.Serve("https://api.example.test", early)
		},
		"over HTTP/2": func(n *connectiontest.Network) *connectiontest.Server {
			return n.ServeH2("https://api.example.test", early)
		},
	} {
		inBubble(t, "L3 a 413 "+name, func(t *testing.T) {
			srv := serve(connectiontest.NewNetwork(t))
			conn := connectTo(t, srv, "", connection.WithRetry(connection.Retry{Max: 1}))
			var books bookkeeper
			var late atomic.Bool
			file := books.body(64<<20, func() io.Reader { return &filler{n: 64 << 20} })
			once := new(bookkeeper)
			form := request.Multipart().FileFrom("big", file).FileFrom("never", once.body(1, nil))
			err := request.Put(conn, "/up").Body(form).UploadProgress(func(request.Progress) {
				if late.Load() {
					t.Error("progress after the call has returned")
				}
			}).Exec(t.Context())
			late.Store(true)
			re := wantStage[*request.ResponseError](t, err, request.StageStatus)
			if re.Status != 413 || string(re.Body) != "too much" {
				t.Errorf("error %v with %q, want the 413", err, re.Body)
			}
			synctest.Wait()
			reads := books.reads.Load()
			if o, n := books.opened.Load(), books.closed.Load(); o != 1 || n != 1 || once.opened.Load() != 0 {
				t.Errorf("opened %d times, closed %d times, want 1", o, n)
			}
			time.Sleep(time.Hour)
			if n := books.reads.Load(); n != reads || n > 1000 {
				t.Errorf("%d reads, and %d when the call had returned", n, reads)
			}
		})
	}
}

// A 401 in the middle of an upload: with a new credential all parts are sent again, without one it is the answer.
func TestMultipartEarlyChallenge(t *testing.T) {
	t.Parallel()
	inBubble(t, "L4 a 401 in the middle", func(t *testing.T) {
		var got []string
		srv := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Key") == "0" {
				_, _ = io.CopyN(io.Discard, r.Body, 1<<10)
				w.WriteHeader(401)
				return
			}
			data, err := io.ReadAll(r.Body)
			got = append(got, fmt.Sprintf("%d %v", len(data), err))
		}))
		conn := connectTo(t, srv, "", connection.WithAuth(new(renewing)))
		var books bookkeeper
		size := int64(unlessRace(8<<20, 2<<20))
		form := request.Multipart().FileFrom("f", books.body(size, func() io.Reader { return &filler{n: int(size)} }))
		if err := request.Post(conn, "/up").Body(form).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		sent := srv.Requests()
		if want := sent[1].Header.Get("Content-Length") + " <nil>"; len(sent) != 2 || len(got) != 1 || got[0] != want {
			t.Errorf("%d requests, %q, want %q", len(sent), got, want)
		}
		if first, second := string(sent[0].Body), string(sent[1].Body); !strings.HasPrefix(second, first) || first == "" {
			t.Errorf("the second body, of %d bytes, does not begin as the first, of %d", len(second), len(first))
		}
		synctest.Wait()
		if o, n := books.opened.Load(), books.closed.Load(); o != 2 || n != 2 {
			t.Errorf("opened %d times, closed %d times, want 2", o, n)
		}
	})
}

// shortLived is a source of tokens that are valid for a minute.
type shortLived struct{ asked atomic.Int32 }

func (s *shortLived) Token(context.Context, auth.Want) (*auth.Token, error) {
	n := s.asked.Add(1)
	return &auth.Token{Value: secrets.Static("t" + strconv.Itoa(int(n))), Expiry: time.Now().Add(time.Minute)}, nil
}

func TestUploadOutlivesToken(t *testing.T) {
	t.Parallel()
	inBubble(t, "L9 an upload of hours with a token of a minute", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Status(204))
		source := new(shortLived)
		conn := connectTo(t, srv, "", connection.WithAuth(auth.Bearer(source)))
		var books bookkeeper
		slow := books.body(1<<20, func() io.Reader { return &filler{n: 1 << 20, pause: 50 * time.Second} })
		put := request.Put(conn, "/up").Body(request.Multipart().FileFrom("f", slow))
		began := time.Now()
		if err := put.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took, asked := time.Since(began), source.asked.Load(); took < 20*time.Minute || asked != 1 {
			t.Errorf("it took %v, and the source was asked %d times", took, asked)
		}
		if err := put.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := srv.Requests()[1].Header.Get("Authorization"); got != "Bearer t2" {
			t.Errorf("the next request has %q", got)
		}
	})
}

func TestMultipartConcurrently(t *testing.T) {
	t.Parallel()
	t.Run("D8 200 goroutines, 503 and then 200, every multipart arrives whole and as its own", func(t *testing.T) {
		t.Parallel()
		const calls = 200
		var mu sync.Mutex
		sums := make(map[string][]string)
		srv := connectiontest.NewNetwork(t).Serve("http://127.0.0.1:8080",
			http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				id := r.Header.Get("X-Id")
				mr, err := r.MultipartReader()
				if err != nil {
					t.Error(err)
					return
				}
				sum := sha256.New()
				for p, err := mr.NextPart(); err != io.EOF; p, err = mr.NextPart() {
					if err != nil {
						t.Error(err)
						return
					}
					_, _ = fmt.Fprintf(sum, "%s|%s|", p.FormName(), p.FileName())
					_, _ = io.Copy(sum, p)
				}
				mu.Lock()
				defer mu.Unlock()
				sums[id] = append(sums[id], fmt.Sprintf("%x %s", sum.Sum(nil), r.Header.Get("Content-Type")))
				if len(sums[id]) == 1 {
					w.WriteHeader(503)
				}
			}))
		conn := connectTo(t, srv, "", connection.WithRetry(connection.Retry{Max: 1}), connection.WithoutRetryBudget())
		dir := t.TempDir()
		var wg sync.WaitGroup
		want := make([]string, calls)
		for i := range calls {
			wg.Go(func() {
				path := fmt.Sprintf("%s/%d.bin", dir, i)
				size := 40_000 + i*500
				if i%10 != 0 {
					size /= unlessRace(1, 10)
				}
				file := strings.Repeat(fmt.Sprintf("%d-", i), size/(1+len(strconv.Itoa(i))))
				if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
					t.Error(err)
				}
				memory := strings.Repeat(fmt.Sprintf("%d+", i), 5000)
				sum := sha256.Sum256([]byte(fmt.Sprintf("id||%dfile|%d.bin|%smemory|memory|%s", i, i, file, memory)))
				want[i] = hex.EncodeToString(sum[:])
				form := request.Multipart().Field("id", strconv.Itoa(i)).File("file", path).
					FileFrom("memory", request.Bytes("", []byte(memory)))
				if err := request.Put(conn, "/up").Header("X-Id", strconv.Itoa(i)).Body(form).Exec(t.Context()); err != nil {
					t.Errorf("call %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		for i := range calls {
			got := sums[strconv.Itoa(i)]
			if len(got) != 2 || got[0] != got[1] || !strings.HasPrefix(got[0], want[i]+" ") {
				t.Errorf("call %d: the server received %q, want %s twice", i, got, want[i])
			}
		}
	})
}

func TestUploadProgress(t *testing.T) {
	t.Parallel()
	path := onDisk(t, "f", strings.Repeat("x", 100_000))
	opened := func(size int64) request.Body {
		return new(bookkeeper).body(size, func() io.Reader { return &filler{n: 100_000} })
	}
	for name, c := range map[string]struct {
		body  request.Body
		total int64
		once  bool
	}{
		"text":              {request.Text("hello"), 5, false},
		"a value":           {request.JSON(12), 2, false},
		"a long text":       {request.Text(strings.Repeat("x", 100_000)), 100_000, false},
		"a file":            {request.File("", path), 100_000, false},
		"a factory":         {opened(100_000), 100_000, false},
		"of unknown length": {opened(-1), -1, false},
		"once":              {request.Once("", strings.NewReader("hello")), -1, true},
		"a multipart":       {request.Multipart().Field("a", "1").File("f", path), 0, false},
	} {
		inBubble(t, name, func(t *testing.T) {
			first := connectiontest.Status(503)
			if c.once {
				first = connectiontest.Status(200)
			}
			srv := connectiontest.NewServer(t,
				connectiontest.Sequence(first, connectiontest.Status(401), connectiontest.Status(204)))
			var got []request.Progress
			b := request.Put(connectTo(t, srv, "", connection.WithAuth(new(renewing))), "/").Body(c.body).
				UploadProgress(func(p request.Progress) { got = append(got, p) })
			if !c.once {
				b = b.Retry(connection.Retry{Max: 1})
			}
			if err := b.Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			checkProgress(t, got, srv.Requests(), c.total)
		})
	}
}

// checkProgress checks that each request was reported from 0 to its length.
func checkProgress(t *testing.T, got []request.Progress, sent []connectiontest.Request, total int64) {
	t.Helper()
	for i, r := range sent {
		length := int64(len(r.Body))
		want := total
		if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart") {
			want = length
		}
		last := int64(-1)
		for len(got) > 0 && got[0].Attempt == i+1 {
			if got[0].Done <= last || got[0].Total != want || last < 0 && got[0].Done != 0 {
				t.Errorf("request %d: %+v after %d", i, got[0], last)
			}
			last, got = got[0].Done, got[1:]
		}
		if last != length {
			t.Errorf("request %d: %d bytes reported, and %d sent", i, last, length)
		}
	}
	if len(got) != 0 {
		t.Errorf("there is more: %+v", got)
	}
}

func TestUploadProgressNil(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, connectiontest.Status(204))
	err := request.Put(connectTo(t, srv, ""), "/").Text("x").UploadProgress(nil).Exec(t.Context())
	wantNothingSent(t, srv, err)
	_ = wantStage[*request.Error](t, err, request.StageBuild)
}

// A server that answers while an earlier attempt is still being sent does not mix up the reports.
func TestUploadProgressOverlap(t *testing.T) {
	t.Parallel()
	inBubble(t, "a late report of an earlier attempt", func(t *testing.T) {
		srv := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Key") == "0" {
				_, _ = io.CopyN(io.Discard, r.Body, 1<<10)
				w.WriteHeader(401)
				return
			}
			_ = drained(r)
		}))
		body := new(bookkeeper).body(-1, func() io.Reader { return &filler{n: 300_000, pause: time.Second} })
		var running atomic.Int32
		newest := 0
		err := request.Put(connectTo(t, srv, "", connection.WithAuth(new(renewing))), "/").Body(body).
			UploadProgress(func(p request.Progress) {
				if running.Add(1) != 1 {
					t.Error("two reports at once")
				}
				if p.Attempt < newest {
					t.Errorf("%+v after attempt %d", p, newest)
				}
				newest = p.Attempt
				time.Sleep(700 * time.Millisecond)
				running.Add(-1)
			}).Exec(t.Context())
		if err != nil || newest != 2 {
			t.Errorf("error %v, %d attempts", err, newest)
		}
	})
}

// The terminal waits for a report that is under way, and there is none after it.
func TestUploadProgressEnds(t *testing.T) {
	t.Parallel()
	inBubble(t, "the caller leaves while a report is under way", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Status(204))
		ctx, cancel := context.WithCancel(t.Context())
		var over atomic.Bool
		body := new(bookkeeper).body(-1, func() io.Reader { return &filler{n: 300_000, pause: time.Second} })
		err := request.Put(connectTo(t, srv, ""), "/").Body(body).UploadProgress(func(p request.Progress) {
			if p.Done > 0 {
				cancel()
				time.Sleep(time.Minute)
			}
			if over.Load() {
				t.Error("a report after the terminal has returned")
			}
		}).Exec(ctx)
		over.Store(true)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		time.Sleep(time.Hour)
	})
	inBubble(t, "the server answers while the body is read", func(t *testing.T) {
		const answer = "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
		srv := rawAnswer(connectiontest.NewNetwork(t), "https://api.example.test", answer)
		body := new(bookkeeper).body(-1, func() io.Reader { return &filler{n: 300_000, pause: 10 * time.Second} })
		var reports atomic.Int32
		began := time.Now()
		err := request.Put(connectTo(t, srv, ""), "/").Body(body).
			UploadProgress(func(request.Progress) { reports.Add(1) }).Exec(t.Context())
		got, took := reports.Load(), time.Since(began)
		time.Sleep(time.Hour)
		if !errors.Is(err, request.Status(413)) || took > 11*time.Second || got != 2 {
			t.Errorf("error %v after %v, %d reports, want the 413 before the third", err, took, got)
		}
		if n := reports.Load(); n != got {
			t.Errorf("%d reports after the terminal has returned", n-got)
		}
	})
}

// Request builds a request that reports as well.
func TestUploadProgressRequest(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, connectiontest.Status(204))
	conn := connectTo(t, srv, "")
	var got []request.Progress
	req, err := request.Put(conn, "/").Text("hello").
		UploadProgress(func(p request.Progress) { got = append(got, p) }).Request(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	resp, err := conn.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	// The connection opens the body anew, and leaves alone the one that came with the request.
	want := []request.Progress{{Done: 0, Total: 5, Attempt: 2}, {Done: 5, Total: 5, Attempt: 2}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
