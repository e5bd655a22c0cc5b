package connection_test

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
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
)

// issuer is a certificate authority of its own, which no network knows.
type issuer struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newIssuer makes an authority, by the clock of the caller.
func newIssuer(t *testing.T, name string) *issuer {
	t.Helper()
	a := &issuer{t: t}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	cert := a.sign(template, nil)
	a.cert, a.key = cert.Leaf, cert.PrivateKey.(*ecdsa.PrivateKey)
	return a
}

// sign mints a certificate; without an authority it signs itself.
func (a *issuer) sign(template *x509.Certificate, names []string) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = serial
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().AddDate(0, 0, -1), time.Now().AddDate(1, 0, 0)
	}
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// mint returns a certificate for the names, for servers and for clients.
func (a *issuer) mint(names ...string) tls.Certificate {
	a.t.Helper()
	return a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "leaf"}}, names)
}

// between returns one with another time.
func (a *issuer) between(from, to time.Time, names ...string) tls.Certificate {
	a.t.Helper()
	return a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "leaf"}, NotBefore: from, NotAfter: to}, names)
}

// subject returns one with another subject.
func (a *issuer) subject(name string) tls.Certificate {
	a.t.Helper()
	return a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}}, []string{"client.example.test"})
}

func (a *issuer) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

func (a *issuer) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// shows returns the TLS configuration of a server that shows cert, and speaks the protocols.
func shows(cert tls.Certificate, protocols ...string) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: protocols}
}

// asks makes a server ask for a client's certificate, and accept any or none.
func asks(cfg *tls.Config) *tls.Config {
	cfg.ClientAuth = tls.RequestClientCert
	return cfg
}

// wired reaches the servers of a network, and trusts whom the other options say.
func wired(n *connectiontest.Network) connection.Option {
	return connection.Options(
		connection.WithDialContext(n.Dial),
		connection.WithProxy(connection.Proxy{Mode: connection.ProxyNone}),
		connection.WithTokenProxy(connection.Proxy{Mode: connection.ProxyNone}),
	)
}

// peers notes the client certificate of each request, by the common name of its subject; "" stands for none.
type peers struct {
	mu    sync.Mutex
	names []string
	fresh int // handshakes that did not resume a session, as of the last request
}

func (p *peers) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	name := ""
	if req.TLS != nil && len(req.TLS.PeerCertificates) > 0 {
		name = req.TLS.PeerCertificates[0].Subject.CommonName
	}
	p.mu.Lock()
	p.names = append(p.names, name)
	if req.TLS != nil && !req.TLS.DidResume {
		p.fresh++
	}
	p.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

func (p *peers) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.names...)
}

// materialSource is an identity and trust source that tests change. Its functions are called without the lock.
type materialSource struct {
	mu    sync.Mutex
	cert  *tls.Certificate
	roots *x509.CertPool
	fail  func(ctx context.Context) error
	calls int
	inUse int
	most  int // calls at once
}

func (s *materialSource) begin(ctx context.Context) error {
	s.mu.Lock()
	s.calls++
	s.inUse++
	s.most = max(s.most, s.inUse)
	fail := s.fail
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.inUse--
	}()
	if fail == nil {
		return nil
	}
	return fail(ctx)
}

func (s *materialSource) Identity(ctx context.Context) (*tls.Certificate, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cert, nil
}

func (s *materialSource) Roots(ctx context.Context) (*x509.CertPool, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roots, nil
}

func (s *materialSource) set(change func(s *materialSource)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *materialSource) called() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// warnings returns the records of level Warn that are not about a request.
func warnings(c *collector) []slog.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []slog.Record
	for _, r := range c.list {
		if r.Level == slog.LevelWarn && r.Message != "http request" && r.Message != "token call" {
			list = append(list, r)
		}
	}
	return list
}

// wantWarnings checks how many warnings there are.
func wantWarnings(t *testing.T, c *collector, want int) {
	t.Helper()
	if got := warnings(c); len(got) != want {
		t.Errorf("there are %d warnings, want %d: %v", len(got), want, got)
	}
}

// conns checks how many connections a server has accepted.
func conns(t *testing.T, srv *connectiontest.Server, want int) {
	t.Helper()
	if got := srv.Conns(); got != want {
		t.Errorf("%s has accepted %d connections, want %d", srv.URL, got, want)
	}
}

// insistent retries whatever happens.
func insistent() connection.Option {
	return connection.WithRetry(connection.Retry{Max: 3, On: connection.OnAllErrors()})
}

// wantError returns the error of type E in err.
func wantError[E error](t *testing.T, err error) E {
	t.Helper()
	e, ok := errors.AsType[E](err)
	if !ok {
		t.Fatalf("error is %v (%T), want one with a %T in it", err, err, e)
	}
	return e
}
