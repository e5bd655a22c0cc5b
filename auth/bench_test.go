package auth_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// hot are the built-ins that cost no allocation as long as the credential stays the same.
func hot() map[string]auth.Authenticator {
	key := secrets.Static("0123456789abcdef0123456789abcdef")
	return map[string]auth.Authenticator{
		"Basic":        auth.Basic("user", key),
		"APIKey":       auth.APIKey(key, auth.InHeader("X-API-Key")),
		"APIKeyCookie": auth.APIKey(key, auth.InCookie("session")),
		"Bearer":       auth.Bearer(auth.Static(key)),
		"All":          auth.All(auth.Bearer(auth.Static(key)), auth.APIKey(key, auth.InHeader("X-API-Key"))),
	}
}

// again returns a function that authenticates the same attempt again and again.
func again(tb testing.TB, a auth.Authenticator) func() {
	tb.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://api.test/v1/x?q=1", nil)
	if err != nil {
		tb.Fatal(err)
	}
	for _, name := range []string{"Accept", "Accept-Encoding", "User-Agent", "X-Request-Id"} {
		req.Header.Set(name, "value")
	}
	return func() {
		delete(req.Header, "Authorization")
		delete(req.Header, "X-Api-Key")
		delete(req.Header, "Cookie")
		req.URL.RawQuery = "q=1"
		if err := a.Authenticate(req); err != nil {
			tb.Fatal(err)
		}
	}
}

func TestAllocs(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts for the whole process
	for name, a := range hot() {
		if got := testing.AllocsPerRun(100, again(t, a)); got > 0 {
			t.Errorf("%s: %v allocations per attempt, want none", name, got)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	tests := hot()
	tests["APIKeyQuery"] = auth.APIKey(secrets.Static("0123456789abcdef"), auth.InQuery("api_key"))
	for name, a := range tests {
		b.Run(name, func(b *testing.B) {
			attempt := again(b, a)
			b.ReportAllocs()
			for b.Loop() {
				attempt()
			}
		})
	}
}
