package preset

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"golang.org/x/oauth2"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/secrets"
)

// NewAuthorizationCode returns the authorization code grant of a client at the service. What is wrong with it, and with
// the preset, its Validate tells. A client that does not authenticate keeps PKCE, whatever the service wants of others.
//
// The scope openid has the service send an ID token, and nobody verifies it here, unless a.OpenID is set: the token is
// good for the API, and says nothing of who the user is. A login that is to say so is one of auth/oidc, which
// [Preset.Client] and [Preset.Authorization] are for.
func (p Preset) NewAuthorizationCode(
	c oauth2flow.Client, a oauth2flow.Authorization,
) *oauth2flow.AuthorizationCode {
	filled := p.Authorization(a)
	if !authenticates(c) {
		filled.PKCE = a.PKCE
	}
	return oauth2flow.NewAuthorizationCode(p.Client(c), filled)
}

// NewDeviceCode returns the device authorization grant of a client at the service. Of a service that has none, the
// grant is not valid.
func (p Preset) NewDeviceCode(c oauth2flow.Client) *oauth2flow.DeviceCode {
	return oauth2flow.NewDeviceCode(p.Client(c), p.url(p.service.at.DeviceAuthURL))
}

// BearerOptions returns how the API of the service takes tokens, for [auth.Bearer]. There are none for one that takes
// them as the standard has it (RFC 6750, section 2.1).
func (p Preset) BearerOptions() []auth.BearerOption { return slices.Clone(p.service.send) }

// Client returns c with what it leaves empty. If c has a TokenURL, no other URL is filled in either: tokens of one
// server are not sent to another. Where the service takes JSON, c cannot choose [oauth2flow.Form], which is the zero
// value: set it in what Client returns. Of a preset that is not valid, the Secret tells what Validate tells, so that no
// grant begins with it.
func (p Preset) Client(c oauth2flow.Client) oauth2flow.Client {
	own := p.service.client
	if c.TokenURL == "" {
		c.TokenURL = p.url(p.service.at.TokenURL)
		c.RefreshURL = cmp.Or(c.RefreshURL, p.url(own.RefreshURL))
		c.RevocationURL = cmp.Or(c.RevocationURL, p.url(own.RevocationURL))
	}
	if p.service.at.AuthStyle == oauth2.AuthStyleInHeader && c.Secret != nil && c.Auth.IsZero() {
		c.Auth = oauth2flow.InHeader()
	}
	c.ScopeSeparator = cmp.Or(c.ScopeSeparator, own.ScopeSeparator)
	c.Encoding = cmp.Or(c.Encoding, own.Encoding)
	c.ExpiryField = cmp.Or(c.ExpiryField, own.ExpiryField)
	c.AcceptForm = c.AcceptForm || own.AcceptForm
	c.Params = withParams(c.Params, own.Params)
	c.Names = withNames(c.Names, own.Names)
	c.AnswerNames = withNames(c.AnswerNames, own.AnswerNames)
	if len(c.AcceptTokenTypes) == 0 {
		c.AcceptTokenTypes = slices.Clone(own.AcceptTokenTypes)
	}
	if err := p.Validate(); err != nil {
		c.Secret = noSecret{&secrets.Error{Err: err}}
	}
	return c
}

// noSecret is the secret of a client whose preset is not valid.
type noSecret struct{ err error }

// Secret implements [secrets.Provider].
func (s noSecret) Secret(context.Context) (secrets.Value, error) { return secrets.Value{}, s.err }

// Validate implements [secrets.Validator].
func (s noSecret) Validate() error { return s.err }

// Authorization returns a with what it leaves empty. PKCE may be [oauth2flow.PKCENone] then, with which a client that
// does not authenticate is not valid: [Preset.NewAuthorizationCode] keeps PKCE for it.
func (p Preset) Authorization(a oauth2flow.Authorization) oauth2flow.Authorization {
	own := p.service.authorization
	a.URL = cmp.Or(a.URL, p.url(p.service.at.AuthURL))
	a.PKCE = cmp.Or(a.PKCE, own.PKCE)
	a.Params = withParams(a.Params, own.Params)
	a.Names = withNames(a.Names, own.Names)
	a.Keep = slices.Clone(a.Keep)
	for _, name := range own.Keep {
		if !slices.Contains(a.Keep, name) {
			a.Keep = append(a.Keep, name)
		}
	}
	if a.ServerParam == "" && len(a.Servers) == 0 {
		a.ServerParam, a.Servers = own.ServerParam, slices.Clone(own.Servers)
	}
	return a
}

// authenticates reports whether a client proves who it is.
func authenticates(c oauth2flow.Client) bool {
	if c.Auth.IsZero() {
		return c.Secret != nil
	}
	return c.Auth.String() != oauth2flow.PublicClient().String()
}

// withParams returns parameters, and those of the preset whose names none of them has.
func withParams(given, preset oauth2flow.Params) oauth2flow.Params {
	all := slices.Clone(given)
	for _, p := range preset {
		same := func(other oauth2flow.Param) bool { return other.Name == p.Name }
		if !slices.ContainsFunc(given, same) {
			all = append(all, p)
		}
	}
	return all
}

// withNames returns names, and those of the preset that are missing.
func withNames(given, preset map[string]string) map[string]string {
	if len(preset) == 0 {
		return maps.Clone(given)
	}
	all := maps.Clone(preset)
	maps.Copy(all, given)
	return all
}
