// Package digest answers the challenges of HTTP Digest authentication (RFC 7616): the password is not sent, but a hash
// of it, of the request and of what the server gave.
//
//	a := digest.New("svc", secrets.File("/run/secrets/password"))
//
// # What is sent
//
// The first request to an origin goes out as it is. Its 401 brings the challenge, and the connection sends the request
// once more, with the answer. From then on the nonce is used for further requests of that origin at once, each with a
// count of its own, until the server says that it is stale, and gives another one. A request that is sent once more
// needs a body that can be opened again.
//
// Put the Authenticator last in [auth.All]: the answer is for the query as it is at that moment.
//
// Of several challenges, the first of this list is answered: SHA-256, SHA-256-sess, SHA-512-256, SHA-512-256-sess, and,
// with [AllowMD5], MD5 and MD5-sess. The quality of protection is "auth", which covers the method and the
// request-target byte for byte, and not the body. A server that offers none of this is an error, [ErrUnsupported],
// which says what it offers: "auth-int" alone, no qop at all (RFC 2069), or MD5 that was not allowed.
//
// # Wrong passwords
//
// A server that rejects an answer, and does not call its nonce stale, has rejected the password. It is not sent again
// to that realm until its text has changed or [RejectionPause] has passed, so that no account is locked by a program
// that goes on and on: requests go out without an answer, and the caller gets the 401. A connection does not show the
// answer to a request that it sent once more, so the first rejection that is seen is that of the second request; those
// that are under way at the same time may each have had one wrong answer by then.
//
// # What is not done
//
// The nextnonce of an Authentication-Info header is not used, nor is the server's rspauth checked: an Authenticator
// does not see answers that succeed. A challenge of a proxy (407) is left alone. Neither user name nor password is
// normalized: where they have characters outside ASCII, give them in Unicode NFC (RFC 7616, section 4).
package digest
