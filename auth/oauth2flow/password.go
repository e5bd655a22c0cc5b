package oauth2flow

import (
	"context"
	"errors"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// ResourceOwner is whose password [Password] uses.
type ResourceOwner struct {
	// Username is the name; required.
	Username string
	// Password is the password; required.
	Password secrets.Provider
	// AcceptRisk has to be set. The program, and whoever reads its configuration, has the password of a user, who
	// cannot use a second factor and cannot limit what it is good for. RFC 9700, section 2.4, forbids the grant.
	AcceptRisk bool
}

// String implements [fmt.Stringer]. It shows nothing of the owner.
func (o ResourceOwner) String() string { return "ResourceOwner" }

// ErrRisk says that the password grant is used without [ResourceOwner].AcceptRisk.
var ErrRisk = errors.New("the password grant is insecure (RFC 9700, section 2.4): AcceptRisk is not set")

// Password returns the grant of a user's name and password (RFC 6749, section 4.3), for services that have nothing
// better. It has to be accepted explicitly, see [ResourceOwner].
//
// If the server issues a refresh token, that is used from then on; without one, and where it is refused, the grant is
// made anew.
func Password(c Client, owner ResourceOwner) auth.Grant {
	f := flow{
		kind:    "password",
		renewal: renewRefresh,
		exposed: true,
		config:  []string{owner.Username},
		traits:  auth.Traits{Retryable: true},
	}
	if owner.Username == "" {
		f.faults = append(f.faults, errors.New("Username: it is empty"))
	}
	f.require("Password", owner.Password)
	if !owner.AcceptRisk {
		f.faults = append(f.faults, ErrRisk)
	}
	f.fill = func(ctx context.Context, req *tokenRequest) error {
		req.add(fieldGrantType, "password")
		req.add(fieldUsername, owner.Username)
		return req.addSecret(ctx, fieldPassword, owner.Password)
	}
	return newGrant(c, f)
}
