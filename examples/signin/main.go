// Signin signs a user in on the command line, with OpenID Connect: it opens the browser, takes the answer on a loopback
// address, and keeps the token in a file, so that the second run needs no login. What the user has not allowed yet is
// asked for when it is needed, and in the end the token is revoked.
//
// The provider and the API are in server.go, in-process on loopback addresses. Log in there as ann, with the password
// ann. With -demo, or where there is no terminal, a robot plays the user.
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
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/request"
)

// Notes is what the API answers.
type Notes struct {
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
	dir, err := os.MkdirTemp("", "signin-") // a program of yours has a directory in os.UserConfigDir
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	// Each run of a program has a manager of its own. What they share is the store.
	runs := []func(context.Context, *session) error{write, signOut}
	for _, use := range runs {
		fmt.Fprintln(out, "the program runs:")
		s, err := newSession(ctx, service, tokenstore.NewFile(dir), out, open)
		if err != nil {
			return err
		}
		if err := errors.Join(use(ctx, s), s.close()); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "good tokens that are left:", service.idp.ActiveTokens())
	return nil
}

// write is what the first run does.
func write(ctx context.Context, s *session) error {
	if err := greet(ctx, s); err != nil {
		return err
	}
	notes, err := call[*Notes](ctx, s, request.Post(s.conn, "/notes").JSON("buy tea"))
	if err == nil {
		fmt.Fprintln(s.out, "notes:", len(notes.Notes))
	}
	return err
}

// signOut is what the second run does.
func signOut(ctx context.Context, s *session) error {
	if err := greet(ctx, s); err != nil {
		return err
	}
	if err := s.tokens.Forget(ctx); err != nil { // it is revoked as well
		return err
	}
	err := request.Get(s.conn, "/notes").Exec(ctx)
	if !errors.Is(err, auth.ErrLoginRequired) {
		return fmt.Errorf("another error than expected: %w", err)
	}
	fmt.Fprintln(s.out, "signed out")
	return nil
}

// greet shows who is signed in.
func greet(ctx context.Context, s *session) error {
	notes, err := call[*Notes](ctx, s, request.Get(s.conn, "/notes"))
	if err != nil {
		return err
	}
	name, err := s.name(ctx)
	if err == nil {
		fmt.Fprintf(s.out, "%s is signed in; notes: %d\n", name, len(notes.Notes))
	}
	return err
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
