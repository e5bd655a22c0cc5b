package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/restconn/restconn/auth/oauth2flow"
)

// Why a browser was not opened, to be matched with [errors.Is].
var (
	// ErrPrivateSession says that the login wants a browser that keeps nothing, which the system's opener cannot ask
	// for.
	ErrPrivateSession = errors.New("the system cannot be asked for a private session: open the URL in one by hand")
	// ErrURL says that what is to be opened is no http or https URL.
	ErrURL = errors.New("the URL is not one of http or https")
	// ErrNoBrowser says that nothing on this system opens a browser, or that it has no display.
	ErrNoBrowser = errors.New("no browser can be opened on this system: open the URL by hand")
)

// Open opens the URL of a login in the user's browser, by xdg-open on Linux and BSD, open on macOS and start on
// Windows. It is a function for [oauth2flow.Loopback].Open, and safe for concurrent use.
//
// It waits for the command, which some systems end together with the browser, and no longer than ctx lasts: then the
// command is ended, and what it has started goes on. What the command writes is thrown away. While the command runs,
// other users of the machine may see the URL among its arguments.
//
// Errors are [ErrPrivateSession], [ErrURL] and [ErrNoBrowser], with which nothing was opened, the end of ctx, and that
// the command failed.
func Open(ctx context.Context, login *oauth2flow.Login) error {
	target, err := checked(login)
	switch {
	case err != nil:
		return err
	case login.PrivateSession:
		return fmt.Errorf("browser: %w", ErrPrivateSession)
	}
	cmd, err := command(ctx, target)
	if err != nil {
		return err
	}
	err = cmd.Run() // without streams, so that it does not wait for what the command has started
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case cmd.Process == nil:
		return fmt.Errorf("browser: %w: %w", ErrNoBrowser, err)
	}
	return fmt.Errorf("browser: %s: %w", runtime.GOOS, err)
}

// OpenOrPrint returns Open for programs with a terminal: where no browser can be opened, a line that says what to do is
// written to w, and the URL. The user goes on by hand, and that is no error. w is not asked for concurrent use if there
// is one login at a time.
//
// Errors are [ErrURL], that of w, and the end of ctx.
func OpenOrPrint(w io.Writer) func(ctx context.Context, login *oauth2flow.Login) error {
	return func(ctx context.Context, login *oauth2flow.Login) error {
		err := Open(ctx, login)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrURL) {
			return err
		}
		target, err := checked(login)
		if err == nil {
			_, err = io.WriteString(w, instruction(login, target))
		}
		if err != nil {
			return fmt.Errorf("browser: the URL cannot be shown: %w", err)
		}
		return nil
	}
}
