package preset_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/auth/preset"
	"github.com/restconn/restconn/secrets"
)

// What a service wants beside the standard is filled in; id, secret, scopes and the redirect URI are the caller's.
func ExamplePreset_NewAuthorizationCode() {
	slack, ok := preset.Lookup("slack")
	if !ok {
		return
	}
	code := slack.NewAuthorizationCode(
		oauth2flow.Client{ID: "cid", Secret: secrets.Env("SLACK_SECRET"), Scopes: []string{"chat:write", "users:read"}},
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
	fmt.Println(u.Host+u.Path, u.Query().Get("scope"))
	// Output:
	// slack.com/oauth/v2/authorize chat:write,users:read
}

// A login that says who the user is, is one of OpenID Connect: oidc.New has the ID token verified.
func ExamplePreset_Authorization() {
	google, ok := preset.Lookup("google")
	if !ok {
		return
	}
	provider := oidc.Provider{ // which oidc.Discover returns
		Issuer:  "https://accounts.google.com",
		JWKSURL: "https://www.googleapis.com/oauth2/v3/certs",
	}
	code := oidc.New(provider,
		google.Client(oauth2flow.Client{ID: "cid", Secret: secrets.Env("GOOGLE_SECRET"), Scopes: []string{"email"}}),
		google.Authorization(oauth2flow.Authorization{RedirectURI: "https://app.example.com/callback"}),
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
	q := u.Query()
	fmt.Println(u.Host + u.Path)
	fmt.Println(q.Get("access_type"), q.Get("prompt"), q.Get("scope"), q.Has("nonce"))
	// Output:
	// accounts.google.com/o/oauth2/auth
	// offline consent openid email true
}

// A name that nobody knows is told by all that is made of it, also where nobody has looked at ok.
func ExampleLookup() {
	unknown, ok := preset.Lookup("gogle")
	code := unknown.NewAuthorizationCode(oauth2flow.Client{ID: "cid"}, oauth2flow.Authorization{})
	fmt.Println(ok, strings.Contains(code.Validate().Error(), "there is no such preset"))
	fmt.Println(unknown.Validate())
	// Output:
	// false true
	// preset: there is no such preset: Lookup has not found it
}

// A service with URLs for each customer needs to know which. A value that would lead elsewhere is refused.
func ExamplePreset_With() {
	zendesk, ok := preset.Lookup("zendesk")
	if !ok {
		return
	}
	fmt.Println(zendesk.Parameters(), zendesk.Validate())
	fmt.Println(zendesk.With("subdomain", "evil.test/").Validate())
	fmt.Println(zendesk.With("subdomain", "acme").Client(oauth2flow.Client{}).TokenURL)
	// Output:
	// [subdomain] preset: zendesk: there is no subdomain: set it by With
	// preset: zendesk: subdomain: it is no host label: letters, digits and hyphens within, such as acme
	// https://acme.zendesk.com/oauth/tokens
}
