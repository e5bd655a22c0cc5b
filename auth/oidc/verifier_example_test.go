package oidc_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/secrets"
)

// A verifier is made once for a provider, and verifies all ID tokens of it, whoever has got them.
func ExampleNewVerifier() {
	server := exampleProvider(new(string))
	defer server.Close()
	ctx := context.Background()
	provider, err := oidc.Discover(ctx, server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	v := oidc.NewVerifier(provider, oidc.Algorithms("ES256"))

	want := oauth2flow.IDTokenWant{ClientID: "cid", Nonce: "n-1"}
	for _, algorithm := range []string{"ES256", "RS256"} { // the provider has keys for both
		text := signed(algorithm, claimsFor("n-1", object{"iss": server.URL}))
		id, err := v.VerifyIDToken(ctx, secrets.Static(text), want)
		if errors.Is(err, oidc.ErrSignature) {
			fmt.Println(algorithm, "is not allowed")
			continue
		}
		fmt.Println(algorithm, id.Subject, err)
	}
	// Output:
	// ES256 ann <nil>
	// RS256 is not allowed
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
func ExampleTrustAudiences() {
	server := exampleProvider(new(string))
	defer server.Close()
	ctx := context.Background()
	provider, err := oidc.Discover(ctx, server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	text := signed("RS256", claimsFor("", object{
		"iss": server.URL, "aud": []string{"cid", "project-7"}, "azp": "cid",
	}))
	for _, v := range []*oidc.Verifier{
		oidc.NewVerifier(provider),
		oidc.NewVerifier(provider, oidc.TrustAudiences("project-7")),
	} {
		_, err := v.VerifyIDToken(ctx, secrets.Static(text), oauth2flow.IDTokenWant{ClientID: "cid"})
		fmt.Println(err)
	}
	// Output:
	// oidc: the ID token is refused: it is not for this client alone: aud has others, which TrustAudiences does not name
	// <nil>
}
