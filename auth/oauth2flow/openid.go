package oauth2flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// OpenID makes a login one of OpenID Connect Core 1.0: the scope openid is asked for, a nonce is sent, and the answer
// has to have an ID token that passes. Package auth/oidc makes one.
//
// A renewal need not bring an ID token: then the last one that has passed stays, unless AsToken wants another. After
// one whose ID token was refused, the next has to bring one that passes, or the user logs in again: its refresh token
// may be of somebody else.
type OpenID struct {
	// Verifier verifies the ID tokens, those of renewals as well. If it is an [auth.Validator], what it says is part
	// of what Validate of the grant tells.
	Verifier IDTokenVerifier
	// AsToken makes the ID token what is sent to the API, in place of the access token.
	AsToken bool
}

// IDTokenVerifier verifies ID tokens (OpenID Connect Core 1.0, section 3.1.3.7). It is safe for concurrent use.
type IDTokenVerifier interface {
	// VerifyIDToken returns whose token it is, never nil, if it is good in every respect. Its errors hold nothing of
	// the token.
	VerifyIDToken(ctx context.Context, token secrets.Value, want IDTokenWant) (*IDToken, error)
}

// IDTokenWant is what an ID token is compared with.
type IDTokenWant struct {
	// ClientID is in the audience.
	ClientID string
	// Nonce is the one that was sent; "" if none was, in a renewal.
	Nonce string
	// AccessToken and Code are what came with it; the zero Value if nothing did. Hashes of them that the token has
	// are compared; that of the code has to be there (section 3.3.2.11).
	AccessToken, Code secrets.Value
	// MaxAge is how long ago the user may have authenticated, if it is positive or HasMaxAge is set.
	MaxAge time.Duration
	// HasMaxAge says that there is a limit, which may be 0.
	HasMaxAge bool
	// ACR are the authentication context classes of which it has to be one, if there are any.
	ACR []string
	// Issuer and Subject are those of the ID token before: of a renewal (section 12.2), or of the one that the browser
	// has brought (section 3.3.3.6). They are "" if there was none.
	Issuer, Subject string
}

// IDToken is what is known of an ID token that has passed.
type IDToken struct {
	Issuer, Subject string
	Expiry          time.Time
}

// Names in [auth.Token].Extra of a login with [OpenID].
const (
	// ExtraIDToken is the name of the last ID token that has passed.
	ExtraIDToken = "id_token"
	// ExtraIssuer and ExtraSubject are the names of the issuer and of the subject of the ID token.
	ExtraIssuer  = "id_token_iss"
	ExtraSubject = "id_token_sub"
	// ExtraAccessToken is the name of the access token where [OpenID].AsToken puts the ID token in its place.
	ExtraAccessToken = "access_token"
)

const (
	scopeOpenID = "openid"
	// extraDue is the name in Extra of what is left of a renewal whose ID token was refused: the next one has to bring
	// one that is good, because the refresh token may be of the same stranger.
	extraDue = "id_token_due"
)

// validate tells what is wrong with it; nil is no OpenID.
func (o *OpenID) validate() []error {
	switch {
	case o == nil:
		return nil
	case o.Verifier == nil:
		return []error{errors.New("Authorization.OpenID.Verifier: it is nil")}
	}
	v, ok := o.Verifier.(auth.Validator)
	if !ok {
		return nil
	}
	if err := v.Validate(); err != nil {
		return []error{fmt.Errorf("Authorization.OpenID: %w", err)}
	}
	return nil
}

var (
	errNoIDToken = errors.New("there is no id_token, which OpenID Connect requires")
	errNobody    = errors.New("OpenID.Verifier: it has not told whose the ID token is")
)

// ErrOtherUser says that an ID token is of another user, or of another issuer, than the one before: that of the token
// which [LoginStepUp] was given, or which was renewed. A verifier may find that first, and have an error of its own.
var ErrOtherUser = errors.New("the ID token is of another user than the one before")

// identify verifies the ID token of t, which nobody else has yet, and notes whose it is. prev is the token of an ID
// token before; with one, another need not come.
func (o *OpenID) identify(ctx context.Context, t, prev *auth.Token, want IDTokenWant) error {
	raw := t.Extra[ExtraIDToken]
	if prev != nil {
		want.Issuer, want.Subject = prev.Extra[ExtraIssuer].Reveal(), prev.Extra[ExtraSubject].Reveal()
	}
	switch {
	case raw.Reveal() != "":
	case prev != nil && !o.AsToken && !isDue(prev):
		noteIdentity(t, want.Issuer, want.Subject)
		keepIDToken(t, prev)
		return nil
	case prev != nil && isDue(prev):
		return fmt.Errorf("%w: %w, and the one before was refused", auth.ErrLoginRequired, errNoIDToken)
	default:
		return errNoIDToken
	}
	id, err := o.Verifier.VerifyIDToken(ctx, raw, want)
	switch {
	case err != nil:
		return err
	case id == nil || id.Subject == "":
		return errNobody
	case want.Subject != "" && (id.Issuer != want.Issuer || id.Subject != want.Subject):
		return ErrOtherUser
	}
	noteIdentity(t, id.Issuer, id.Subject)
	delete(t.Extra, extraDue)
	if o.AsToken {
		if t.Value.Reveal() != "" {
			t.Extra[ExtraAccessToken] = t.Value
		}
		t.Value, t.Expiry = raw, id.Expiry
	}
	return nil
}

// keepIDToken keeps the ID token that has named the user of t, which is the one of prev.
func keepIDToken(t, prev *auth.Token) {
	id, ok := prev.Extra[ExtraIDToken]
	if _, named := t.Extra[ExtraSubject]; ok && named {
		t.Extra[ExtraIDToken] = id
	}
}

// isDue reports whether the token that comes after t has to have an ID token.
func isDue(t *auth.Token) bool { return t.Extra[extraDue].Reveal() != "" }

// due returns what is left of a renewal whose ID token was refused; nil if that is nothing.
func due(left *auth.Token) *auth.Token {
	if left == nil {
		return nil
	}
	if left.Extra == nil {
		left.Extra = make(map[string]secrets.Value, 1)
	}
	left.Extra[extraDue] = secrets.Static("1")
	return left
}

// noteIdentity notes whose token t is: that of nobody whom no ID token has named.
func noteIdentity(t *auth.Token, issuer, subject string) {
	if subject == "" {
		delete(t.Extra, ExtraIssuer)
		delete(t.Extra, ExtraSubject)
		return
	}
	if t.Extra == nil {
		t.Extra = make(map[string]secrets.Value)
	}
	t.Extra[ExtraIssuer], t.Extra[ExtraSubject] = secrets.Static(issuer), secrets.Static(subject)
}
