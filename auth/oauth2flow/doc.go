// Package oauth2flow gets tokens with OAuth 2.0 (RFC 6749): each flow is an [auth.Grant], which [auth.Manage] keeps
// the tokens of.
//
//	client := oauth2flow.Client{
//		ID:       "cid",
//		Secret:   secrets.Env("API_SECRET"),
//		TokenURL: "https://auth.example.com/token",
//		Scopes:   []string{"read", "write"},
//	}
//	tokens := auth.Manage(oauth2flow.ClientCredentials(client))
//	conn, err := connection.New(url, connection.WithAuth(auth.Bearer(tokens)))
//
// The flows without a user are [ClientCredentials], [Password], [Refresh], [Assertion], [SelfSigned], [TokenExchange]
// and [CustomGrant]; [OAuth2Grant] is one of golang.org/x/oauth2. [Introspect] and [Revoke] ask about a token and end
// it.
//
// Those with a user are [AuthorizationCode] and [DeviceCode].
//
// # Logins
//
// A login is the caller's to begin, and there are four ways to take one to its end:
//
//   - [WebLogin] is a handler for a web application;
//   - [AuthorizationCode.Begin] and [AuthorizationCode.Complete] are for one with pages of its own;
//   - [AuthorizationCode.Loopback] is for a program on the user's machine, with package auth/browser to open the
//     browser;
//   - [DeviceCode.Begin] and [DeviceCode.Wait] are for a program without a browser.
//
// The token goes to [auth.Manager.Set], by [Web].Tokens or by the caller, and is renewed from then on. Where only a
// login can help, calls fail with an [*auth.LoginRequiredError] or an [*auth.StepUpError]; for the latter,
// [LoginStepUp] asks for what is missing.
//
// With the authorization code, a login is good for ten minutes and for one answer, and it is bound to its browser by
// [Login].Browser, to the client, and to the user that [auth.WithSubject] names. [PendingStore] lets an application of
// several processes share those under way. Package auth/oidc makes a login one of OpenID Connect, and auth/preset knows
// what some services want.
//
// # Calls
//
// An exchange sends exactly one request, or two where a refresh token is refused and the grant has another way. It is
// a POST, by one method of client authentication that is set and never guessed. It goes to https, or to this machine;
// redirects are not followed; an answer has at most 1 MiB and 30 s, unless the context has a deadline. Nothing is
// repeated here: that is the manager's decision. The logger of the connection gets a record of each call, with its
// URL but no query, no value of a header and, of the body, no more than a known error code.
//
// # Answers
//
// An answer is a JSON object, whatever its content type says. Names are compared exactly, and a name that is there
// twice is an error, so that two readers cannot see two answers. A token of another type than Bearer, with a control
// byte or with a space is refused before it is used.
//
// An answer that is refused, for its scopes, say, may have brought a new refresh token, in place of the one that was
// used. Obtain then returns a token beside the error, which has no text and this refresh token.
//
// # Errors
//
// What the server refuses at a token endpoint is an [*Error], which matches [auth.ErrInvalidGrant] or
// [auth.ErrClientRejected] if a repetition would be refused as well. What is no answer of a token endpoint is an
// [*AnswerError]. What it refuses in the browser is a [*CallbackError], and an answer that the browser should not have
// brought is [ErrState], [ErrIssuer] or [ErrCallback]. No error holds a secret, or more of the answer than its code and
// the beginning of its description.
package oauth2flow
