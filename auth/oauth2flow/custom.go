package oauth2flow

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// Custom is an exchange of a server's own.
type Custom struct {
	// GrantType is the value of grant_type. If it is empty, the parameter is left out.
	GrantType string
	// Secrets are parameters that are secret, such as "username" and "password", by their name. They are asked for
	// anew each time. What is no secret goes into [Client].Params.
	Secrets map[string]secrets.Provider
}

// String implements [fmt.Stringer]. It shows no secret.
func (x Custom) String() string { return "Custom" }

// CustomGrant returns a grant of a type that is not standardised (RFC 6749, section 4.5), or of none. What the server
// answers is what it answers to the others.
//
// If it issues a refresh token, that is used from then on; without one, and where it is refused, the grant is made
// anew. It is not repeated at once after a fault, as nobody knows what it does.
func CustomGrant(c Client, x Custom) auth.Grant {
	x.Secrets = maps.Clone(x.Secrets)
	names := slices.Sorted(maps.Keys(x.Secrets))
	f := flow{
		kind:      "custom grant",
		renewal:   renewRefresh,
		anonymous: true,
		exposed:   len(names) > 0,
		config:    []string{x.GrantType},
	}
	for _, name := range names {
		f.config = append(f.config, name, reference(x.Secrets[name]))
		f.require(fmt.Sprintf("Secrets: %q", name), x.Secrets[name])
		if name == "" || isReservedSecret(name) {
			f.faults = append(f.faults, fmt.Errorf("Secrets: %q has a place of its own", name))
		}
	}
	f.fill = func(ctx context.Context, req *tokenRequest) error {
		if x.GrantType != "" {
			req.add(fieldGrantType, x.GrantType)
		}
		for _, name := range names {
			if err := req.addSecret(ctx, name, x.Secrets[name]); err != nil {
				return err
			}
		}
		return nil
	}
	return newGrant(c, f)
}

// isReservedSecret reports whether a parameter comes from a field of [Client] or [Custom].
func isReservedSecret(name string) bool {
	switch name {
	case fieldGrantType, fieldClientID, fieldClientSecret, fieldScope,
		fieldClientAssertion, fieldClientAssertionType:
		return true
	}
	return false
}
