package conformance_test

import (
	"crypto/tls"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// onPrem asserts that a connection with a host and port of its own dials them, and sends what it would have sent.
func (r *Row) onPrem(credential string, a auth.Authenticator) {
	r.Helper()
	for _, host := range []string{"127.0.0.1", "::1"} {
		for _, scheme := range []string{"http", "https"} {
			n := connectiontest.NewNetwork(r)
			var name string
			cert := n.Certificate("api.example.test")
			at := scheme + "://127.0.0.1:9443"
			if host == "::1" {
				at = scheme + "://[::1]:9443"
			}
			var s *connectiontest.Server
			if scheme == "http" {
				s = n.Serve(at, connectiontest.Status(200))
			} else {
				s = n.ServeTLS(at, connectiontest.Status(200), &tls.Config{
					GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
						name = hello.ServerName
						return &cert, nil
					},
				})
			}
			var addrs []string
			conn, err := connection.New(scheme+"://api.example.test/v1", n.Option(), connection.WithAuth(a),
				connection.WithDialContext(noting(s, &addrs)), connection.WithConnectTo(host, 9443), connection.WithInsecureHTTP())
			r.NoError(err)
			r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
			r.NoError(conn.Close())
			r.Equal("dialed", scheme+"://"+addrs[0], at)
			req := r.Sent(s, 1)[0]
			r.Equal("the request line and the Host", firstLines(req.Raw), "GET /v1/x HTTP/1.1\nHost: api.example.test")
			r.Line(req, credential)
			if scheme == "https" {
				r.Equal("the name in the handshake", name, "api.example.test")
			}
		}
	}
	for hostName, port := range map[string]int{"": 9443, "a.test": 0, "a.test:1": 9443, "http://a.test": 1} {
		r.rejects("WithConnectTo", home, connection.WithConnectTo(hostName, port))
	}
}

func TestPrismaticOnPrem(t *testing.T) {
	t.Parallel()
	row(t, "P-08 with an API key, host and port say what is dialed, and nothing else", func(r *Row) {
		r.onPrem("X-Api-Key: k3y", auth.APIKey(secrets.Static("k3y"), auth.InHeader("X-Api-Key")))
	})
	row(t, "P-12 with a user and a password, likewise", func(r *Row) {
		r.onPrem("Authorization: Basic dXNlcjpwYXNz", auth.Basic("user", secrets.Static("pass")))
	})
}
