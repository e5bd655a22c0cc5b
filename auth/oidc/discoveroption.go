package oidc

import (
	"errors"
	"fmt"

	"github.com/restconn/restconn/auth"
)

// DiscoverOption says how a provider is asked for its metadata, and for all that comes after them. There is one at
// most.
type DiscoverOption interface {
	fmt.Stringer
	endpoint() auth.Endpoint
}

type discoverOption struct {
	text string
	from func() auth.Endpoint
}

func (o discoverOption) String() string          { return o.text }
func (o discoverOption) endpoint() auth.Endpoint { return o.from() }

// Via sends calls as the Endpoint says: with a certificate authority of the provider's own, say, or by a proxy.
func Via(e auth.Endpoint) DiscoverOption {
	return discoverOption{"Via", func() auth.Endpoint { return e }}
}

// PublicOnly connects to public addresses only, by no proxy and anew for each call: for issuers that users choose.
// What counts is the address that a name was resolved to, so that a name that resolves differently the next time is of
// no use to an attacker. The [Provider] keeps it, for keys, userinfo and token calls. Names are looked up, and
// certificates trusted, as the system does.
func PublicOnly() DiscoverOption { return discoverOption{"PublicOnly", publicEndpoint} }

// endpointOf returns what the options say; the zero Endpoint if there are none.
func endpointOf(opts []DiscoverOption) (auth.Endpoint, error) {
	switch {
	case len(opts) == 0:
		return auth.Endpoint{}, nil
	case len(opts) > 1:
		return auth.Endpoint{}, errors.New("there are several options: Via and PublicOnly exclude each other")
	case opts[0] == nil:
		return auth.Endpoint{}, errNilOption
	}
	return opts[0].endpoint(), nil
}
