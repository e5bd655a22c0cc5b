package conformance_test

import (
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
)

// version sends one request over a connection with those options, and returns the version that the server saw.
func (r *Row) version(s *connectiontest.Server, options ...connection.Option) string {
	r.Helper()
	r.NoError(r.over(s, options...))
	return r.Sent(s, 1)[0].Proto
}

func TestInformaticaHTTPVersion(t *testing.T) {
	t.Parallel()
	const h1, h2 = "HTTP/1.1", "HTTP/2.0"
	row(t, "I-43 HTTP/1.1 is spoken where it is chosen, although HTTP/2 is offered", func(r *Row) {
		s, authority := r.privately("h2", "http/1.1")
		trusted := connection.WithTrustedCA(authority)
		r.Equal("version", r.version(s, trusted, connection.WithHTTPVersion(connection.HTTP11)), h1)
		r.Line(r.Sent(s, 1)[0], "GET /x HTTP/1.1")
	})
	row(t, "I-43 HTTP/2 is spoken where it is chosen", func(r *Row) {
		for _, version := range []connection.HTTPVersion{
			connection.HTTP2Preferred, connection.HTTP2Required, connection.HTTP2Unencrypted,
		} {
			s, authority := r.privately("h2", "http/1.1")
			r.Equal(string(version), r.version(s, connection.WithTrustedCA(authority), connection.WithHTTPVersion(version)), h2)
		}
		s := connectiontest.NewNetwork(r).ServeH2("http://api.example.test", connectiontest.Status(200))
		r.Equal("on http", r.version(s, connection.WithHTTPVersion(connection.HTTP2Unencrypted)), h2)
	})
	row(t, "I-43 where HTTP/2 is required and not offered, nothing is sent", func(r *Row) {
		s, authority := r.privately("http/1.1")
		err := r.over(s, connection.WithTrustedCA(authority), connection.WithHTTPVersion(connection.HTTP2Required),
			connection.WithRetry(connection.Retry{Max: 3, On: connection.OnAllErrors()}))
		r.Is(err, connection.ErrNoHTTP2)
		r.Sent(s, 0)
		r.Equal("connections", s.Conns(), 1)
		r.rejects("WithHTTPVersion", "http://api.example.test", connection.WithHTTPVersion(connection.HTTP2Required))
	})
	row(t, "I-44 HTTP/2 is the default where the server offers it", func(r *Row) {
		s, authority := r.privately("h2", "http/1.1")
		r.Equal("version", r.version(s, connection.WithTrustedCA(authority)), h2)
	})
	row(t, "I-44 also with a client certificate, pinned keys, and roots of its own", func(r *Row) {
		s, _ := r.privately("h2", "http/1.1")
		cert := s.Network().Certificate("client.example.test")
		block, _ := pem.Decode(s.Network().Authority())
		root, err := x509.ParseCertificate(block.Bytes)
		r.NoError(err)
		r.Equal("version", r.version(s, connection.WithRootCAs(trust{s.Network().RootCAs()}),
			connection.WithClientCertificate(connection.StaticCertificate(cert)),
			connection.WithPinnedKeys(connection.PinOf(root))), h2)
	})
	row(t, "I-44 a server without HTTP/2 gets HTTP/1.1, and so does plain http", func(r *Row) {
		s, authority := r.privately("http/1.1")
		r.Equal("version", r.version(s, connection.WithTrustedCA(authority)), h1)
		plain := connectiontest.NewNetwork(r).ServeH2("http://api.example.test", connectiontest.Status(200))
		r.Equal("on http", r.version(plain), h1)
	})
}
