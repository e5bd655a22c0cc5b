package oidc

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/internal/redact"
)

// Provider is an OpenID provider, or an OAuth authorization server, as its metadata describe it (OpenID Connect
// Discovery 1.0, section 3; RFC 8414, section 2). [Discover] and [DiscoverOAuth] get it, and it can be filled by hand.
// A URL is empty, and a list nil, if the metadata do not say.
type Provider struct {
	// Issuer identifies the provider. It is compared byte by byte.
	Issuer string
	// AuthorizationURL and TokenURL are the endpoints of a login.
	AuthorizationURL, TokenURL string
	// JWKSURL is where the keys are that sign ID tokens.
	JWKSURL string
	// UserInfoURL is for [Provider.UserInfo].
	UserInfoURL string
	// RevocationURL, IntrospectionURL and DeviceURL are those of RFC 7009, RFC 7662 and RFC 8628.
	RevocationURL, IntrospectionURL, DeviceURL string
	// EndSessionURL is where a browser goes to log out (OpenID Connect RP-Initiated Logout 1.0, section 2.1).
	EndSessionURL string
	// MTLS are the endpoints for clients that authenticate by a certificate, where they are others.
	MTLS MTLSEndpoints

	// Algorithms are those that ID tokens are signed with.
	Algorithms []string
	// PKCEMethods are those of RFC 7636, such as S256.
	PKCEMethods []string
	// ClientAuthMethods are those of the token endpoint, such as client_secret_basic.
	ClientAuthMethods []string
	// ResponseTypes and Scopes are those that the provider knows.
	ResponseTypes, Scopes []string
	// AnnouncesIssuer says that each answer to a login names the issuer (RFC 9207, section 3).
	AnnouncesIssuer bool

	// Endpoint is how metadata, keys and userinfo are asked for, and token calls unless the [oauth2flow.Client] has an
	// Endpoint of its own. The zero Endpoint sends what is not a token call by http.DefaultTransport.
	Endpoint auth.Endpoint
}

// MTLSEndpoints are endpoints that ask for a client certificate (RFC 8705, section 5). One that is empty is that of
// the [Provider].
type MTLSEndpoints struct {
	TokenURL, UserInfoURL, RevocationURL, IntrospectionURL, DeviceURL string
}

// String implements [fmt.Stringer].
func (p Provider) String() string {
	u, err := url.Parse(p.Issuer)
	if err != nil || u.Host == "" {
		return "provider"
	}
	return "provider " + redact.URL(u)
}

// Faults of a configuration that does not fit the metadata.
var (
	errMethods = errors.New("Client.Auth: it is not set, and the provider announces neither client_secret_basic nor " +
		"client_secret_post for the Secret: set a method that it announces")
	errPKCE = errors.New("Authorization.PKCE: the provider announces methods without S256; set PKCEPlain or " +
		"PKCENone if that is right")
	errOtherIssuer = errors.New("Authorization.Issuer: it is another than that of the provider")
)

// Client returns c with what it leaves empty and the metadata say: TokenURL, RevocationURL, IntrospectionURL and
// Endpoint. For [oauth2flow.TLSClientAuth], the URLs are those of MTLS first. A client with a Secret and without Auth
// authenticates by client_secret_basic, which is the standard's default, or by client_secret_post if only that is
// announced; if neither is, that is the error. It is for all grants, such as [oauth2flow.NewDeviceCode] at DeviceURL.
func (p Provider) Client(c oauth2flow.Client) (oauth2flow.Client, error) {
	c, faults := p.complete(c)
	return c, joinFaults(faults)
}

// complete is Client with its faults one by one.
func (p Provider) complete(c oauth2flow.Client) (oauth2flow.Client, []error) {
	var special MTLSEndpoints
	if c.Auth.String() == oauth2flow.TLSClientAuth().String() {
		special = p.MTLS
	}
	c.TokenURL = cmp.Or(c.TokenURL, special.TokenURL, p.TokenURL)
	c.RevocationURL = cmp.Or(c.RevocationURL, special.RevocationURL, p.RevocationURL)
	c.IntrospectionURL = cmp.Or(c.IntrospectionURL, special.IntrospectionURL, p.IntrospectionURL)
	if c.Endpoint.IsZero() {
		c.Endpoint = p.Endpoint
	}
	if c.Secret == nil || !c.Auth.IsZero() || c.TokenURL == "" {
		return c, nil
	}
	switch {
	case p.ClientAuthMethods == nil, slices.Contains(p.ClientAuthMethods, "client_secret_basic"):
		c.Auth = oauth2flow.InHeader()
	case slices.Contains(p.ClientAuthMethods, "client_secret_post"):
		c.Auth = oauth2flow.InBody()
	default:
		return c, []error{errMethods}
	}
	return c, nil
}

// Authorization returns a with what it leaves empty and the metadata say: URL, Issuer and RequireIssuer. It is an
// error if a has another Issuer, and if PKCE is to be S256 and the announced methods are others (RFC 9700, section
// 4.8). [New] does it too; this is for a login of OAuth 2.0 that is none of OpenID Connect.
func (p Provider) Authorization(a oauth2flow.Authorization) (oauth2flow.Authorization, error) {
	a, faults := p.fill(a)
	return a, joinFaults(faults)
}

// fill is Authorization with its faults one by one.
func (p Provider) fill(a oauth2flow.Authorization) (oauth2flow.Authorization, []error) {
	var faults []error
	if a.Issuer != "" && p.Issuer != "" && a.Issuer != p.Issuer {
		faults = append(faults, errOtherIssuer)
	}
	withCode := a.ResponseType == oauth2flow.ResponseCode || a.ResponseType == oauth2flow.ResponseCodeIDToken
	if withCode && a.PKCE == oauth2flow.PKCES256 && p.PKCEMethods != nil && !slices.Contains(p.PKCEMethods, "S256") {
		faults = append(faults, errPKCE)
	}
	a.URL, a.Issuer = cmp.Or(a.URL, p.AuthorizationURL), cmp.Or(a.Issuer, p.Issuer)
	a.RequireIssuer = a.RequireIssuer || p.AnnouncesIssuer
	return a, faults
}

// joinFaults joins faults, each of which begins with the name of the package.
func joinFaults(faults []error) error {
	named := make([]error, len(faults))
	for i, fault := range faults {
		named[i] = fmt.Errorf("oidc: %w", fault)
	}
	return errors.Join(named...)
}
