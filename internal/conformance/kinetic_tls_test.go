package conformance_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// dialing reaches the servers of the network, and trusts what the system trusts.
func dialing(n *connectiontest.Network) connection.Option {
	return connection.Options(
		connection.WithDialContext(n.Dial), connection.WithProxy(connection.Proxy{Mode: connection.ProxyNone}))
}

// privately returns a server with a certificate of a private authority, and that authority in PEM.
func (r *Row) privately(protocols ...string) (server *connectiontest.Server, authority []byte) {
	r.Helper()
	n := connectiontest.NewNetwork(r)
	return n.ServeTLS("https://api.example.test", connectiontest.Status(200), &tls.Config{NextProtos: protocols}),
		n.Authority()
}

// over sends GET /x over a connection with those options.
func (r *Row) over(s *connectiontest.Server, options ...connection.Option) error {
	r.Helper()
	conn, err := connection.New(s.URL, append([]connection.Option{dialing(s.Network())}, options...)...)
	r.NoError(err)
	r.Cleanup(func() { _ = conn.Close() })
	return request.Get(conn, "/x").Exec(r.ctx())
}

// trust is a trust source of one pool.
type trust struct{ pool *x509.CertPool }

func (t trust) Roots(context.Context) (*x509.CertPool, error) { return t.pool, nil }

func TestKineticTrustedCA(t *testing.T) {
	t.Parallel()
	row(t, "K-10 a private authority is unknown until it is trusted", func(r *Row) {
		for _, protocols := range [][]string{{"http/1.1"}, {"h2", "http/1.1"}} {
			s, authority := r.privately(protocols...)
			_ = as[x509.UnknownAuthorityError](r, r.over(s))
			r.Sent(s, 0)
			r.NoError(r.over(s, connection.WithTrustedCA(authority)))
			want := map[string]string{"http/1.1": "HTTP/1.1", "h2": "HTTP/2.0"}[protocols[0]]
			r.Equal("version", r.Sent(s, 1)[0].Proto, want)
		}
	})
	row(t, "K-10 several authorities add up, also as one text", func(r *Row) {
		_, other := r.privately()
		for _, options := range [][]connection.Option{
			{connection.WithTrustedCA(other)}, {connection.WithTrustedCAOnly(other)},
		} {
			s, authority := r.privately()
			_ = as[x509.UnknownAuthorityError](r, r.over(s, options...))
			r.NoError(r.over(s, append(options, connection.WithTrustedCA(authority))...))
			r.NoError(r.over(s, connection.WithTrustedCA(other, authority)))
			r.NoError(r.over(s, connection.WithTrustedCA(append(other, authority...))))
			r.Sent(s, 3)
		}
	})
	row(t, "K-10 WithTrustedCAOnly trusts no other, and HTTP/2 is spoken all the same", func(r *Row) {
		s, authority := r.privately("h2")
		_, other := r.privately()
		_ = as[x509.UnknownAuthorityError](r, r.over(s, connection.WithTrustedCAOnly(other)))
		r.NoError(r.over(s, connection.WithTrustedCAOnly(authority)))
		r.Equal("version", r.Sent(s, 1)[0].Proto, "HTTP/2.0")
	})
	row(t, "K-10 the connection tells whom it trusts", func(r *Row) {
		s, authority := r.privately()
		_, other := r.privately()
		src := connection.WithRootCAs(trust{s.Network().RootCAs()})
		for want, options := range map[string][]connection.Option{
			"system":                             nil,
			"system and 1 given":                 {connection.WithTrustedCA(authority)},
			"2 given":                            {connection.WithTrustedCAOnly(authority, other)},
			"conformance_test.trust":             {src},
			"conformance_test.trust and 1 given": {src, connection.WithTrustedCA(other)},
		} {
			conn, err := connection.New(s.URL, options...)
			r.NoError(err)
			r.Equal("trust", conn.Describe().Pool.Trust, want)
			_ = conn.Close()
		}
	})
	row(t, "K-10 it adds to a trust store", func(r *Row) {
		s, authority := r.privately()
		elsewhere, other := r.privately()
		store := connection.WithRootCAs(trust{s.Network().RootCAs()})
		r.NoError(r.over(s, store))
		r.NoError(r.over(s, store, connection.WithTrustedCA(other)))
		_ = as[x509.UnknownAuthorityError](r, r.over(elsewhere, store, connection.WithTrustedCA(authority)))
		r.NoError(r.over(elsewhere, store, connection.WithTrustedCAOnly(other)))
		r.Sent(s, 2)
		r.Sent(elsewhere, 1)
	})
}

func TestKineticTrustedCAForHTTPS(t *testing.T) {
	t.Parallel()
	row(t, "K-11 on http a trusted authority is accepted, and has nothing to do", func(r *Row) {
		n := connectiontest.NewNetwork(r)
		s := n.Serve("http://api.example.test", connectiontest.Status(200))
		r.NoError(r.over(s, connection.WithTrustedCA(n.Authority())))
		r.Line(r.Sent(s, 1)[0], "GET /x HTTP/1.1")
	})
	row(t, "K-11 what is no certificate is an error, whatever the base URL", func(r *Row) {
		_, authority := r.privately()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		r.NoError(err)
		der, err := x509.MarshalPKCS8PrivateKey(key)
		r.NoError(err)
		secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		for _, text := range [][]byte{
			nil, []byte("-----BEGIN JUNK"), []byte("hello"), secret, append(secret, authority...),
			append(authority, secret...), append(authority, authority[:40]...), authority[1:],
		} {
			for _, base := range []string{"https://api.example.test", "http://api.example.test"} {
				r.rejects("WithTrustedCA", base, connection.WithTrustedCA(text))
				r.rejects("WithTrustedCAOnly", base, connection.WithTrustedCAOnly(text))
				err := r.rejection("WithTrustedCA", base, connection.WithTrustedCA(authority, text))
				r.Hides("error", err.Error(), "BEGIN", "MI", "hello")
			}
		}
		r.rejects("WithTrustedCA", "https://api.example.test", connection.WithTrustedCA())
	})
}
