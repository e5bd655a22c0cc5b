// Package testidp is an authorization server and OpenID provider for tests and examples. It keeps to the protocols:
// what it refuses, a strict server in the field refuses as well, and what it issues can be verified.
//
// A [Server] is an http.Handler. Everything is in memory, and bounded; the time is that of the time package, so that it
// works in bubbles of testing/synctest. [Server.Check] protects an API with its tokens. [Browser] plays the user.
//
// It has the authorization code and device flows (RFC 6749, RFC 7636, RFC 8628), refresh tokens that are good once
// (RFC 9700, section 4.14), revocation and introspection (RFC 7009, RFC 7662), metadata (RFC 8414), the issuer in
// answers (RFC 9207), and OpenID Connect Core 1.0 with the response types code, id_token and "code id_token".
//
// It is for tests only: passwords are compared as they are configured, and nothing outlives the process.
package testidp
