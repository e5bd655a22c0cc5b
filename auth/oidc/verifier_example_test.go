package oidc_test

import (
	"errors"
	"fmt"

	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/secrets"
)

// A verifier is made once for a provider, and verifies the ID tokens of all logins there.
func ExampleNewVerifier() {
	v := oidc.NewVerifier(oidc.Provider{
		Issuer:  "https://idp.example.com",
		JWKSURL: "https://idp.example.com/keys",
	}, "RS256", "ES256")
	fmt.Println(v, v.Validate())
	login := oauth2flow.OpenID{Verifier: v}
	fmt.Println(login.AsToken)
	// Output:
	// Verifier of https://idp.example.com <nil>
	// false
}

func ExampleVerifier_Validate() {
	fmt.Println(oidc.NewVerifier(oidc.Provider{JWKSURL: "http://idp.example.com/keys"}).Validate())
	// Output:
	// oidc: Issuer: it is empty
	// oidc: JWKSURL: plain http to another machine would show the credentials to everybody
}

// Somebody has put another user's token into the answer: a login is told by its nonce.
func ExampleIDTokenError() {
	var err error = &oidc.IDTokenError{Err: oidc.ErrNonce}
	fmt.Println(errors.Is(err, oidc.ErrNonce))
	fmt.Println(err)
	// Output:
	// true
	// oidc: the ID token is refused: its nonce is not the one of this login
}

// ZITADEL and others put a project beside the client into the audience.
func ExampleVerifier_TrustAudiences() {
	provider := oidc.Provider{Issuer: "https://idp.example.com", JWKSURL: "https://idp.example.com/keys"}
	v := oidc.NewVerifier(provider).TrustAudiences("project-7")
	fmt.Println(v.Validate(), secrets.Static("an ID token"))
	// Output: <nil> [REDACTED]
}
