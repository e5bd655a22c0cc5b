package provider_test

import (
	"context"
	"fmt"
	"net/url"

	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/provider"
	"github.com/restconn/restconn/secrets"
)

// What a service wants beside the standard is filled in; id, secret, scopes and the redirect URI are the caller's.
func ExampleProvider_NewAuthorizationCode() {
	google, ok := provider.Lookup("google")
	if !ok {
		return
	}
	code := google.NewAuthorizationCode(
		oauth2flow.Client{ID: "cid", Secret: secrets.Env("GOOGLE_SECRET"), Scopes: []string{"openid", "email"}},
		oauth2flow.Authorization{RedirectURI: "https://app.example.com/callback"},
	)
	login, err := code.Begin(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	u, err := url.Parse(login.URL) // where the user's browser goes
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(u.Host + u.Path)
	fmt.Println(u.Query().Get("access_type"), u.Query().Get("prompt"), u.Query().Get("scope"))
	// Output:
	// accounts.google.com/o/oauth2/auth
	// offline consent openid email
}

// A service with URLs for each customer needs to know which. A value that would lead elsewhere is refused.
func ExampleProvider_With() {
	zendesk, ok := provider.Lookup("zendesk")
	if !ok {
		return
	}
	fmt.Println(zendesk.Parameters(), zendesk.Validate())
	fmt.Println(zendesk.With("subdomain", "evil.test/").Validate())
	fmt.Println(zendesk.With("subdomain", "acme").Client(oauth2flow.Client{}).TokenURL)
	// Output:
	// [subdomain] provider: zendesk: there is no subdomain: set it by With
	// provider: zendesk: subdomain: it is no host label: letters, digits and hyphens within, such as acme
	// https://acme.zendesk.com/oauth/tokens
}
