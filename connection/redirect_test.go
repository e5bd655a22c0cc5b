package connection_test

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

const (
	homeURL  = "https://api.example.test"
	evilURL  = "https://evil.test"
	subURL   = "https://sub.api.example.test"
	portURL  = "https://api.example.test:8443"
	clearURL = "http://api.example.test"

	// canary is the credential of all tests here. A character of it is escaped in a query.
	canary = "canary+7f3a9c"
)

// routes answers by path, and anything else with 200.
type routes map[string]http.Handler

func (r routes) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h, ok := r[req.URL.Path]
	if !ok {
		h = connectiontest.Text(http.StatusOK, "arrived")
	}
	h.ServeHTTP(w, req)
}

func redirectTo(status int, location string) http.Handler {
	return connectiontest.Status(status).Header("Location", location)
}

// openConn opens a connection to the home origin of n.
func openConn(t *testing.T, n *connectiontest.Network, opts ...connection.Option) *connection.Connection {
	t.Helper()
	return connect(t, homeURL, slices.Concat([]connection.Option{n.Option()}, opts)...)
}

// ask sends a request with Do and reads the answer. header alternates names and values.
func ask(
	t *testing.T, conn *connection.Connection, method, target, body string, header ...string,
) (*http.Response, error) {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, target, r)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header[header[i]] = append(req.Header[header[i]], header[i+1])
	}
	resp, err := conn.Do(req)
	if err != nil {
		return nil, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp, nil
}

func mustAsk(t *testing.T, conn *connection.Connection, method, target, body string, header ...string) *http.Response {
	t.Helper()
	resp, err := ask(t, conn, method, target, body, header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return resp
}

// only returns the one request that a server has read.
func only(t *testing.T, srv *connectiontest.Server) connectiontest.Request {
	t.Helper()
	got := srv.Requests()
	if len(got) != 1 {
		t.Fatalf("%s has read %d requests, want 1", srv.URL, len(got))
	}
	return got[0]
}

func wantNone(t *testing.T, srv *connectiontest.Server) {
	t.Helper()
	if got := srv.Requests(); len(got) != 0 {
		t.Errorf("%s has read %d requests, want none; the first:\n%s", srv.URL, len(got), got[0].Raw)
	}
}

// wantRefusal returns the *RedirectError in err.
func wantRefusal(t *testing.T, err error, status int) *connection.RedirectError {
	t.Helper()
	re, ok := errors.AsType[*connection.RedirectError](err)
	if !ok {
		t.Fatalf("error is %v, want a *RedirectError", err)
	}
	if re.Status != status {
		t.Errorf("Status is %d, want %d", re.Status, status)
	}
	return re
}

// holdsCanary reports whether text holds the canary in any form in which a request might carry it.
func holdsCanary(text string) bool {
	forms := []string{canary, url.QueryEscape(canary), base64.StdEncoding.EncodeToString([]byte("svc:" + canary))}
	return slices.ContainsFunc(forms, func(form string) bool { return strings.Contains(text, form) })
}

// wantBare fails the test if a request carries anything that belongs to the home origin.
func wantBare(t *testing.T, req connectiontest.Request) {
	t.Helper()
	raw := strings.ToLower(req.Raw)
	for _, mark := range []string{"\nauthorization:", "\ncookie:", "\nreferer:", "\nx-conn:", "\nproxy-authorization:"} {
		if strings.Contains(raw, mark) {
			t.Errorf("the foreign origin has seen %q:\n%s", strings.TrimSpace(mark), req.Raw)
		}
	}
	if holdsCanary(req.Raw) {
		t.Errorf("the foreign origin has seen the credential:\n%s", req.Raw)
	}
}

func header(name string) auth.Authenticator {
	return auth.APIKey(secrets.Static(canary), auth.InHeader(name))
}

func bearer() auth.Authenticator { return auth.Bearer(auth.Static(secrets.Static(canary))) }

func TestRedirectToAnotherOrigin(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		auth     auth.Authenticator
		location string
		foreign  string
		header   []string
	}{
		{
			name: "A1 302 to another host drops Authorization", auth: bearer(), location: evilURL + "/x", foreign: evilURL,
		},
		{name: "A2 drops a key header", auth: header("X-Api-Key"), location: evilURL + "/x", foreign: evilURL},
		{
			name: "A3 drops a header without a tell-tale name", auth: header("X-Acme-Sig"), location: evilURL + "/x",
			foreign: evilURL,
		},
		{
			name: "A4 a key in the query goes into no Referer", location: evilURL + "/x", foreign: evilURL,
			auth: auth.APIKey(secrets.Static(canary), auth.InQuery("key")),
		},
		{name: "A6 another port is another origin", auth: bearer(), location: portURL + "/x", foreign: portURL},
		{name: "A7 a sub-domain is another origin", auth: bearer(), location: subURL + "/x", foreign: subURL},
		{
			name: "A14 the caller's Cookie and Cookie2 are dropped", auth: bearer(), location: evilURL + "/x",
			foreign: evilURL, header: []string{"Cookie", "session=" + canary, "Cookie2", canary},
		},
		{
			name: "A23 a header in lower case is dropped", auth: bearer(), location: evilURL + "/x", foreign: evilURL,
			header: []string{"authorization", "Bearer " + canary, "x-secret", canary},
		},
		{name: "A17 a Location without scheme", auth: bearer(), location: "//evil.test/x", foreign: evilURL},
		{
			name: "A22 a trailing dot is another host", auth: bearer(), location: "https://api.example.test./x",
			foreign: "https://api.example.test.",
		},
		{
			name: "A22 a look-alike is another host", auth: bearer(), location: "https://xn--pi-7kc.example.test/x",
			foreign: "https://xn--pi-7kc.example.test",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			home := n.Serve(homeURL, routes{"/start": redirectTo(http.StatusFound, tt.location)})
			foreign := n.Serve(tt.foreign, routes{})
			conn := openConn(t, n, connection.WithAuth(tt.auth), connection.WithHeader("X-Conn", canary))

			resp := mustAsk(t, conn, http.MethodGet, "/start", "", tt.header...)
			if resp.StatusCode != http.StatusOK {
				t.Errorf("status is %d, want 200", resp.StatusCode)
			}
			if got := only(t, home); !holdsCanary(got.Raw) {
				t.Errorf("home has not seen the credential:\n%s", got.Raw)
			}
			got := only(t, foreign)
			wantBare(t, got)
			if got.Target != "/x" {
				t.Errorf("target is %s, want /x", got.Target)
			}
		})
	}
}

func TestRedirectAuthenticatorCalls(t *testing.T) {
	t.Parallel()

	t.Run("A1 the authenticator is not called for a foreign origin", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		n.Serve(homeURL, routes{"/start": redirectTo(http.StatusFound, evilURL)})
		n.Serve(evilURL, routes{})
		var asked []string
		conn := openConn(t, n, connection.WithAuth(auth.Func(func(req *http.Request) error {
			asked = append(asked, req.URL.Host)
			return nil
		})))
		mustAsk(t, conn, http.MethodGet, "/start", "")
		if want := []string{"api.example.test"}; !slices.Equal(asked, want) {
			t.Errorf("asked for %v, want %v", asked, want)
		}
	})

	t.Run("A24 a signature is made anew at home and absent elsewhere", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		home := n.Serve(homeURL, routes{
			"/a": redirectTo(http.StatusFound, "/b?page=2"),
			"/b": redirectTo(http.StatusFound, evilURL+"/c"),
		})
		evil := n.Serve(evilURL, routes{})
		conn := openConn(t, n, connection.WithAuth(auth.Func(func(req *http.Request) error {
			req.Header.Add("X-Signature", "signed "+req.URL.RequestURI())
			return nil
		})))
		mustAsk(t, conn, http.MethodGet, "/a?page=1", "")
		for _, got := range home.Requests() {
			if sig := got.Header["X-Signature"]; !slices.Equal(sig, []string{"signed " + got.Target}) {
				t.Errorf("%s has the signatures %q", got.Target, sig)
			}
		}
		if got := only(t, evil); got.Header["X-Signature"] != nil {
			t.Errorf("the foreign origin has seen a signature:\n%s", got.Raw)
		}
	})

	t.Run("A7 a trusted origin gets the credential", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		n.Serve(homeURL, routes{"/start": redirectTo(http.StatusFound, subURL+"/x")})
		sub := n.Serve(subURL, routes{})
		conn := openConn(t, n, connection.WithAuth(bearer()), connection.WithHeader("X-Conn", "1"),
			connection.WithTrustedOrigins(subURL))
		mustAsk(t, conn, http.MethodGet, "/start", "")
		got := only(t, sub)
		if got.Header.Get("Authorization") != "Bearer "+canary || got.Header.Get("X-Conn") != "1" {
			t.Errorf("the trusted origin has seen:\n%s", got.Raw)
		}
	})
}

func TestRedirectChain(t *testing.T) {
	t.Parallel()

	t.Run("A8 stripped stays stripped on the next hop", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		n.Serve(homeURL, routes{"/to-evil-2": redirectTo(http.StatusFound, evilURL+"/1")})
		evil := n.Serve(evilURL, routes{"/1": redirectTo(http.StatusFound, "/2")})
		conn := openConn(t, n, connection.WithAuth(bearer()), connection.WithHeader("X-Conn", canary))
		mustAsk(t, conn, http.MethodGet, "/to-evil-2", "", "X-Own", canary)
		got := evil.Requests()
		if len(got) != 2 {
			t.Fatalf("evil has read %d requests, want 2", len(got))
		}
		for _, req := range got {
			wantBare(t, req)
		}
	})

	t.Run("A9 stripped stays stripped back at home", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		home := n.Serve(homeURL, routes{
			"/and-back": redirectTo(http.StatusFound, evilURL+"/back"),
			"/chosen":   redirectTo(http.StatusFound, "/chosen-2"),
		})
		n.Serve(evilURL, routes{"/back": redirectTo(http.StatusFound, homeURL+"/chosen")})
		conn := openConn(t, n, connection.WithAuth(bearer()), connection.WithHeader("X-Conn", canary))
		mustAsk(t, conn, http.MethodGet, "/and-back", "", "X-Own", canary)
		got := home.Requests()
		if len(got) != 3 {
			t.Fatalf("home has read %d requests, want 3", len(got))
		}
		if !holdsCanary(got[0].Raw) {
			t.Errorf("home has not seen the credential:\n%s", got[0].Raw)
		}
		wantBare(t, got[1])
		wantBare(t, got[2])
	})
}

func TestRedirectDowngrade(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		opts []connection.Option
	}{
		{name: "A5 https to http is refused", opts: []connection.Option{connection.WithAuth(bearer())}},
		{name: "A5 https to http is refused without a credential"},
		{
			name: "A5 https to http is refused to a trusted origin too",
			opts: []connection.Option{
				connection.WithAuth(bearer()), connection.WithInsecureHTTP(), connection.WithTrustedOrigins(clearURL),
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			n.Serve(homeURL, routes{"/start": redirectTo(http.StatusMovedPermanently, clearURL+"/x?secret="+canary)})
			plain := n.Serve(clearURL, routes{})
			_, err := ask(t, openConn(t, n, tt.opts...), http.MethodGet, "/start", "")
			re := wantRefusal(t, err, http.StatusMovedPermanently)
			if re.Host != "api.example.test" || holdsCanary(err.Error()) {
				t.Errorf("host is %q, text is %q", re.Host, err)
			}
			wantNone(t, plain)
		})
	}
}

func TestRedirectBody(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		t.Run(fmt.Sprintf("A10 %d does not carry a body to another origin", status), func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			n.Serve(homeURL, routes{"/start": redirectTo(status, evilURL+"/x?q="+canary)})
			evil := n.Serve(evilURL, routes{})
			_, err := ask(t, openConn(t, n), http.MethodPost, "/start", "body")
			re := wantRefusal(t, err, status)
			if re.Host != "evil.test" || holdsCanary(err.Error()) {
				t.Errorf("host is %q, text is %q", re.Host, err)
			}
			wantNone(t, evil)
		})

		t.Run(fmt.Sprintf("A11 %d to the same origin sends the body again", status), func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			home := n.Serve(homeURL, routes{"/start": redirectTo(status, "/x")})
			mustAsk(t, openConn(t, n), http.MethodPost, "/start", "body", "Content-Type", "text/plain")
			got := home.Requests()
			if len(got) != 2 {
				t.Fatalf("home has read %d requests, want 2", len(got))
			}
			if string(got[1].Body) != "body" || got[1].Header.Get("Content-Type") != "text/plain" {
				t.Errorf("the second request is:\n%s", got[1].Raw)
			}
		})

		t.Run(fmt.Sprintf("A11 %d is the response if the body can be sent only once", status), func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			home := n.Serve(homeURL, routes{"/start": redirectTo(status, "/x")})
			once := io.MultiReader(strings.NewReader("body"))
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/start", once)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := openConn(t, n).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != status {
				t.Errorf("status is %d, want %d", resp.StatusCode, status)
			}
			if got := only(t, home); string(got.Body) != "body" {
				t.Errorf("the body is %q", got.Body)
			}
		})
	}
}

func TestRedirectMethod(t *testing.T) {
	t.Parallel()
	const get, head, post = http.MethodGet, http.MethodHead, http.MethodPost
	for _, method := range []string{get, head, post, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			want := method
			if status == 303 && method != head || status < 303 && method == post {
				want = get
			}
			t.Run(fmt.Sprintf("A12 %d after %s is %s", status, method, want), func(t *testing.T) {
				t.Parallel()
				n := connectiontest.NewNetwork(t)
				home := n.Serve(homeURL, routes{"/start": redirectTo(status, "/x")})
				body := "body"
				if method == get || method == head {
					body = ""
				}
				mustAsk(t, openConn(t, n), method, "/start", body,
					"Content-Type", "a/b", "Content-Language", "eo", "X-Own", "1")
				got := home.Requests()
				if len(got) != 2 {
					t.Fatalf("home has read %d requests, want 2", len(got))
				}
				second := got[1]
				if second.Method != want || second.Header.Get("X-Own") != "1" {
					t.Errorf("the second request is:\n%s", second.Raw)
				}
				if want == method && string(second.Body) != body {
					t.Errorf("the body is %q, want %q", second.Body, body)
				}
				if want != method && (len(second.Body) > 0 || strings.Contains(second.Raw, "\nContent-")) {
					t.Errorf("something of the body is left:\n%s", second.Raw)
				}
			})
		}
	}

	t.Run("A12 303 drops the body of a GET", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		home := n.Serve(homeURL, routes{"/start": redirectTo(http.StatusSeeOther, "/x")})
		mustAsk(t, openConn(t, n), get, "/start", "body")
		if got := home.Requests()[1]; len(got.Body) > 0 {
			t.Errorf("the body is left:\n%s", got.Raw)
		}
	})
}

func TestRedirectUserinfo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, location, origin string }{
		{"A16 userinfo of a foreign Location is ignored", "https://user:pass@evil.test/x", evilURL},
		{"A16 userinfo of a Location at home is ignored", "https://user:pass@api.example.test/x", homeURL},
		{"A16 userinfo that looks like home", "https://api.example.test:443@evil.test/x", evilURL},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			home := n.Serve(homeURL, routes{"/start": redirectTo(http.StatusFound, tt.location)})
			evil := n.Serve(evilURL, routes{})
			resp := mustAsk(t, openConn(t, n, connection.WithAuth(bearer())), http.MethodGet, "/start", "")
			if resp.Request.URL.User != nil {
				t.Error("the request has userinfo")
			}
			if tt.origin == evilURL {
				wantBare(t, only(t, evil))
				return
			}
			if got := home.Requests(); len(got) != 2 || got[1].Header.Get("Authorization") != "Bearer "+canary {
				t.Errorf("home has read %v", got)
			}
		})
	}
}

func TestRedirectLocation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, location string
		want           string // the target of the second request at home; "" if the redirect is refused
	}{
		{"A17 no host", "http:///x", ""},
		{"A17 no host and four slashes", "http:////x", ""},
		{"A17 no host and https", "https:///evil.test/x", ""},
		{"A17 backslashes", `\\evil.test`, ""},
		{"A17 slash and backslash", `/\evil.test`, ""},
		{"A17 a backslash in the host", `https://api.example.test\.evil.test/`, ""},
		{"A17 a tab", "/\tx", ""},
		{"A17 a tab that splits the slashes", "/\t/evil.test", ""},
		{"A17 a space", "/a b", ""},
		{"A17 a NUL", "/a\x00b", ""},
		{"A17 opaque", "https:evil.test", ""},
		{"A17 a scheme alone", "https:", ""},
		{"A17 a port out of range", "https://api.example.test:99999/", ""},
		{"A17 a bad escape", "/%zz", ""},
		{"A17 nothing", "", ""},
		{"A17 three slashes stay at home", "///evil.test/x", "///evil.test/x"},
		{"A17 a relative path", "x?y=1#z", "/dir/x?y=1"},
		{"A17 a relative path that leads up", "../../../x", "/x"},
		{"A17 a query alone", "?y=1", "/dir/start?y=1"},
		{"A17 another spelling of home", "HTTPS://API.Example.TEST:443/x", "/x"},
		{"A17 an empty port", "https://api.example.test:/x", "/x"},
		{"A19 file", "file:///etc/passwd", ""},
		{"A19 gopher", "gopher://api.example.test/x", ""},
		{"A19 unix", "unix:/run/x.sock", ""},
		{"A19 ftp at home", "ftp://api.example.test/x", ""},
		{"A19 javascript", "javascript:alert(1)", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			home := n.ServeRaw(homeURL, answerRaw("HTTP/1.1 302 Found\r\nLocation: "+tt.location+"\r\n"))
			_, err := ask(t, openConn(t, n, connection.WithAuth(bearer()), connection.WithMaxRedirects(1)),
				http.MethodGet, "/dir/start", "")
			got := home.Requests()
			if tt.want == "" {
				if err == nil || len(got) != 1 {
					t.Fatalf("error is %v, and home has read %d requests, want 1", err, len(got))
				}
				if tt.location != "/a\x00b" { // net/http has refused the answer already
					wantRefusal(t, err, http.StatusFound)
				}
				return
			}
			if !errors.Is(err, connection.ErrTooManyRedirects) || len(got) != 2 {
				t.Fatalf("error is %v, and home has read %d requests, want 2", err, len(got))
			}
			if got[1].Target != tt.want || got[1].Header.Get("Authorization") != "Bearer "+canary {
				t.Errorf("the second request is:\n%swant %s", got[1].Raw, tt.want)
			}
		})
	}
}

// answerRaw answers every request with head and no body, and closes the connection.
func answerRaw(head string) func(net.Conn) {
	return func(c net.Conn) {
		var got []byte
		buf := make([]byte, 4<<10)
		for !bytes.Contains(got, []byte("\r\n\r\n")) {
			n, err := c.Read(buf)
			if got = append(got, buf[:n]...); err != nil {
				return
			}
		}
		_, _ = io.WriteString(c, head+"Content-Length: 0\r\nConnection: close\r\n\r\n")
	}
}

func TestRedirectSeveralLocations(t *testing.T) {
	t.Parallel()
	const found, one = "HTTP/1.1 302 Found\r\n", "Location: https://evil.test/x\r\n"

	t.Run("A18 two that differ are an error", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		home := n.ServeRaw(homeURL, answerRaw(found+"Location: /x\r\n"+one))
		evil := n.Serve(evilURL, routes{})
		_, err := ask(t, openConn(t, n), http.MethodGet, "/", "")
		wantRefusal(t, err, http.StatusFound)
		only(t, home)
		wantNone(t, evil)
	})

	t.Run("A18 two that are equal are one", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		n.ServeRaw(homeURL, answerRaw(found+one+one))
		evil := n.Serve(evilURL, routes{})
		mustAsk(t, openConn(t, n), http.MethodGet, "/", "")
		only(t, evil)
	})
}

func TestRedirectLimits(t *testing.T) {
	t.Parallel()
	loop := routes{"/loop": redirectTo(http.StatusFound, "/loop")}
	for _, tt := range []struct {
		name string
		opts []connection.Option
		want int
	}{
		{"A21 a loop ends after 5 redirects", nil, 6},
		{"A21 a loop ends after as many as allowed", []connection.Option{connection.WithMaxRedirects(2)}, 3},
		{"A21 and is not retried", []connection.Option{connection.WithRetry(connection.Retry{Max: 3})}, 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			home := n.Serve(homeURL, loop)
			_, err := ask(t, openConn(t, n, tt.opts...), http.MethodGet, "/loop", "")
			wantRefusal(t, err, http.StatusFound)
			if !errors.Is(err, connection.ErrTooManyRedirects) {
				t.Errorf("error is %v, want ErrTooManyRedirects", err)
			}
			if got := len(home.Requests()); got != tt.want {
				t.Errorf("home has read %d requests, want %d", got, tt.want)
			}
		})
	}

	t.Run("A21 with 0 the redirect is the response", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		n.Serve(homeURL, loop)
		resp := mustAsk(t, openConn(t, n, connection.WithMaxRedirects(0)), http.MethodGet, "/loop", "")
		if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/loop" {
			t.Errorf("response is %s to %s", resp.Status, resp.Header.Get("Location"))
		}
	})

	t.Run("A21 300 KB of headers at one hop are too much", func(t *testing.T) {
		t.Parallel()
		hops := 0
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			hops++
			w.Header().Set("X-Long", strings.Repeat("x", 300<<10))
			w.Header().Set("Location", "/next")
			w.WriteHeader(http.StatusFound)
		}))
		defer srv.Close()
		conn := connect(t, srv.URL) // with the default transport
		if _, err := ask(t, conn, http.MethodGet, "/", ""); err == nil || hops != 1 {
			t.Errorf("error is %v after %d hops, want one", err, hops)
		}
	})
}

// keyCookie is a jar that has a cookie for the host of the home origin, whatever the port, and for its sub-domains.
func keyCookie(t *testing.T) http.CookieJar {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(homeURL)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(u, []*http.Cookie{{Name: "sid", Value: "chocolate", Domain: "api.example.test"}})
	return jar
}

func TestRedirectCookies(t *testing.T) {
	t.Parallel()
	t.Run("A15 there is no jar by default", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		home := n.Serve(homeURL, routes{"/set": connectiontest.Status(200).Header("Set-Cookie", "sid=1")})
		conn := openConn(t, n)
		mustAsk(t, conn, http.MethodGet, "/set", "")
		mustAsk(t, conn, http.MethodGet, "/get", "")
		if got := home.Requests()[1]; got.Header["Cookie"] != nil {
			t.Errorf("a cookie was kept:\n%s", got.Raw)
		}
	})

	t.Run("A15 the jar of the caller's client works at home", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		home := n.Serve(homeURL, routes{"/set": connectiontest.Status(302).Header("Set-Cookie", "new=1").
			Header("Location", "/get")})
		conn := connect(t, homeURL, connection.WithHTTPClient(&http.Client{Transport: n.Transport(), Jar: keyCookie(t)}))
		mustAsk(t, conn, http.MethodGet, "/set", "")
		if got := home.Requests()[1].Header.Get("Cookie"); got != "sid=chocolate; new=1" {
			t.Errorf("Cookie is %q", got)
		}
	})

	for _, foreign := range []string{portURL, subURL} {
		t.Run("A15 cookies of the jar do not go to "+foreign, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			home := n.Serve(homeURL, routes{"/start": redirectTo(http.StatusFound, foreign+"/x")})
			tossing := connectiontest.Status(200).Header("Set-Cookie", "sid=tossed; Domain=api.example.test")
			srv := n.Serve(foreign, tossing)
			conn := openConn(t, n, connection.WithCookieJar(keyCookie(t)), connection.WithAuth(bearer()))
			mustAsk(t, conn, http.MethodGet, "/start", "")
			wantBare(t, only(t, srv))

			mustAsk(t, conn, http.MethodGet, "/again", "")
			if got := home.Requests()[1].Header.Get("Cookie"); got != "sid=chocolate" {
				t.Errorf("a foreign origin has set a cookie for home: %q", got)
			}
		})
	}

	t.Run("A15 the resend after a challenge has the cookies of the jar", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		home := n.Serve(homeURL, connectiontest.Sequence(connectiontest.Status(401), connectiontest.Status(200)))
		conn := openConn(t, n, connection.WithCookieJar(keyCookie(t)), connection.WithAuth(&renewing{}))
		mustAsk(t, conn, http.MethodGet, "/", "")
		for i, got := range home.Requests() {
			if got.Header.Get("Cookie") != "sid=chocolate" {
				t.Errorf("request %d is:\n%s", i+1, got.Raw)
			}
		}
	})
}

// renewing is an authenticator that has another credential after each rejection. It is for one request at a time.
type renewing struct{ rejected int }

func (r *renewing) Authenticate(req *http.Request) error {
	req.Header.Set("X-Token", strconv.Itoa(r.rejected))
	return nil
}

func (r *renewing) Challenged(*http.Request, *http.Response) (bool, error) {
	r.rejected++
	return true, nil
}

func TestRedirectQueryCredential(t *testing.T) {
	t.Parallel()
	const pair = "key=canary%2B7f3a9c"
	key := auth.APIKey(secrets.Static(canary), auth.InQuery("key"))

	for _, tt := range []struct{ name, target, location, want string }{
		{"A24 a Location without a query", "/a?x=1", "/b", "/b?" + pair},
		{"A24 a Location that is a fragment", "/a?x=1", "#top", "/a?x=1&" + pair},
		{"A24 a Location that repeats the query", "/a?x=1", "/a/?x=1&" + pair, "/a/?x=1&" + pair},
		{"A24 a Location that repeats the credential alone", "/a", "/a/?" + pair, "/a/?" + pair},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			home := n.Serve(homeURL,
				connectiontest.Sequence(redirectTo(302, tt.location), connectiontest.Status(200)))
			mustAsk(t, openConn(t, n, connection.WithAuth(key)), http.MethodGet, tt.target, "")
			if got := home.Requests()[1].Target; got != tt.want {
				t.Errorf("the second target is %s, want %s", got, tt.want)
			}
		})
	}

	for _, tt := range []struct{ name, location, want string }{
		{"A25 a Location that repeats the query elsewhere", evilURL + "/a?x=1&" + pair + "&y=2", "/a?x=1&y=2"},
		{"A25 a Location that writes the credential in another way", evilURL + "/a?%6bey=canary%2b7f3a9c", "/a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			n.Serve(homeURL, routes{"/a": redirectTo(302, tt.location)})
			evil := n.Serve(evilURL, routes{})
			mustAsk(t, openConn(t, n, connection.WithAuth(key)), http.MethodGet, "/a?x=1", "")
			if got := only(t, evil); got.Target != tt.want {
				t.Errorf("the foreign target is %s, want %s", got.Target, tt.want)
			}
		})
	}
}

// builtIn are all ways of the auth package to put a credential on a request.
func builtIn() map[string]auth.Authenticator {
	secret := secrets.Static(canary)
	return map[string]auth.Authenticator{
		"Basic":         auth.Basic("svc", secret),
		"APIKey":        auth.APIKey(secret),
		"APIKey header": header("X-Api-Key"),
		"APIKey query":  auth.APIKey(secret, auth.InQuery("api_key")),
		"APIKey cookie": auth.APIKey(secret, auth.InCookie("session")),
		"Bearer":        bearer(),
		"Bearer header": auth.Bearer(auth.Static(secret), auth.InHeader("X-Auth-Token")),
		"Bearer query":  auth.Bearer(auth.Static(secret), auth.InQuery("access_token")),
		"Bearer cookie": auth.Bearer(auth.Static(secret), auth.InCookie("token")),
		"All":           auth.All(header("X-Api-Key"), bearer(), auth.APIKey(secret, auth.InQuery("k"))),
		"Func odd header": auth.Func(func(r *http.Request) error {
			r.Header["x-Odd_name"] = []string{canary}
			return nil
		}),
		"Func query": auth.Func(func(r *http.Request) error {
			r.URL.RawQuery = "sig=" + url.QueryEscape(canary) + "&" + r.URL.RawQuery
			return nil
		}),
	}
}

func TestRedirectNoAuthenticatorLeaks(t *testing.T) {
	t.Parallel()
	hops := []struct {
		name, method, target string
		status               int
		location             string
		refused              bool
	}{
		{name: "other host", status: 302, location: evilURL + "/x"},
		{name: "sub-domain", status: 302, location: subURL + "/x"},
		{name: "other port", status: 302, location: portURL + "/x"},
		{name: "https to http", status: 302, location: clearURL + "/x", refused: true},
		{name: "307 with body", method: http.MethodPost, status: 307, location: evilURL + "/x", refused: true},
		{name: "302 with body", method: http.MethodPost, status: 302, location: evilURL + "/x"},
		{name: "a b a", status: 302, location: evilURL + "/back"},
		{name: "absolute URL", target: evilURL + "/x", refused: true},
	}
	for name, authenticator := range builtIn() {
		for _, hop := range hops {
			t.Run("A25 "+name+" "+hop.name, func(t *testing.T) {
				t.Parallel()
				n := connectiontest.NewNetwork(t)
				home := n.Serve(homeURL, routes{"/start": redirectTo(hop.status, hop.location)})
				var foreign []*connectiontest.Server
				for _, origin := range []string{evilURL, subURL, portURL, clearURL} {
					foreign = append(foreign, n.Serve(origin, routes{"/back": redirectTo(302, homeURL+"/chosen")}))
				}
				conn := openConn(t, n, connection.WithAuth(authenticator), connection.WithHeader("X-Conn", "1"))
				body := ""
				if hop.method != "" {
					body = "body"
				}
				_, err := ask(t, conn, cmp.Or(hop.method, http.MethodGet), cmp.Or(hop.target, "/start?q=1"), body,
					"X-Own", canary, "Cookie", "own="+canary)
				if (err != nil) != hop.refused {
					t.Fatalf("error is %v, want one: %t", err, hop.refused)
				}
				if err != nil && holdsCanary(err.Error()) {
					t.Errorf("the error has the credential: %v", err)
				}
				seen := 0
				for _, srv := range foreign {
					for _, got := range srv.Requests() {
						wantBare(t, got)
						seen++
					}
				}
				if (seen == 0) != hop.refused {
					t.Errorf("foreign origins have read %d requests", seen)
				}
				for i, got := range home.Requests() {
					if i > 0 {
						wantBare(t, got)
					} else if strings.Count(got.Raw, "canary") < 3 && name != "Basic" {
						t.Errorf("home has not seen the credential:\n%s", got.Raw)
					}
				}
			})
		}
	}
}

// hostile is a transport that answers home's first request with a redirect and everything else with 200.
type hostile struct {
	location string
	requests []*http.Request
}

func (h *hostile) RoundTrip(req *http.Request) (*http.Response, error) {
	h.requests = append(h.requests, req)
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}
	if len(h.requests) == 1 {
		resp.StatusCode = http.StatusFound
		resp.Header["Location"] = []string{h.location}
	}
	return resp, nil
}

// FuzzRedirectLocation sends a request that is redirected: whatever the Location, the credential stays at home.
func FuzzRedirectLocation(f *testing.F) {
	for _, seed := range []string{
		"/x", "//evil.test/x", evilURL, portURL, clearURL, subURL, `\\evil.test`, "https:evil.test", "///evil.test",
		"https://api.example.test@evil.test", "https://api.example.test:443:8443", "https://[::1%25.api.example.test]/",
		"https://API.example.TEST:443/", "https://api.example.test./", "?x", "#x", "https://ａpi.example.test/",
		"https://api.example.test%2eevil.test/", "https://api.example.test:/", "https://api.example.test:0443/",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, location string) {
		h := &hostile{location: location}
		conn := connect(t, homeURL, connection.WithTransport(h), connection.WithHeader("X-Conn", "1"),
			connection.WithAuth(auth.All(bearer(), auth.APIKey(secrets.Static("canary2"), auth.InQuery("key")))))
		_, _ = ask(t, conn, http.MethodGet, "/start?q=1", "")
		for _, req := range h.requests {
			var raw bytes.Buffer
			if err := req.Write(&raw); err != nil {
				t.Fatalf("the request cannot be written: %v", err)
			}
			if !strings.Contains(raw.String(), "canary") && !strings.Contains(raw.String(), "X-Conn") {
				continue
			}
			u := req.URL
			home := u.Scheme == "https" && strings.EqualFold(u.Hostname(), "api.example.test") &&
				(u.Port() == "" || u.Port() == "443") && u.User == nil && u.Opaque == ""
			if !home {
				t.Errorf("credentials went to %q:\n%s", u, raw.String())
			}
			if u.RawQuery != "" && strings.Count(u.RawQuery, "canary2") > 1 {
				t.Errorf("the key is there twice: %s", u.RawQuery)
			}
		}
	})
}
