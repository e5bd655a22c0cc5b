package restconn_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/keystore"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// closedService is a service that wants a certificate of its authority, behind a proxy that lets every tunnel
// through.
type closedService struct {
	server, proxy *httptest.Server
	authority     []byte // PEM
	path          string // of the client's certificate and key
}

func startClosedService(dir string) (*closedService, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := selfSigned(key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	s := &closedService{path: filepath.Join(dir, "client.pem")}
	s.authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	if err := os.WriteFile(s.path, append(private, s.authority...), 0o600); err != nil {
		return nil, err
	}
	clients := x509.NewCertPool()
	clients.AddCert(cert)
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"name":%q}`, req.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	s.server.TLS = &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: clients,
	}
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.server.StartTLS()
	s.proxy = httptest.NewServer(http.HandlerFunc(tunnel))
	return s, nil
}

// selfSigned returns a certificate that serves for the authority, the service and the client.
func selfSigned(key *ecdsa.PrivateKey) ([]byte, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Ann"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	return x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
}

// tunnel is a proxy.
func tunnel(w http.ResponseWriter, req *http.Request) {
	fmt.Println("the proxy is asked:", req.Method, req.Header.Get("Proxy-Authorization") != "")
	to, err := new(net.Dialer).DialContext(req.Context(), "tcp", req.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusOK)
	from, read, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = to.Close()
		return
	}
	go func() { _, _ = io.Copy(to, read); _ = to.Close() }() // what it has read ahead is in read
	go func() { _, _ = io.Copy(from, to); _ = from.Close() }()
}

// Example_transport reaches a service through a proxy, with a client certificate.
func Example_transport() {
	dir, err := os.MkdirTemp("", "transport")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	service, err := startClosedService(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer service.server.Close()
	defer service.proxy.Close()
	_ = os.Setenv("KEYSTORE_PASSWORD", "a password")
	_ = os.Setenv("PROXY_PASSWORD", "another one")
	api, authority, path := service.server.URL, service.authority, service.path
	proxy, err := url.Parse(service.proxy.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	host := proxy.Hostname()
	port, err := strconv.Atoi(proxy.Port())
	if err != nil {
		fmt.Println(err)
		return
	}
	pin, spare := connection.PinOf(service.server.Certificate()), "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

	identity := keystore.File(path, keystore.Password(secrets.Env("KEYSTORE_PASSWORD")))
	conn, err := connection.New(api,
		connection.WithTrustedCA(authority),        // beside those of the system
		connection.WithClientCertificate(identity), // mutual TLS, beside any authenticator
		connection.WithPinnedKeys(pin, spare),      // "sha256/..." of the public key
		connection.WithProxy(connection.Proxy{
			Mode: connection.ProxyCustom, Host: host, Port: port, User: "crm", Password: secrets.Env("PROXY_PASSWORD"),
		}),
	)
	use(conn, err)

	conn, err = connection.New(api,
		connection.WithRetry(connection.Retry{
			Max: 3, Wait: connection.FullJitter(time.Second, time.Minute), // and what Retry-After asks for
			On: connection.OnAny(connection.OnServerErrors(), connection.OnStatus(429)),
		}),
		connection.WithRateLimit(10, 20), // per second and host, and at once
		connection.WithPublicAddressesOnly(),
		connection.WithProxy(connection.Proxy{Mode: connection.ProxyNone}),
		connection.WithTokenProxy(connection.Proxy{Mode: connection.ProxyNone}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()
	hookURL, event, ctx := proxy, "shipped", context.Background()
	err = request.To(conn, "POST", hookURL).Auth(auth.None()).JSON(event).Exec(ctx) // any URL, and no credential
	_, refused := errors.AsType[*connection.AddressError](err)
	fmt.Println("this machine is not public:", refused)
	// Output:
	// the proxy is asked: CONNECT true
	// Ann
	// Ann
	// this machine is not public: true
}
