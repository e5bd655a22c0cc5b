package tunnel_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/restconn/restconn/internal/tunnel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const target = "api.example.test:443"

// open asks a proxy that answers with text, and then closes if it is to. It returns what the proxy has read before.
func open(ctx context.Context, tb testing.TB, u *url.URL, to, text string, closes bool) (read string, err error) {
	tb.Helper()
	client, server := net.Pipe()
	done := make(chan string)
	go func() {
		b := make([]byte, 4<<10)
		n, _ := server.Read(b)
		_, _ = io.WriteString(server, text)
		if closes {
			_ = server.Close()
		}
		done <- string(b[:n])
	}()
	conn, err := tunnel.Open(ctx, client, u, to)
	if (conn == nil) != (err != nil) {
		tb.Errorf("%v and %v", conn, err)
	}
	_ = client.Close()
	read = <-done
	_ = server.Close()
	return read, err
}

func httpProxy(user *url.Userinfo) *url.URL {
	return &url.URL{Scheme: "http", User: user, Host: "proxy.example.test:3128"}
}

func TestConnect(t *testing.T) {
	t.Parallel()
	for user, want := range map[*url.Userinfo]string{
		nil:                            "",
		url.User("u"):                  "Proxy-Authorization: Basic dTo=\r\n",
		url.UserPassword("u", "p:é\n"): "Proxy-Authorization: Basic dTpwOsOpCg==\r\n",
	} {
		read, err := open(t.Context(), t, httpProxy(user), target, "HTTP/1.1 200 OK\r\n\r\n", false)
		if err != nil || read != "CONNECT api.example.test:443 HTTP/1.1\r\nHost: api.example.test:443\r\n"+want+"\r\n" {
			t.Errorf("the proxy read %q, %v", read, err)
		}
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"http", "https", "socks5", "socks5h"} {
		u := &url.URL{Scheme: scheme, Host: "proxy.example.test:3128"}
		targets := []string{
			"", "a.test", ":443", "a.test:443\r\nX: y", "a b.test:443", "a.test:443 HTTP/1.0", "[::1%a b]:443", "a\x00.test:443",
			"a.test\u0085:443", "a:b:c",
		}
		if strings.HasPrefix(scheme, "socks") {
			targets = append(targets, strings.Repeat("a", 256)+":443")
		}
		for _, to := range targets {
			read, err := open(t.Context(), t, u, to, "", true)
			if err == nil || read != "" {
				t.Errorf("H6 %s to %q: the proxy read %q, %v", scheme, to, read, err)
			}
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for answer, status := range map[string]int{
		"HTTP/1.1 407 x\r\nProxy-Authenticate: secret\r\n\r\n": 407, "HTTP/1.1 204 x\r\n\r\n": 204,
		"HTTP/1.1 599 \r\n\r\n": 599, "HTTP/1.1 101 x\r\n\r\n": 101, "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 502 x\r\n\r\n": 502,
		"": 0, "secret\r\n\r\n": 0, "HTTP/1.1 200 OK\r\n\r\nsecret": 0, "HTTP/1.1 200 OK\r\nsecret\r\n\r\n": 0,
		"HTTP/1.1 200 OK\r\nA: b\r\n": 0, strings.Repeat("HTTP/1.1 102 x\r\n\r\n", 6) + "HTTP/1.1 200 OK\r\n\r\n": 0,
	} {
		_, err := open(t.Context(), t, httpProxy(nil), target, answer, true)
		refused, ok := errors.AsType[*tunnel.RefusedError](err)
		if ok != (status != 0) || ok && refused.Status != status || err == nil {
			t.Errorf("C4 %q: error %v, want status %d", answer, err, status)
		}
		if err != nil && (err.Error() == "" || strings.Contains(err.Error(), "secret")) {
			t.Errorf("C4 %q: the text is %q", answer, err)
		}
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	reason := errors.New("enough")
	for _, scheme := range []string{"http", "socks5"} {
		for _, withDeadline := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				if withDeadline {
					var end context.CancelFunc
					ctx, end = context.WithTimeoutCause(ctx, 5*time.Second, reason)
					defer end()
				} else {
					time.AfterFunc(5*time.Second, func() { cancel(reason) })
				}
				defer cancel(nil)
				client, server := net.Pipe()
				defer func() { _, _ = server.Close(), client.Close() }()
				go func() { _, _ = io.Copy(io.Discard, server) }()
				began := time.Now()
				_, err := tunnel.Open(ctx, client, &url.URL{Scheme: scheme, Host: "proxy.example.test:1"}, target)
				if !errors.Is(err, reason) || time.Since(began) != 5*time.Second {
					t.Errorf("C10 %s: error %v after %v, want the cause after 5s", scheme, err, time.Since(began))
				}
			})
		}
	}
}

func TestSOCKS(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 256)
	socks := func(user *url.Userinfo) *url.URL {
		return &url.URL{Scheme: "socks5", User: user, Host: "proxy.example.test:1080"}
	}
	for name, c := range map[string]struct {
		user   *url.Userinfo
		target string
		answer string
		login  bool // it is about user and password
	}{
		"C9 a host of 256 bytes":          {target: long + ":443"},
		"C9 a user of 256 bytes":          {user: url.UserPassword(long, "p"), answer: "\x05\x02"},
		"C9 a password of 256 bytes":      {user: url.UserPassword("u", long), answer: "\x05\x02"},
		"C9 no method":                    {answer: "\x05\xff", login: true},
		"C9 a method that nobody offered": {user: url.UserPassword("u", "p"), answer: "\x05\x01", login: true},
		"C9 a wrong login":                {user: url.UserPassword("u", "p"), answer: "\x05\x02\x01\x01", login: true},
		"C9 another version":              {answer: "\x04\x00"},
		"C9 a refusal":                    {answer: "\x05\x00\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"},
		"C9 half an answer":               {answer: "\x05\x00\x05\x00\x00"},
		"C9 an address of no type":        {answer: "\x05\x00\x05\x00\x00\x09\x00\x00\x00\x00\x00\x00"},
		"C9 nothing":                      {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := c.target
			if to == "" {
				to = target
			}
			client, server := net.Pipe()
			defer func() { _ = client.Close() }()
			go func() {
				go func() { _, _ = io.Copy(io.Discard, server) }()
				_, _ = io.WriteString(server, c.answer)
				_ = server.Close()
			}()
			conn, err := tunnel.Open(t.Context(), client, socks(c.user), to)
			if err == nil || conn != nil {
				t.Fatalf("error %v", err)
			}
			if errors.Is(err, tunnel.ErrLogin) != c.login || strings.Contains(err.Error(), long) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// FuzzConnect: whatever the proxy answers, it is read within limits, nothing of it is in the error, and the tunnel is
// only open after a 200 behind which nothing was sent.
func FuzzConnect(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=x, NTLM\r\n\r\n",
		"HTTP/1.1 100 x\r\n\r\nHTTP/1.0 200 x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
		"", "\x16\x03\x01", "HTTP/1.1 204 x\r\n\r\n", "HTTP/1.1 200 OK\r\nX: y\r\n\r\ncanary7f",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		_, err := open(t.Context(), t, httpProxy(url.UserPassword("u", "p")), target, string(answer), true)
		if err != nil {
			if strings.Contains(err.Error(), "canary7f") || len(err.Error()) > 300 {
				t.Fatalf("the error is %q", err)
			}
			return
		}
		if !strings.HasPrefix(string(answer), "HTTP/") && !strings.Contains(string(answer), "\nHTTP/") {
			t.Fatalf("%q opens the tunnel", answer)
		}
		line, err := bufio.NewReader(strings.NewReader(string(answer))).ReadString('\n')
		fields := strings.Fields(line)
		if err != nil || len(fields) < 2 || fields[1] != "200" && !strings.HasPrefix(fields[1], "1") {
			t.Fatalf("%q opens the tunnel", answer)
		}
	})
}
