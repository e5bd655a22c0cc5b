package digest_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/digest"
	"github.com/restconn/restconn/secrets"
)

// A connection does this by itself: the first request goes out bare, and its 401 says how to answer.
func ExampleNew() {
	a := digest.New("svc", secrets.Static("opensesame"))

	first, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://api.example.com/v1/users", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.Authenticate(first), len(first.Header))

	rejected := &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{}}
	rejected.Header.Set("WWW-Authenticate", `Digest realm="api", nonce="abc", qop="auth", algorithm=SHA-256`)
	fmt.Println(a.(auth.Challenger).Challenged(first, rejected))

	second := first.Clone(first.Context())
	fmt.Println(a.Authenticate(second))
	fmt.Println(second.Header.Get("Authorization")[:69])
	// Output:
	// <nil> 0
	// true <nil>
	// <nil>
	// Digest username="svc", realm="api", nonce="abc", uri="/v1/users", alg
}

func ExampleAllowMD5() {
	a := digest.New("svc", secrets.Static("opensesame"), digest.AllowMD5())
	fmt.Println(a, auth.Validate(a))
	// Output: Digest <nil>
}
