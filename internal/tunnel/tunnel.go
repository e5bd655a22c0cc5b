// Package tunnel asks proxies for a connection to somewhere else: by CONNECT (RFC 9110, section 9.3.6) or SOCKS5 (RFC
// 1928). net/http does it as well, but there what a proxy answered is a text.
package tunnel

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/proxy"

	"github.com/restconn/restconn/internal/challenge"
	"github.com/restconn/restconn/internal/redact"
)

// RefusedError means that the proxy answered something else than 200.
type RefusedError struct {
	Status int
	// Schemes are those that it wants the client to authenticate with.
	Schemes []string
}

func (e *RefusedError) Error() string {
	if e.Status != http.StatusProxyAuthRequired {
		return http.StatusText(e.Status)
	}
	basic := func(scheme string) bool { return strings.EqualFold(scheme, "Basic") }
	if len(e.Schemes) > 0 && !slices.ContainsFunc(e.Schemes, basic) {
		wanted := redact.Line(strings.Join(e.Schemes, ", "))
		return "it wants credentials of the scheme " + wanted + ", and only Basic can be given"
	}
	return "it wants a user and a password, or others than those that it was given"
}

// Refused reads the refusal out of an answer.
func Refused(resp *http.Response) *RefusedError {
	e := &RefusedError{Status: resp.StatusCode}
	for _, c := range challenge.Parse(resp.Header.Values("Proxy-Authenticate")) {
		e.Schemes = append(e.Schemes, c.Scheme)
	}
	return e
}

const (
	mostHeader  = 64 << 10 // bytes of an answer
	mostInterim = 5        // answers before the answer
)

// Open makes conn, which leads to the proxy at u, lead to target, a host and a port. The caller closes conn if that
// fails.
func Open(ctx context.Context, conn net.Conn, u *url.URL, target string) (net.Conn, error) {
	if strings.HasPrefix(u.Scheme, "socks5") {
		return socks(ctx, conn, u, target)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err := connect(conn, u.User, target)
	if !stop() {
		return nil, context.Cause(ctx)
	}
	return conn, err
}

func connect(conn net.Conn, user *url.Userinfo, target string) error {
	text := "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n"
	if user != nil {
		password, _ := user.Password()
		pair := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		text += "Proxy-Authorization: Basic " + pair + "\r\n"
	}
	if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
		return err
	}
	br := bufio.NewReader(io.LimitReader(conn, mostHeader))
	for range mostInterim {
		resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect}) //nolint:bodyclose // conn is closed
		if err != nil {
			return answerError(err)
		}
		switch {
		case resp.StatusCode/100 == 1 && resp.StatusCode != http.StatusSwitchingProtocols:
			continue
		case resp.StatusCode != http.StatusOK:
			return Refused(resp)
		case br.Buffered() > 0: // a server of TLS waits for the client to begin
			return errors.New("it sent more than an answer to CONNECT")
		}
		return nil
	}
	return errors.New("it answered with 1xx again and again")
}

// answerError says what is wrong with an answer, without what the proxy wrote.
func answerError(err error) error {
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("no answer to CONNECT: %w", err)
	}
	return errors.New("its answer to CONNECT is not HTTP")
}

func socks(ctx context.Context, conn net.Conn, u *url.URL, target string) (net.Conn, error) {
	var auth *proxy.Auth
	if u.User != nil {
		password, _ := u.User.Password()
		auth = &proxy.Auth{User: u.User.Username(), Password: password}
	}
	dialer, err := proxy.SOCKS5("tcp", u.Host, auth, made{conn})
	if err != nil {
		return nil, err
	}
	through, ok := dialer.(proxy.ContextDialer)
	if !ok {
		return nil, errors.New("the SOCKS5 dialer takes no context")
	}
	tunnel, err := through.DialContext(ctx, "tcp", target)
	if err != nil {
		return nil, socksError(ctx, err)
	}
	return tunnel, nil
}

// socksError takes the addresses off an error, which the caller names.
func socksError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		return op.Err
	}
	return err
}

// made is a dialer whose connection is there already.
type made struct{ conn net.Conn }

func (m made) Dial(string, string) (net.Conn, error) { return m.conn, nil }

func (m made) DialContext(context.Context, string, string) (net.Conn, error) { return m.conn, nil }
