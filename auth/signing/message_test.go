package signing_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"strconv"
	"strings"
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

// The keys of RFC 9421, appendix B.1.
const (
	sharedSecret = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
	ed25519Key   = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n" +
		"-----END PRIVATE KEY-----\n"
	ed25519PublicKey = "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="
)

// rfcRequest is the request of RFC 9421, appendix B.2, at its time.
func rfcRequest(t *testing.T) *http.Request {
	t.Helper()
	at(t, "2021-04-20T02:07:53Z") // 1618884473
	req := newRequest(t, "POST", "https://example.com/foo?param=Value&Pet=dog", `{"hello": "world"}`)
	req.Header.Set("Date", "Tue, 20 Apr 2021 02:07:55 GMT")
	req.Header.Set("Content-Type", "application/json")
	return req
}

func TestMessageSignatureVectors(t *testing.T) {
	t.Parallel()
	decoded, err := base64.StdEncoding.DecodeString(sharedSecret)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name             string
		cfg              signing.MessageConfig
		input, signature string
	}{
		{
			name: "Q-176 hmac-sha256 is that of RFC 9421, appendix B.2.5",
			cfg: signing.MessageConfig{
				Key: secrets.Static(string(decoded)), KeyID: "test-shared-secret", Label: "sig-b25",
				Components: []string{"Date", "@authority", "Content-Type"},
			},
			input:     `sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"`,
			signature: "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:",
		},
		{
			name: "Q-176 ed25519 is that of RFC 9421, appendix B.2.6",
			cfg: signing.MessageConfig{
				Key: secrets.Static(ed25519Key), KeyID: "test-key-ed25519", Label: "sig-b26", Algorithm: signing.Ed25519(),
				Components: []string{"date", "@method", "@path", "@authority", "content-type", "content-length"},
			},
			input: `sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")` +
				`;created=1618884473;keyid="test-key-ed25519"`,
			signature: "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
		},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			req := signed(t, signing.MessageSignature(tt.cfg), rfcRequest(t))
			if diff := cmp.Diff([]string{tt.input}, req.Header["Signature-Input"]); diff != "" {
				t.Errorf("Signature-Input (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{tt.signature}, req.Header["Signature"]); diff != "" {
				t.Errorf("Signature (-want +got):\n%s", diff)
			}
		})
	}
	bubble(t, "Q-176 Content-Digest is that of RFC 9421, appendix B.2", func(t *testing.T) {
		cfg := signing.MessageConfig{Key: secrets.Static("key-of-eight"), Digest: signing.ContentDigest(signing.SHA512)}
		req := signed(t, signing.MessageSignature(cfg), rfcRequest(t))
		want := "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"
		if got := req.Header.Get("Content-Digest"); got != want {
			t.Errorf("got %q", got)
		}
	})
}

// verify checks the only signature of a request that arrived, as a server does that has not read this package.
func verify(t *testing.T, got connectiontest.Request) (params string) {
	t.Helper()
	input, ok := strings.CutPrefix(got.Header.Get("Signature-Input"), "sig1=")
	signature, ok2 := strings.CutPrefix(got.Header.Get("Signature"), "sig1=:")
	if !ok || !ok2 {
		t.Fatalf("got\n%s", got.Raw)
	}
	path, query, _ := strings.Cut(got.Target, "?")
	list, params, _ := strings.Cut(strings.TrimPrefix(input, "("), ")")
	var base strings.Builder
	for quoted := range strings.FieldsSeq(list) {
		name, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatal(err)
		}
		value, ok := map[string]string{
			"@method": got.Method, "@authority": got.Host, "@path": path, "@query": "?" + query, "@scheme": "https",
			"@target-uri": "https://" + got.Host + got.Target,
		}[name]
		if !ok {
			value = strings.Join(got.Header.Values(name), ", ")
		}
		base.WriteString(quoted + ": " + value + "\n")
	}
	base.WriteString(`"@signature-params": ` + input)
	der, err := base64.StdEncoding.DecodeString(ed25519PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(signature, ":"))
	if err != nil || !ed25519.Verify(key.(ed25519.PublicKey), []byte(base.String()), sig) {
		t.Errorf("the signature is not that of\n%s", base.String())
	}
	sum := sha256.Sum256(got.Body)
	if want := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"; got.Header.Get("Content-Digest") != want {
		t.Errorf("Content-Digest %q, want %q", got.Header.Get("Content-Digest"), want)
	}
	return params
}

func streamline() signing.MessageConfig {
	return signing.MessageConfig{
		Key: secrets.Static(ed25519Key), KeyID: `key "1"\`, Algorithm: signing.Ed25519(), SendAlgorithm: true,
		Digest: signing.ContentDigest(signing.SHA256), Lifetime: 5 * time.Minute, Nonce: true,
	}
}

func TestMessageSignatureOnTheWire(t *testing.T) {
	t.Parallel()
	again := connection.WithRetry(connection.Retry{Max: 1, Wait: connection.Constant(time.Minute)})
	bubble(t, "Q-176 each attempt has a signature of its own", func(t *testing.T) {
		at(t, "2026-03-04T05:06:07Z")
		srv := connectiontest.NewServer(t, connectiontest.Sequence(connectiontest.Status(503), connectiontest.Status(200)))
		conn := connectTo(t, srv, signing.MessageSignature(streamline()), again)
		if err := request.Put(conn, "/a%2Fb/ä?q=x%20y").Text("the body").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, created := range []int64{1772600767, 1772600827} {
			params := verify(t, srv.Requests()[i])
			nonce := strings.Split(params, `"`)[1]
			want := ";created=" + strconv.FormatInt(created, 10) + ";expires=" + strconv.FormatInt(created+300, 10) +
				`;nonce="` + nonce + `";keyid="key \"1\"\\";alg="ed25519"`
			if diff := cmp.Diff(want, params); diff != "" || len(nonce) < 20 {
				t.Errorf("attempt %d (-want +got):\n%s", i, diff)
			}
		}
		if srv.Requests()[0].Header.Get("Signature") == srv.Requests()[1].Header.Get("Signature") {
			t.Error("the retry has the old signature")
		}
	})
	bubble(t, "Q-176 all that can be derived", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Status(200))
		cfg := streamline()
		cfg.Components = []string{
			"@method", "@authority", "@scheme", "@path", "@query", "@target-uri", "content-digest", "x-list", "content-length",
		}
		conn := connectTo(t, srv, signing.MessageSignature(cfg))
		req := newRequest(t, "POST", srv.URL, "")
		req.Header["X-List"] = []string{"one", " two, three "}
		resp, err := conn.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		verify(t, srv.Requests()[0])
	})
}

func TestAuthority(t *testing.T) {
	t.Parallel()
	authority := func(t *testing.T, url string) string {
		t.Helper()
		var base string
		cfg := signing.MessageConfig{
			Key: secrets.Static("k"), Components: []string{"@authority"},
			Algorithm: signing.AlgorithmFunc("spy", func(_ secrets.Value, message []byte) ([]byte, error) {
				base = string(message)
				return []byte("s"), nil
			}),
		}
		signed(t, signing.MessageSignature(cfg), newRequest(t, "GET", url, ""))
		line, _, _ := strings.Cut(base, "\n")
		return strings.TrimPrefix(line, `"@authority": `)
	}
	for url, want := range map[string]string{
		"https://API.Test/":         "api.test",
		"https://api.test:443/":     "api.test",
		"https://api.test:80/":      "api.test:80",
		"http://api.test:80/":       "api.test",
		"http://[::1]:8080/":        "[::1]:8080",
		"HTTPS://user@api.test:443": "api.test",
	} {
		if got := authority(t, url); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

func TestEd25519Key(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{
		"no PEM":       "not a key",
		"not PKCS #8":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("garbage of a key")})),
		"a public key": "-----BEGIN PUBLIC KEY-----\n" + ed25519PublicKey + "\n-----END PUBLIC KEY-----\n",
	} {
		a := signing.MessageSignature(signing.MessageConfig{Key: secrets.Static(key), Algorithm: signing.Ed25519()})
		wantError(t, name, a.Authenticate(newRequest(t, "GET", "https://api.test/", "")), auth.ErrMalformed)
	}
}
