// Package browser opens the system's browser for a login by [oauth2flow.AuthorizationCode.Loopback]: a browser of its
// own, and no view within the program, which could read what the user types (RFC 8252, section 8.12).
//
//	token, err := code.Loopback(ctx, oauth2flow.Loopback{Open: browser.OpenOrPrint(os.Stderr)})
//
// The URL of a login stands in the arguments of a process for a moment, where other users of the machine can read it.
// What they learn does not let them have the token: the PKCE verifier is not in it.
package browser
