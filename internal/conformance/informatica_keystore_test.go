package conformance_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	jks "github.com/pavlo-v-chernykh/keystore-go/v4"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/connection/keystore"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

const storePassword = "storecanary"

// trustStore writes a JKS that trusts the authority of the network.
func trustStore(r *Row, n *connectiontest.Network) string {
	r.Helper()
	ks := jks.New()
	r.NoError(ks.SetTrustedCertificateEntry("root", jks.TrustedCertificateEntry{
		CreationTime: time.Now(), Certificate: jks.Certificate{Type: "X509", Content: authority(r, n).Raw},
	}))
	return writeStore(r, ks)
}

// keyStore writes a JKS with a key and its chain under each name. Its keys have the password of the store, or
// another.
func keyStore(r *Row, n *connectiontest.Network, keyPassword string, names ...string) string {
	r.Helper()
	ks := jks.New()
	for _, name := range names {
		cert := n.Certificate(name)
		key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
		r.NoError(err)
		r.NoError(ks.SetPrivateKeyEntry(name, jks.PrivateKeyEntry{
			CreationTime: time.Now(), PrivateKey: key, CertificateChain: []jks.Certificate{
				{Type: "X509", Content: cert.Certificate[0]}, {Type: "X509", Content: authority(r, n).Raw},
			},
		}, []byte(keyPassword)))
	}
	return writeStore(r, ks)
}

func writeStore(r *Row, ks jks.KeyStore) string {
	r.Helper()
	var out bytes.Buffer
	r.NoError(ks.Store(&out, []byte(storePassword)))
	return writeFile(r, "store.jks", out.Bytes())
}

func writeFile(r *Row, name string, data []byte) string {
	r.Helper()
	path := filepath.Join(r.TempDir(), name)
	r.NoError(os.WriteFile(path, data, 0o600))
	return path
}

func authority(r *Row, n *connectiontest.Network) *x509.Certificate {
	r.Helper()
	block, _ := pem.Decode(n.Authority())
	cert, err := x509.ParseCertificate(block.Bytes)
	r.NoError(err)
	return cert
}

func opensWith(password string) keystore.Option { return keystore.Password(secrets.Static(password)) }

// reach sends GET /v1/x to the server, over a connection with those options.
func reach(r *Row, s *connectiontest.Server, options ...connection.Option) error {
	r.Helper()
	conn, err := connection.New(s.URL+"/v1", append([]connection.Option{dialing(s.Network())}, options...)...)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return request.Get(conn, "/x").Exec(r.ctx())
}

// whoAsks is a server that wants a client certificate, and tells the names and the length of the chain that it saw.
func whoAsks(n *connectiontest.Network, names *[]string, chain *int) *connectiontest.Server {
	h := http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		*names, *chain = req.TLS.PeerCertificates[0].DNSNames, len(req.TLS.PeerCertificates)
	})
	return n.ServeTLS("https://api.example.test", h,
		&tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: n.RootCAs()})
}

func TestInformaticaTrustStore(t *testing.T) {
	t.Parallel()
	row(t, "I-18 a trust store takes the place of the system's certificates, and its path is absolute", func(r *Row) {
		private, public := r.serve(), r.serve()
		path := trustStore(r, private.Network())
		trust := keystore.File(path, opensWith(storePassword))
		r.NoError(reach(r, private, connection.WithRootCAs(trust)))
		r.Line(r.Sent(private, 1)[0], "GET /v1/x HTTP/1.1")
		_ = as[x509.UnknownAuthorityError](r, reach(r, public, connection.WithRootCAs(trust)))
		r.Sent(public, 0)
		only := x509.NewCertPool()
		only.AddCert(authority(r, private.Network()))
		roots, err := trust.Roots(r.ctx())
		r.NoError(err)
		r.Equal("the pool has that certificate and no other", roots.Equal(only), true)
		r.rejects("WithRootCAs", private.URL, connection.WithRootCAs(keystore.File("store.jks")))
	})
	row(t, "I-19 a trust store is a JKS by its first bytes, and its digest is checked", func(r *Row) {
		s := r.serve()
		path := trustStore(r, s.Network())
		store, err := os.ReadFile(path)
		r.NoError(err)
		other := writeFile(r, "store.pem", store)
		r.NoError(reach(r, s, connection.WithRootCAs(keystore.File(other, opensWith(storePassword)))))
		r.Sent(s, 1)
		store[len(store)-1] ^= 1
		err = reach(r, s, connection.WithRootCAs(keystore.File(writeFile(r, "flipped.jks", store), opensWith(storePassword))))
		r.Equal("a flipped digest", errors.Is(err, keystore.ErrIntegrity) || errors.Is(err, keystore.ErrPassword), true)
		err = reach(r, s, connection.WithRootCAs(keystore.File(writeFile(r, "text.jks", []byte("no store")))))
		r.Equal("no store at all", as[*keystore.Error](r, err).Format, keystore.Unknown)
	})
	row(t, "I-20 the file is opened with the connection, and not before", func(r *Row) {
		s := r.serve()
		path := filepath.Join(r.TempDir(), "later.jks")
		trust := keystore.File(path, opensWith(storePassword))
		r.NoError(trust.Validate())
		err := reach(r, s, connection.WithRootCAs(trust))
		r.Is(err, os.ErrNotExist)
		r.Equal("the path", as[*keystore.Error](r, err).Path, path)
		r.NoError(os.Rename(trustStore(r, s.Network()), path))
		r.NoError(reach(r, s, connection.WithRootCAs(trust)))
		r.Sent(s, 1)
	})
	row(t, "I-21 a wrong password of the trust store is an error without it, none skips the digest", func(r *Row) {
		s := r.serve()
		path := trustStore(r, s.Network())
		err := reach(r, s, connection.WithRootCAs(keystore.File(path, opensWith("wrongcanary"))))
		r.Is(err, keystore.ErrPassword)
		r.Hides("error", err.Error(), storePassword, "wrongcanary")
		r.NoError(reach(r, s, connection.WithRootCAs(keystore.File(path))))
		r.Sent(s, 1)
	})
}

func TestInformaticaKeyStore(t *testing.T) {
	t.Parallel()
	row(t, "I-22 the server sees the entry of the key store, or the one that is named, with its chain", func(r *Row) {
		n := connectiontest.NewNetwork(r)
		var names []string
		var chain int
		s := whoAsks(n, &names, &chain)
		path := keyStore(r, n, storePassword, "agent-one", "agent-two")
		trust := connection.WithTrustedCAOnly(n.Authority())
		r.NoError(reach(r, s, trust, connection.WithClientCertificate(keystore.File(path, opensWith(storePassword)))))
		r.Equal("the first entry", names, []string{"agent-one"})
		r.Equal("the length of the chain", chain, 2)
		two := keystore.File(path, opensWith(storePassword), keystore.Alias("agent-two"))
		r.NoError(reach(r, s, trust, connection.WithClientCertificate(two)))
		r.Equal("the named entry", names, []string{"agent-two"})
		r.Equal("without a key store, the handshake fails", reach(r, s, trust) != nil, true)
	})
	row(t, "I-23 a key store is a JKS by its first bytes", func(r *Row) {
		n := connectiontest.NewNetwork(r)
		var names []string
		var chain int
		s := whoAsks(n, &names, &chain)
		store, err := os.ReadFile(keyStore(r, n, storePassword, "agent"))
		r.NoError(err)
		path := writeFile(r, "store.p12", store)
		r.NoError(reach(r, s, connection.WithTrustedCAOnly(n.Authority()),
			connection.WithClientCertificate(keystore.File(path, opensWith(storePassword)))))
		r.Equal("the client", names, []string{"agent"})
		jceks := append([]byte{0xCE, 0xCE, 0xCE, 0xCE}, store[4:]...)
		err = reach(r, s, connection.WithClientCertificate(keystore.File(writeFile(r, "store.jks", jceks))))
		r.Is(err, keystore.ErrUnsupported)
		r.Equal("what it is", as[*keystore.Error](r, err).Format, keystore.JCEKS)
	})
	row(t, "I-24 the password of the key store is that of the key, or the key has its own", func(r *Row) {
		n := connectiontest.NewNetwork(r)
		var names []string
		var chain int
		s := whoAsks(n, &names, &chain)
		trust := connection.WithTrustedCAOnly(n.Authority())
		path := keyStore(r, n, "keycanary", "agent")
		err := reach(r, s, trust, connection.WithClientCertificate(keystore.File(path, opensWith(storePassword))))
		r.Is(err, keystore.ErrPassword)
		r.Hides("error", err.Error(), storePassword, "keycanary")
		r.NoError(reach(r, s, trust, connection.WithClientCertificate(keystore.File(path, opensWith(storePassword),
			keystore.KeyPassword(secrets.Static("keycanary"))))))
		r.Equal("the client", names, []string{"agent"})
	})
}
