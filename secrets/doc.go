// Package secrets holds secrets that never print, and the places they come from.
//
// A [Value] is a secret: every formatter, encoder and logger shows [Redacted] in its place, and [Value.Reveal] is the
// only way out. A [Provider] is where a Value comes from. Whatever in this module takes a password, a key or a token
// takes a Provider:
//
//	auth.Basic("svc", secrets.Env("API_PASS"))
//
// # When a secret is resolved
//
// A provider is asked once per attempt of a request, and answers with what holds at that moment, so that a rotated
// secret is used by the next attempt, a retry included, without a restart. Nothing is resolved when a connection is
// made, and nothing is kept, unless [Cached] says so. What is wrong whatever the environment, such as a name that is
// empty, is told by [Validate], which connection.New calls through the authenticators it is given.
//
// # Providers
//
//	Static(text)           a constant: for tests, and for what the program obtained itself
//	Env(name)              an environment variable
//	File(path)             a file that nobody else can read; File(path, Shared()) a mounted volume of a container
//	First(p, q, ...)       the first of several that has the secret
//	Cached(p, ttl)         what p answered, for a time: for providers that cross a network
//	Func(f)                a function
//	Parse(ref)             what a configuration names: "env:API_PASS", "file:/run/secrets/api-pass"
//
// All are safe for concurrent use.
//
// # Writing a provider
//
// A vault, a keyring or a database is a function of three lines:
//
//	vault := secrets.Func(func(ctx context.Context) (secrets.Value, error) {
//		text, err := client.Read(ctx, "kv/api-pass")
//		return secrets.Static(text), err
//	})
//
// Wrap [ErrNotFound] into its error where the secret does not exist, so that [First] goes on to the next, and keep
// the secret out of the error's text.
//
// # Errors
//
// Every error of this package is, or wraps, an [*Error], which names the reference and never the secret.
package secrets
