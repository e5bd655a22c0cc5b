package oauth2flow

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/field"
	"github.com/restconn/restconn/secrets"
)

// PKCE is how an authorization code is bound to the login that it was issued for (RFC 7636).
type PKCE string

// The methods.
const (
	// PKCES256, the default, sends the SHA-256 of the verifier.
	PKCES256 PKCE = ""
	// PKCEPlain sends the verifier itself, which whoever sees the URL can use: for servers that know nothing better.
	PKCEPlain PKCE = "plain"
	// PKCENone sends none, for servers that refuse what they do not know.
	PKCENone PKCE = "none"
)

// Authorization says how a user is asked (RFC 6749, section 4.1.1).
type Authorization struct {
	// URL is the authorization endpoint. A query of it is kept.
	URL string
	// RedirectURI is where the server sends the browser with its answer, as it is registered there: https, http to a
	// literal loopback address, or a private-use scheme (RFC 8252, section 7). [AuthorizationCode.Loopback] has its
	// own.
	RedirectURI string
	// Issuer is the issuer identifier of the server. An answer that names another one is refused (RFC 9207).
	Issuer string
	// RequireIssuer refuses answers that name none: for servers that announce it, and where one RedirectURI serves
	// several servers.
	RequireIssuer bool
	// PKCE is PKCES256 unless it is set.
	PKCE PKCE
	// Params are further parameters of the URL, such as prompt or audience. Those of the protocol are refused.
	Params Params
	// LoginHint tells the server who is about to log in, such as an e-mail address. It is asked with the context of
	// [AuthorizationCode.Begin]; "" is not sent.
	LoginHint func(ctx context.Context) string
	// DisplayName and PrivateSession are for who opens the URL: what to call the service, and that the browser is to
	// keep nothing. They are never sent.
	DisplayName    string
	PrivateSession bool
	// Rewrite changes the finished URL, for servers that want something else.
	Rewrite func(u *url.URL)
	// Pending keeps the logins under way. The default keeps them in memory, for one process.
	Pending PendingStore
}

// AuthorizationCode is the authorization code grant (RFC 6749, section 4.1): [AuthorizationCode.Begin] begins a
// login, and [AuthorizationCode.Complete] makes a token of the answer. As an auth.Grant it renews that token by its
// refresh token; without one that is good, it is [auth.ErrLoginRequired].
//
//	code := oauth2flow.NewAuthorizationCode(client, authorization)
//	tokens := auth.Manage(code, auth.KeepIn(store, "crm"), auth.PerSubject())
//	...
//	token, err := code.Complete(ctx, req.URL.Query(), browser)
//	err = tokens.Set(ctx, token)
//
// It is safe for concurrent use.
type AuthorizationCode struct {
	signIn

	config Authorization
}

// NewAuthorizationCode returns the grant of that client. What is wrong with it, Validate tells.
func NewAuthorizationCode(c Client, a Authorization) *AuthorizationCode {
	a.Params = slices.Clone(a.Params)
	if a.Pending == nil {
		a.Pending = NewPendingMemory()
	}
	return &AuthorizationCode{signIn: newSignIn(c.clone(), "authorization code", a.URL, a.validate()...), config: a}
}

// validate returns what is wrong.
func (a *Authorization) validate() []error {
	var faults []error
	fault := func(wrong bool, text string) {
		if wrong {
			faults = append(faults, errors.New(text))
		}
	}
	u, err := url.Parse(a.URL)
	fault(err != nil || a.URL == "" || !isSecureURL(u) || u.Fragment != "" || u.User != nil,
		"Authorization.URL: it is not an https URL without user and fragment (http is for literal loopback addresses)")
	fault(err == nil && hasProtocolName(u), "Authorization.URL: there is a parameter of the protocol in its query")
	r, err := url.Parse(a.RedirectURI)
	fault(err != nil || a.RedirectURI != "" && !isRedirectURI(r) || strings.Contains(a.RedirectURI, "#"),
		"Authorization.RedirectURI: it is none of https, http to a literal loopback address and a private-use scheme "+
			"(RFC 8252, section 7), or has a fragment, or a parameter of the protocol")
	fault(a.Issuer != "" && !isIssuer(a.Issuer), "Authorization.Issuer: it is no https URL without query and fragment")
	fault(a.RequireIssuer && a.Issuer == "", "Authorization.Issuer: it is empty, and RequireIssuer needs it")
	fault(a.PKCE != PKCES256 && a.PKCE != PKCEPlain && a.PKCE != PKCENone, "Authorization.PKCE: it is unknown")
	for i, p := range a.Params {
		if p.Name == "" || isOfLogin(p.Name) || isProtocol(p.Name) {
			faults = append(faults, fmt.Errorf("Authorization.Params: number %d has no name, or one of the protocol", i+1))
		}
	}
	return faults
}

// isOfLogin reports whether a parameter of the authorization URL belongs to the protocol.
func isOfLogin(name string) bool {
	switch name {
	case "response_type", "response_mode", "state", "nonce", "code_challenge", "code_challenge_method", "request",
		"request_uri", "login_hint":
		return true
	}
	return false
}

// hasProtocolName reports whether a query would double a parameter that the protocol sends.
func hasProtocolName(u *url.URL) bool {
	for name := range u.Query() {
		if isOfLogin(name) || isProtocol(name) || name == "iss" || name == "error" {
			return true
		}
	}
	return false
}

// isIssuer reports whether a text can identify a server (RFC 8414, section 2).
func isIssuer(text string) bool {
	u, err := url.Parse(text)
	return err == nil && isSecureURL(u) && !strings.ContainsAny(text, "?#")
}

// isSecureURL reports whether a browser may be sent there.
func isSecureURL(u *url.URL) bool {
	return u.Hostname() != "" && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()))
}

func isRedirectURI(u *url.URL) bool {
	switch {
	case u.Fragment != "" || u.User != nil || hasProtocolName(u):
		return false
	case u.Scheme == "http" || u.Scheme == "https":
		return isSecureURL(u)
	}
	return u.Scheme != "" && !slices.Contains(foreignSchemes, u.Scheme)
}

// foreignSchemes are those that browsers and systems have their own use for.
var foreignSchemes = []string{ //nolint:gochecknoglobals // never changed
	"about", "blob", "data", "file", "ftp", "javascript", "mailto", "sms", "tel", "vbscript", "view-source", "ws", "wss",
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// Login is a login that has begun.
type Login struct {
	// URL is where the user's browser goes.
	URL string
	// Browser ties the login to the browser that began it. The caller keeps it there, in a cookie whose name begins
	// with __Host- and that is Secure, HttpOnly and SameSite=Lax, and hands it to [AuthorizationCode.Complete].
	Browser secrets.Value
	// Expires is when the login has to be complete, ten minutes from now.
	Expires time.Time
	// DisplayName and PrivateSession are those of the [Authorization].
	DisplayName    string
	PrivateSession bool

	state secrets.Value
}

// String tells until when the login lasts.
func (l Login) String() string { return "a login until " + l.Expires.UTC().Format(time.RFC3339) }

// Format writes String for every verb: the URL has the state in it.
func (l Login) Format(f fmt.State, _ rune) { write(f, l.String()) }

// LogValue implements [slog.LogValuer].
func (l Login) LogValue() slog.Value { return slog.StringValue(l.String()) }

const loginTime = 10 * time.Minute

// Begin begins a login of the user that [auth.Subject] of ctx names, if it names one. No call is made but to the
// [PendingStore]. Where strangers can begin logins, the caller limits how many.
func (c *AuthorizationCode) Begin(ctx context.Context) (*Login, error) {
	if c.config.RedirectURI == "" {
		return nil, errors.New("oauth2flow: Authorization.RedirectURI: it is empty, and only Loopback has its own")
	}
	return c.begin(ctx, c.config.RedirectURI)
}

// begin begins a login whose answer comes to redirectURI.
func (c *AuthorizationCode) begin(ctx context.Context, redirectURI string) (*Login, error) {
	if c.fault != nil {
		return nil, c.fault
	}
	state, browser := rand.Text(), rand.Text()
	p := &pending{
		Key: c.pendingKey(state, browser), Subject: auth.Subject(ctx), RedirectURI: redirectURI,
		Expires: time.Now().Add(loginTime).Truncate(time.Second),
	}
	if c.config.PKCE != PKCENone {
		p.Verifier = oauth2.GenerateVerifier()
	}
	u, err := c.authorizationURL(ctx, p, state)
	if err != nil {
		return nil, err
	}
	if err := p.put(ctx, c.config.Pending); err != nil {
		return nil, fmt.Errorf("oauth2flow: the login cannot be kept: %w", err)
	}
	return &Login{
		URL: u.String(), Browser: secrets.Static(browser), Expires: p.Expires,
		DisplayName: c.config.DisplayName, PrivateSession: c.config.PrivateSession, state: secrets.Static(state),
	}, nil
}

// authorizationURL returns where the browser goes.
func (c *AuthorizationCode) authorizationURL(ctx context.Context, p *pending, state string) (*url.URL, error) {
	u, err := url.Parse(c.config.URL)
	if err != nil {
		return nil, errors.New("oauth2flow: Authorization.URL: it is not a URL")
	}
	params := NewParams("response_type", "code", fieldClientID, c.client.ID, "redirect_uri", p.RedirectURI,
		"state", state)
	if len(c.client.Scopes) > 0 {
		params = append(params, Param{fieldScope, strings.Join(c.client.Scopes, c.client.separator())})
	}
	for _, resource := range c.client.Resources {
		params = append(params, Param{fieldResource, resource})
	}
	switch {
	case p.Verifier == "":
	case c.config.PKCE == PKCEPlain:
		params = append(params, NewParams("code_challenge", p.Verifier, "code_challenge_method", "plain")...)
	default:
		challenge := oauth2.S256ChallengeFromVerifier(p.Verifier)
		params = append(params, NewParams("code_challenge", challenge, "code_challenge_method", "S256")...)
	}
	if c.config.LoginHint != nil {
		if hint := c.config.LoginHint(ctx); hint != "" {
			params = append(params, Param{"login_hint", hint})
		}
	}
	u.RawQuery = withQuery(u.RawQuery, append(params, c.config.Params...))
	if c.config.Rewrite != nil {
		c.config.Rewrite(u)
	}
	if err := p.checkURL(u, state); err != nil {
		return nil, fmt.Errorf("oauth2flow: Authorization.Rewrite: %w", err)
	}
	return u, nil
}

// checkURL tells what is wrong with a URL after Rewrite.
func (p *pending) checkURL(u *url.URL, state string) error {
	q := u.Query()
	switch {
	case !isSecureURL(u) || u.User != nil || u.Fragment != "" || field.HasControl(u.String()):
		return errors.New("it made a URL that no browser may be sent to")
	case !slices.Equal(q["state"], []string{state}) || p.Verifier != "" && len(q["code_challenge"]) != 1:
		return errors.New("it took away, or doubled, what protects the login: state and code_challenge")
	}
	return nil
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
