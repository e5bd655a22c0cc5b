// Package preset knows how some services sign users in: where their endpoints are, and what they want that the
// standard does not have. It fills in the parts of an [oauth2flow.Client] and an [oauth2flow.Authorization] that the
// caller has left empty:
//
//	github, ok := preset.Lookup("github")
//	...
//	code := github.NewAuthorizationCode(
//		oauth2flow.Client{ID: "cid", Secret: secrets.Env("GITHUB_SECRET"), Scopes: []string{"repo"}},
//		oauth2flow.Authorization{RedirectURI: "https://app.example.com/callback"},
//	)
//	tokens := auth.Manage(code, auth.KeepIn(store, "github"))
//	conn, err := connection.New(api, connection.WithAuth(auth.Bearer(tokens, github.BearerOptions()...)))
//
// A login with the scope openid, which says who the user is, is one of package auth/oidc. It verifies the ID token, and
// the preset brings what the service wants beside that:
//
//	google, ok := preset.Lookup("google")
//	...
//	provider, err := oidc.Discover(ctx, "https://accounts.google.com")
//	...
//	code := oidc.New(provider, google.Client(client), google.Authorization(authorization))
//
// The URLs of a service that has some for each customer have a parameter, which [Preset.With] sets:
//
//	shop, ok := preset.Lookup("shopify")
//	shop = shop.With("shop", "acme")
//
// # What is filled in
//
// What the caller has set stays. Params, Names and AnswerNames are filled in name by name. Scopes are the caller's,
// those that ask for a refresh token, such as offline_access, among them. What a preset says can be changed
// afterwards: [Preset.Client] and [Preset.Authorization] return values.
//
// How a client authenticates is data, too, and nothing is tried out: in the header where a service wants that, and in
// the body everywhere else, [oauth2flow.InBody] being what most services take that say nothing.
//
// # Where it comes from
//
// Endpoints without a comment are those of golang.org/x/oauth2/endpoints. What stands beside them has its source in a
// comment of the table. Services change; an entry is a beginning that was right when it was written.
package preset
