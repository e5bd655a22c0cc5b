package request_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connectTo opens a connection to a server, with that path below its origin. It is closed at the end of the test.
func connectTo(
	t *testing.T, srv *connectiontest.Server, path string, opts ...connection.Option,
) *connection.Connection {
	t.Helper()
	conn, err := connection.New(srv.URL+path, append([]connection.Option{srv.Network().Option()}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
