package connectiontest_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/connection/connectiontest"
)

var hello = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %s", r.Method, r.URL)
})

// client returns a client of n's own transport.
func client(n *connectiontest.Network) *http.Client { return &http.Client{Transport: n.Transport()} }

// fetch sends a request and returns the answer and its body.
func fetch(t *testing.T, c *http.Client, method, target string, body io.Reader) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(data)
}

func TestServe(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{
		"https://api.example.test",
		"https://api.example.test:8443",
		"http://api.example.test",
		"http://api.example.test:8080",
		"http://127.0.0.1:9",
		"https://127.0.0.1",
		"https://[::1]:8443",
		"https://API.example.test/",
	} {
		t.Run(origin, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			srv := n.Serve(origin, hello)
			resp, body := fetch(t, client(n), "GET", srv.URL+"/v1?a=b", nil)
			if got, want := body, "GET /v1?a=b"; got != want {
				t.Errorf("body = %q, want %q", got, want)
			}
			if got, want := resp.TLS != nil, strings.HasPrefix(srv.URL, "https:"); got != want {
				t.Errorf("answer over TLS: %t, want %t", got, want)
			}
			if got, want := srv.Requests()[0].TLS, strings.HasPrefix(srv.URL, "https:"); got != want {
				t.Errorf("Request.TLS = %t, want %t", got, want)
			}
		})
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, connectiontest.Status(204))
	c := client(srv.Network())
	post := func(body io.Reader) {
		req, err := http.NewRequestWithContext(t.Context(), "POST", srv.URL+"/v1/users?x=%20y", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("User-Agent", "test")
		req.Header.Set("Accept-Encoding", "identity")
		req.Header.Set("X-Trace", "1")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	post(strings.NewReader(`{"name":"Ada"}`))
	post(io.MultiReader(strings.NewReader("one"), strings.NewReader("two")))
	post(nil)

	want := []connectiontest.Request{{
		Raw: "POST /v1/users?x=%20y HTTP/1.1\r\nHost: api.example.test\r\nUser-Agent: test\r\nContent-Length: 14\r\n" +
			"Accept-Encoding: identity\r\nX-Trace: 1\r\n\r\n" + `{"name":"Ada"}`,
		Method: "POST", Target: "/v1/users?x=%20y", Proto: "HTTP/1.1", Host: "api.example.test",
		Header: http.Header{
			"User-Agent": {"test"}, "Content-Length": {"14"}, "Accept-Encoding": {"identity"}, "X-Trace": {"1"},
		},
		Body: []byte(`{"name":"Ada"}`), TLS: true, Conn: 1,
	}, {
		Raw: "POST /v1/users?x=%20y HTTP/1.1\r\nHost: api.example.test\r\nUser-Agent: test\r\n" +
			"Transfer-Encoding: chunked\r\nAccept-Encoding: identity\r\nX-Trace: 1\r\n\r\n" +
			"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n",
		Method: "POST", Target: "/v1/users?x=%20y", Proto: "HTTP/1.1", Host: "api.example.test",
		Header: http.Header{
			"User-Agent": {"test"}, "Transfer-Encoding": {"chunked"}, "Accept-Encoding": {"identity"}, "X-Trace": {"1"},
		},
		Body: []byte("onetwo"), TLS: true, Conn: 1,
	}, {
		Raw: "POST /v1/users?x=%20y HTTP/1.1\r\nHost: api.example.test\r\nUser-Agent: test\r\nContent-Length: 0\r\n" +
			"Accept-Encoding: identity\r\nX-Trace: 1\r\n\r\n",
		Method: "POST", Target: "/v1/users?x=%20y", Proto: "HTTP/1.1", Host: "api.example.test",
		Header: http.Header{
			"User-Agent": {"test"}, "Content-Length": {"0"}, "Accept-Encoding": {"identity"}, "X-Trace": {"1"},
		},
		TLS: true, Conn: 1,
	}}
	if diff := cmp.Diff(want, srv.Requests()); diff != "" {
		t.Errorf("Requests (-want +got):\n%s", diff)
	}
}

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, hello)
	c := client(srv.Network())
	for range 10 {
		fetch(t, c, "GET", srv.URL, nil)
	}
	if got, want := srv.Conns(), 1; got != want {
		t.Errorf("Conns = %d, want %d", got, want)
	}
	if got, want := srv.OpenConns(), 1; got != want {
		t.Errorf("OpenConns = %d, want %d", got, want)
	}
	c.CloseIdleConnections()
	if got, want := srv.OpenConns(), 0; got != want {
		t.Errorf("OpenConns after CloseIdleConnections = %d, want %d", got, want)
	}
	fetch(t, c, "GET", srv.URL, nil)
	if got, want := srv.Conns(), 2; got != want {
		t.Errorf("Conns = %d, want %d", got, want)
	}
	if got, want := srv.Requests()[10].Conn, 2; got != want {
		t.Errorf("Conn of the last request = %d, want %d", got, want)
	}
}

func TestHTTP2(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	srv := n.ServeH2("https://api.example.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil {
			t.Error("Request.TLS is nil")
		}
		_, _ = io.Copy(w, r.Body)
	}))
	c := client(n)
	big := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			resp, err := c.Post(srv.URL+"/x", "text/plain", strings.NewReader(big))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || string(body) != big || resp.Proto != "HTTP/2.0" {
				t.Errorf("answer: %s, %d bytes, %v; want HTTP/2.0, %d bytes", resp.Proto, len(body), err, len(big))
			}
		})
	}
	wg.Wait()
	for _, r := range srv.Requests() {
		head, body, _ := strings.Cut(r.Raw, "\r\n\r\n")
		if body != big || string(r.Body) != big || r.Proto != "HTTP/2.0" || r.Method != "POST" || r.Target != "/x" {
			t.Errorf("request: %s %s, %d and %d bytes", r.Method, r.Target, len(body), len(r.Body))
		}
		if !strings.HasPrefix(head, "POST /x HTTP/2.0\r\nHost: api.example.test\r\n") {
			t.Errorf("head = %q", head)
		}
	}
	if got := srv.Requests()[0].Header.Get("Content-Type"); got != "text/plain" {
		t.Errorf("Content-Type = %q", got)
	}

	// A client that does not offer HTTP/2 gets HTTP/1.1.
	old := n.Transport()
	old.ForceAttemptHTTP2 = false
	if resp, _ := fetch(t, &http.Client{Transport: old}, "GET", srv.URL, nil); resp.Proto != "HTTP/1.1" {
		t.Errorf("Proto = %s, want HTTP/1.1", resp.Proto)
	}
}

func TestHTTP2WithoutTLS(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	srv := n.ServeH2("http://api.example.test", hello)
	tr := n.Transport()
	tr.Protocols = new(http.Protocols)
	tr.Protocols.SetUnencryptedHTTP2(true)
	if resp, _ := fetch(t, &http.Client{Transport: tr}, "GET", srv.URL, nil); resp.Proto != "HTTP/2.0" {
		t.Errorf("Proto = %s, want HTTP/2.0", resp.Proto)
	}
	if resp, _ := fetch(t, client(n), "GET", srv.URL, nil); resp.Proto != "HTTP/1.1" {
		t.Errorf("Proto = %s, want HTTP/1.1", resp.Proto)
	}
	if got := len(srv.Requests()); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
}

func TestLargeBodies(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(data)
	})
	big := bytes.Repeat([]byte("0123456789abcdef"), 10<<16)
	for origin, body := range map[string]io.Reader{
		"http://plain.test":   io.MultiReader(bytes.NewReader(big)), // chunked
		"https://secure.test": bytes.NewReader(big),
	} {
		srv := n.Serve(origin, echo)
		if _, got := fetch(t, client(n), "PUT", srv.URL, body); got != string(big) {
			t.Errorf("%s: the answer has %d bytes, want %d", origin, len(got), len(big))
		}
		for i, r := range srv.Requests() {
			if !bytes.Equal(r.Body, big) {
				t.Errorf("%s: body %d has %d bytes, want %d", origin, i, len(r.Body), len(big))
			}
		}
	}
}

func TestUnknownAddress(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	n.Serve("https://api.example.test", hello)
	for _, url := range []string{
		"https://other.example.test", "http://api.example.test", "https://api.example.test:8443", "http://localhost:8080",
	} {
		_, err := client(n).Get(url)
		op, ok := errors.AsType[*net.OpError](err)
		if !ok || op.Op != "dial" || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: %v, want a *net.OpError with ECONNREFUSED", url, err)
		}
	}
	if _, err := n.Dial(t.Context(), "udp", "api.example.test:443"); !errors.As(err, new(net.UnknownNetworkError)) {
		t.Errorf("Dial udp: %v, want a net.UnknownNetworkError", err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := connectiontest.NewServer(t, hello)
		c := client(srv.Network())
		get := func(timeout time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, "POST", srv.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := c.Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			_, err = io.Copy(io.Discard, resp.Body)
			return err
		}

		srv.Refuse()
		if err := get(time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Refuse: %v, want ECONNREFUSED", err)
		}
		srv.Hang()
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := srv.Network().Dial(ctx, "tcp", "api.example.test:443")
		if op, ok := errors.AsType[*net.OpError](err); !ok || !op.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Hang: %v, want a *net.OpError with a deadline", err)
		}
		if got := time.Since(start); got != time.Minute {
			t.Errorf("Hang: the dial took %v, want 1m", got)
		}
		time.AfterFunc(20*time.Second, srv.Up)
		if err := get(time.Minute); err != nil {
			t.Errorf("Hang and Up: %v", err)
		}
		srv.Refuse()
		if err := get(time.Second); err != nil {
			t.Errorf("Refuse, on an open connection: %v", err)
		}
		if got := srv.OpenConns(); got != 1 {
			t.Errorf("OpenConns = %d, want 1", got)
		}
		srv.Down()
		if got := srv.OpenConns(); got != 0 {
			t.Errorf("OpenConns after Down = %d, want 0", got)
		}
		synctest.Wait() // the client sees the reset
		if err := get(time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Down: %v, want ECONNREFUSED", err)
		}
		srv.Up()
		if err := get(time.Second); err != nil {
			t.Errorf("Up: %v", err)
		}
		srv.Close()
		if err := get(time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Close: %v, want ECONNREFUSED", err)
		}
		if got := len(srv.Requests()); got != 3 {
			t.Errorf("%d requests, want 3", got)
		}
		srv.Network().Serve(srv.URL, hello)
		if err := get(time.Second); err != nil {
			t.Errorf("a new server in its place: %v", err)
		}
	})
}

func TestVirtualTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(30 * time.Second)
			_, _ = io.WriteString(w, "late")
		})
		for _, srv := range []*connectiontest.Server{
			n.Serve("http://plain.test", slow),
			n.Serve("https://secure.test", slow),
			n.ServeH2("https://two.test", slow),
		} {
			start := time.Now()
			if _, body := fetch(t, client(n), "GET", srv.URL, nil); body != "late" {
				t.Errorf("%s: body = %q", srv.URL, body)
			}
			if got := time.Since(start); got != 30*time.Second {
				t.Errorf("%s: took %v, want 30s", srv.URL, got)
			}

			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			req, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			start = time.Now()
			if _, err := client(n).Do(req); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v, want a deadline", srv.URL, err)
			}
			if got := time.Since(start); got != 10*time.Second {
				t.Errorf("%s: gave up after %v, want 10s", srv.URL, got)
			}
			cancel()
		}
		// The end of the test finds handlers asleep, and waits for them in virtual time.
	})
}

func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := connectiontest.NewServer(t, hello)
		tr := srv.Network().Transport()
		tr.IdleConnTimeout = time.Minute
		c := &http.Client{Transport: tr}
		fetch(t, c, "GET", srv.URL, nil)
		time.Sleep(59 * time.Second)
		if got := srv.OpenConns(); got != 1 {
			t.Errorf("OpenConns after 59s = %d, want 1", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := srv.OpenConns(); got != 0 {
			t.Errorf("OpenConns after 61s = %d, want 0", got)
		}
	})
}

func TestDisconnectEndsHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		wait := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		for _, srv := range []*connectiontest.Server{
			n.Serve("http://plain.test", wait), n.Serve("https://secure.test", wait), n.ServeH2("https://two.test", wait),
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			req, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client(n).Do(req); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, want a deadline", err)
			}
			cancel()
		}
	})
}

// An answer that comes before the body is sent ends the upload; the answer is not lost.
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	early := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = io.WriteString(w, "too large")
	})
	big := strings.Repeat("x", 10<<20)
	synctest.Test(t, func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		for _, srv := range []*connectiontest.Server{
			n.Serve("http://plain.test", early), n.Serve("https://secure.test", early), n.ServeH2("https://two.test", early),
		} {
			resp, body := fetch(t, client(n), "POST", srv.URL, strings.NewReader(big))
			if resp.StatusCode != http.StatusRequestEntityTooLarge || body != "too large" {
				t.Errorf("%s: %d %q", srv.URL, resp.StatusCode, body)
			}
			r := srv.Requests()[0]
			if len(r.Body) >= len(big) || !strings.HasPrefix(r.Raw, "POST / HTTP/") {
				t.Errorf("%s: the record has %d bytes of body", srv.URL, len(r.Body))
			}
		}
	})
}

func TestRaw(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	answer := func(c net.Conn, s string) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(c, s)
	}
	cut := n.ServeRaw("https://cut.test", func(c net.Conn) {
		answer(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
	})
	resp, err := client(n).Post(cut.URL+"/a", "text/plain", strings.NewReader("question"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if data, err := io.ReadAll(resp.Body); string(data) != "short" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("body: %q, %v; want short and io.ErrUnexpectedEOF", data, err)
	}
	got := cut.Requests()
	if len(got) != 1 || got[0].Target != "/a" || string(got[0].Body) != "question" || cut.Conns() != 1 {
		t.Errorf("requests: %v, conns: %d", got, cut.Conns())
	}

	odd := n.ServeRaw("http://odd.test", func(c net.Conn) { answer(c, "SMTP ready\r\n") })
	if _, err := client(n).Get(odd.URL); err == nil || !strings.Contains(err.Error(), "malformed HTTP") {
		t.Errorf("malformed answer: %v", err)
	}

	for _, origin := range []string{"http://reset.test", "https://reset.test"} {
		srv := n.ServeRaw(origin, func(c net.Conn) {
			answer(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
			if err := connectiontest.Reset(c); err != nil {
				t.Error(err)
			}
		})
		resp, err := client(n).Get(srv.URL)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %v, want ECONNRESET", origin, err)
		}
	}
}

func TestCloseInFlight(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	started := make(chan struct{}, 10)
	wait := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-r.Context().Done()
	})
	stuck := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		_, _ = io.Copy(io.Discard, r.Body)
	})
	pending, hold := io.Pipe()
	defer func() { _ = hold.Close() }()
	var wg sync.WaitGroup
	for _, srv := range []*connectiontest.Server{
		n.Serve("http://plain.test", wait), n.Serve("https://secure.test", wait), n.ServeH2("https://two.test", wait),
		n.Serve("http://stuck.test", stuck), n.ServeH2("https://stuck.test", stuck),
		n.ServeRaw("http://raw.test", func(c net.Conn) {
			started <- struct{}{}
			_, _ = io.Copy(io.Discard, c)
		}),
	} {
		wg.Go(func() {
			resp, err := client(n).Post(srv.URL, "text/plain", pending)
			if err == nil {
				resp.Body.Close()
				t.Errorf("%s: %s, want an error", srv.URL, resp.Status)
			}
		})
		<-started
	}
	hanging := n.Serve("http://hang.test", hello)
	hanging.Hang()
	wg.Go(func() {
		if _, err := client(n).Get(hanging.URL); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("hanging dial: %v, want ECONNREFUSED", err)
		}
	})
	n.Close()
	wg.Wait()
	n.Close() // again
	if _, err := client(n).Get("http://plain.test"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after Close: %v, want ECONNREFUSED", err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	wrong := n.ServeTLS("https://wrong.test", hello, &tls.Config{
		Certificates: []tls.Certificate{n.Certificate("other.test", "10.0.0.1")},
	})
	if _, err := client(n).Get(wrong.URL); !errors.As(err, new(x509.HostnameError)) {
		t.Errorf("wrong host: %v, want a x509.HostnameError", err)
	}
	right := n.Serve("https://right.test", hello)
	stranger := connectiontest.NewNetwork(t).Transport()
	stranger.DialContext = n.Dial
	if _, err := (&http.Client{Transport: stranger}).Get(right.URL); !errors.As(err, new(x509.UnknownAuthorityError)) {
		t.Errorf("strange authority: %v, want a x509.UnknownAuthorityError", err)
	}
	mutual := n.ServeTLS("https://mutual.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].DNSNames[0]+" "+r.Proto)
	}), &tls.Config{
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: n.RootCAs(), NextProtos: []string{"h2"},
	})
	if _, err := client(n).Get(mutual.URL); err == nil {
		t.Error("no client certificate: no error")
	}
	tr := n.Transport()
	tr.TLSClientConfig.Certificates = []tls.Certificate{n.Certificate("me.test")}
	if _, body := fetch(t, &http.Client{Transport: tr}, "GET", mutual.URL, nil); body != "me.test HTTP/2.0" {
		t.Errorf("body = %q, want me.test HTTP/2.0", body)
	}
	if got := len(wrong.Requests()); got != 0 || wrong.Conns() != 1 {
		t.Errorf("%d requests on %d connections, want 0 on 1", got, wrong.Conns())
	}
}

// A server can be a proxy: it hijacks, and dials through the network itself.
func TestProxy(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	api := n.Serve("https://api.example.test", hello)
	proxy := n.Serve("http://proxy.test:3128", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up, err := n.Dial(r.Context(), "tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = up.Close() }()
		down, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = down.Close() }()
		_, _ = io.WriteString(down, "HTTP/1.1 200 OK\r\n\r\n")
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = io.Copy(up, rw); _ = up.Close() })
		wg.Go(func() { _, _ = io.Copy(down, up); _ = down.Close() })
		wg.Wait()
	}))
	tr := n.Transport()
	tr.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	if _, body := fetch(t, &http.Client{Transport: tr}, "GET", api.URL+"/x", nil); body != "GET /x" {
		t.Errorf("body = %q", body)
	}
	got := proxy.Requests()
	if len(got) != 1 || got[0].Method != "CONNECT" || got[0].Target != "api.example.test:443" {
		t.Errorf("requests of the proxy: %v", got)
	}
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		n.ServeRaw("http://mute.test", func(net.Conn) { time.Sleep(time.Hour) })
		c, err := n.Dial(t.Context(), "tcp", "mute.test:80")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		start := time.Now()
		if err := c.SetDeadline(start.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Read: %v after %v, want a deadline after 1s", err, time.Since(start))
		}
		if err := c.SetWriteDeadline(start.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		written, err := c.Write(make([]byte, 1<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) || written != 64<<10 || time.Since(start) != time.Minute {
			t.Errorf("Write: %d, %v after %v; want 65536 and a deadline after 1m", written, err, time.Since(start))
		}
		if nerr, ok := errors.AsType[net.Error](err); !ok || !nerr.Timeout() {
			t.Errorf("Write: %v is no timeout", err)
		}
		// A deadline in the past wakes who is blocked; none lets them block again.
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
		start = time.Now()
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Read: %v after %v, want a deadline after 1s", err, time.Since(start))
		}
	})
}

func TestHalfClose(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	n.ServeRaw("http://echo.test", func(c net.Conn) {
		data, err := io.ReadAll(c)
		if err != nil {
			t.Error(err)
		}
		_, _ = c.Write(bytes.ToUpper(data))
	})
	c, err := n.Dial(t.Context(), "tcp", "echo.test:80")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, "hello")
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(c); string(data) != "HELLO" || err != nil {
		t.Errorf("read %q, %v", data, err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after CloseWrite: %v, want net.ErrClosed", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: %v, want net.ErrClosed", err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after Close: %v, want net.ErrClosed", err)
	}
}

// What one Write writes stays together, whoever else writes at the time.
func TestConcurrentWrites(t *testing.T) {
	t.Parallel()
	const size = 200_000 // more than the connection holds
	n := connectiontest.NewNetwork(t)
	read := make(chan []byte, 1)
	n.ServeRaw("http://sink.test", func(c net.Conn) {
		data, err := io.ReadAll(c)
		if err != nil {
			t.Error(err)
		}
		read <- data
	})
	c, err := n.Dial(t.Context(), "tcp", "sink.test:80")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, letter := range []string{"a", "b", "c"} {
		wg.Go(func() {
			if n, err := io.WriteString(c, strings.Repeat(letter, size)); n != size || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
		})
	}
	wg.Wait()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	data := <-read
	if len(data) != 3*size {
		t.Fatalf("read %d bytes, want %d", len(data), 3*size)
	}
	for i := 0; i < len(data); i += size {
		if block := data[i : i+size]; bytes.Count(block, block[:1]) != size {
			t.Errorf("the bytes from %d on come from several writes", i)
		}
	}
}

// Once the peer has closed, what it wrote can be read, and nothing more be written.
func TestPeerClosed(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	srv := n.ServeRaw("http://bye.test", func(c net.Conn) { _, _ = io.WriteString(c, "bye") })
	c, err := n.Dial(t.Context(), "tcp", "bye.test:80")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	written := 0
	for err == nil { // until the server has closed
		var n int
		n, err = c.Write(make([]byte, 1000))
		written += n
	}
	if !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Write after %d bytes: %v, want EPIPE", written, err)
	}
	if data, err := io.ReadAll(c); string(data) != "bye" || err != nil {
		t.Errorf("read %q, %v; want bye", data, err)
	}
	if got := srv.OpenConns(); got != 0 {
		t.Errorf("OpenConns = %d, want 0", got)
	}
	if local, remote := c.LocalAddr().String(), c.RemoteAddr().String(); local != "192.0.2.1:49152" ||
		remote != "198.51.100.1:80" {
		t.Errorf("addresses %s and %s", local, remote)
	}
}
