package oauth2flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// Types of tokens in an [Exchange] (RFC 8693, section 3).
const (
	TypeAccessToken  = "urn:ietf:params:oauth:token-type:access_token"  //nolint:gosec // a name, not a token
	TypeRefreshToken = "urn:ietf:params:oauth:token-type:refresh_token" //nolint:gosec // a name, not a token
	TypeIDToken      = "urn:ietf:params:oauth:token-type:id_token"      //nolint:gosec // a name, not a token
	TypeJWT          = "urn:ietf:params:oauth:token-type:jwt"
	TypeSAML2        = "urn:ietf:params:oauth:token-type:saml2"
)

const (
	kindExchange = "token exchange"
	issuedType   = "issued_token_type"
)

// Exchange says which token is exchanged, and for what (RFC 8693, section 2.1).
type Exchange struct {
	// Subject is the token of the party on whose behalf the new one is; required. It is asked for anew each time.
	Subject secrets.Provider
	// SubjectType is its type, [TypeAccessToken] unless it is set.
	SubjectType string
	// Actor is the token of the party that acts; nil if there is none.
	Actor secrets.Provider
	// ActorType is its type, [TypeAccessToken] unless it is set.
	ActorType string
	// Audiences are the services that the new token is for, by the names that the server knows.
	Audiences []string
	// RequestedType is the type that the new token is to be of, and an answer of another type is refused. If it is
	// empty the server decides, but for [TypeIDToken] and [TypeRefreshToken], which are refused.
	RequestedType string
}

// String implements [fmt.Stringer]. It shows no token.
func (x Exchange) String() string { return "Exchange" }

// TokenExchange returns the grant that exchanges one token for another (RFC 8693). The client need not be known to
// the server: without ID, Secret and Auth, the tokens alone are sent.
//
// The answer has to tell the type of what it issued, which is in the token's Extra as "issued_token_type". A token
// that is no access token has the token type "N_A", which [Client].AcceptTokenTypes has to name. A refresh token in
// an answer is not kept.
func TokenExchange(c Client, x Exchange) auth.Grant {
	x.Audiences = slices.Clone(x.Audiences)
	x.SubjectType = orAccessToken(x.SubjectType)
	f := flow{
		kind:      kindExchange,
		anonymous: true,
		exposed:   true,
		config: append([]string{
			x.SubjectType, x.ActorType, x.RequestedType, reference(x.Subject), reference(x.Actor),
		}, x.Audiences...),
		traits: auth.Traits{Retryable: true},
		fill:   x.fill,
		accept: x.accept,
	}
	f.require("Subject", x.Subject)
	if x.Actor != nil {
		f.require("Actor", x.Actor)
	} else if x.ActorType != "" {
		f.faults = append(f.faults, errors.New("ActorType: there is no Actor"))
	}
	if slices.Contains(x.Audiences, "") {
		f.faults = append(f.faults, errors.New("Audiences: one is empty"))
	}
	return newGrant(c, f)
}

func (x Exchange) fill(ctx context.Context, req *tokenRequest) error {
	req.add(fieldGrantType, "urn:ietf:params:oauth:grant-type:token-exchange")
	if err := req.addSecret(ctx, fieldSubject, x.Subject); err != nil {
		return err
	}
	req.add(fieldSubjectType, x.SubjectType)
	if x.Actor != nil {
		if err := req.addSecret(ctx, fieldActor, x.Actor); err != nil {
			return err
		}
		req.add(fieldActorType, orAccessToken(x.ActorType))
	}
	for _, audience := range x.Audiences {
		req.add(fieldAudience, audience)
	}
	if x.RequestedType != "" {
		req.add(fieldRequested, x.RequestedType)
	}
	return nil
}

var errIssued error = &misfit{issuedType + " is not what was asked for, see RequestedType"}

// accept refuses an answer that does not tell what it issued (RFC 8693, section 2.2.1), or that it is another type
// than the one that was asked for.
func (x Exchange) accept(o *object) error {
	switch text, _ := o.text(issuedType); {
	case text == "":
		return fmt.Errorf("%s is missing, empty or not a text", issuedType)
	case text == x.RequestedType:
	case x.RequestedType != "", text == TypeIDToken, text == TypeRefreshToken: // which are not for an API
		return errIssued
	}
	return nil
}

func orAccessToken(kind string) string { return cmp.Or(kind, TypeAccessToken) }
