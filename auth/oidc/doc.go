// Package oidc signs users in with OpenID Connect: it finds a provider by its issuer, and makes an
// [oauth2flow.AuthorizationCode] that verifies ID tokens.
//
//	provider, err := oidc.Discover(ctx, "https://login.example.com")
//	...
//	code := oidc.New(provider,
//		oauth2flow.Client{ID: "crm", Secret: secrets.Env("CRM_SECRET"), Scopes: []string{"openid", "email"}},
//		oauth2flow.Authorization{RedirectURI: "https://app.example.com/callback"},
//	)
//	login, err := code.Begin(ctx)                                            // the browser goes to login.URL
//	token, err := code.Complete(ctx, req.URL.Query(), login.Browser)         // and comes back
//	claims, err := oidc.IDClaims(token)                                      // who it is
//	err = tokens.Set(ctx, token)                                             // tokens is auth.Manage(code, ...)
//
// A provider without discovery is a [Provider] that is filled by hand. Without a token endpoint, the browser brings an
// ID token, and that is the credential of the API.
//
// # What is what
//
// The ID token tells the application who has signed in, and the access token is what an API gets. Neither takes the
// place of the other: an access token is never read for who the user is, and an ID token is sent to an API only with
// [AsToken], or where there is nothing else.
//
// A user is known by issuer and subject together. An address can pass to somebody else, and providers differ in
// whether they have checked it.
//
// # Calls
//
// Metadata and userinfo are asked for by one GET each, over https or on this machine, as [Provider].Endpoint says.
// Redirects are not followed. A call takes 30 s at most. Metadata have at most 256 KiB, userinfo at most 1 MiB; names
// are compared exactly, and one that is there twice is an error. Nothing is kept: discover once, at the start.
//
// # Issuers that users choose
//
// Who can name an issuer can have this process send requests to it, and to the endpoints that its metadata name.
// With [PublicOnly], [Discover] and all calls of the Provider connect to public addresses only, whatever a name
// resolves to. Without it, the issuers are those of a list.
package oidc
