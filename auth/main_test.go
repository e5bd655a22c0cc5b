package auth_test

import (
	"bytes"
	"context"
	"net/http"
	"testing"

	"go.uber.org/goleak"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newRequest returns a GET that net/http writes without a User-Agent.
func newRequest(t *testing.T, target string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.test"+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", "")
	return req
}

// written returns the bytes of the request on the wire.
func written(t *testing.T, req *http.Request) string {
	t.Helper()
	var buf bytes.Buffer
	if err := req.Write(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

// get returns the bytes of a GET with one header line; an empty line stands for none.
func get(target, line string) string {
	if line != "" {
		line += "\r\n"
	}
	return "GET " + target + " HTTP/1.1\r\nHost: api.test\r\n" + line + "\r\n"
}

// sent authenticates a GET and returns its bytes.
func sent(t *testing.T, a auth.Authenticator, target string) string {
	t.Helper()
	req := newRequest(t, target)
	if err := a.Authenticate(req); err != nil {
		t.Fatalf("Authenticate: %v", err)
	}
	return written(t, req)
}

// provider is a secrets.Provider of a function.
type provider func(context.Context) (secrets.Value, error)

func (p provider) Secret(ctx context.Context) (secrets.Value, error) { return p(ctx) }

// failing is a provider that has only err.
func failing(err error) secrets.Provider {
	return provider(func(context.Context) (secrets.Value, error) { return secrets.Value{}, err })
}

// source is an auth.TokenSource of a function.
type source func(context.Context, auth.Want) (*auth.Token, error)

func (s source) Token(ctx context.Context, want auth.Want) (*auth.Token, error) { return s(ctx, want) }

func token(text string) *auth.Token { return &auth.Token{Value: secrets.Static(text)} }
