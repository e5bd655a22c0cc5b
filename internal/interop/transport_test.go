package interop_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/interop/pki"
	"github.com/restconn/restconn/internal/interop/servers"
	"github.com/restconn/restconn/internal/sendonce"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

func TestTrust(t *testing.T) {
	t.Parallel()
	s, ca := server(t, servers.Nginx), certificates(t).CA.PEM
	direct := connection.WithProxy(connection.Proxy{Mode: connection.ProxyNone})
	t.Run("K-10 without the authority", func(t *testing.T) {
		t.Parallel()
		conn := opened(t, s.URL, direct)
		wants[x509.UnknownAuthorityError](t, fails(t, request.Get(conn, "/echo")))
	})
	t.Run("K-10 WithTrustedCA, over HTTP/2", func(t *testing.T) {
		t.Parallel()
		conn := opened(t, s.URL, direct, connection.WithTrustedCA(ca))
		if got := seen(t, request.Get(conn, "/echo")); got.Protocol != "HTTP/2.0" || got.TLS != "TLSv1.3" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("K-10 WithTrustedCAOnly", func(t *testing.T) {
		t.Parallel()
		conn := opened(t, s.URL, direct, connection.WithTrustedCAOnly(ca))
		seen(t, request.Get(conn, "/echo"))
		conn = opened(t, s.URL, direct, connection.WithTrustedCAOnly(certificates(t).OtherCA.PEM))
		wants[x509.UnknownAuthorityError](t, fails(t, request.Get(conn, "/echo")))
	})
	t.Run("K-11 plain http beside WithTrustedCA", func(t *testing.T) {
		t.Parallel()
		conn := opened(t, s.At[servers.Plain], direct, connection.WithTrustedCA(ca))
		if got := seen(t, request.Get(conn, "/echo")); got.Protocol != "HTTP/1.1" || got.TLS != "" {
			t.Errorf("%+v", got)
		}
	})
}

// TestBadCertificates counts connections: a certificate does not get better by asking again.
func TestBadCertificates(t *testing.T) {
	t.Parallel()
	s := server(t, servers.Nginx)
	for role, check := range map[string]func(t *testing.T, err error){
		servers.WrongHost: func(t *testing.T, err error) { t.Helper(); wants[x509.HostnameError](t, err) },
		servers.Untrusted: func(t *testing.T, err error) { t.Helper(); wants[x509.UnknownAuthorityError](t, err) },
		servers.Expired: func(t *testing.T, err error) {
			t.Helper()
			if invalid := as[x509.CertificateInvalidError](t, err); invalid.Reason != x509.Expired {
				t.Errorf("%v", invalid)
			}
		},
	} {
		t.Run("B1 "+role, func(t *testing.T) {
			t.Parallel()
			l, base := link(t, s.At[role])
			conn := dialing(t, base, threeTimes())
			err := fails(t, request.Get(conn, "/echo").Query("token", "secret-in-the-query"))
			check(t, err)
			if !as[*connection.TransportError](t, err).Unsent || strings.Contains(err.Error(), "secret-in-the-query") {
				t.Errorf("%v", err)
			}
			if l.Accepted() != 1 {
				t.Errorf("%d connections", l.Accepted())
			}
			// What WithInsecureSkipVerify lets through is one request, and no other one on its connection.
			seen(t, request.Get(conn, "/echo").InsecureSkipVerify())
			check(t, fails(t, request.Get(conn, "/echo")))
		})
	}
}

func TestHTTPVersions(t *testing.T) {
	t.Parallel()
	s := server(t, servers.Nginx)
	for _, tt := range []struct {
		name, role string
		version    connection.HTTPVersion
		want       string
	}{
		{"HTTP2Preferred", servers.TLS, connection.HTTP2Preferred, "HTTP/2.0"},
		{"HTTP2Preferred falls back", servers.TLS11, connection.HTTP2Preferred, "HTTP/1.1"},
		{"HTTP11", servers.TLS, connection.HTTP11, "HTTP/1.1"},
		{"HTTP2Required", servers.TLS, connection.HTTP2Required, "HTTP/2.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn := dialing(t, s.At[tt.role], connection.WithHTTPVersion(tt.version))
			if got := seen(t, request.Get(conn, "/echo")); got.Protocol != tt.want {
				t.Errorf("%s", got.Protocol)
			}
		})
	}
	t.Run("HTTP2Required of a server without HTTP/2", func(t *testing.T) {
		t.Parallel()
		l, base := link(t, s.At[servers.TLS11])
		conn := dialing(t, base, connection.WithHTTPVersion(connection.HTTP2Required), threeTimes())
		b, id := marked(request.Post(conn, "/echo").JSON(1))
		if err := fails(t, b); !errors.Is(err, connection.ErrNoHTTP2) {
			t.Error(err)
		}
		wantRequests(t, s, id, 0)
		if l.Accepted() != 1 {
			t.Errorf("%d connections", l.Accepted())
		}
	})
	t.Run("B10 a server of TLS 1.1", func(t *testing.T) {
		t.Parallel()
		target := s.At[servers.OldTLS]
		old := plainClient(t, func(tr *http.Transport) { tr.TLSClientConfig.MinVersion = tls.VersionTLS10 })
		if got := echo(t, wantStatus(t, 200, old, target+"/echo").body); got.TLS != "TLSv1.1" {
			t.Fatalf("the server speaks %s", got.TLS)
		}
		for _, options := range [][]connection.Option{nil, {connection.WithInsecureSkipVerify()}} {
			b, id := marked(request.Get(dialing(t, target, options...), "/echo"))
			if err := fails(t, b); !as[*connection.TransportError](t, err).Unsent || !strings.Contains(err.Error(), "version") {
				t.Error(err)
			}
			wantRequests(t, s, id, 0)
		}
	})
}

func TestPinnedKeys(t *testing.T) {
	t.Parallel()
	s, certs := server(t, servers.Nginx), certificates(t)
	good, ca, bad := connection.PinOf(certs.Server.Certificate), connection.PinOf(certs.CA.Certificate),
		connection.PinOf(certs.OtherCA.Certificate)
	untrusted := connection.PinOf(certs.Untrusted.Certificate)
	insecure := connection.WithInsecureSkipVerify()
	for _, tt := range []struct {
		name, role string
		shown      string // what a PinError says; "" for success
		options    []connection.Option
	}{
		{"one pin", servers.TLS, "", []connection.Option{connection.WithPinnedKeys(good)}},
		{"a backup beside a pin", servers.TLS, "", []connection.Option{connection.WithPinnedKeys(bad, good)}},
		{"the pin of the authority", servers.TLS, "", []connection.Option{connection.WithPinnedKeys(ca)}},
		{"none that fits", servers.TLS, good, []connection.Option{connection.WithPinnedKeys(bad)}},
		{"unverified", servers.Untrusted, "", []connection.Option{insecure, connection.WithPinnedKeys(untrusted)}},
		{"unverified, none that fits", servers.Untrusted, untrusted, []connection.Option{
			insecure, connection.WithPinnedKeys(good),
		}},
		{"unverified, the pin of what nobody has verified", servers.TLS, good, []connection.Option{
			insecure, connection.WithPinnedKeys(ca),
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, id := marked(request.Post(dialing(t, s.At[tt.role], tt.options...), "/echo").JSON(1))
			if tt.shown == "" {
				seen(t, b)
				return
			}
			if got := as[*connection.PinError](t, fails(t, b)); got.Shown != tt.shown {
				t.Errorf("%+v", got)
			}
			wantRequests(t, s, id, 0)
		})
	}
}

// TestGoodbyes sends POSTs to a server that says goodbye after every second request of a connection. Eight goroutines
// are more than a connection serves, so that most requests have to look for another one, again and again.
func TestGoodbyes(t *testing.T) {
	t.Parallel()
	s := server(t, servers.Nginx)
	for _, tt := range []struct {
		name    string
		version connection.HTTPVersion
		body    bool
	}{
		{"HTTP 2", connection.HTTP2Preferred, true}, {"HTTP 2 without a body", connection.HTTP2Preferred, false},
		{"HTTP 1.1", connection.HTTP11, true}, {"HTTP 1.1 without a body", connection.HTTP11, false},
	} {
		t.Run("J8 "+tt.name, func(t *testing.T) {
			t.Parallel()
			conn := dialing(t, s.At[servers.Brief], connection.WithHTTPVersion(tt.version),
				connection.WithRetry(connection.Retry{Max: 20, Wait: connection.FullJitter(5*time.Millisecond, time.Second)}))
			const goroutines, posts = 8, 50
			var next, given atomic.Int64
			var ids sync.Map
			var all sync.WaitGroup
			for range goroutines {
				all.Go(func() {
					for next.Add(1) <= posts {
						b, id := marked(request.Post(conn, "/echo"))
						if tt.body {
							b = b.JSON(id)
						}
						ids.Store(id, true)
						err := b.Exec(within(t, time.Minute))
						if errors.Is(err, sendonce.ErrResend) && !tt.body {
							given.Add(1) // net/http does not tell whether the server has processed it
						} else if err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			t.Logf("%d were given up", given.Load())
			wantEachOnce(t, s, &ids, posts-int(given.Load()))
		})
	}
}

// wantEachOnce wants that nginx has seen n requests or more, and none of them twice.
func wantEachOnce(t *testing.T, s *servers.Server, ids *sync.Map, n int) {
	t.Helper()
	var count, connections map[string]int
	eventually(t, "nginx is done with all requests", func() bool {
		requests(t, s, "")
		log, err := s.Seen()
		if err != nil {
			t.Fatal(err)
		}
		count, connections = map[string]int{}, map[string]int{}
		for _, r := range log {
			if _, ok := ids.Load(r.ID); ok {
				count[r.ID]++
				connections[r.Connection]++
			}
		}
		return len(count) >= n
	})
	for id, times := range count {
		if times != 1 {
			t.Errorf("nginx has seen request %s %d times", id, times)
		}
	}
	for number, requests := range connections {
		if requests > 2 {
			t.Errorf("connection %s had %d requests", number, requests)
		}
	}
}

// TestDrops is about a server that ends the stream, or the connection, without an answer.
func TestDrops(t *testing.T) {
	t.Parallel()
	s := server(t, servers.Nginx)
	for _, role := range []string{servers.TLS, servers.TLS11, servers.Plain} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			conn := dialing(t, s.At[role])
			for name, b := range map[string]request.Builder{
				"POST with a body": request.Post(conn, "/drop").JSON(1), "POST": request.Post(conn, "/drop"),
			} {
				b, id := marked(b)
				if as[*connection.TransportError](t, fails(t, b)).Unsent {
					t.Errorf("%s is said not to be sent", name)
				}
				wantRequests(t, s, id, 1)
			}
			b, id := marked(request.Get(dialing(t, s.At[role]), "/drop"))
			_ = fails(t, b)
			if n := len(requests(t, s, id)); n < 1 || n > 32 {
				t.Errorf("a GET was sent %d times", n)
			}
			b, id = marked(request.Post(dialing(t, s.At[role], threeTimes()), "/drop").JSON(1))
			_ = fails(t, b)
			wantRequests(t, s, id, 1)
			b, id = marked(request.Post(dialing(t, s.At[role], threeTimes()), "/drop").JSON(1).Idempotent())
			_ = fails(t, b)
			if n := len(requests(t, s, id)); n < 4 || n > 128 {
				t.Errorf("an idempotent POST with three retries was sent %d times", n)
			}
		})
	}
}

func TestBusy(t *testing.T) {
	t.Parallel()
	s := server(t, servers.Nginx)
	on := connection.OnAny(connection.OnServerErrors(), connection.OnStatus(429))
	for path, status := range map[string]int{"/busy": 503, "/tooMany": 429} {
		t.Run("Retry-After of "+path, func(t *testing.T) {
			t.Parallel()
			conn := dialing(t, s.URL, connection.WithRetry(connection.Retry{Max: 1, On: on}))
			_, id := marked(request.Get(conn, path))
			target, err := url.Parse(s.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			x, err := conn.Send(within(t, time.Minute), connection.Call{
				Method: http.MethodGet, URL: *target, Header: []connection.Field{{Name: "X-Id", Value: id}},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			h := x.History()
			if len(h) != 2 || h[0].Status != status || h[0].Wait < time.Second || x.Response.StatusCode != status {
				t.Errorf("%v", h)
			}
			wantRequests(t, s, id, 2)
		})
		t.Run("D10 the budget at "+path, func(t *testing.T) {
			t.Parallel()
			conn := dialing(t, s.URL, connection.WithRetryBudget(connection.RetryBudget{Tokens: 20, Cost: 5}),
				connection.WithRetry(connection.Retry{Max: 3, On: on, IgnoreRetryAfter: true}))
			b, id := marked(request.Get(conn, path))
			for range 10 {
				wantResponse(t, fails(t, b), status)
			}
			wantRequests(t, s, id, 10+20/5)
		})
	}
	t.Run("429 that passes", func(t *testing.T) {
		t.Parallel()
		conn := dialing(t, s.URL)
		b, id := marked(request.Get(conn, "/limited"))
		b = b.Query("key", id)
		if err := b.Exec(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		wantResponse(t, fails(t, b), 429)
		wantRequests(t, s, id, 2)
	})
}

func TestBodies(t *testing.T) {
	t.Parallel()
	s := server(t, servers.Nginx)
	for _, role := range []string{servers.TLS, servers.TLS11, servers.Plain} {
		t.Run("gzip at "+role, func(t *testing.T) {
			t.Parallel()
			l, base := link(t, s.At[role])
			l.Set(servers.Weather{Cut: true, After: 20_000}) // no more than that comes, so it was compressed
			text, err := request.Do[string](within(t, time.Minute), request.Get(dialing(t, base), "/files/big.txt"))
			if err != nil || len(text) != 60_000 {
				t.Errorf("%d bytes, %v", len(text), err)
			}
		})
	}
	t.Run("a slow body, a stream", func(t *testing.T) {
		t.Parallel()
		limits := connection.WithTimeouts(connection.Timeouts{Attempt: time.Second, Idle: 20 * time.Second})
		resp, err := request.Get(dialing(t, s.URL, limits), "/slow/big.txt").Stream(within(t, time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != 60_000 {
			t.Errorf("%d bytes, %v: the idle limit rules a stream, and not that of the attempt", n, err)
		}
	})
	t.Run("a slow body, decoded", func(t *testing.T) {
		t.Parallel()
		limits := connection.WithTimeouts(connection.Timeouts{Attempt: time.Second, Idle: 20 * time.Second})
		b, id := marked(request.Get(dialing(t, s.URL, limits, threeTimes()), "/slow/big.txt"))
		_, err := request.Do[string](within(t, time.Minute), b)
		wantTimeout(t, err, connection.PhaseAttempt)
		wantRequests(t, s, id, 1)
	})
	t.Run("a body that stops", func(t *testing.T) {
		t.Parallel()
		for _, role := range []string{servers.TLS, servers.Plain} {
			l, base := link(t, s.At[role])
			limits := connection.WithTimeouts(connection.Timeouts{Idle: 300 * time.Millisecond})
			resp, err := request.Get(dialing(t, base, limits), "/slow/big.txt").Stream(within(t, time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			l.Set(servers.Weather{Mute: true})
			_, err = io.Copy(io.Discard, resp.Body)
			wantTimeout(t, err, connection.PhaseIdle)
			_ = resp.Body.Close()
		}
	})
}

// TestTooLarge uploads what a server refuses before it has read it.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := server(t, servers.Nginx)
	big := bytes.Repeat([]byte("u"), 8<<20)
	for _, role := range []string{servers.TLS, servers.TLS11, servers.Plain} {
		for _, size := range []int64{int64(len(big)), -1} {
			name := "D19 413 while uploading to " + role
			if size < 0 {
				name += ", length unknown"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				conn := dialing(t, s.At[role], threeTimes())
				var opened atomic.Int64
				body := request.Open("text/plain", size, func() (io.ReadCloser, error) {
					opened.Add(1)
					return io.NopCloser(bytes.NewReader(big)), nil
				})
				b, id := marked(request.Post(conn, "/upload").Body(body))
				wantResponse(t, fails(t, b), 413)
				if opened.Load() != 1 {
					t.Errorf("the body was opened %d times", opened.Load())
				}
				got := wantRequests(t, s, id, 1)
				if got[0].Status != "413" {
					t.Fatalf("nginx has seen %+v", got)
				}
				next := seen(t, request.Get(conn, "/echo"))
				if role != servers.TLS && next.Connection == got[0].Connection {
					t.Error("the connection with a broken upload is used again")
				}
			})
		}
	}
}

// TestForeignOrigin follows a redirect to another port, which is another origin.
func TestForeignOrigin(t *testing.T) {
	t.Parallel()
	s, client := server(t, servers.Nginx), pair(t, certificates(t).Client)
	options := []connection.Option{
		connection.WithClientCertificate(connection.StaticCertificate(client)),
		connection.WithAuth(auth.Basic("user", secrets.Static("password"))),
		connection.WithHeader("X-Api-Key", "key"),
	}
	t.Run("A6 at home", func(t *testing.T) {
		t.Parallel()
		for _, role := range []string{servers.MTLS, servers.Other} {
			got := seen(t, request.Get(dialing(t, s.At[role], options...), "/echo").Header("Cookie", "a=b"))
			if got.Client != "SUCCESS" || got.Authorization == "" || got.Key != "key" || got.Cookie != "a=b" {
				t.Errorf("%s: %+v", role, got)
			}
		}
	})
	for _, role := range []string{servers.MTLS, servers.TLS, servers.TLS11, servers.Plain} {
		t.Run("A6 redirected from "+role, func(t *testing.T) {
			t.Parallel()
			b, id := marked(request.Get(dialing(t, s.At[role], options...), "/redirect").Header("Cookie", "a=b"))
			got := seen(t, b)
			if "127.0.0.1:"+got.Port != host(t, s.At[servers.Other]) {
				t.Fatalf("the redirect was not followed: %+v", got)
			}
			if got.Client != "NONE" || got.Subject != "" || got.Authorization+got.Key+got.Cookie+got.ProxyAuthorization != "" {
				t.Errorf("the other origin got %+v", got)
			}
			wantRequests(t, s, id, 1) // X-Id stays at home as well
		})
	}
	t.Run("A6 a trusted origin", func(t *testing.T) {
		t.Parallel()
		conn := dialing(t, s.URL, append(options, connection.WithTrustedOrigins(s.At[servers.Other]))...)
		if got := seen(t, request.Get(conn, "/redirect")); got.Client != "SUCCESS" || got.Key != "key" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("from https to http", func(t *testing.T) {
		t.Parallel()
		b, id := marked(request.Get(dialing(t, s.URL, options...), "/redirectPlain"))
		wants[*connection.RedirectError](t, fails(t, b))
		wantRequests(t, s, id, 1)
	})
	t.Run("with a body", func(t *testing.T) {
		t.Parallel()
		b, id := marked(request.Post(dialing(t, s.URL, options...), "/redirect").JSON(1))
		wants[*connection.RedirectError](t, fails(t, b))
		wantRequests(t, s, id, 1)
	})
}

// pair returns what crypto/tls takes.
func pair(t *testing.T, p *pki.Pair) tls.Certificate {
	t.Helper()
	cert, err := p.TLS()
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// TestBasicAuth asks for a file that wants user and password.
func TestBasicAuth(t *testing.T) {
	t.Parallel()
	s := server(t, servers.Nginx)
	conn := dialing(t, s.URL, connection.WithAuth(auth.Basic(s.User, secrets.Static(s.Password))))
	if _, err := request.Do[json.RawMessage](within(t, time.Minute), request.Get(conn, "/basic/a.json")); err != nil {
		t.Error(err)
	}
	wrong := dialing(t, s.URL, connection.WithAuth(auth.Basic(s.User, secrets.Static("no"))))
	wantResponse(t, fails(t, request.Get(wrong, "/basic/a.json")), 401)
}
