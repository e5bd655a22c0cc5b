package interop_test

import (
	"bufio"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/restconn/restconn/internal/interop/servers"
)

// through returns a change of a client that uses a proxy.
func through(t *testing.T, proxy string) func(*http.Transport) {
	t.Helper()
	u, err := url.Parse(proxy)
	if err != nil {
		t.Fatal("the URL of the proxy is malformed")
	}
	return func(tr *http.Transport) { tr.Proxy = http.ProxyURL(u) }
}

// stranger returns the URL of a proxy for somebody whom it does not know.
func stranger(t *testing.T, proxy string, user *url.Userinfo) string {
	t.Helper()
	u, err := url.Parse(proxy)
	if err != nil {
		t.Fatal("the URL of the proxy is malformed")
	}
	u.User = user
	return u.String()
}

// connect asks a proxy for a tunnel, by hand, and returns its answer.
func connect(t *testing.T, proxy, target, credentials string) *http.Response {
	t.Helper()
	u, err := url.Parse(proxy)
	if err != nil {
		t.Fatal("the URL of the proxy is malformed")
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: http.Header{}}
	if credentials != "" {
		req.Header.Set("Proxy-Authorization", credentials)
	}
	if err := req.Write(conn); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp
}

// host returns the host and port of a URL.
func host(t *testing.T, target string) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal("malformed URL")
	}
	return u.Host
}

func TestBasicProxies(t *testing.T) {
	web := server(t, servers.Nginx)
	for _, kind := range []string{servers.Squid, servers.Tinyproxy} {
		t.Run(kind, func(t *testing.T) {
			s := server(t, kind)
			resp := connect(t, s.URL, host(t, web.URL), "")
			if got := resp.Header.Get("Proxy-Authenticate"); resp.StatusCode != 407 || !strings.HasPrefix(got, "Basic ") {
				t.Errorf("CONNECT without credentials: %d, %q", resp.StatusCode, got)
			}
			wrong := stranger(t, s.URL, url.UserPassword(s.User, "no"))
			if _, err := ask(t, plainClient(t, through(t, wrong)), web.URL+"/echo"); err == nil {
				t.Error("CONNECT with a wrong password has an answer")
			}
			proxies := []string{s.URL}
			if s.At[servers.TLS] != "" {
				proxies = append(proxies, s.At[servers.TLS])
			}
			for _, proxy := range proxies {
				client := plainClient(t, through(t, proxy))
				got := echo(t, wantStatus(t, 200, client, web.URL+"/echo").body)
				if got.Protocol != "HTTP/2.0" || got.ProxyAuthorization != "" {
					t.Errorf("CONNECT through %s: %+v", host(t, proxy), got)
				}
				got = echo(t, wantStatus(t, 200, client, web.At[servers.Plain]+"/echo").body)
				if got.ProxyAuthorization != "" {
					t.Errorf("through %s: %+v", host(t, proxy), got)
				}
			}
			wantStatus(t, 407, plainClient(t, through(t, stranger(t, s.URL, nil))), web.At[servers.Plain]+"/echo")
			identity := shows(t, certificates(t).Client)
			got := echo(t, wantStatus(t, 200, plainClient(t, through(t, s.URL), identity), web.At[servers.MTLS]+"/echo").body)
			if got.Subject != "CN=client" {
				t.Errorf("mTLS in the tunnel: %+v", got)
			}
		})
	}
}

func TestDigestProxy(t *testing.T) {
	web, s := server(t, servers.Nginx), server(t, servers.SquidDigest)
	target := host(t, web.URL)
	resp := connect(t, s.URL, target, "")
	challenge := resp.Header.Get("Proxy-Authenticate")
	if resp.StatusCode != 407 || !strings.HasPrefix(challenge, "Digest ") {
		t.Fatalf("CONNECT without credentials: %d, %q", resp.StatusCode, challenge)
	}
	known := &servers.Server{User: s.User, Password: "no"}
	if got := connect(t, s.URL, target, digestAnswer(t, known, challenge, "CONNECT", target)); got.StatusCode != 407 {
		t.Errorf("CONNECT with a wrong password: %d", got.StatusCode)
	}
	if got := connect(t, s.URL, target, digestAnswer(t, s, challenge, "CONNECT", target)); got.StatusCode != 200 {
		t.Errorf("CONNECT: %d", got.StatusCode)
	}
}

func TestSocksProxy(t *testing.T) {
	web, s := server(t, servers.Nginx), server(t, servers.Microsocks)
	for name, user := range map[string]*url.Userinfo{
		"without credentials": nil, "with a wrong password": url.UserPassword(s.User, "no"),
	} {
		if _, err := ask(t, plainClient(t, through(t, stranger(t, s.URL, user))), web.URL+"/echo"); err == nil {
			t.Errorf("%s: an answer", name)
		}
	}
	client := plainClient(t, through(t, s.URL))
	for _, role := range []string{servers.TLS, servers.Plain} {
		if got := echo(t, wantStatus(t, 200, client, web.At[role]+"/echo").body); got.ProxyAuthorization != "" {
			t.Errorf("%s: %+v", role, got)
		}
	}
}
