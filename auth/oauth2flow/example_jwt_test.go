package oauth2flow_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/secrets"
)

// The secret is 32 bytes or longer for HS256.
func ExampleJWT() {
	j := oauth2flow.JWT{
		Key:      oauth2flow.SharedSecret(secrets.Static("0123456789abcdef0123456789abcdef")),
		KeyID:    "key-1",
		Issuer:   "app-42",
		Audience: []string{"https://api.example.com"},
		Lifetime: 5 * time.Minute,
	}
	token, err := j.Secret(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	header, _, _ := strings.Cut(token.Reveal(), ".")
	text, err := base64.RawURLEncoding.DecodeString(header)
	fmt.Println(string(text), err)
	fmt.Println(j, token)
	// Output:
	// {"alg":"HS256","kid":"key-1","typ":"JWT"} <nil>
	// JWT signed by a shared secret [REDACTED]
}

func ExampleJWT_Validate() {
	fmt.Println(oauth2flow.JWT{
		Key:       oauth2flow.SharedSecret(secrets.Static("too short")),
		Algorithm: "HS256",
		Claims:    map[string]any{"iss": "app-42"},
	}.Validate())
	// Output:
	// jwt: the claim iss is not to be set by hand
	// the key cannot be used: the secret has 9 bytes, and HS256 wants 32 (RFC 7518, section 3.2)
}

func ExamplePrivateKey() {
	key := oauth2flow.PrivateKey(secrets.File("/run/secrets/app.pem"))
	fmt.Println(key, key.Validate())
	// Output: private key <nil>
}

func ExampleSelfSigned() {
	grant := oauth2flow.SelfSigned(oauth2flow.JWT{
		Key:      oauth2flow.SharedSecret(secrets.Static("0123456789abcdef0123456789abcdef")),
		Issuer:   "app-42",
		Lifetime: 10 * time.Minute,
	})
	token, err := grant.Obtain(context.Background(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.Count(token.Value.Reveal(), "."), time.Until(token.Expiry) > 9*time.Minute)
	// Output: 2 true
}

// A source that a vendor's library made becomes the credential of a connection.
func ExampleFromOAuth2() {
	vendor := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "tok-1"})
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://api.example.com/users", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(auth.Bearer(oauth2flow.FromOAuth2(vendor)).Authenticate(req), req.Header.Get("Authorization"))
	// Output: <nil> Bearer tok-1
}

func ExampleToOAuth2() {
	source := oauth2flow.ToOAuth2(context.Background(), auth.Static(secrets.Static("tok-1")))
	token, err := source.Token()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.Type(), token.AccessToken)
	// Output: Bearer tok-1
}

func ExamplePrivateKeyJWT() {
	how := oauth2flow.PrivateKeyJWT(
		oauth2flow.PrivateKey(secrets.File("/run/secrets/app.pem")),
		oauth2flow.AssertionKeyID("key-1"),
		oauth2flow.AssertionAudience("https://login.example.com"), // the issuer, for servers that want it
	)
	client := oauth2flow.Client{ID: "app-42", TokenURL: "https://login.example.com/token", Auth: how}
	fmt.Println(client.ID)
	// Output: app-42
}
