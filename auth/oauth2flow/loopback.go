package oauth2flow

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/flight"
	"github.com/restconn/restconn/internal/wait"
)

// Loopback says how a program on the user's own machine takes the answer (RFC 8252, section 7.3).
type Loopback struct {
	// Open shows the user the URL of the login, as by starting the system's browser. It may wait for that to end; its
	// context ends with the login.
	Open func(ctx context.Context, login *Login) error
	// Path is that of the redirect URI, for servers that want a certain one. The default is another one each time.
	Path string
	// Port is that of the redirect URI, for servers that want a certain one. The default is one that is free.
	Port int
	// Page is what the browser shows in the end, as plain text. The default says that the window can be closed.
	Page string
}

const (
	loopbackHeader  = 64 << 10         // bytes of a request
	loopbackTimeout = 10 * time.Second // of a request
	loopbackClose   = time.Second      // for what is under way in the end
)

// Loopback logs a user in on this machine: it listens on a literal loopback address, shows the URL, waits for the
// browser to come back, and makes the exchange. The RedirectURI of the [Authorization] plays no part. Nothing that a
// stranger sends to the port ends the login. It waits for ten minutes at most, and listens no longer than that.
func (c *AuthorizationCode) Loopback(ctx context.Context, l Loopback) (*auth.Token, error) {
	if err := l.validate(); err != nil {
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
	login, err := c.begin(ctx, redirect.String(), nil)
	if err != nil {
		return nil, err
	}
	answers := make(chan url.Values, 1)
	server := &http.Server{
		Handler:     l.handler(redirect.Host, path, login.state.Reveal(), answers),
		ReadTimeout: loopbackTimeout, WriteTimeout: loopbackTimeout, MaxHeaderBytes: loopbackHeader,
		DisableGeneralOptionsHandler: true,
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
	answer, err := l.await(ctx, login, answers)
	if err != nil {
		return nil, err
	}
	return c.Complete(ctx, answer, login.Browser)
}

// await shows the URL, and waits for the answer.
func (l *Loopback) await(ctx context.Context, login *Login, answers <-chan url.Values) (url.Values, error) {
	ctx, cancel := context.WithDeadline(ctx, login.Expires)
	defer cancel()
	opened := make(chan error, 1)
	go func() { // what opens a browser may wait for its end
		_, err := flight.Catch(func() (struct{}, error) { return struct{}{}, l.Open(ctx, login) })
		opened <- err
	}()
	for {
		select {
		case answer := <-answers:
			return answer, nil
		case err := <-opened:
			if err != nil {
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
	if l.Path != "" && (!strings.HasPrefix(l.Path, "/") || strings.ContainsAny(l.Path, "?#% \\")) {
		faults = append(faults, errors.New("Loopback.Path: it is not a plain path that begins with a slash"))
	}
	if l.Port < 0 || l.Port > 65535 {
		faults = append(faults, errors.New("Loopback.Port: it is not from 0 to 65535"))
	}
	return joinFaults(faults...)
}

// listen listens on a loopback address of whichever family there is.
func (l *Loopback) listen(ctx context.Context) (net.Listener, error) {
	var config net.ListenConfig
	var errs []error
	for _, host := range []string{"127.0.0.1", "::1"} {
		listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(l.Port)))
		if err == nil {
			return listener, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// handler takes the one answer that belongs to the login. To all others there is nothing here.
func (l *Loopback) handler(host, path, state string, answers chan<- url.Values) http.Handler {
	page := l.Page
	if page == "" {
		page = "That was all. You can close this window."
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		query := req.URL.Query()
		given := []byte(query.Get("state"))
		if req.Method != http.MethodGet || req.Host != host || req.URL.Path != path ||
			subtle.ConstantTimeCompare(given, []byte(state)) != 1 {
			http.NotFound(w, req)
			return
		}
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, page)
		select {
		case answers <- query:
		default: // it has come already
		}
	})
}
