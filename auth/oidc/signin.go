package oidc

import (
	"errors"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
)

// New returns the grant of a sign-in at the provider: the scope openid is asked for, a nonce is sent, and the answer
// has to have an ID token that passes. From the provider comes what c and a leave empty, see [Provider.Client] and
// [Provider.Authorization].
//
// Without a token endpoint, and without an [oauth2flow.Authorization].Exchange, the browser brings an ID token, which
// is what is sent to the API, unless a.ResponseType is set. A verifier that a.OpenID has is used, and options for one
// are a fault then; otherwise it is that of [NewVerifier]. What is wrong, Validate of the grant tells.
func New(
	p Provider, c oauth2flow.Client, a oauth2flow.Authorization, opts ...Option,
) *oauth2flow.AuthorizationCode {
	s := newSettings(opts)
	c, faults := p.complete(c)
	s.faults = append(s.faults, faults...)
	if c.TokenURL == "" && a.Exchange == nil && a.ResponseType == oauth2flow.ResponseCode {
		a.ResponseType, s.asToken = oauth2flow.ResponseIDToken, true
	}
	a, faults = p.fill(a)
	s.faults = append(s.faults, faults...)
	a.OpenID = s.openID(p, a.OpenID)
	return oauth2flow.NewAuthorizationCode(c, a)
}

// openID returns what makes the login one of OpenID Connect. given may be nil.
func (s *settings) openID(p Provider, given *oauth2flow.OpenID) *oauth2flow.OpenID {
	var o oauth2flow.OpenID
	if given != nil {
		o = *given
	}
	if o.Verifier == nil {
		o.Verifier = s.verifier(p)
	} else {
		s.refuseVerifier()
	}
	o.AsToken = o.AsToken || s.asToken
	o.Verifier = verifier{IDTokenVerifier: o.Verifier, faults: s.faults}
	return &o
}

// verifier is a verifier that tells what is wrong with the sign-in as well.
type verifier struct {
	oauth2flow.IDTokenVerifier
	faults []error
}

// Validate implements [auth.Validator].
func (v verifier) Validate() error {
	fault := joinFaults(v.faults)
	if inner, ok := v.IDTokenVerifier.(auth.Validator); ok {
		fault = errors.Join(fault, inner.Validate())
	}
	return fault
}
