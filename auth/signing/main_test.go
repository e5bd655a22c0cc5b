package signing_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs f in a subtest with a clock of its own.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, f)
	})
}

// at waits until that time on the clock of the bubble.
func at(t *testing.T, want string) {
	t.Helper()
	when, err := time.Parse(time.RFC3339, want)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(when))
}

// connectTo opens a connection to srv that signs with a.
func connectTo(
	t *testing.T, srv *connectiontest.Server, a auth.Authenticator, options ...connection.Option,
) *connection.Connection {
	t.Helper()
	conn, err := connection.New(srv.URL, append(options, connection.WithAuth(a), srv.Network().Option())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// newRequest returns a request with a body, unless that is empty.
func newRequest(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body) // which has a GetBody
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, content)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// signed authenticates a request, and returns it.
func signed(t *testing.T, a auth.Authenticator, req *http.Request) *http.Request {
	t.Helper()
	if err := auth.Validate(a); err != nil {
		t.Errorf("Validate: %v", err)
	}
	if err := a.Authenticate(req); err != nil {
		t.Fatalf("Authenticate: %v", err)
	}
	return req
}

// mac is what a server computes.
func mac(key, message string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(message))
	return hex.EncodeToString(h.Sum(nil))
}

// provider is a secrets.Provider of a function.
type provider func(context.Context) (secrets.Value, error)

func (p provider) Secret(ctx context.Context) (secrets.Value, error) { return p(ctx) }
