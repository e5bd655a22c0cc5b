package oidc

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
)

// Option says something about a sign-in.
type Option interface {
	fmt.Stringer
	apply(s *signIn)
}

type option struct {
	text string
	set  func(s *signIn)
}

func (o option) String() string  { return o.text }
func (o option) apply(s *signIn) { o.set(s) }

// AsToken makes the ID token what is sent to the API, in place of the access token. Without a token endpoint it is so
// by itself.
func AsToken() Option { return option{"AsToken", func(s *signIn) { s.asToken = true }} }

// Algorithms are those that ID tokens may be signed with, such as ES256. The default is RS256, as for clients that are
// registered without another (OpenID Connect Registration 1.0, section 2); of a provider that announces others and not
// RS256, all of those that have a public key.
func Algorithms(names ...string) Option {
	own := slices.Clone(names)
	return option{"Algorithms(" + strings.Join(own, ", ") + ")", func(s *signIn) {
		s.algorithms = own
		if len(own) == 0 {
			s.faults = append(s.faults, errors.New("Algorithms: there are none"))
		}
	}}
}

// signIn is what New makes a grant of.
type signIn struct {
	provider   Provider
	asToken    bool
	algorithms []string
	faults     []error
}

// New returns the grant of a sign-in at the provider: the scope openid is asked for, a nonce is sent, and the answer
// has to have an ID token that passes. From the provider comes what c and a leave empty, see [Provider.Client] and
// [Provider.Authorization].
//
// Without a token endpoint, and without an [oauth2flow.Authorization].Exchange, the browser brings an ID token, which
// is what is sent to the API, unless a.ResponseType is set. A verifier that a.OpenID has is used; otherwise it is that
// of [NewVerifier]. What is wrong, Validate of the grant tells.
func New(
	p Provider, c oauth2flow.Client, a oauth2flow.Authorization, opts ...Option,
) *oauth2flow.AuthorizationCode {
	s := &signIn{provider: p}
	for _, opt := range opts {
		if opt == nil {
			s.faults = append(s.faults, errors.New("an option is nil"))
			continue
		}
		opt.apply(s)
	}
	c, faults := p.complete(c)
	s.faults = append(s.faults, faults...)
	if c.TokenURL == "" && a.Exchange == nil && a.ResponseType == oauth2flow.ResponseCode {
		a.ResponseType, s.asToken = oauth2flow.ResponseIDToken, true
	}
	a, faults = p.fill(a)
	s.faults = append(s.faults, faults...)
	a.OpenID = s.openID(a.OpenID)
	return oauth2flow.NewAuthorizationCode(c, a)
}

// openID returns what makes the login one of OpenID Connect. given may be nil.
func (s *signIn) openID(given *oauth2flow.OpenID) *oauth2flow.OpenID {
	var o oauth2flow.OpenID
	if given != nil {
		o = *given
	}
	if o.Verifier == nil {
		o.Verifier = NewVerifier(s.provider, s.allowed()...)
	}
	o.AsToken = o.AsToken || s.asToken
	o.Verifier = verifier{IDTokenVerifier: o.Verifier, faults: s.faults}
	return &o
}

// allowed returns the algorithms to allow; none for the default of the verifier.
func (s *signIn) allowed() []string {
	announced := s.provider.Algorithms
	if len(s.algorithms) > 0 || announced == nil || slices.Contains(announced, "RS256") {
		return s.algorithms
	}
	allowed := slices.DeleteFunc(slices.Clone(announced), func(name string) bool { return !hasPublicKey(name) })
	if len(allowed) == 0 {
		s.faults = append(s.faults, errors.New("Algorithms: the provider announces none that has a public key"))
	}
	return allowed
}

// hasPublicKey reports whether signatures of an algorithm are verified with a public key (RFC 7518, section 3.1; RFC
// 8037).
func hasPublicKey(algorithm string) bool {
	switch algorithm {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA":
		return true
	}
	return false
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
