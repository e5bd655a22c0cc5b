package conformance_test

import (
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

func TestPrismaticAPIKey(t *testing.T) {
	t.Parallel()
	row(t, "P-03 scheme Basic sends the key verbatim", func(r *Row) {
		s := r.serve()
		conn := r.open(s, connection.WithAuth(auth.APIKey(secrets.Static("abc"), auth.Prefix("Basic"))))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		r.Line(r.Sent(s, 1)[0], "Authorization: Basic abc")
	})
}
