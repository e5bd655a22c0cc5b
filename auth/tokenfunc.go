package auth

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/restconn/restconn/secrets"
)

// TokenFunc returns an Authenticator that lets a function put a token on the request: for services that want it in a
// form of their own, such as a session id as the password of Basic, or beside a value of [Token].Extra. [Bearer] is
// for all others. As with [Func], a header that was there before has its old value afterwards; but to Cookie the
// function may add.
//
// On a 401, or the statuses of [RejectedBy], it asks src for another token, as Bearer does, and treats one that lacks
// something as it does.
func TokenFunc(
	src TokenSource, write func(req *http.Request, t *Token) error, opts ...RejectionOption,
) Authenticator {
	f := &tokenFunc{description: "TokenFunc", source: src, write: write}
	for _, opt := range opts {
		if opt == nil {
			f.fault = errors.Join(f.fault, errors.New("an option is nil"))
			continue
		}
		var err error
		f.rejections, err = rejectionsOf(opt)
		f.fault = errors.Join(f.fault, err)
	}
	return f
}

type tokenFunc struct {
	description
	source     TokenSource
	write      func(req *http.Request, t *Token) error
	rejections rejections
	fault      error     // of the options
	closer     io.Closer // of what Bind has bound
}

// wroteKey is the key under which the context of a request has the text of the token that was put on it.
type wroteKey struct{ by *tokenFunc }

// Authenticate implements [Authenticator].
func (f *tokenFunc) Authenticate(req *http.Request) error {
	if err := f.Validate(); err != nil {
		return err
	}
	t, err := tokenOf(req.Context(), f.source, Want{})
	if err != nil {
		return fail("token", err)
	}
	before := maps.Clone(req.Header)
	err = f.write(req, t)
	delete(before, "Cookie")
	maps.Copy(req.Header, before)
	if err != nil {
		return fail("token", err)
	}
	*req = *req.WithContext(context.WithValue(req.Context(), wroteKey{f}, t.Value))
	return nil
}

// Challenged implements [Challenger].
func (f *tokenFunc) Challenged(req *http.Request, resp *http.Response) (resend bool, err error) {
	rejected, ok := req.Context().Value(wroteKey{f}).(secrets.Value)
	if !ok {
		return false, nil
	}
	if !f.rejections.include(resp) {
		return storeHas(req.Context(), f.source, resp, rejected), nil
	}
	t, err := tokenOf(req.Context(), f.source, Want{Not: rejected})
	switch {
	case errors.Is(err, ErrNotRenewable):
		return false, nil
	case err != nil:
		return false, fail("token", err)
	default:
		return !t.Value.Equal(rejected), nil
	}
}

// Validate implements [Validator].
func (f *tokenFunc) Validate() error {
	faults := []error{f.fault, validateSource("token source", f.source)}
	if f.write == nil {
		faults = append(faults, errNilFunc)
	}
	return failAll("token", slices.Clip(faults)...)
}

// Bind implements [Binder]. If the source has nothing to bind, the result is f itself.
func (f *tokenFunc) Bind(host Host) (Authenticator, error) {
	binder, ok := f.source.(SourceBinder)
	if !ok {
		return f, nil
	}
	source, err := binder.BindSource(host)
	if err != nil {
		return nil, fail("token", err)
	}
	bound := &tokenFunc{
		description: f.description, source: source, write: f.write, rejections: f.rejections, fault: f.fault,
	}
	bound.closer, _ = source.(io.Closer)
	return bound, nil
}

// Close closes what Bind has bound.
func (f *tokenFunc) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}
