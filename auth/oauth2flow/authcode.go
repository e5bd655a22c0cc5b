package oauth2flow

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/field"
	"github.com/restconn/restconn/secrets"
)

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
// [Web] does that for a web application, and [AuthorizationCode.Loopback] for a program on the user's machine.
//
// Its calls go the way of the connection that its tokens were last bound to and that is open, and as
// [Client].Endpoint says where there is none. It is safe for concurrent use.
type AuthorizationCode struct {
	signIn

	config *Authorization
}

// NewAuthorizationCode returns the grant of that client. What is wrong with it, Validate tells.
func NewAuthorizationCode(c Client, a Authorization) *AuthorizationCode {
	client, own := c.clone(), a.clone()
	if own.OpenID != nil && !slices.Contains(client.split(client.Scopes), scopeOpenID) {
		client.Scopes = append([]string{scopeOpenID}, client.Scopes...)
	}
	public := client.method().name == namePublic
	return &AuthorizationCode{config: own, signIn: newSignIn(client, flow{
		kind: "authorization code", config: own.identity(), faults: own.validate(public),
		openID: own.OpenID, then: own.Then, renew: own.Renew, exchanger: own.Exchange, server: own.server,
		tokenless: !own.hasCode() || own.Exchange != nil,
	})}
}

// identity tells tokens of one authorization from those of another.
func (a *Authorization) identity() []string {
	list := []string{a.URL}
	if a.OpenID != nil && a.OpenID.AsToken {
		list = append(list, "id token")
	}
	for _, g := range []auth.Grant{a.Exchange, a.Then, a.Renew} {
		if g != nil {
			list = append(list, g.Traits().Config)
		}
	}
	return list
}

// server returns target at the server that the login of t has named.
func (a *Authorization) server(target string, t *auth.Token) string {
	if a.ServerParam == "" || t == nil {
		return target
	}
	server := t.Extra[a.ServerParam].Reveal()
	u, err := url.Parse(target)
	if err != nil || !slices.Contains(a.Servers, server) {
		return target
	}
	u.Scheme, u.Host, _ = strings.Cut(server, "://")
	return u.String()
}

const loginTime = 10 * time.Minute

// Begin begins a login of the user that [auth.Subject] of ctx names, if it names one. No call is made but to the
// [PendingStore]. Where strangers can begin logins, the caller limits how many.
func (c *AuthorizationCode) Begin(ctx context.Context, opts ...LoginOption) (*Login, error) {
	if c.config.RedirectURI == "" {
		return nil, errors.New("oauth2flow: Authorization.RedirectURI: it is empty, and only Loopback has its own")
	}
	return c.begin(ctx, c.config.RedirectURI, opts)
}

// begin begins a login whose answer comes to redirectURI.
func (c *AuthorizationCode) begin(ctx context.Context, redirectURI string, opts []LoginOption) (*Login, error) {
	if c.fault != nil {
		return nil, c.fault
	}
	ask, err := newAsked(opts)
	if err != nil {
		return nil, err
	}
	state, browser := rand.Text(), rand.Text()
	p := c.newPending(ctx, ask)
	p.Key, p.RedirectURI = c.pendingKey(state, browser), redirectURI
	u, err := c.authorizationURL(ctx, p, ask, state)
	if err != nil {
		return nil, err
	}
	if err := p.put(ctx, c.config.Pending); err != nil {
		return nil, fmt.Errorf("oauth2flow: the login cannot be kept: %w", err)
	}
	return &Login{
		URL: u, Browser: secrets.Static(browser), Expires: p.Expires, Posted: c.config.hasFrontToken(),
		DisplayName: c.config.DisplayName, PrivateSession: c.config.PrivateSession, state: secrets.Static(state),
	}, nil
}

// newPending returns the login as its end has to know it.
func (c *AuthorizationCode) newPending(ctx context.Context, ask *asked) *pending {
	p := &pending{
		Subject: auth.Subject(ctx), Expires: time.Now().Add(loginTime).Truncate(time.Second),
		Scopes: slices.Clone(c.client.Scopes), Return: ask.page,
	}
	for _, scope := range ask.scopes {
		if !slices.Contains(p.Scopes, scope) {
			p.Scopes = append(p.Scopes, scope)
		}
	}
	if c.config.PKCE != PKCENone && c.config.hasCode() {
		p.Verifier = oauth2.GenerateVerifier()
	}
	if c.config.OpenID != nil {
		p.Nonce = rand.Text()
	}
	return p
}

// authorizationURL returns where the browser goes.
func (c *AuthorizationCode) authorizationURL(
	ctx context.Context, p *pending, ask *asked, state string,
) (string, error) {
	u, err := url.Parse(c.config.URL)
	if err != nil {
		return "", errors.New("oauth2flow: Authorization.URL: it is not a URL")
	}
	params := rename(c.protocol(ctx, p, ask, state), c.config.Names)
	for _, own := range c.config.Params {
		if !slices.ContainsFunc(ask.params, func(other Param) bool { return other.Name == own.Name }) {
			params = append(params, own)
		}
	}
	params = append(params, ask.params...)
	p.demand(params)
	u.RawQuery = withQuery(u.RawQuery, params)
	if c.config.Rewrite != nil {
		c.config.Rewrite(u)
	}
	if err := c.checkURL(u, p, state); err != nil {
		return "", fmt.Errorf("oauth2flow: Authorization.Rewrite: %w", err)
	}
	if u.Fragment != "" { // as of a page that reads its own URL
		query := u.RawQuery
		u.RawQuery = ""
		return u.String() + "?" + query, nil
	}
	return u.String(), nil
}

// protocol returns the parameters of the protocol, by their standard names.
func (c *AuthorizationCode) protocol(ctx context.Context, p *pending, ask *asked, state string) Params {
	kind := string(c.config.ResponseType)
	if c.config.ResponseType == ResponseCode {
		kind = "code"
	}
	params := NewParams("response_type", kind, fieldClientID, c.client.ID, "redirect_uri", p.RedirectURI,
		"state", state)
	if len(p.Scopes) > 0 {
		params = append(params, Param{fieldScope, strings.Join(p.Scopes, c.client.separator())})
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
	if p.Nonce != "" {
		params = append(params, Param{"nonce", p.Nonce})
	}
	if c.config.hasFrontToken() {
		params = append(params, Param{"response_mode", "form_post"})
	}
	hint := ask.hint
	if hint == "" && c.config.LoginHint != nil {
		hint = c.config.LoginHint(ctx)
	}
	if hint != "" {
		params = append(params, Param{"login_hint", hint})
	}
	return params
}

// rename returns parameters under other names. Those of an empty one are left out.
func rename(params Params, names map[string]string) Params {
	if len(names) == 0 {
		return params
	}
	list := make(Params, 0, len(params))
	for _, p := range params {
		if name, ok := names[p.Name]; ok {
			p.Name = name
		}
		if p.Name != "" {
			list = append(list, p)
		}
	}
	return list
}

// checkURL tells what is wrong with a URL after Rewrite.
func (c *AuthorizationCode) checkURL(u *url.URL, p *pending, state string) error {
	q := u.Query()
	challenge := c.config.name("code_challenge")
	switch {
	case !isSecureURL(u) || u.User != nil || field.HasControl(u.String()):
		return errors.New("it made a URL that no browser may be sent to")
	case !slices.Equal(q[c.config.name("state")], []string{state}),
		p.Verifier != "" && challenge != "" && len(q[challenge]) != 1,
		p.Nonce != "" && !slices.Equal(q[c.config.name("nonce")], []string{p.Nonce}):
		return errors.New("it took away, or doubled, what protects the login: state, code_challenge and nonce")
	}
	return nil
}

// demand notes what the ID token has to say for what was asked.
func (p *pending) demand(params Params) {
	for _, param := range params {
		switch param.Name {
		case "max_age":
			if age, err := strconv.ParseUint(param.Value, 10, 31); err == nil {
				p.MaxAge = new(time.Duration(age) * time.Second)
			}
		case "acr_values":
			p.ACR = strings.Fields(param.Value)
		}
	}
}

// want returns what the ID token of this login is compared with.
func (p *pending) want(clientID string, access, code secrets.Value) IDTokenWant {
	w := IDTokenWant{ClientID: clientID, Nonce: p.Nonce, AccessToken: access, Code: code, ACR: p.ACR}
	if p.MaxAge != nil {
		w.MaxAge, w.Fresh = *p.MaxAge, true
	}
	return w
}

// extras adds to those of a token what the answer has brought. What the token endpoint says wins.
func extras(t *auth.Token, kept map[string]secrets.Value) {
	if len(kept) == 0 {
		return
	}
	all := maps.Clone(kept)
	maps.Copy(all, t.Extra)
	t.Extra = all
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
