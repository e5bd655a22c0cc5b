package signing_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/signing"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// full signs as much as there is.
func full(secret secrets.Provider) auth.Authenticator {
	return signing.New(signing.Config{
		Secret: secret,
		Message: []signing.Part{
			signing.Method(), signing.URL(), signing.Header("Authorization"), signing.Header("Content-Digest"),
			signing.Timestamp(), signing.Nonce(),
		},
		Separator: "\n",
		Timestamp: signing.TimestampField{Header: "X-Time"},
		Nonce:     signing.NonceField{Header: "X-Nonce"},
		Digest:    signing.ContentDigest(signing.SHA256),
		Place:     []auth.PlaceOption{auth.InHeader("X-Sig")},
	})
}

// verifyFull checks a request that arrived, as its server does.
func verifyFull(t *testing.T, got connectiontest.Request, secret string) {
	t.Helper()
	sum := sha256.Sum256(got.Body)
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	message := strings.Join([]string{
		got.Method, "https://" + got.Host + got.Target, got.Header.Get("Authorization"), digest,
		got.Header.Get("X-Time"), got.Header.Get("X-Nonce"),
	}, "\n")
	want := []string{mac(secret, message)}
	if diff := cmp.Diff(want, got.Header["X-Sig"]); diff != "" {
		t.Errorf("the signature of %q (-want +got):\n%s", message, diff)
	}
	if diff := cmp.Diff([]string{digest}, got.Header["Content-Digest"]); diff != "" {
		t.Errorf("Content-Digest (-want +got):\n%s", diff)
	}
}

// differ checks that the requests have a header with a different value each.
func differ(t *testing.T, requests []connectiontest.Request, headers ...string) {
	t.Helper()
	for _, name := range headers {
		seen := make(map[string]bool)
		for _, got := range requests {
			value := got.Header.Get(name)
			if value == "" || seen[value] {
				t.Errorf("%s is %q twice, or missing", name, value)
			}
			seen[value] = true
		}
	}
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	again := connection.WithRetry(connection.Retry{Max: 2, Wait: connection.Constant(time.Minute)})
	status := func(codes ...int) http.Handler {
		var replies []http.Handler
		for _, code := range codes {
			replies = append(replies, connectiontest.Status(code))
		}
		return connectiontest.Sequence(replies...)
	}
	bubble(t, "a retry has a time, a nonce and a signature of its own, and the whole body", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(503, 503, 200))
		conn := connectTo(t, srv, full(secrets.Static(appSecret)), again)
		if err := request.Put(conn, "/x?a=%20").Text("the body").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		requests := srv.Requests()
		if len(requests) != 3 {
			t.Fatalf("%d requests", len(requests))
		}
		for _, got := range requests {
			verifyFull(t, got, appSecret)
			if string(got.Body) != "the body" {
				t.Errorf("body %q", got.Body)
			}
		}
		differ(t, requests, "X-Time", "X-Nonce", "X-Sig")
	})
	bubble(t, "a retry is signed with the secret of that moment", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(503, 503, 200))
		var n atomic.Int64
		secret := provider(func(context.Context) (secrets.Value, error) {
			return secrets.Static("secret-" + strconv.FormatInt(n.Add(1), 10)), nil
		})
		if err := request.Get(connectTo(t, srv, full(secret), again), "/").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, got := range srv.Requests() {
			verifyFull(t, got, "secret-"+strconv.Itoa(i+1))
		}
	})
	bubble(t, "A24 a redirect at home is signed anew, with its body", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(
			connectiontest.Status(307).Header("Location", "/new?b=1"), connectiontest.Status(200),
		))
		conn := connectTo(t, srv, full(secrets.Static(appSecret)))
		if err := request.Put(conn, "/old").Text("the body").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		requests := srv.Requests()
		if len(requests) != 2 || requests[1].Target != "/new?b=1" || string(requests[1].Body) != "the body" {
			t.Fatalf("requests %v", requests)
		}
		verifyFull(t, requests[0], appSecret)
		verifyFull(t, requests[1], appSecret)
		differ(t, requests, "X-Nonce", "X-Sig")
	})
	bubble(t, "A24 a redirect to elsewhere has no signature", func(t *testing.T) {
		network := connectiontest.NewNetwork(t)
		other := network.Serve("https://other.test", connectiontest.Status(200))
		home := network.Serve("https://home.test", connectiontest.Status(302).Header("Location", "https://other.test/x"))
		conn := connectTo(t, home, auth.All(full(secrets.Static(appSecret)), signing.MessageSignature(streamline())))
		if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		verifyFull(t, home.Requests()[0], appSecret)
		for _, name := range []string{
			"X-Sig", "X-Time", "X-Nonce", "Content-Digest", "Signature", "Signature-Input", "Authorization",
		} {
			if values := other.Requests()[0].Header[name]; values != nil {
				t.Errorf("%s: %q went to another origin", name, values)
			}
		}
	})
	bubble(t, "a token that was renewed after a 401 is signed anew", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(401, 200))
		renewing := source(func(_ context.Context, want auth.Want) (*auth.Token, error) {
			if want.Not.Reveal() == "token-1" {
				return &auth.Token{Value: secrets.Static("token-2")}, nil
			}
			return &auth.Token{Value: secrets.Static("token-1")}, nil
		})
		var tokens atomic.Int64
		bearer := auth.Bearer(source(func(ctx context.Context, want auth.Want) (*auth.Token, error) {
			if tokens.Add(1) > 1 { // the source keeps to the new one
				want.Not = secrets.Static("token-1")
			}
			return renewing(ctx, want)
		}))
		conn := connectTo(t, srv, auth.All(bearer, full(secrets.Static(appSecret))))
		if err := request.Post(conn, "/").Text("the body").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		requests := srv.Requests()
		if len(requests) != 2 || requests[1].Header.Get("Authorization") != "Bearer token-2" {
			t.Fatalf("requests %v", requests)
		}
		verifyFull(t, requests[0], appSecret)
		verifyFull(t, requests[1], appSecret)
	})
}

// source is an auth.TokenSource of a function.
type source func(context.Context, auth.Want) (*auth.Token, error)

func (s source) Token(ctx context.Context, want auth.Want) (*auth.Token, error) { return s(ctx, want) }

func TestBodies(t *testing.T) {
	t.Parallel()
	secret := secrets.Static(appSecret)
	long := strings.Repeat("a line of the report\n", 20_000)
	file := filepath.Join(t.TempDir(), "report.csv")
	if err := os.WriteFile(file, []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	stream := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(long)), nil }
	for _, tt := range []struct {
		name string
		body request.Body
		has  string
	}{
		{"none", nil, ""},
		{"empty", request.Text(""), ""},
		{"JSON", request.JSON(map[string]int{"n": 1}), `{"n":1}`},
		{"a form", request.Form(url.Values{"a": {"b c"}}), "a=b+c"},
		{"a file", request.File("text/csv", file), long},
		{"a stream without a length", request.Open("text/csv", -1, stream), long},
		{"a streaming multipart", request.Multipart().Field("note", "daily").File("report", file), long},
		{
			"a multipart without a length",
			request.Multipart().FileFrom("report", request.Open("text/csv", -1, stream)), long,
		},
	} {
		bubble(t, tt.name+" is signed and arrives unharmed, on each attempt", func(t *testing.T) {
			srv := connectiontest.NewServer(t, connectiontest.Sequence(connectiontest.Status(503), connectiontest.Status(200)))
			again := connection.WithRetry(connection.Retry{Max: 1, Wait: connection.Constant(time.Second)})
			b := request.Put(connectTo(t, srv, full(secret), again), "/x")
			if tt.body != nil {
				b = b.Body(tt.body)
			}
			if err := b.Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, got := range srv.Requests() {
				verifyFull(t, got, appSecret)
				if !strings.Contains(string(got.Body), tt.has) || tt.has == "" && len(got.Body) > 0 {
					t.Errorf("a body of %d bytes", len(got.Body))
				}
			}
			if n := len(srv.Requests()); n != 2 {
				t.Errorf("%d requests", n)
			}
		})
	}
	bubble(t, "a body that can be read only once is told, and not sent", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Status(200))
		conn := connectTo(t, srv, full(secret))
		err := request.Put(conn, "/x").Body(request.Once("text/plain", strings.NewReader("x"))).Exec(t.Context())
		wantError(t, "Exec", err, signing.ErrBodyOnce)
		if n := len(srv.Requests()); n != 0 {
			t.Errorf("%d requests", n)
		}
	})
	bubble(t, "a body that can be read only once is no matter where it is not signed", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Status(200))
		conn := connectTo(t, srv, signing.New(config(nil)))
		body := request.Once("text/plain", strings.NewReader("the body"))
		if err := request.Put(conn, "/x").Body(body).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := srv.Requests()[0]; string(got.Body) != "the body" || got.Header.Get("X-Sig") == "" {
			t.Errorf("got\n%s", got.Raw)
		}
	})
}

// config is a Config that works, changed.
func config(change func(cfg *signing.Config)) signing.Config {
	cfg := signing.Config{
		Secret:  secrets.Static(appSecret),
		Message: []signing.Part{signing.Method(), signing.Target()},
		Place:   []auth.PlaceOption{auth.InHeader("X-Sig")},
	}
	if change != nil {
		change(&cfg)
	}
	return cfg
}

// stubborn is a body whose Read waits until it is closed.
type stubborn struct{ closed chan struct{} }

func (s stubborn) Read([]byte) (int, error) { <-s.closed; return 0, os.ErrClosed }
func (s stubborn) Close() error             { close(s.closed); return nil }

// idle is a body that neither brings anything nor ends.
type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// wild is a body whose counts are impossible.
type wild struct{}

func (wild) Read(p []byte) (int, error) { return len(p) + 1, nil }

func TestBodyFaults(t *testing.T) {
	t.Parallel()
	withBody := func(t *testing.T, open func() (io.ReadCloser, error)) *http.Request {
		t.Helper()
		req := newRequest(t, "PUT", "https://api.test/", "placeholder")
		req.ContentLength, req.GetBody = -1, open
		return req
	}
	reader := func(r io.Reader) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(r), nil }
	}
	digest := config(func(cfg *signing.Config) { cfg.Digest = signing.ContentMD5() })
	whole := config(func(cfg *signing.Config) {
		cfg.Message, cfg.MaxBody = []signing.Part{signing.Body()}, 10
	})
	boom := errors.New("boom")
	for _, tt := range []struct {
		name string
		cfg  signing.Config
		open func() (io.ReadCloser, error)
		want error
	}{
		{"cannot be opened", digest, func() (io.ReadCloser, error) { return nil, boom }, boom},
		{"cannot be read", digest, reader(io.MultiReader(strings.NewReader("x"), failingReader{boom})), boom},
		{"neither brings anything nor ends", digest, reader(idle{}), io.ErrNoProgress},
		{"is longer than MaxBody", whole, reader(strings.NewReader("12345678901")), signing.ErrBodyTooLong},
		{"never ends", whole, reader(zeros{}), signing.ErrBodyTooLong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantError(t, "Authenticate", signing.New(tt.cfg).Authenticate(withBody(t, tt.open)), tt.want)
		})
	}
	t.Run("counts what cannot be", func(t *testing.T) {
		t.Parallel()
		if err := signing.New(digest).Authenticate(withBody(t, reader(wild{}))); err == nil {
			t.Error("no error")
		}
	})
	t.Run("is not there", func(t *testing.T) {
		t.Parallel()
		open := func() (io.ReadCloser, error) { return nil, nil } //nolint:nilnil // this is what is tested
		if err := signing.New(digest).Authenticate(withBody(t, open)); err == nil {
			t.Error("no error")
		}
	})
	t.Run("is declared longer than MaxBody, and not read", func(t *testing.T) {
		t.Parallel()
		req := withBody(t, func() (io.ReadCloser, error) { t.Error("it is opened"); return nil, boom })
		req.ContentLength = 11
		wantError(t, "Authenticate", signing.New(whole).Authenticate(req), signing.ErrBodyTooLong)
	})
	t.Run("is as long as MaxBody", func(t *testing.T) {
		t.Parallel()
		req := withBody(t, reader(strings.NewReader("1234567890")))
		if got := signed(t, signing.New(whole), req).Header.Get("X-Sig"); got != mac(appSecret, "1234567890") {
			t.Errorf("got %q", got)
		}
	})
	bubble(t, "a read that waits ends with the context", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		req := withBody(t, func() (io.ReadCloser, error) { return stubborn{make(chan struct{})}, nil })
		wantError(t, "Authenticate", signing.New(digest).Authenticate(req.WithContext(ctx)), context.DeadlineExceeded)
	})
	bubble(t, "a read without an end ends with the context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		endless := readerFunc(func(p []byte) (int, error) {
			n++
			if n == 100 {
				cancel()
			}
			return len(p), nil
		})
		err := signing.New(digest).Authenticate(withBody(t, reader(endless)).WithContext(ctx))
		wantError(t, "Authenticate", err, context.Canceled)
		if n != 100 {
			t.Errorf("%d reads", n)
		}
	})
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// zeros is a body without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestDigestOfAStream is not parallel: it counts what is allocated.
func TestDigestOfAStream(t *testing.T) { //nolint:paralleltest // see above
	const size = 32 << 20
	opened, closed := 0, 0
	req := newRequest(t, "PUT", "https://api.test/", "placeholder")
	req.ContentLength = size
	req.GetBody = func() (io.ReadCloser, error) {
		opened++
		return &counted{Reader: io.LimitReader(zeros{}, size), closed: &closed}, nil
	}
	a := signing.New(config(func(cfg *signing.Config) {
		cfg.Digest = signing.DigestIn("X-Sum", signing.SHA256, signing.UpperHex)
		cfg.Message = []signing.Part{signing.BodyDigest(signing.SHA256, signing.Hex), signing.Header("x-sum")}
	}))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	signed(t, a, req)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes allocated", n)
	}
	h := sha256.New()
	_, _ = io.Copy(h, io.LimitReader(zeros{}, size))
	sum := strings.ToUpper(hexOf(h.Sum(nil)))
	if req.Header.Get("X-Sum") != sum || req.Header.Get("X-Sig") != mac(appSecret, strings.ToLower(sum)+sum) {
		t.Errorf("headers %v", req.Header)
	}
	if opened != 1 || closed != 1 {
		t.Errorf("opened %d and closed %d times, want once", opened, closed)
	}
}

type counted struct {
	io.Reader
	closed *int
}

func (c *counted) Close() error { *c.closed++; return nil }

func hexOf(b []byte) string {
	var text bytes.Buffer
	for _, c := range b {
		text.WriteString(strconv.FormatInt(int64(c)+0x100, 16)[1:])
	}
	return text.String()
}

// wantError checks that err is want in an [*auth.Error] of this package, without a secret.
func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	e, ok := errors.AsType[*auth.Error](err)
	if !ok || e.Scheme != "signing" || !errors.Is(err, want) {
		t.Errorf("%s: %#v, want %v in an *auth.Error with scheme signing", what, err, want)
	}
	if err != nil && strings.Contains(err.Error(), appSecret) {
		t.Errorf("%s: the error holds the secret: %v", what, err)
	}
}
