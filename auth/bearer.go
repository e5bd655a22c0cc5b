package auth

import (
	"errors"
	"fmt"
	"io"
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
// It is a [Challenger]: on a 401 (or the statuses of [RejectedBy]) it asks src for a token that is not the one on the
// rejected request, and has the request sent once more if there is one. If src answers [ErrNotRenewable], the 401
// reaches the caller. So does an answer that says that the token lacks something (see [StepUp]): renewing it would not
// help. Only if the store of a [Manager] has another token by now, as after a login with another process, the request
// is sent once more with that one. The store is looked at no more often than once a second for each [Key].
//
// It is a [Binder] if src is a [SourceBinder].
//
// It is safe for concurrent use if src is. Errors are [*Error] with scheme "bearer".
func Bearer(src TokenSource, opts ...BearerOption) Authenticator {
	b := &bearer{source: src}
	var places []PlaceOption
	for _, opt := range opts {
		switch opt := opt.(type) {
		case PlaceOption:
			places = append(places, opt)
		case nil:
			b.faults = append(b.faults, errors.New("an option is nil"))
		case RejectionOption:
			var err error
			b.rejections, err = rejectionsOf(opt)
			b.faults = append(b.faults, err)
		}
	}
	var faults []error
	b.place, faults = newPlace(place{in: inHeader, name: "Authorization", prefix: "Bearer"}, true, places)
	b.faults = slices.DeleteFunc(append(b.faults, faults...), func(err error) bool { return err == nil })
	b.description = description("Bearer in " + b.place.String())
	return b
}

// BearerOption is an option of [Bearer]: a [PlaceOption] or a [RejectionOption].
type BearerOption interface {
	fmt.Stringer
	ofBearer()
}

type bearer struct {
	description
	slot
	source     TokenSource
	rejections rejections
	faults     []error
	closer     io.Closer // of what Bind has bound
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
	t, err := tokenOf(req.Context(), b.source, Want{})
	if err != nil {
		return err
	}
	r := b.last.Load()
	if r == nil || r.token != t {
		if r, err = b.render(t.Value.Reveal(), b.check); err != nil {
			return err
		}
		r = b.keepToken(r, t)
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
	if b.last.Load() == nil { // nothing was ever written here: what is on the request is the caller's
		return false, nil
	}
	rejected, ok := b.read(req)
	if !ok || rejected == "" {
		return false, nil
	}
	not := secrets.Static(rejected)
	if !b.rejections.include(resp) {
		return storeHas(req.Context(), b.source, resp, not), nil
	}
	t, err := tokenOf(req.Context(), b.source, Want{Not: not})
	switch {
	case errors.Is(err, ErrNotRenewable):
		return false, nil
	case err != nil:
		return false, fail("bearer", err)
	default:
		return t.Value.Reveal() != rejected, nil
	}
}

// Validate implements [Validator].
func (b *bearer) Validate() error {
	return failAll("bearer", append(slices.Clip(b.faults), validateSource("token source", b.source))...)
}

// Bind implements [Binder]. If the source has nothing to bind, the result is b itself.
func (b *bearer) Bind(host Host) (Authenticator, error) {
	binder, ok := b.source.(SourceBinder)
	if !ok {
		return b, nil
	}
	source, err := binder.BindSource(host)
	if err != nil {
		return nil, fail("bearer", err)
	}
	bound := &bearer{description: b.description, source: source, rejections: b.rejections, faults: b.faults}
	bound.place = b.place
	bound.closer, _ = source.(io.Closer)
	return bound, nil
}

// Close closes what Bind has bound.
func (b *bearer) Close() error {
	if b.closer == nil {
		return nil
	}
	return b.closer.Close()
}
