package oauth2flow

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
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
	own.Names = own.namesOver(client.Names)
	return &AuthorizationCode{config: own, signIn: newSignIn(client, flow{
		kind: "authorization code", config: own.identity(), faults: own.validate(client),
		openID: own.OpenID, then: own.Then, renew: own.Renew, exchanger: own.Exchange,
		server: own.server, serverParam: own.ServerParam, keep: own.Keep,
		tokenless: !own.hasCode() || own.Exchange != nil,
	})}
}

// identity tells tokens of one authorization from those of another: it has what decides what is sent to the API.
func (a *Authorization) identity() []string {
	list := []string{a.URL}
	if a.OpenID != nil && a.OpenID.AsToken {
		list = append(list, "id token")
	}
	for name, g := range map[string]auth.Grant{"exchange": a.Exchange, "then": a.Then} {
		if g != nil {
			list = append(list, name+" "+g.Traits().Config)
		}
	}
	slices.Sort(list[1:])
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
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.config.RedirectURI == "" {
		return nil, errors.New("oauth2flow: Authorization.RedirectURI: it is empty, and only Loopback has its own")
	}
	ask, err := newAsked(opts)
	if err != nil {
		return nil, err
	}
	return c.begin(ctx, c.config.RedirectURI, ask)
}

// begin begins a login whose answer comes to redirectURI.
func (c *AuthorizationCode) begin(ctx context.Context, redirectURI string, ask *asked) (*Login, error) {
	if err := joinFaults(c.config.checkParams("LoginParams", ask.params)...); err != nil {
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
		Subject: []byte(auth.Subject(ctx)), Expires: time.Now().Add(loginTime).Truncate(time.Second),
		Scopes: ask.allScopes(c.client), Return: ask.page,
	}
	if c.hasPKCE() {
		p.Verifier = oauth2.GenerateVerifier()
	}
	if c.config.OpenID != nil {
		p.Nonce = rand.Text()
	}
	if before := ask.before; before != nil && c.config.OpenID != nil {
		p.Issuer, p.User = before.Extra[ExtraIssuer].Reveal(), before.Extra[ExtraSubject].Reveal()
	}
	return p
}

// hasPKCE reports whether the code is bound to a verifier.
func (c *AuthorizationCode) hasPKCE() bool { return c.config.PKCE != PKCENone && c.config.hasCode() }

// authorizationURL returns where the browser goes, and notes in p what the ID token is held to.
func (c *AuthorizationCode) authorizationURL(
	ctx context.Context, p *pending, ask *asked, state string,
) (string, error) {
	u, err := url.Parse(c.config.URL)
	if err == nil {
		err = addParams(u, c.params(ctx, p, ask, state))
	}
	if err != nil {
		return "", errors.New("oauth2flow: Authorization.URL: it is not a URL")
	}
	if c.config.Rewrite != nil {
		c.config.Rewrite(u)
	}
	all := paramsOf(u)
	if err := c.checkURL(u, all, p, state); err != nil {
		return "", fmt.Errorf("oauth2flow: Authorization.Rewrite: %w", err)
	}
	if err := p.demand(all); err != nil {
		return "", fmt.Errorf("oauth2flow: %w", err)
	}
	return u.String(), nil
}

// params returns all parameters. Those of a login take the place of configured ones.
func (c *AuthorizationCode) params(ctx context.Context, p *pending, ask *asked, state string) Params {
	params := rename(c.protocol(ctx, p, ask, state), c.config.Names)
	return slices.Concat(params, c.config.Params.without(ask.params), ask.params)
}

// protocol returns the parameters of the protocol, by their standard names.
func (c *AuthorizationCode) protocol(ctx context.Context, p *pending, ask *asked, state string) Params {
	kind := cmp.Or(string(c.config.ResponseType), fieldCode)
	params := NewParams("response_type", kind, fieldClientID, c.client.ID, fieldRedirect, p.RedirectURI,
		fieldState, state)
	add := func(name, value string) {
		if value != "" {
			params = append(params, Param{name, value})
		}
	}
	add(fieldScope, strings.Join(p.Scopes, c.client.separator()))
	for _, resource := range c.client.Resources {
		add(fieldResource, resource)
	}
	params = append(params, c.challenge(p.Verifier)...)
	add(fieldNonce, p.Nonce)
	if c.config.hasFrontToken() {
		add("response_mode", "form_post")
	}
	hint := ask.hint
	if hint == "" && c.config.LoginHint != nil {
		hint = c.config.LoginHint(ctx)
	}
	add("login_hint", hint)
	return params
}

// challenge returns what binds the code to the verifier (RFC 7636, section 4.3).
func (c *AuthorizationCode) challenge(verifier string) Params {
	switch {
	case verifier == "":
		return nil
	case c.config.PKCE == PKCEPlain:
		return NewParams(fieldChallenge, verifier, "code_challenge_method", "plain")
	default:
		return NewParams(fieldChallenge, oauth2.S256ChallengeFromVerifier(verifier), "code_challenge_method", "S256")
	}
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

// checkURL tells what is wrong with a URL after Rewrite. all are its parameters.
func (c *AuthorizationCode) checkURL(u *url.URL, all url.Values, p *pending, state string) error {
	switch {
	case checkBrowserURL(u, c.client.Endpoint.AllowHTTP) != nil || field.HasControl(u.String()):
		return errors.New("it made a URL that no browser may be sent to")
	case !slices.Equal(all[c.config.name(fieldState)], []string{state}),
		p.Verifier != "" && len(all[c.config.name(fieldChallenge)]) != 1,
		p.Nonce != "" && !slices.Equal(all[c.config.name(fieldNonce)], []string{p.Nonce}):
		return errors.New("it took away, or doubled, what protects the login: state, code_challenge and nonce")
	}
	return nil
}

const (
	fieldMaxAge = "max_age"
	fieldACR    = "acr_values"
)

// isDemand reports whether the ID token has to say that a parameter was heeded.
func isDemand(name string) bool { return name == fieldMaxAge || name == fieldACR }

// demand notes what the ID token has to say for what was asked. Where there is none, it is the server's to heed.
func (p *pending) demand(all url.Values) error {
	if p.Nonce == "" {
		return nil
	}
	ages, classes := all[fieldMaxAge], all[fieldACR]
	if len(ages) > 1 || len(classes) > 1 {
		return errors.New("max_age or acr_values are there twice")
	}
	if len(ages) == 1 {
		age, err := strconv.ParseUint(ages[0], 10, 31)
		if err != nil {
			return errors.New("max_age is no number of seconds")
		}
		p.MaxAge = new(time.Duration(age) * time.Second)
	}
	if len(classes) == 1 {
		p.ACR = strings.Fields(classes[0])
	}
	return nil
}

// want returns what the ID token of this login is compared with.
func (p *pending) want(clientID string) IDTokenWant {
	w := IDTokenWant{ClientID: clientID, Nonce: p.Nonce, ACR: p.ACR}
	if p.MaxAge != nil {
		w.MaxAge, w.HasMaxAge = *p.MaxAge, true
	}
	return w
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
