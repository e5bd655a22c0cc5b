// Package provider knows how some services sign users in: where their endpoints are, and what they want that the
// standard does not have. It fills in the parts of an [oauth2flow.Client] and an [oauth2flow.Authorization] that the
// caller has left empty:
//
//	google, _ := provider.Lookup("google")
//	code := google.NewAuthorizationCode(
//		oauth2flow.Client{ID: "cid", Secret: secrets.Env("GOOGLE_SECRET"), Scopes: []string{"openid"}},
//		oauth2flow.Authorization{RedirectURI: "https://app.example.com/callback"},
//	)
//	tokens := auth.Manage(code, auth.KeepIn(store, "google"))
//	conn, err := connection.New(api, connection.WithAuth(auth.Bearer(tokens, google.BearerOptions()...)))
//
// The URLs of a service that has some for each customer have a parameter, which [Provider.With] sets:
//
//	shop, _ := provider.Lookup("shopify")
//	shop = shop.With("shop", "acme")
//
// # What is filled in
//
// What the caller has set stays. Params, Names and AnswerNames are filled in name by name. Scopes are the caller's,
// those that ask for a refresh token, such as offline_access, among them. What a preset says can be changed
// afterwards: [Provider.Client] and [Provider.Authorization] return values.
//
// How a client authenticates is data, too, and nothing is tried out: in the header where a service wants that, and in
// the body everywhere else, [oauth2flow.InBody] being what most services take that say nothing.
//
// # Where it comes from
//
// Endpoints without a comment are those of golang.org/x/oauth2/endpoints. What stands beside them has its source in a
// comment of the table. Services change; an entry is a beginning that was right when it was written.
package provider
