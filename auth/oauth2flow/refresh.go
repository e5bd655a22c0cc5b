package oauth2flow

import (
	"fmt"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// Refresh returns the grant of a refresh token that was issued by other means (RFC 6749, section 6). initial is the
// first one; it may be nil if the token that is to be renewed has one. From then on, the last that the server issued
// is used, and initial no more: it may have been replaced.
//
// Without any refresh token the answer is [auth.ErrLoginRequired]. The grant is one-time: an exchange may use up the
// refresh token. Scopes, if there are any, are asked for each time, and cannot be more than what was granted.
func Refresh(c Client, initial secrets.Provider) auth.Grant {
	f := flow{
		kind:    "refresh token",
		renewal: renewOnly,
		initial: initial,
		traits:  auth.Traits{OneTime: true, Interactive: initial == nil},
	}
	if initial != nil {
		if err := secrets.Validate(initial); err != nil {
			f.faults = append(f.faults, fmt.Errorf("initial refresh token: %w", err))
		}
	}
	return newGrant(c, f)
}
