package conformance_test

import (
	"crypto/x509"
	"strings"
	"testing"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

func TestPrismaticIgnoreSSLErrors(t *testing.T) {
	t.Parallel()
	row(t, "P-46 certificates are checked unless the connection is told otherwise", func(r *Row) {
		s, _ := r.privately()
		_ = as[x509.UnknownAuthorityError](r, r.over(s))
		r.Sent(s, 0)
		r.NoError(r.over(s, connection.WithInsecureSkipVerify()))
		r.Sent(s, 1)
	})
	row(t, "P-46 what one request ignores, the others check", func(r *Row) {
		for _, protocol := range []string{"http/1.1", "h2"} {
			s, _ := r.privately(protocol)
			conn, err := connection.New(s.URL, dialing(s.Network()))
			r.NoError(err)
			for range 2 {
				r.NoError(request.Get(conn, "/x").InsecureSkipVerify().Exec(r.ctx()))
				_ = as[x509.UnknownAuthorityError](r, request.Get(conn, "/x").Exec(r.ctx()))
			}
			r.Sent(s, 2)
			_ = conn.Close()
		}
	})
	row(t, "P-46 nor does it hold for a connection that is derived from", func(r *Row) {
		s, _ := r.privately()
		conn, err := connection.New(s.URL, dialing(s.Network()))
		r.NoError(err)
		derived, err := conn.With(connection.WithInsecureSkipVerify())
		r.NoError(err)
		r.NoError(request.Get(derived, "/x").Exec(r.ctx()))
		_ = as[x509.UnknownAuthorityError](r, request.Get(conn, "/x").Exec(r.ctx()))
		r.Sent(s, 1)
		_, _ = conn.Close(), derived.Close()
	})
}

func TestPrismaticIgnoreSSLErrorsWarns(t *testing.T) {
	t.Parallel()
	const warning = `"msg":"TLS certificates are not checked (WithInsecureSkipVerify): `
	row(t, "P-47 there is exactly one warning, and the description tells it", func(r *Row) {
		s, _ := r.privately()
		var book logbook
		conn, err := connection.New(s.URL, dialing(s.Network()), connection.WithInsecureSkipVerify(),
			connection.WithLogger(book.logger()))
		r.NoError(err)
		for range 3 {
			r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		}
		r.Equal("warnings", strings.Count(book.text.String(), `"level":"WARN",`+warning), 1)
		r.Equal("records", strings.Count(book.text.String(), `"msg":`), 4)
		r.Equal("insecure", conn.Describe().InsecureSkipVerify, true)
		r.Equal("line", strings.Count(conn.Describe().String(), "INSECURE: certificates are not checked\n"), 1)
		_ = conn.Close()
	})
	row(t, "P-47 without it there is neither", func(r *Row) {
		s, authority := r.privately()
		var book logbook
		conn, err := connection.New(s.URL, dialing(s.Network()), connection.WithTrustedCA(authority),
			connection.WithLogger(book.logger()))
		r.NoError(err)
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		r.Hides("log", book.text.String(), "WARN", "not checked")
		r.Equal("insecure", conn.Describe().InsecureSkipVerify, false)
		r.Hides("description", conn.Describe().String(), "INSECURE")
		_ = conn.Close()
	})
}
