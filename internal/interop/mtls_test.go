package interop_test

import (
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/keystore"
	"github.com/restconn/restconn/internal/interop/pki"
	"github.com/restconn/restconn/internal/interop/servers"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

var (
	storePassword = keystore.Password(secrets.Static(pki.StorePassword))
	keyPassword   = keystore.KeyPassword(secrets.Static(pki.KeyPassword))
)

// stores are all the files of openssl and keytool that hold the client and that we read.
func stores(t *testing.T) map[string]*keystore.Store {
	t.Helper()
	k := keystores(t)
	return map[string]*keystore.Store{
		"PEM":                       keystore.Files(k.CertPEM, k.KeyPEM),
		"PEM with an encrypted key": keystore.Files(k.CertPEM, k.EncryptedKeyPEM, keyPassword),
		"PKCS#12":                   keystore.File(k.PKCS12, storePassword),
		"PKCS#12 of old":            keystore.File(k.LegacyPKCS12, storePassword),
		"PKCS#12 of keytool":        keystore.File(k.KeytoolPKCS12, storePassword, keystore.Alias(pki.Alias)),
		"I-22 JKS":                  keystore.File(k.JKS, storePassword, keyPassword, keystore.Alias(pki.Alias)),
	}
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	web, apache := server(t, servers.Nginx), server(t, servers.Apache)
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			identity := connection.WithClientCertificate(store)
			got := seen(t, request.Get(dialing(t, web.At[servers.MTLS], identity), "/echo"))
			if got.Client != "SUCCESS" || got.Subject != "CN=client" || got.Protocol != "HTTP/2.0" {
				t.Errorf("%+v", got)
			}
			for _, role := range []string{servers.RefuseMTLS, servers.LateMTLS} {
				wantFile(t, dialing(t, apache.At[role], identity))
			}
		})
	}
	t.Run("I-22 a chain with an authority in between", func(t *testing.T) {
		t.Parallel()
		chain := connection.WithClientCertificate(keystore.Bytes(bundle(certificates(t).ChainClient)))
		if got := seen(t, request.Get(dialing(t, web.At[servers.MTLS], chain), "/echo")); got.Subject != "CN=chain client" {
			t.Errorf("%+v", got)
		}
		for _, role := range []string{servers.RefuseMTLS, servers.LateMTLS} {
			wantFile(t, dialing(t, apache.At[role], chain))
		}
	})
}

// wantFile asks for a file that Apache has.
func wantFile(t *testing.T, conn *connection.Connection) {
	t.Helper()
	if err := request.Get(conn, "/files/a.json").Exec(within(t, time.Minute)); err != nil {
		t.Error(err)
	}
}

// bundle is a PEM file with certificates and key.
func bundle(p *pki.Pair) []byte { return append(append([]byte(nil), p.CertPEM...), p.KeyPEM...) }

// alone is a client that does not know the authority between it and the root.
func alone(p *pki.Pair) *pki.Pair {
	return &pki.Pair{
		Certificate: p.Certificate, KeyPEM: p.KeyPEM,
		CertPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate.Raw}),
	}
}

// TestRefusedIdentities is about clients that a server does not want.
func TestRefusedIdentities(t *testing.T) {
	t.Parallel()
	web, apache, certs := server(t, servers.Nginx), server(t, servers.Apache), certificates(t)
	for name, client := range map[string]*pki.Pair{
		"no certificate": nil, "of another authority": certs.OtherClient, "expired": certs.ExpiredClient,
		"without its chain": alone(certs.ChainClient),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := []connection.Option{threeTimes()}
			if client != nil {
				options = append(options, connection.WithClientCertificate(connection.StaticCertificate(pair(t, client))))
			}
			b, id := marked(request.Post(dialing(t, web.At[servers.MTLS], options...), "/echo").JSON(1))
			wantResponse(t, fails(t, b), http.StatusBadRequest)
			wantRequests(t, web, id, 1)
			for _, role := range []string{servers.RefuseMTLS, servers.LateMTLS} {
				l, base := link(t, apache.At[role])
				err := fails(t, request.Post(dialing(t, base, options...), "/files/a.json").JSON(1))
				got := as[*connection.TransportError](t, err)
				// In TLS 1.3 the client is done before the server is. Where it writes after the server has closed the
				// connection, net/http tells of that.
				late := role == servers.LateMTLS && brokenOff(err)
				if !strings.Contains(err.Error(), "remote error: tls: ") && !late {
					t.Errorf("%s: the alert is not told: %v", role, err)
				}
				if role == servers.RefuseMTLS && !got.Unsent {
					t.Errorf("%s: the handshake failed, and the POST is not said to be unsent: %v", role, err)
				}
				if l.Accepted() != 1 {
					t.Errorf("%s: %d connections: %v", role, l.Accepted(), err)
				}
			}
		})
	}
}

// brokenOff reports whether a connection was closed on the way.
func brokenOff(err error) bool {
	for _, target := range []error{net.ErrClosed, syscall.EPIPE, syscall.ECONNRESET} {
		if errors.Is(err, target) {
			return true
		}
	}
	return strings.Contains(err.Error(), "use of closed network connection")
}

func TestTrustStores(t *testing.T) {
	t.Parallel()
	s, k := server(t, servers.Nginx), keystores(t)
	direct := connection.WithProxy(connection.Proxy{Mode: connection.ProxyNone})
	for name, store := range map[string]*keystore.Store{
		"I-20 JKS": keystore.File(k.TrustJKS, storePassword), "PKCS#12": keystore.File(k.TrustPKCS12, storePassword),
		"I-21 JKS without its password": keystore.File(k.TrustJKS), "PEM": keystore.File(k.CAPEM),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen(t, request.Get(opened(t, s.URL, direct, connection.WithRootCAs(store)), "/echo"))
			conn := opened(t, s.At[servers.Untrusted], direct, connection.WithRootCAs(store))
			wants[*connection.TransportError](t, fails(t, request.Get(conn, "/echo")))
		})
	}
	t.Run("I-21 a wrong password", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{k.TrustJKS, k.TrustPKCS12} {
			store := keystore.File(path, keystore.Password(secrets.Static("wrong-password-3")))
			_, err := connection.New(s.URL, connection.WithRootCAs(store))
			if !errors.Is(err, keystore.ErrPassword) || strings.Contains(err.Error(), "wrong-password-3") {
				t.Errorf("%v", err)
			}
		}
	})
	t.Run("I-24 a wrong password of the key", func(t *testing.T) {
		t.Parallel()
		for _, store := range []*keystore.Store{
			keystore.File(k.JKS, storePassword), keystore.Files(k.CertPEM, k.EncryptedKeyPEM, storePassword),
			keystore.File(k.PKCS12, keystore.Password(secrets.Static(pki.KeyPassword))),
		} {
			if _, err := connection.New(s.URL, connection.WithClientCertificate(store)); !errors.Is(err, keystore.ErrPassword) {
				t.Errorf("%v: %v", store, err)
			}
		}
	})
}

// TestConversions runs what we tell people to run.
func TestConversions(t *testing.T) {
	t.Parallel()
	web, k := server(t, servers.Nginx), keystores(t)
	for _, tt := range []struct {
		name, path, input string
		converted         func(path string) *keystore.Store
	}{
		{
			// keytool asks for the new password, twice, for the old one, and for that of the key.
			"B8 JCEKS", k.JCEKS,
			pki.StorePassword + "\n" + pki.StorePassword + "\n" + pki.StorePassword + "\n" + pki.KeyPassword + "\n",
			func(path string) *keystore.Store { return keystore.File(path, storePassword) },
		},
		{
			"a key of old", k.LegacyKeyPEM, pki.KeyPassword + "\n" + pki.KeyPassword + "\n" + pki.KeyPassword + "\n",
			func(path string) *keystore.Store { return keystore.Files(k.CertPEM, path, keyPassword) },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "it's one"+filepath.Ext(tt.path)) // a quote and a blank, for the shell
			data, err := os.ReadFile(tt.path)
			if err == nil {
				err = os.WriteFile(path, data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			store := keystore.File(path, storePassword, keyPassword)
			if tt.path == k.LegacyKeyPEM {
				store = keystore.Files(k.CertPEM, path, keyPassword)
			}
			_, err = connection.New(web.At[servers.MTLS], connection.WithClientCertificate(store))
			if !errors.Is(err, keystore.ErrUnsupported) {
				t.Fatalf("%v", err)
			}
			command := regexp.MustCompile(`(keytool|openssl) -?[a-z].*`).FindString(err.Error())
			t.Log(command)
			made := execute(t, command, tt.input, filepath.Dir(path), path)
			identity := connection.WithClientCertificate(tt.converted(made))
			got := seen(t, request.Get(dialing(t, web.At[servers.MTLS], identity), "/echo"))
			if got.Subject != "CN=client" {
				t.Errorf("%+v", got)
			}
		})
	}
}

// execute runs a command in a shell, types what it asks for, and returns the file that it has made beside another
// one.
func execute(t *testing.T, command, input, dir, old string) string {
	t.Helper()
	cmd := exec.CommandContext(within(t, time.Minute), "sh", "-c", command)
	cmd.Stdin, cmd.Dir = strings.NewReader(input), dir
	cmd.Env = append(os.Environ(), "JAVA_TOOL_OPTIONS=-XX:-UsePerfData")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if path := filepath.Join(dir, f.Name()); path != old {
			return path
		}
	}
	t.Fatalf("%s has made no file:\n%s", command, out)
	return ""
}

// TestReload replaces the file of a client while its requests run.
func TestReload(t *testing.T) {
	t.Parallel()
	for name, version := range versions() {
		t.Run("B3 "+name, func(t *testing.T) {
			t.Parallel()
			r := newRotated(t, version)
			var log echoes
			stop := log.run(t, 4, request.Get(r.conn, "/echo"))
			eventually(t, "requests run", func() bool { return log.count("CN=client") >= 20 })

			if err := os.WriteFile(r.file, []byte("half of a file"), 0o600); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a broken file is told", func() bool { return r.conn.Describe().Pool.ReloadError != "" })
			before := log.count("CN=client")
			eventually(t, "requests go on", func() bool { return log.count("CN=client") >= before+20 })

			r.renew(t, certificates(t).ChainClient)
			eventually(t, "the new client is seen", func() bool { return log.count("CN=chain client") >= 40 })
			stop()
			if got := r.conn.Describe(); got.Pool.ReloadError != "" || !strings.Contains(got.Pool.Certificate, "chain client") {
				t.Errorf("%s, %s", got.Pool.Certificate, got.Pool.ReloadError)
			}
			log.check(t)
		})
	}
}

// TestOldConnections wants that the connections of the old client are closed.
func TestOldConnections(t *testing.T) {
	t.Parallel()
	for name, version := range versions() {
		t.Run("B3 "+name, func(t *testing.T) {
			t.Parallel()
			r := newRotated(t, version)
			if got := seen(t, request.Get(r.conn, "/echo")); got.Subject != "CN=client" {
				t.Errorf("%+v", got)
			}
			old := r.link.Accepted()
			r.renew(t, certificates(t).ChainClient)
			eventually(t, "the new client is seen", func() bool {
				return seen(t, request.Get(r.conn, "/echo")).Subject == "CN=chain client"
			})
			eventually(t, "the old connections are closed", func() bool { return r.link.Open(old) == 0 })
		})
	}
}

// versions are those of HTTP.
func versions() map[string]connection.HTTPVersion {
	return map[string]connection.HTTPVersion{"HTTP 2": connection.HTTP2Required, "HTTP 1.1": connection.HTTP11}
}

// rotated is a connection with a client whose file is replaced.
type rotated struct {
	dir, file string
	link      *servers.Link
	conn      *connection.Connection
}

func newRotated(t *testing.T, version connection.HTTPVersion) *rotated {
	t.Helper()
	dir := t.TempDir()
	r := &rotated{dir: dir, file: filepath.Join(dir, "client.p12")}
	r.renew(t, certificates(t).Client)
	l, base := link(t, server(t, servers.Nginx).At[servers.MTLS])
	r.link = l
	r.conn = dialing(t, base, connection.WithHTTPVersion(version), connection.WithReloadInterval(20*time.Millisecond),
		connection.WithClientCertificate(keystore.File(r.file, storePassword)))
	return r
}

// renew puts a client into the file as openssl makes it, by renaming.
func (r *rotated) renew(t *testing.T, client *pki.Pair) {
	t.Helper()
	pemFile, made := filepath.Join(r.dir, "client.pem"), r.file+".new"
	if err := os.WriteFile(pemFile, bundle(client), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "openssl", "pkcs12", "-export", "-in", pemFile, "-out", made,
		"-passout", "pass:"+pki.StorePassword).CombinedOutput()
	if err == nil {
		err = os.Rename(made, r.file)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// echoes are the echoes that came, in their order for each goroutine.
type echoes struct {
	mu     sync.Mutex
	seen   [][]servers.Echo
	faults []error
}

// run sends a request from n goroutines again and again, until stop is called.
func (e *echoes) run(t *testing.T, n int, b request.Builder) (stop func()) {
	t.Helper()
	ctx := within(t, 2*time.Minute)
	e.seen = make([][]servers.Echo, n)
	var ends atomic.Bool
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for !ends.Load() && ctx.Err() == nil {
				got, err := request.Do[servers.Echo](ctx, b)
				e.mu.Lock()
				if err != nil {
					e.faults = append(e.faults, err)
				} else {
					e.seen[i] = append(e.seen[i], got)
				}
				e.mu.Unlock()
			}
		})
	}
	stop = func() {
		ends.Store(true)
		all.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// count is how many of them a client has.
func (e *echoes) count(client string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, list := range e.seen {
		for _, one := range list {
			if one.Subject == client {
				n++
			}
		}
	}
	return n
}

// check wants that nothing has failed, that no goroutine was somebody else again, and that no connection had two
// clients.
func (e *echoes) check(t *testing.T) {
	t.Helper()
	for _, err := range e.faults {
		t.Error(err)
	}
	clients := map[string]string{}
	for _, list := range e.seen {
		changes := 0
		for i, one := range list {
			if i > 0 && one.Subject != list[i-1].Subject {
				changes++
			}
			if known, ok := clients[one.Connection]; ok && known != one.Subject {
				t.Errorf("connection %s is that of %s and of %s", one.Connection, known, one.Subject)
			}
			clients[one.Connection] = one.Subject
		}
		if changes > 1 {
			t.Errorf("a goroutine has changed its client %d times", changes)
		}
	}
}

// TestTokenCalls asks a token endpoint that knows clients by their certificates: the token is the subject.
func TestTokenCalls(t *testing.T) {
	t.Parallel()
	s, k := server(t, servers.Nginx), keystores(t)
	store := keystore.File(k.PKCS12, storePassword)
	flow := func(tokens string) connection.Option {
		return connection.WithAuth(auth.Bearer(auth.Manage(oauth2flow.ClientCredentials(oauth2flow.Client{
			ID: "client", Auth: oauth2flow.TLSClientAuth(), TokenURL: tokens + "/token",
		}))))
	}
	for name, base := range map[string]string{
		"of the service itself": s.At[servers.MTLS], "of another origin": s.URL,
	} {
		t.Run("a token endpoint "+name, func(t *testing.T) {
			t.Parallel()
			conn := dialing(t, base, connection.WithClientCertificate(store), flow(s.At[servers.MTLS]))
			if got := seen(t, request.Get(conn, "/echo")); got.Authorization != "Bearer CN=client" {
				t.Errorf("%+v", got)
			}
		})
	}
	t.Run("without a certificate", func(t *testing.T) {
		t.Parallel()
		b, id := marked(request.Get(dialing(t, s.URL, flow(s.At[servers.MTLS])), "/echo"))
		wants[*auth.Error](t, fails(t, b))
		wantRequests(t, s, id, 0)
	})
}
