// Signin signs a user in on the command line: it opens the browser, takes the answer on a loopback address, and keeps
// the token. What the user has not allowed yet is asked for when it is needed, and in the end the token is revoked.
//
// The authorization server and the API are in server.go, in-process on loopback addresses. Log in there as ann, with
// the password ann. With -demo, or where there is no terminal, a robot plays the user.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/browser"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

// Notes is what the API answers.
type Notes struct {
	Owner string   `json:"owner"`
	Notes []string `json:"notes"`
}

func main() {
	demo := flag.Bool("demo", false, "let a robot play the user")
	flag.Parse()
	open := browser.OpenOrPrint(os.Stdout)
	if *demo || !isTerminal(os.Stdout) {
		open = robot(os.Stdout)
	} else {
		fmt.Println("log in as", user, "with the password", password)
	}
	if err := run(context.Background(), os.Stdout, open); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, open openFunc) (err error) {
	service := start()
	defer service.close()
	issuer := service.issuer()

	code := oauth2flow.NewAuthorizationCode(
		oauth2flow.Client{ // a program on somebody's machine has no secret: PKCE takes its place
			ID: clientID, TokenURL: issuer + "/token", RevocationURL: issuer + "/revoke", Scopes: []string{scopeRead},
		},
		oauth2flow.Authorization{URL: issuer + "/authorize", Issuer: issuer, RequireIssuer: true},
	)
	tokens := auth.Manage(code) // with auth.KeepIn, a token outlives the program
	defer func() { err = errors.Join(err, tokens.Close()) }()
	conn, err := connection.New(service.api.URL, connection.WithAuth(auth.Bearer(tokens)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	s := signIn{code: code, tokens: tokens, out: out, open: open}

	var notes *Notes
	if err := s.call(ctx, func() (err error) {
		notes, err = request.Do[*Notes](ctx, request.Get(conn, "/notes"))
		return err
	}); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s is signed in, and has %d notes\n", notes.Owner, len(notes.Notes))

	if err := s.call(ctx, func() (err error) {
		notes, err = request.Do[*Notes](ctx, request.Post(conn, "/notes").JSON("buy tea"))
		return err
	}); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s has %d notes now\n", notes.Owner, len(notes.Notes))

	if err := tokens.Forget(ctx); err != nil {
		return err
	}
	err = request.Get(conn, "/notes").Exec(ctx)
	if !errors.Is(err, auth.ErrLoginRequired) {
		return fmt.Errorf("another error than expected: %w", err)
	}
	fmt.Fprintln(out, "signed out: the server knows of", service.idp.ActiveTokens(), "good tokens")
	return nil
}

// openFunc shows a user the URL of a login.
type openFunc = func(ctx context.Context, login *oauth2flow.Login) error

// signIn lets the user log in when that is what is missing.
type signIn struct {
	code   *oauth2flow.AuthorizationCode
	tokens *auth.Manager
	out    io.Writer
	open   openFunc
}

// call makes a call. If it lacks a login, or something that the user has not allowed, the user is asked, and the call
// is made again.
func (s *signIn) call(ctx context.Context, call func() error) error {
	err := call()
	var options []oauth2flow.LoginOption
	if lack, ok := errors.AsType[*auth.StepUpError](err); ok {
		fmt.Fprintln(s.out, "the user has to allow more:", lack.Scopes)
		options = append(options, oauth2flow.LoginStepUp(lack))
	} else if errors.Is(err, auth.ErrLoginRequired) {
		fmt.Fprintln(s.out, "nobody is signed in")
	} else {
		return err // nil as well
	}
	// The path is the one that is registered. The port is any that is free.
	token, err := s.code.Loopback(ctx, oauth2flow.Loopback{Open: s.open, Path: callbackPath}, options...)
	if err != nil {
		return err
	}
	// Forget revokes the token before, if there is one: it allows less, and nobody uses it any more. At a server that
	// revokes all tokens of the user by that, Forget has to come before the login.
	if err := errors.Join(s.tokens.Forget(ctx), s.tokens.Set(ctx, token)); err != nil {
		return err
	}
	return call()
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
