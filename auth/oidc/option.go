package oidc

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Option says something about a sign-in, or about the verifier of its ID tokens: [New] and [NewVerifier] take the same
// ones, but for [AsToken]. What several of one kind say adds up.
type Option interface {
	fmt.Stringer
	apply(s *settings)
}

type option struct {
	text string
	set  func(s *settings)
}

func (o option) String() string    { return o.text }
func (o option) apply(s *settings) { o.set(s) }

// AsToken makes the ID token what is sent to the API, in place of the access token. Without a token endpoint it is so
// by itself. It is for [New] only.
func AsToken() Option { return option{"AsToken", func(s *settings) { s.asToken = true }} }

// Algorithms are those that ID tokens may be signed with: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512
// and EdDSA. The default is RS256, as for clients that are registered without another (OpenID Connect Registration 1.0,
// section 2); of a provider that announces others and not RS256, all of those that have a public key.
func Algorithms(names ...string) Option {
	own := slices.Clone(names)
	return option{"Algorithms(" + strings.Join(own, ", ") + ")", func(s *settings) {
		s.algorithms = append(s.algorithms, own...)
		s.ofVerifier = append(s.ofVerifier, "Algorithms")
		if len(own) == 0 {
			s.fault("Algorithms: there are none")
		}
	}}
}

// TrustAudiences accepts tokens which are for these audiences as well, beside the client, if they name the client as
// the one they were issued to (azp). Without it, a token that has a further audience is refused: there, it could be
// used in place of the user.
func TrustAudiences(audiences ...string) Option {
	own := slices.Clone(audiences)
	return option{fmt.Sprintf("TrustAudiences%q", own), func(s *settings) {
		s.audiences = append(s.audiences, own...)
		s.ofVerifier = append(s.ofVerifier, "TrustAudiences")
		if len(own) == 0 || slices.Contains(own, "") {
			s.fault("TrustAudiences: there are none, or one is empty")
		}
	}}
}

var errNilOption = errors.New("an option is nil")

// settings are what options have said.
type settings struct {
	asToken    bool
	algorithms []string // none for the default
	audiences  []string
	ofVerifier []string // the names of the options that are for a verifier
	faults     []error
}

func newSettings(opts []Option) *settings {
	s := new(settings)
	for _, opt := range opts {
		if opt == nil {
			s.faults = append(s.faults, errNilOption)
			continue
		}
		opt.apply(s)
	}
	return s
}

func (s *settings) fault(text string) { s.faults = append(s.faults, errors.New(text)) }

// refuseVerifier notes that options are for a verifier, and that the caller has one already.
func (s *settings) refuseVerifier() {
	for _, name := range s.ofVerifier {
		s.fault(name + ": Authorization.OpenID has a Verifier of its own, which it has no effect on: " +
			"give it to the NewVerifier that makes that one")
	}
}

// allowed returns the algorithms to allow for a provider that announces some, or nothing.
func (s *settings) allowed(announced []string) []string {
	switch {
	case len(s.algorithms) > 0:
		return s.algorithms
	case announced == nil || slices.Contains(announced, algorithmDefault):
		return []string{algorithmDefault}
	}
	allowed := slices.DeleteFunc(slices.Clone(announced), func(name string) bool { return !isAlgorithm(name) })
	if len(allowed) == 0 {
		s.fault("Algorithms: the provider announces none that has a public key")
	}
	return allowed
}
