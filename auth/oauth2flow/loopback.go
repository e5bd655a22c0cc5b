package oauth2flow

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/flight"
	"github.com/restconn/restconn/internal/wait"
)

// Loopback says how a program on the user's own machine takes the answer (RFC 8252, section 7.3).
type Loopback struct {
	// Open shows the user the URL of the login, as by starting the system's browser: package auth/browser has one. It
	// may wait for that to end; its context ends with the login, and it returns then.
	Open func(ctx context.Context, login *Login) error
	// Path is that of the redirect URI, for servers that want a certain one. The default is another one each time.
	Path string
	// Port is that of the redirect URI, for servers that want a certain one. The default is one that is free. One that
	// is taken is an error, [ErrPort].
	Port int
	// Page is what the browser shows in the end, as plain text. The default says that the window can be closed.
	Page string
}

const (
	loopbackHeader  = 64 << 10         // bytes of a request
	loopbackTimeout = 10 * time.Second // of a request
	loopbackClose   = time.Second      // for what is under way in the end
)

// ErrPort says that [Loopback].Port cannot be had: another program has it, or it is not for this one.
var ErrPort = errors.New("the port is taken, or not allowed")

// Loopback logs a user in on this machine: it listens on a literal loopback address, shows the URL, waits for the
// browser to come back, and makes the exchange. The RedirectURI of the [Authorization] plays no part, and
// [LoginReturn] is an error. Nothing that a stranger sends to the port ends the login.
//
// It waits for ten minutes at most, and listens no longer than that. The browser is sent on to the same path without
// the query, which would stay in its history otherwise; after the answer, it has a second for that.
//
// Errors are those of [AuthorizationCode.Complete] and of Open, [ErrPort], the end of a context, and faults of l. The
// login is over then: it does not stay in the [PendingStore].
func (c *AuthorizationCode) Loopback(ctx context.Context, l Loopback, opts ...LoginOption) (*auth.Token, error) {
	ask, err := l.check(c, opts)
	if err != nil {
		return nil, err
	}
	listener, err := l.listen(ctx)
	if err != nil {
		return nil, fmt.Errorf("oauth2flow: Loopback: %w", err)
	}
	defer func() { _ = listener.Close() }()
	path := l.Path
	if path == "" {
		path = "/" + rand.Text()
	}
	redirect := url.URL{Scheme: "http", Host: listener.Addr().String(), Path: path}
	login, err := c.begin(ctx, redirect.String(), ask)
	if err != nil {
		return nil, err
	}
	t, err := l.land(ctx, listener, newLanding(c, login, redirect, l.Page))
	if err != nil {
		c.drop(ctx, login)
	}
	return t, err
}

// check returns what the login is to be for, if it can begin.
func (l *Loopback) check(c *AuthorizationCode, opts []LoginOption) (*asked, error) {
	if err := errors.Join(c.Validate(), l.validate()); err != nil {
		return nil, err
	}
	ask, err := newAsked(opts)
	if err == nil && ask.page != "" {
		err = errors.New("oauth2flow: LoginReturn: the browser stays on the page of Loopback")
	}
	return ask, err
}

// land serves the redirect URI until the login is complete.
func (l *Loopback) land(ctx context.Context, listener net.Listener, page *landing) (*auth.Token, error) {
	opening, end := context.WithDeadline(ctx, page.login.Expires)
	defer end() // what shows the browser shows the page as well
	server := &http.Server{
		Handler: page, ReadTimeout: loopbackTimeout, WriteTimeout: loopbackTimeout,
		MaxHeaderBytes: loopbackHeader, DisableGeneralOptionsHandler: true,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // which is the standard logger otherwise
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), loopbackClose)
		defer cancel()
		_ = server.Shutdown(closing) // the page is sent before that
		_ = server.Close()
		<-served
	}()
	opened, done := l.open(opening, page.login)
	answer, err := l.await(opening, opened, page.answers)
	if err != nil {
		return nil, err
	}
	shown, cancel := context.WithTimeout(ctx, loopbackClose)
	defer cancel()
	t, err := page.code.Complete(ctx, answer, page.login.Browser)
	for _, last := range []<-chan struct{}{page.shown, done} { // what shows the page may still be reading it
		select {
		case <-last:
		case <-shown.Done():
		}
	}
	return t, err
}

// drop takes a login that has failed out of the store. What it does not reach expires there.
func (c *AuthorizationCode) drop(ctx context.Context, login *Login) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loopbackClose)
	defer cancel()
	_, _ = c.config.Pending.Take(ctx, c.pendingKey(login.state.Reveal(), login.Browser.Reveal()))
}

// open shows the URL. What opens a browser may wait for its end: the second channel is closed with that.
func (l *Loopback) open(ctx context.Context, login *Login) (<-chan error, <-chan struct{}) {
	opened, done := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(done)
		_, err := flight.Catch(func() (struct{}, error) { return struct{}{}, l.Open(ctx, login) })
		opened <- err
	}()
	return opened, done
}

// await waits for the answer, no longer than ctx lasts.
func (l *Loopback) await(
	ctx context.Context, opened <-chan error, answers <-chan url.Values,
) (url.Values, error) {
	for {
		select {
		case answer := <-answers:
			return answer, nil
		case err := <-opened:
			if err != nil && len(answers) == 0 {
				return nil, fmt.Errorf("oauth2flow: Loopback.Open: %w", err)
			}
			opened = nil
		case <-ctx.Done():
			return nil, fmt.Errorf("oauth2flow: nobody has logged in: %w", wait.Ended(ctx))
		}
	}
}

func (l *Loopback) validate() error {
	var faults []error
	if l.Open == nil {
		faults = append(faults, errors.New("Loopback.Open: it is nil"))
	}
	if l.Path != "" && !isPlainPath(l.Path) {
		faults = append(faults, errors.New("Loopback.Path: it is not a plain path that begins with a slash"))
	}
	if l.Port < 0 || l.Port > 65535 {
		faults = append(faults, errors.New("Loopback.Port: it is not from 0 to 65535"))
	}
	return joinFaults(faults...)
}

// listen listens on the loopback address of IPv4, and on that of IPv6 where there is no other.
func (l *Loopback) listen(ctx context.Context) (net.Listener, error) {
	const host = "127.0.0.1"
	listener, err := listen(ctx, host, l.Port)
	if err == nil || ctx.Err() != nil {
		return listener, err
	}
	if l.Port != 0 && isAddress(ctx, host) { // a browser that is sent to a port of ::1 may find somebody else's
		return nil, fmt.Errorf("Loopback.Port: %d: %w: %w", l.Port, ErrPort, err)
	}
	listener, other := listen(ctx, "::1", l.Port)
	if other != nil {
		return nil, errors.Join(err, other)
	}
	return listener, nil
}

func listen(ctx context.Context, host string, port int) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
}

// isAddress reports whether this machine has an address, whatever its ports.
func isAddress(ctx context.Context, host string) bool {
	listener, err := listen(ctx, host, 0)
	if err == nil {
		_ = listener.Close()
	}
	return err == nil
}
