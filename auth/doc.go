// Package auth puts credentials on requests: one [Authenticator] is what a connection, or a single request,
// identifies itself with.
//
// [None], [Basic], [APIKey] and [Bearer] are built in, [All] joins several, and [Func] makes an Authenticator of a
// function. Each scheme that needs more has a package of its own below this one.
//
// # Tokens
//
// A [TokenSource] answers with a token that is good now; Bearer puts it on the request. [Manage] makes one of a
// [Grant], which is a single exchange: those of OAuth 2.0 are in package auth/oauth2flow, logins of a service's own
// in auth/login, and [GrantFunc] is a function. With [KeepIn] the tokens outlive the process, and are shared by all
// that use the same [TokenStore]: those of package auth/tokenstore, or one of your own.
//
//	tokens := auth.Manage(oauth2flow.ClientCredentials(client), auth.KeepIn(store, "crm"))
//	conn, err := connection.New(api, connection.WithAuth(auth.Bearer(tokens)))
//
// A manager that only connections use need not be closed: closing the last of them ends what it runs. One that is
// asked directly is closed by whoever made it.
//
// # Secrets
//
// Secrets come from a [secrets.Provider] and are asked for once per attempt, so that a rotated secret is used without
// a restart. What is sent is rendered again only if the text changed.
//
// # Faults
//
// Constructors return values, not errors. What they were given wrong, [Validate] tells, all of it at once;
// connection.New calls it. An Authenticator that is not valid sends nothing: Authenticate fails with the same faults.
// Every failure of this package's Authenticators is, or wraps, an [*Error], and no error holds a secret or a user
// name.
//
// # The caller's own credentials
//
// A header that is already on the request was set by the caller. It wins, whatever the case of its name, and the
// credential meant for that header is not asked for. The same holds for a cookie. A query parameter that would be
// there twice is an error, [ErrParameterSet], because servers disagree on which of the two counts.
package auth
