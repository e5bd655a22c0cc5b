package oauth2flow

import (
	"bytes"
	"cmp"
	"maps"
	"net/http"
	"slices"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/tokencall"
	"github.com/restconn/restconn/secrets"
)

// Client is a client of an authorization server, and how it talks to it. It is copied by the functions that take it.
type Client struct { //nolint:recvcheck // callers have it as a value, grants keep a pointer
	// ID is the client id that the server issued. It may be empty where the server knows the client by other means:
	// in [Assertion], [TokenExchange] and [CustomGrant] without client authentication.
	ID string
	// Secret is the client secret; nil for a client that has none, or that authenticates by other means. A secret of
	// no text is left out of a form, and is "id:" in a header.
	Secret secrets.Provider
	// Auth is how the client authenticates. The zero ClientAuth is [InBody] if there is a Secret, and else
	// [PublicClient].
	Auth ClientAuth

	// TokenURL is the token endpoint (RFC 6749, section 3.2). It may have a query.
	TokenURL string
	// RefreshURL is where refresh tokens are sent; empty for TokenURL. Nothing else is.
	RefreshURL string
	// RevocationURL lets tokens be revoked (RFC 7009); empty if the server cannot.
	RevocationURL string
	// IntrospectionURL is for [Introspect] (RFC 7662).
	IntrospectionURL string

	// Scopes are what is asked for. One text with several scopes in it is sent as it is. If there are none, the
	// parameter is left out. They are not sent along when a token is refreshed, but by [Refresh] itself: it has what
	// was granted.
	Scopes []string
	// ScopeSeparator stands between the scopes, a space unless it is set (RFC 6749, section 3.3).
	ScopeSeparator string
	// RequireScopes makes an answer an error that says it grants less than Scopes, or nothing. One that says nothing
	// grants what was asked for. A renewal of a login is held to those of them that the user has allowed.
	RequireScopes bool
	// Resources are the services that the token is for (RFC 8707): absolute URIs without fragment, each a parameter
	// of its own.
	Resources []string

	// Params are further parameters of every call to the token endpoint, see [NewParams] and [ParseParams]. Those
	// that belong to the protocol are refused, unless OverrideProtocol is set.
	Params Params
	// RefreshParams are those of calls with a refresh token, beside Params and in place of those of the same names.
	RefreshParams Params
	// Names are what the server calls parameters of the protocol, by their standard names: {"client_id":
	// "client_key"}. An empty name leaves one out, and Params may have another in its place.
	Names map[string]string
	// ParamsInQuery sends Params in the URL.
	ParamsInQuery bool
	// OverrideProtocol lets Params take the place of parameters that the protocol sends.
	OverrideProtocol bool
	// Encoding is how parameters are written, [Form] unless it is set.
	Encoding Encoding
	// Header is sent with every call to the authorization server, and with no other. Authorization is not in it, nor
	// is what belongs to a connection or lets a call be repeated; a Content-Type names the type that the body is of.
	Header http.Header

	// AcceptTokenTypes are token types that are accepted beside Bearer, in any case (RFC 6749, section 7.1). An
	// answer without a type is of type Bearer.
	AcceptTokenTypes []string
	// ExpiryField is the member of an answer that tells when the token ends, if it is none of expires_in, expires_on
	// and expires_at. Its value is seconds, a time since 1970 in seconds or milliseconds, a date or a duration. A
	// date without a zone is read as UTC.
	ExpiryField string
	// AnswerNames are where members of the answer are, by their standard names: {"access_token": "data.token"} for
	// one in an object that is the member data. It is looked for nowhere else, but for error, error_description and
	// error_uri, which may also be where they belong. What stands beside an access_token in such an object need not be
	// named: refresh_token, id_token, token_type, scope, expires_in, expires_on and expires_at, which win over those of
	// the answer itself. A name that is not standard is one of [auth.Token].Extra.
	AnswerNames map[string]string
	// AcceptForm accepts answers that are a form, if their Content-Type says so.
	AcceptForm bool

	// Endpoint is how calls are sent: client, trust and proxy. The zero Endpoint sends them like the connection.
	Endpoint auth.Endpoint
}

// String implements [fmt.Stringer]. It shows no secret, no parameter and no header.
func (c Client) String() string { return describe("Client", c.ID, c.TokenURL) }

// clone returns a copy that shares nothing with c that its owner could change.
func (c Client) clone() *Client {
	c.Scopes = slices.Clone(c.Scopes)
	c.Resources = slices.Clone(c.Resources)
	c.Params, c.RefreshParams = slices.Clone(c.Params), slices.Clone(c.RefreshParams)
	c.Names, c.AnswerNames = maps.Clone(c.Names), maps.Clone(c.AnswerNames)
	c.AcceptTokenTypes = slices.Clone(c.AcceptTokenTypes)
	c.Header = canonical(c.Header)
	c.Endpoint.TrustedCA = bytes.Clone(c.Endpoint.TrustedCA)
	return &c
}

// canonical returns a copy of h under canonical names.
func canonical(h http.Header) http.Header {
	own := make(http.Header, len(h))
	for name, values := range h {
		key := http.CanonicalHeaderKey(name)
		own[key] = append(own[key], values...)
	}
	return own
}

// method returns how the client authenticates.
func (c *Client) method() ClientAuth {
	switch {
	case c.Auth.apply != nil:
		return c.Auth
	case c.Secret != nil:
		return InBody()
	default:
		return PublicClient()
	}
}

// endpoint returns how calls are sent.
func (c *Client) endpoint() tokencall.Config {
	return tokencall.Config{
		Client:    c.Endpoint.Client,
		CA:        c.Endpoint.TrustedCA,
		CAOnly:    c.Endpoint.TrustedCAOnly,
		Proxy:     c.Endpoint.Proxy,
		AllowHTTP: c.Endpoint.AllowHTTP,
	}
}

// refreshURL returns where refresh tokens are sent.
func (c *Client) refreshURL() string { return cmp.Or(c.RefreshURL, c.TokenURL) }

// fieldOf returns the name of the field that holds the URL of an endpoint.
func (c *Client) fieldOf(target string) string {
	switch target {
	case c.TokenURL:
		return "TokenURL"
	case c.RefreshURL:
		return "RefreshURL"
	case c.RevocationURL:
		return "RevocationURL"
	case c.IntrospectionURL:
		return "IntrospectionURL"
	default:
		return "the URL"
	}
}

// separator returns what stands between scopes.
func (c *Client) separator() string { return cmp.Or(c.ScopeSeparator, " ") }
