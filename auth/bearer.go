package auth

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/restconn/restconn/secrets"
)

// Bearer returns an Authenticator that sends a token.
//
//	Bearer(src)                             Authorization: Bearer TOKEN
//	Bearer(src, Prefix("Token"))            Authorization: Token TOKEN
//	Bearer(src, NoPrefix())                 Authorization: TOKEN
//	Bearer(src, InHeader("X-Auth-Token"))   X-Auth-Token: Bearer TOKEN
//	Bearer(src, InQuery("access_token"))    GET /x?q=1&access_token=TOKEN
//	Bearer(src, InCookie("session"))        Cookie: session=TOKEN
//
// The default is the first form of RFC 6750, section 2.1. [InHeader] keeps the prefix, unless [NoPrefix] stands
// beside it.
//
// An empty token is [ErrNoToken], never a bare prefix. A token in a header is visible ASCII without spaces; that, and
// the limits of [APIKey], are [ErrMalformed]. A header or cookie of the caller wins.
//
// It is a [Challenger]: on a 401 it asks src for a token that is not the one on the rejected request, and has the
// request sent once more if there is one. If src answers [ErrNotRenewable], the 401 reaches the caller.
//
// It is safe for concurrent use if src is. Errors are [*Error] with scheme "bearer".
func Bearer(src TokenSource, opts ...PlaceOption) Authenticator {
	b := &bearer{source: src}
	b.place, b.faults = newPlace(place{in: inHeader, name: "Authorization", prefix: "Bearer"}, true, opts)
	b.description = description("Bearer in " + b.place.String())
	return b
}

type bearer struct {
	description
	slot
	source TokenSource
	faults []error
}

// Authenticate implements [Authenticator].
func (b *bearer) Authenticate(req *http.Request) error {
	if len(b.faults) > 0 {
		return failAll("bearer", b.faults...)
	}
	return fail("bearer", b.authenticate(req))
}

func (b *bearer) authenticate(req *http.Request) error {
	if ok, err := b.free(req); !ok {
		return err
	}
	text, err := tokenText(req.Context(), b.source, Want{})
	if err != nil {
		return err
	}
	r, err := b.render(text, b.check)
	if err != nil {
		return err
	}
	b.write(req, r)
	return nil
}

func (b *bearer) check(text string) error {
	if err := b.place.check(text); err != nil {
		return err
	}
	if b.in == inHeader && strings.ContainsFunc(text, isOpaque) {
		return fmt.Errorf("%w: the token holds a space or a non-ASCII character", ErrMalformed)
	}
	return nil
}

// Challenged implements [Challenger].
func (b *bearer) Challenged(req *http.Request, resp *http.Response) (resend bool, err error) {
	if resp.StatusCode != http.StatusUnauthorized || b.last.Load() == nil {
		return false, nil // nothing was ever written here: what is on the request is the caller's
	}
	rejected, ok := b.read(req)
	if !ok || rejected == "" {
		return false, nil
	}
	text, err := tokenText(req.Context(), b.source, Want{Not: secrets.Static(rejected)})
	switch {
	case errors.Is(err, ErrNotRenewable):
		return false, nil
	case err != nil:
		return false, fail("bearer", err)
	default:
		return text != rejected, nil
	}
}

// Validate implements [Validator].
func (b *bearer) Validate() error {
	return failAll("bearer", append(slices.Clip(b.faults), validateSource("token source", b.source))...)
}
