package connectiontest_test

import (
	"testing"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
)

func TestOption(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, connectiontest.Text(200, "hello"))
	conn, err := connection.New(srv.URL, srv.Network().Option())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, body := fetch(t, conn.HTTPClient(), "GET", srv.URL+"/v1", nil); body != "hello" {
		t.Errorf("body = %q, want hello", body)
	}
	if got := srv.Requests()[0].Target; got != "/v1" {
		t.Errorf("Target = %q, want /v1", got)
	}
}
