package oidc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/secrets"
)

// exampleProvider is an OpenID provider on this machine, at which Ann is signed in. nonce is that of her login.
func exampleProvider(nonce *string) *httptest.Server {
	var server *httptest.Server
	answer := func(v func() any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(v()) }
	}
	mux := http.NewServeMux()
	mux.Handle("/.well-known/openid-configuration", answer(func() any { return documentOf(server.URL) }))
	mux.Handle("/jwks", answer(func() any { return publicKeys() }))
	mux.Handle("/userinfo", answer(func() any { return object{"sub": "ann", "name": "Ann Lind"} }))
	mux.Handle("/token", answer(func() any {
		return object{"access_token": "t1", "id_token": signed("RS256", claimsFor(*nonce, object{"iss": server.URL}))}
	}))
	server = httptest.NewServer(mux)
	return server
}

// A provider is discovered once, at the start. What is asked for, and who has signed in, is known from then on.
func ExampleNew() {
	var nonce string
	server := exampleProvider(&nonce)
	defer server.Close()
	ctx := context.Background()

	provider, err := oidc.Discover(ctx, server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	code := oidc.New(provider,
		oauth2flow.Client{ID: "cid", Secret: secrets.Static("csec"), Scopes: []string{"openid", "email"}},
		oauth2flow.Authorization{RedirectURI: "https://app.example.com/callback"},
	)
	login, err := code.Begin(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	asked, err := url.Parse(login.URL) // where Ann's browser goes now; it comes back with code and state
	if err != nil {
		fmt.Println(err)
		return
	}
	nonce = asked.Query().Get("nonce")
	callback := url.Values{"code": {"c0de"}, "state": asked.Query()["state"]}

	token, err := code.Complete(ctx, callback, login.Browser)
	if err != nil {
		fmt.Println(err)
		return
	}
	claims, err := oidc.IDClaims(token)
	address, verified := claims.Email()
	fmt.Println(claims.Subject(), address, verified, err)

	user, err := provider.UserInfo(ctx, token)
	fmt.Println(user.Text("name"), err)
	// Output:
	// ann ann@example.test false <nil>
	// Ann Lind <nil>
}

// A provider without discovery is filled by hand. Without a token endpoint the browser brings the ID token, and there
// is no secret.
func ExampleProvider() {
	provider := oidc.Provider{
		Issuer:           "https://login.example.com",
		AuthorizationURL: "https://login.example.com/authorize",
		JWKSURL:          "https://login.example.com/keys",
	}
	code := oidc.New(provider,
		oauth2flow.Client{ID: "crm"},
		oauth2flow.Authorization{RedirectURI: "https://app.example.com/callback"},
	)
	login, err := code.Begin(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	asked, err := url.Parse(login.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	q := asked.Query()
	fmt.Println(q.Get("response_type"), q.Get("response_mode"), q.Get("scope"), login.Posted)
	// Output:
	// id_token form_post openid true
}

// The metadata serve all grants: here a device that has no browser.
func ExampleProvider_Client() {
	provider := oidc.Provider{
		Issuer:    "https://login.example.com",
		TokenURL:  "https://login.example.com/token",
		DeviceURL: "https://login.example.com/device",
	}
	client, err := provider.Client(oauth2flow.Client{ID: "tv", Scopes: []string{"openid"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	device := oauth2flow.NewDeviceCode(client, provider.DeviceURL)
	fmt.Println(device, device.Validate())
	// Output:
	// device code "tv" at https://login.example.com/token <nil>
}

// A UserInfoError tells what the provider has answered.
func ExampleUserInfoError() {
	err := error(&oidc.UserInfoError{URL: "https://login.example.com/userinfo", Status: 401, Code: "invalid_token"})
	fmt.Println(err)
	// Output:
	// oidc: no userinfo at https://login.example.com/userinfo, which answered 401: invalid_token
}
