package oauth2flow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"github.com/restconn/restconn/auth"
)

// PKCE is how an authorization code is bound to the login that it was issued for (RFC 7636).
type PKCE string

// The methods.
const (
	// PKCES256, the default, sends the SHA-256 of the verifier.
	PKCES256 PKCE = ""
	// PKCEPlain sends the verifier itself, which whoever sees the URL can use: for servers that know nothing better.
	PKCEPlain PKCE = "plain"
	// PKCENone sends none, for servers that refuse what they do not know. The client then has to authenticate (RFC
	// 9700, section 2.1.1).
	PKCENone PKCE = "none"
)

// ResponseType is what the authorization endpoint answers with.
type ResponseType string

// The response types.
const (
	// ResponseCode, the default, is a code that the token endpoint exchanges (RFC 6749, section 4.1).
	ResponseCode ResponseType = ""
	// ResponseNone is neither code nor token (OAuth 2.0 Multiple Response Types, section 4): a consent, say, that an
	// administrator has given. The token then holds nothing but what [Authorization].Keep has kept.
	ResponseNone ResponseType = "none"
	// ResponseIDToken is an ID token, which the browser brings in a POST: there is no call to a token endpoint, and
	// no secret (OpenID Connect Core 1.0, section 3.2).
	ResponseIDToken ResponseType = "id_token"
	// ResponseCodeIDToken is both a code and an ID token that vouches for it (OpenID Connect Core 1.0, section 3.3).
	ResponseCodeIDToken ResponseType = "code id_token"
)

// Authorization says how a user is asked (RFC 6749, section 4.1.1).
type Authorization struct { //nolint:recvcheck // callers have it as a value, grants keep a pointer
	// URL is the authorization endpoint: https, or http to this machine; with AllowHTTP of [Client].Endpoint, http to
	// any. A query of it is kept. If it has a fragment, such as "#/login", the parameters stand there, for servers whose
	// pages read them in the browser.
	URL string
	// RedirectURI is where the server sends the browser with its answer, as it is registered there: https, http to a
	// literal loopback address, or a private-use scheme (RFC 8252, section 7). It is not http to localhost, which may
	// be another machine (section 8.3). [AuthorizationCode.Loopback] has its own.
	RedirectURI string
	// Issuer is the issuer identifier of the server, with the schemes of URL. An answer that names another one is
	// refused (RFC 9207).
	Issuer string
	// RequireIssuer refuses answers that name none: for servers that announce it, and where one RedirectURI serves
	// several servers. An ID token that the browser brings names one as well (RFC 9207, section 4).
	RequireIssuer bool
	// ResponseType is ResponseCode unless it is set. Those with an ID token need OpenID.
	ResponseType ResponseType
	// PKCE is PKCES256 unless it is set.
	PKCE PKCE
	// OpenID makes it a login of OpenID Connect; nil if it is none.
	OpenID *OpenID

	// Params are further parameters of the URL, such as prompt or audience. Those of the protocol are refused, unless
	// Names leaves them out. A max_age and acr_values are what the ID token is held to.
	Params Params
	// Names are what the server calls parameters of the protocol, in the URL and in its answer, by their standard
	// names: {"client_id": "client_key"}. An empty name leaves one out of the URL; none that protects the login can be.
	// What [Client].Names call client_id, redirect_uri and scope is so called in the URL too, unless it is named here.
	Names map[string]string
	// LoginHint tells the server who is about to log in, such as an e-mail address. It is asked with the context of
	// [AuthorizationCode.Begin]; "" is not sent. [LoginHint] wins over it.
	LoginHint func(ctx context.Context) string
	// Rewrite changes the finished URL, for servers that want something else. State, code_challenge and nonce have to
	// stay, or no login begins.
	Rewrite func(u *url.URL)

	// Keep are parameters of the answer that are kept in [auth.Token].Extra, such as the id of a tenant. The browser
	// has brought them: whoever logs in can have changed them. A member of that name in the token answer wins.
	Keep []string
	// ServerParam is a parameter of the answer that tells which of Servers issues the token, for services of several
	// regions; it is kept in [auth.Token].Extra, where no later answer changes it. Servers are origins, such as
	// "https://accounts.example.eu". The one that is named takes the place of the origin of TokenURL, RefreshURL and
	// RevocationURL; any other is refused.
	ServerParam string
	Servers     []string

	// Exchange makes the token, in place of a call to the token endpoint, for services with a way of their own. It is
	// asked to renew a token that has
	//
	//   - the code as its Value;
	//   - in Extra, "redirect_uri" and "state" as they were sent, and "code_verifier" unless PKCE is PKCENone;
	//   - in Extra, what Keep and ServerParam have kept, by the names in the answer.
	Exchange auth.Grant
	// Then makes another token of each that a login or a refresh has brought, such as a session or one that lives
	// longer: it is asked to renew that one, as login.New does with Renew and without Steps. The refresh token, and
	// what Then does not put into Extra itself, stay.
	Then auth.Grant
	// Renew renews tokens, in place of the refresh token grant. Then has no part in it. What Renew does not put into
	// Extra itself stays.
	Renew auth.Grant

	// DisplayName and PrivateSession are for who opens the URL: what to call the service, and that the browser is to
	// keep nothing. They are never sent.
	DisplayName    string
	PrivateSession bool
	// Pending keeps the logins under way. The default keeps them in memory, for one process.
	Pending PendingStore
}

// clone returns a copy that shares nothing with a that its owner could change.
func (a Authorization) clone() *Authorization {
	a.Params, a.Keep, a.Servers = slices.Clone(a.Params), slices.Clone(a.Keep), slices.Clone(a.Servers)
	a.Names = maps.Clone(a.Names)
	if a.OpenID != nil {
		own := *a.OpenID
		a.OpenID = &own
	}
	if a.Pending == nil {
		a.Pending = NewPendingMemory()
	}
	return &a
}

// hasFrontToken reports whether the browser brings an ID token.
func (a *Authorization) hasFrontToken() bool {
	return a.ResponseType == ResponseIDToken || a.ResponseType == ResponseCodeIDToken
}

// hasCode reports whether the browser brings a code.
func (a *Authorization) hasCode() bool {
	return a.ResponseType == ResponseCode || a.ResponseType == ResponseCodeIDToken
}

// validate returns what is wrong in a login of that client.
func (a *Authorization) validate(c *Client) []error {
	public := c.method().name == namePublic
	var faults []error
	fault := func(wrong bool, text string) {
		if wrong {
			faults = append(faults, errors.New("Authorization."+text))
		}
	}
	faults = append(faults, a.validateURLs(c.Endpoint.AllowHTTP)...)
	fault(a.RequireIssuer && a.Issuer == "", "Issuer: it is empty, and RequireIssuer needs it")
	fault(a.PKCE != PKCES256 && a.PKCE != PKCEPlain && a.PKCE != PKCENone, "PKCE: it is unknown")
	fault(a.PKCE == PKCENone && public && a.hasCode() && a.Exchange == nil,
		"PKCE: PKCENone needs a client that authenticates (RFC 9700, section 2.1.1)")
	fault(!a.hasFrontToken() && !a.hasCode() && a.ResponseType != ResponseNone, "ResponseType: it is unknown")
	fault(a.hasFrontToken() && a.OpenID == nil, "OpenID: it is nil, and the ResponseType needs it")
	fault(a.Exchange != nil && !a.hasCode(), "Exchange: the ResponseType brings no code")
	fault((a.ServerParam == "") != (len(a.Servers) == 0), "Servers: they and ServerParam need each other")
	faults = append(faults, a.OpenID.validate()...)
	faults = append(faults, a.validateNames()...)
	for i, server := range a.Servers {
		s, err := url.Parse(server)
		fault(err != nil || checkBrowserURL(s, c.Endpoint.AllowHTTP) != nil || s.Scheme+"://"+s.Host != server,
			fmt.Sprintf("Servers: number %d is not an https origin", i+1))
	}
	grants := map[string]auth.Grant{"Exchange": a.Exchange, "Then": a.Then, "Renew": a.Renew}
	return append(faults, validateGrants(grants)...)
}

// validateGrants returns the faults of grants that may be nil.
func validateGrants(grants map[string]auth.Grant) []error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(grants)) {
		if v, ok := grants[name].(auth.Validator); ok {
			if err := v.Validate(); err != nil {
				faults = append(faults, fmt.Errorf("Authorization.%s: %w", name, err))
			}
		}
	}
	return faults
}
