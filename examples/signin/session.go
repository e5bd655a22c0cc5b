package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

// openFunc shows a user the URL of a login.
type openFunc = func(ctx context.Context, login *oauth2flow.Login) error

// session is a run of the program. It lets the user log in when that is what is missing.
type session struct {
	code   *oauth2flow.AuthorizationCode
	tokens *auth.Manager
	conn   *connection.Connection
	out    io.Writer
	open   openFunc
}

func newSession(
	ctx context.Context, service *service, store auth.TokenStore, out io.Writer, open openFunc,
) (*session, error) {
	provider, err := oidc.Discover(ctx, service.issuer())
	if err != nil {
		return nil, err
	}
	// A program on somebody's machine has no secret: PKCE takes its place.
	client := oauth2flow.Client{ID: clientID, Scopes: []string{"openid", "profile", scopeRead}}
	code := oidc.New(provider, client, oauth2flow.Authorization{})
	tokens := auth.Manage(code, auth.KeepIn(store, "notes"))
	conn, err := connection.New(service.api.URL, connection.WithAuth(auth.Bearer(tokens)))
	if err != nil {
		return nil, errors.Join(err, tokens.Close())
	}
	return &session{code: code, tokens: tokens, conn: conn, out: out, open: open}, nil
}

func (s *session) close() error { return errors.Join(s.conn.Close(), s.tokens.Close()) }

// name returns the name of who is signed in, as the ID token has it.
func (s *session) name(ctx context.Context) (string, error) {
	token, err := s.tokens.Token(ctx, auth.Want{})
	if err != nil {
		return "", err
	}
	claims, err := oidc.IDClaims(token)
	return claims.Text("name"), err
}

// call makes a call. If it lacks a login, or something that the user has not allowed, the user is asked, and the call
// is made again.
func call[T any](ctx context.Context, s *session, b request.Builder) (T, error) {
	answer, err := request.Do[T](ctx, b)
	if lack, ok := errors.AsType[*auth.StepUpError](err); ok {
		fmt.Fprintln(s.out, "the user has to allow more:", lack.Scopes)
		have, _ := s.tokens.Token(ctx, auth.Want{}) // nil if it has ended meanwhile
		err = s.login(ctx, oauth2flow.LoginStepUp(lack, have))
	} else if errors.Is(err, auth.ErrLoginRequired) {
		fmt.Fprintln(s.out, "nobody is signed in")
		err = s.login(ctx)
	} else {
		return answer, err
	}
	if err != nil {
		return answer, err
	}
	return request.Do[T](ctx, b)
}

// login lets the user log in, and keeps the token.
func (s *session) login(ctx context.Context, options ...oauth2flow.LoginOption) error {
	// The path is the one that is registered. The port is any that is free.
	token, err := s.code.Loopback(ctx, oauth2flow.Loopback{Open: s.open, Path: callbackPath}, options...)
	if err != nil {
		return err
	}
	// The token before, if there is one, is left to expire. At some servers, as at this one, to revoke it is to end all
	// that the user has allowed the program: with a Forget before Set, the token that has just come would be lost.
	return s.tokens.Set(ctx, token)
}
