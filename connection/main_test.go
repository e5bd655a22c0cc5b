package connection_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/restconn/restconn/connection"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect opens a connection, which is closed at the end of the test.
func connect(t *testing.T, base string, opts ...connection.Option) *connection.Connection {
	t.Helper()
	conn, err := connection.New(base, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
