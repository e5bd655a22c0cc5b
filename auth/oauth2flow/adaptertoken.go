package oauth2flow

import (
	"strings"

	"golang.org/x/oauth2"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// TokenFromOAuth2 converts a token; nil stays nil. The scopes are those of the answer's scope, and an id_token is in
// Extra. Other values of the answer, and the type, have no way out of t.
func TokenFromOAuth2(t *oauth2.Token) *auth.Token {
	if t == nil {
		return nil
	}
	out := &auth.Token{Value: secrets.Static(t.AccessToken), Expiry: t.Expiry}
	if t.RefreshToken != "" {
		out.Refresh = secrets.Static(t.RefreshToken)
	}
	if scope, ok := t.Extra("scope").(string); ok {
		out.Scopes = strings.Fields(scope)
	}
	if id, ok := t.Extra(ExtraIDToken).(string); ok && id != "" {
		out.Extra = map[string]secrets.Value{ExtraIDToken: secrets.Static(id)}
	}
	return out
}

// TokenToOAuth2 converts a token; nil stays nil. The type is Bearer, and what Extra and Scopes hold is to be had with
// the method Extra. The secrets lie in the clear in the result, as they do in every [oauth2.Token]: do not print it.
func TokenToOAuth2(t *auth.Token) *oauth2.Token {
	if t == nil {
		return nil
	}
	out := &oauth2.Token{
		AccessToken: t.Value.Reveal(), TokenType: "Bearer", RefreshToken: t.Refresh.Reveal(), Expiry: t.Expiry,
	}
	extra := make(map[string]any, len(t.Extra)+1)
	for name, value := range t.Extra {
		extra[name] = value.Reveal()
	}
	if len(t.Scopes) > 0 {
		extra["scope"] = strings.Join(t.Scopes, " ")
	}
	if len(extra) == 0 {
		return out
	}
	return out.WithExtra(extra)
}
