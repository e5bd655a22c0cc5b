package interop_test

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restconn/restconn/internal/interop/pki"
	"github.com/restconn/restconn/internal/interop/servers"
)

// These tests ask each server one question with net/http alone: they show that the servers do what tests of ours rely
// on.

// plainClient returns a client of net/http that trusts the authority of the servers, and closes its connections after
// the test. It does not follow redirects.
func plainClient(t *testing.T, change ...func(*http.Transport)) *http.Client {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pki.Pool(certificates(t).CA)}, ForceAttemptHTTP2: true,
	}
	for _, c := range change {
		c(transport)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// shows returns a change of a client that shows a certificate.
func shows(t *testing.T, pair *pki.Pair) func(*http.Transport) {
	t.Helper()
	cert, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	return func(tr *http.Transport) { tr.TLSClientConfig.Certificates = []tls.Certificate{cert} }
}

// dials returns a change of a client that lets it dial n times.
func dials(n int64) func(*http.Transport) {
	var count atomic.Int64
	return func(tr *http.Transport) {
		tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if count.Add(1) > n {
				return nil, errors.New("no more connections")
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		}
	}
}

// answer is what a server says.
type answer struct {
	*http.Response

	body string
}

// ask sends a GET. An error is one of the transport.
func ask(t *testing.T, client *http.Client, target string, change ...func(*http.Request)) (answer, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(req)
	}
	return send(client, req)
}

func send(client *http.Client, req *http.Request) (answer, error) {
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return answer{Response: resp, body: string(body)}, err
}

// wantStatus asks, and wants this status.
func wantStatus(t *testing.T, want int, client *http.Client, target string, change ...func(*http.Request)) answer {
	t.Helper()
	got, err := ask(t, client, target, change...)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	if got.StatusCode != want {
		t.Fatalf("%s: status %d, want %d: %s", target, got.StatusCode, want, got.body)
	}
	return got
}

// echo returns what a web server has seen.
func echo(t *testing.T, text string) servers.Echo {
	t.Helper()
	var e servers.Echo
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return e
}

func TestNginxTLS(t *testing.T) {
	s := server(t, servers.Nginx)
	for role, want := range map[string]string{
		servers.TLS: "HTTP/2.0", servers.TLS11: "HTTP/1.1", servers.Plain: "HTTP/1.1",
		servers.Other: "HTTP/2.0", servers.Brief: "HTTP/2.0",
	} {
		got := echo(t, wantStatus(t, 200, plainClient(t), s.At[role]+"/echo").body)
		u, err := url.Parse(s.At[role])
		if err != nil || got.Protocol != want || got.Port != u.Port() || (got.TLS == "") != (role == servers.Plain) {
			t.Errorf("%s at %s: %+v", role, u, got)
		}
	}
	_, err := ask(t, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, s.URL+"/echo")
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		t.Errorf("a client without the authority: %v", err)
	}
}

func TestNginxCertificates(t *testing.T) {
	s := server(t, servers.Nginx)
	_, err := ask(t, plainClient(t), s.At[servers.WrongHost]+"/echo")
	if _, ok := errors.AsType[x509.HostnameError](err); !ok {
		t.Errorf("wrong host: %v", err)
	}
	_, err = ask(t, plainClient(t), s.At[servers.Expired]+"/echo")
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); !ok || invalid.Reason != x509.Expired {
		t.Errorf("expired: %v", err)
	}
	_, err = ask(t, plainClient(t), s.At[servers.Untrusted]+"/echo")
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		t.Errorf("untrusted: %v", err)
	}
}

// TestNginxMTLS is about a server that answers those who show no certificate.
func TestNginxMTLS(t *testing.T) {
	s, certs := server(t, servers.Nginx), certificates(t)
	target := s.At[servers.MTLS] + "/echo"
	wantStatus(t, 400, plainClient(t), target)
	for subject, pair := range map[string]*pki.Pair{"CN=client": certs.Client, "CN=chain client": certs.ChainClient} {
		got := echo(t, wantStatus(t, 200, plainClient(t, shows(t, pair)), target).body)
		if got.Client != "SUCCESS" || got.Subject != subject || got.Protocol != "HTTP/2.0" {
			t.Errorf("%s: %+v", subject, got)
		}
	}
	alone := *certs.ChainClient
	alone.CertPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: alone.Certificate.Raw})
	for name, pair := range map[string]*pki.Pair{
		"of another authority": certs.OtherClient, "expired": certs.ExpiredClient, "without its chain": &alone,
	} {
		t.Run(name, func(t *testing.T) {
			// Go shows only what the server says that it trusts; this function shows it anyway.
			cert, err := pair.TLS()
			if err != nil {
				t.Fatal(err)
			}
			anyway := func(tr *http.Transport) {
				tr.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					return &cert, nil
				}
			}
			wantStatus(t, 400, plainClient(t, anyway), target)
		})
	}
}

func TestNginxAnswers(t *testing.T) {
	s := server(t, servers.Nginx)
	client := plainClient(t)
	for _, role := range []string{servers.TLS, servers.TLS11, servers.Plain} {
		t.Run(role, func(t *testing.T) {
			base := s.At[role]
			wantStatus(t, 401, client, base+"/basic/a.json")
			wantStatus(t, 200, client, base+"/basic/a.json", func(r *http.Request) { r.SetBasicAuth(s.User, s.Password) })
			wantStatus(t, 401, client, base+"/basic/a.json", func(r *http.Request) { r.SetBasicAuth(s.User, "no") })
			limited := base + "/limited?key=" + rand.Text()
			wantStatus(t, 200, client, limited)
			wantStatus(t, 429, client, limited)
			for path, status := range map[string]int{"/busy": 503, "/tooMany": 429} {
				if got := wantStatus(t, status, client, base+path); got.Header.Get("Retry-After") != "1" {
					t.Errorf("%s: %v", path, got.Header)
				}
			}
			got := wantStatus(t, 307, client, base+"/redirect").Header.Get("Location")
			if got != s.At[servers.Other]+"/echo" {
				t.Errorf("redirected to %s", got)
			}
			got = wantStatus(t, 302, client, base+"/redirectPlain").Header.Get("Location")
			if got != s.At[servers.Plain]+"/echo" {
				t.Errorf("redirected to %s", got)
			}
			// Over HTTP/2, Go sends such a request again, on ever new connections.
			if _, err := ask(t, plainClient(t, dials(3)), base+"/drop"); err == nil {
				t.Error("/drop has an answer")
			}
			if got := wantStatus(t, 200, client, base+"/files/big.txt"); !got.Uncompressed || len(got.body) != 60_000 {
				t.Errorf("%d bytes, uncompressed: %t", len(got.body), got.Uncompressed)
			}
			seen := echo(t, wantStatus(t, 200, client, base+"/echo", func(r *http.Request) {
				r.Header.Set("Authorization", "Bearer a")
				r.Header.Set("Proxy-Authorization", "Basic b")
				r.Header.Set("Cookie", "c=d")
				r.Header.Set("X-Api-Key", "e")
			}).body)
			want := seen
			want.Authorization, want.ProxyAuthorization, want.Cookie, want.Key = "Bearer a", "Basic b", "c=d", "e"
			if seen != want {
				t.Errorf("%+v", seen)
			}
		})
	}
}

func TestNginxSlow(t *testing.T) {
	s := server(t, servers.Nginx)
	got := wantStatus(t, 200, plainClient(t), s.URL+"/slow/big.txt")
	if got.Uncompressed || len(got.body) != 60_000 {
		t.Errorf("%d bytes, uncompressed: %t", len(got.body), got.Uncompressed)
	}
}

func TestNginxUpload(t *testing.T) {
	s := server(t, servers.Nginx)
	for size, want := range map[int]int{1000: 200, 100_000: 413} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/upload",
			strings.NewReader(strings.Repeat("u", size)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := send(plainClient(t), req); err != nil || got.StatusCode != want {
			t.Errorf("%d bytes: %v, %v", size, got.Response, err)
		}
	}
}

// TestNginxBrief counts connections.
func TestNginxBrief(t *testing.T) {
	s := server(t, servers.Nginx)
	for role, want := range map[string]int{servers.TLS: 1, servers.Brief: 3} {
		client := plainClient(t)
		seen := map[string]bool{}
		for range 6 {
			seen[echo(t, wantStatus(t, 200, client, s.At[role]+"/echo").body).Connection] = true
		}
		if len(seen) != want {
			t.Errorf("%s: 6 requests over %d connections, want %d", role, len(seen), want)
		}
	}
}

// TestApacheMTLS is about a server that does not answer those who show no certificate.
func TestApacheMTLS(t *testing.T) {
	s, certs := server(t, servers.Apache), certificates(t)
	for role, op := range map[string]string{servers.RefuseMTLS: "TLS 1.2", servers.LateMTLS: "TLS 1.3"} {
		t.Run(op, func(t *testing.T) {
			target := s.At[role] + "/files/a.json"
			_, err := ask(t, plainClient(t), target)
			if !strings.Contains(fmt.Sprint(err), "remote error: tls: ") {
				t.Errorf("without a certificate: %v", err)
			}
			u, _ := url.Parse(target)
			conn, err := tls.Dial("tcp", u.Host, &tls.Config{RootCAs: pki.Pool(certs.CA)})
			if (err == nil) != (role == servers.LateMTLS) {
				t.Errorf("the handshake without a certificate: %v", err)
			}
			if err == nil {
				_ = conn.Close()
			}
			for _, pair := range []*pki.Pair{certs.Client, certs.ChainClient} {
				got := wantStatus(t, 200, plainClient(t, shows(t, pair)), target)
				if got.TLS == nil || tls.VersionName(got.TLS.Version) != op {
					t.Errorf("%s: %+v", pair.Certificate.Subject, got.TLS)
				}
			}
		})
	}
}

// digestAnswer returns the answer to a Digest challenge (RFC 7616, MD5, qop=auth), written down once by hand.
func digestAnswer(t *testing.T, s *servers.Server, challenge, method, uri string) string {
	t.Helper()
	param := func(name string) string {
		found := regexp.MustCompile(name + `="?([^",]+)`).FindStringSubmatch(challenge)
		if found == nil {
			t.Fatalf("no %s in %q", name, challenge)
		}
		return found[1]
	}
	hash := func(parts ...string) string { return fmt.Sprintf("%x", md5.Sum([]byte(strings.Join(parts, ":")))) }
	realm, nonce := param("realm"), param("nonce")
	return fmt.Sprintf(
		`Digest username=%q, realm=%q, nonce=%q, uri=%q, qop=auth, nc=00000001, cnonce="c", response=%q`,
		s.User, realm, nonce, uri,
		hash(hash(s.User, realm, s.Password), nonce, "00000001", "c", "auth", hash(method, uri)))
}

func TestApacheDigest(t *testing.T) {
	s := server(t, servers.Apache)
	client, target := plainClient(t), s.At[servers.Digest]+"/digest/a.json"
	challenge := wantStatus(t, 401, client, target).Header.Get("WWW-Authenticate")
	with := func(password string) func(*http.Request) {
		known := &servers.Server{User: s.User, Password: password}
		return func(r *http.Request) {
			r.Header.Set("Authorization", digestAnswer(t, known, challenge, "GET", "/digest/a.json"))
		}
	}
	wantStatus(t, 401, client, target, with("no"))
	wantStatus(t, 200, client, target, with(s.Password))
}
