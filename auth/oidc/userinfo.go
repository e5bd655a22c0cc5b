package oidc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/internal/challenge"
	"github.com/restconn/restconn/internal/tokencall"
)

// Faults of userinfo, to be matched with [errors.Is].
var (
	// ErrSigned says that the answer is signed or encrypted, which is not supported: register the client without
	// userinfo_signed_response_alg and userinfo_encrypted_response_alg.
	ErrSigned = errors.New("the answer is a JWT: register the client for plain JSON")
	// ErrTooLarge says that an answer has more than 1 MiB.
	ErrTooLarge = tokencall.ErrTooLarge
)

// UserInfoError says why there are no claims of the userinfo endpoint. It holds nothing of what the server wrote but
// its code.
type UserInfoError struct {
	// URL is that of the endpoint.
	URL string
	// Status is the HTTP status; 0 if there was no answer.
	Status int
	// Code is such as "invalid_token" (RFC 6750, section 3.1); empty if there is none of those.
	Code string
	// Err is the cause, such as [ErrSubject]; nil if Status says all.
	Err error
}

// Error implements error.
func (e *UserInfoError) Error() string {
	text := "oidc: no userinfo at " + cmp.Or(e.URL, "the provider")
	if e.Status != 0 && e.Status != http.StatusOK {
		text += ", which answered " + strconv.Itoa(e.Status)
	}
	if e.Code != "" {
		text += ": " + e.Code
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *UserInfoError) Unwrap() error { return e.Err }

// UserInfo asks the provider about the user of a token of [New], which has to be of this issuer, and whose access
// token is sent (OpenID Connect Core 1.0, section 5.3). The claims are those of the user whom the ID token has named:
// others are [ErrSubject] (section 5.3.2). An answer has at most 1 MiB. A token that [oauth2flow.Authorization].Then
// has made is none that the provider knows.
//
// Errors of the call are [*UserInfoError]. Before it they are [ErrUnverified], [ErrIssuer], and
// [auth.ErrNoToken] if there is no access token. A token that has expired is the caller's to renew, see auth.Manager.
func (p Provider) UserInfo(ctx context.Context, token *auth.Token) (Claims, error) {
	access, err := p.accessOf(token)
	if err != nil {
		return Claims{}, fmt.Errorf("oidc: %w", err)
	}
	target, err := parseTarget(p.UserInfoURL)
	if err != nil {
		return Claims{}, fmt.Errorf("oidc: Provider.UserInfoURL: %w", err)
	}
	a, err := sendGet(ctx, p.Endpoint, target, http.Header{
		"Accept": {"application/json"}, "Authorization": {"Bearer " + access},
	})
	e := &UserInfoError{URL: shownURL(target), Err: err}
	if a == nil {
		return Claims{}, e
	}
	e.Status = a.Status
	if err == nil && a.Status != http.StatusOK {
		e.Code = codeOf(a.Header)
		return Claims{}, e
	}
	if err != nil {
		return Claims{}, e
	}
	_, subject := identityOf(token)
	c, err := userClaims(a, subject)
	if err != nil {
		e.Err = err
		return Claims{}, e
	}
	return c, nil
}

// accessOf returns the access token to ask with, if it is of a user whom this provider has named.
func (p Provider) accessOf(token *auth.Token) (string, error) {
	if token == nil {
		return "", auth.ErrNoToken
	}
	issuer, subject := identityOf(token)
	access := token.Extra[oauth2flow.ExtraAccessToken].Reveal() // with AsToken
	if access == "" && token.Value.Reveal() != token.Extra[oauth2flow.ExtraIDToken].Reveal() {
		access = token.Value.Reveal()
	}
	switch {
	case subject == "":
		return "", ErrUnverified
	case issuer != p.Issuer:
		return "", fmt.Errorf("%w: the token is not of this provider", ErrIssuer)
	case access == "":
		return "", fmt.Errorf("%w: there is no access token, only an ID token", auth.ErrNoToken)
	}
	return access, nil
}

// userClaims reads an answer that has to be about that subject.
func userClaims(a *tokencall.Answer, subject string) (Claims, error) {
	if media, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type")); media == "application/jwt" {
		return Claims{}, ErrSigned
	}
	c, err := parseClaims(a.Body)
	if err != nil {
		return Claims{}, err
	}
	if c.Subject() != subject {
		return Claims{}, ErrSubject
	}
	return c, nil
}

// codeOf returns the code of a Bearer challenge, if it is one of the standard.
func codeOf(header http.Header) string {
	switch code := challenge.Error(header, "Bearer"); code {
	case "invalid_request", "invalid_token", "insufficient_scope":
		return code
	}
	return ""
}
