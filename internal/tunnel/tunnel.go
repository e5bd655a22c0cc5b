// Package tunnel asks proxies for a connection to somewhere else: by CONNECT (RFC 9110, section 9.3.6) or SOCKS5 (RFC
// 1928). net/http does it as well, but there what a proxy answered is a text.
package tunnel

import (
	"bufio"
	"cmp"
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
	"unicode"

	"golang.org/x/net/proxy"

	"github.com/restconn/restconn/internal/challenge"
)

// ErrLogin means that a SOCKS5 proxy does not accept the user and the password, or wants some.
var ErrLogin = errors.New(wantsLogin)

const wantsLogin = "it wants a user and a password, or others than those that it was given"

// RefusedError means that the proxy answered something else than 200.
type RefusedError struct {
	Status int
	// Schemes are those that it wants the client to authenticate with, those that are well known by their name.
	Schemes []string
}

func (e *RefusedError) Error() string {
	if e.Status != http.StatusProxyAuthRequired {
		return cmp.Or(http.StatusText(e.Status), "it does not say why")
	}
	if len(e.Schemes) > 0 && !slices.Contains(e.Schemes, "Basic") {
		return "it wants credentials of " + strings.Join(e.Schemes, ", ") + ", and only Basic can be given"
	}
	return wantsLogin
}

// known are the schemes that are named. Any other could be what the client has sent, written back.
var known = []string{ //nolint:gochecknoglobals // never changed
	"Basic", "Bearer", "Digest", "Kerberos", "Mutual", "Negotiate", "NTLM", "SCRAM-SHA-1", "SCRAM-SHA-256",
}

// Refused reads the refusal out of an answer.
func Refused(resp *http.Response) *RefusedError {
	e := &RefusedError{Status: resp.StatusCode}
	for _, c := range challenge.Parse(resp.Header.Values("Proxy-Authenticate")) {
		name := "another scheme"
		if i := slices.IndexFunc(known, c.Is); i >= 0 {
			name = known[i]
		}
		if !slices.Contains(e.Schemes, name) {
			e.Schemes = append(e.Schemes, name)
		}
	}
	return e
}

const (
	mostHeader  = 64 << 10 // bytes of an answer
	mostInterim = 5        // answers before the answer
	longestName = 255      // bytes, in SOCKS5
)

// Open makes conn, which leads to the proxy at u, lead to target, a host and a port. The caller closes conn if that
// fails.
func Open(ctx context.Context, conn net.Conn, u *url.URL, target string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(target)
	switch {
	case err != nil || host == "" || strings.ContainsFunc(target, blankOrControl):
		return nil, errors.New("the target is not a host and a port") // it would be a line of its own to the proxy
	case strings.HasPrefix(u.Scheme, "socks5") && len(host) > longestName:
		return nil, errors.New("the name of the host is longer than the 255 bytes that SOCKS5 can send")
	case strings.HasPrefix(u.Scheme, "socks5"):
		return socks(ctx, conn, u, target)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err = connect(conn, u.User, target)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	return conn, nil
}

func blankOrControl(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

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
	if ended, ok := ctx.Deadline(); ok && !time.Now().Before(ended) {
		<-ctx.Done() // the deadline of the connection, which is the same, may have been noticed first
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		err = op.Err
	}
	for _, text := range loginTexts {
		if strings.HasPrefix(err.Error(), text) {
			return ErrLogin
		}
	}
	return err
}

// loginTexts are how golang.org/x/net begins to say that the credentials are wrong.
var loginTexts = []string{ //nolint:gochecknoglobals // never changed
	"username/password authentication failed", "no acceptable authentication methods", "unsupported authentication method",
}

// made is a dialer whose connection is there already.
type made struct{ conn net.Conn }

func (m made) Dial(string, string) (net.Conn, error) { return m.conn, nil }

func (m made) DialContext(context.Context, string, string) (net.Conn, error) { return m.conn, nil }
