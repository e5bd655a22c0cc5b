package secrets

import (
	"fmt"
	"strings"
)

// Parse returns the Provider that a reference in a configuration names:
//
//	env:NAME      [Env] of that name
//	file:/path    [File] of that path, as it is written, without percent-decoding, and with opts
//
// A reference without a scheme, or with another one, is [ErrScheme]; schemes are lower case. A name or path that
// cannot be one is [ErrInvalid]. The place is not looked at. No error repeats the text: it may be the secret itself,
// pasted in the place of a reference.
func Parse(ref string, opts ...FileOption) (Provider, error) {
	scheme, rest, ok := strings.Cut(ref, ":")
	if !ok {
		return nil, &Error{Err: fmt.Errorf("the reference has no scheme: %w", ErrScheme)}
	}
	var p Provider
	switch scheme {
	case "env":
		p = Env(rest)
	case "file":
		if strings.HasPrefix(rest, "//") && !strings.HasPrefix(rest, "///") {
			return nil, &Error{Ref: "file", Err: invalid("there is a host in the reference: write file:/path")}
		}
		p = File(rest, opts...)
	default:
		return nil, &Error{Err: fmt.Errorf("the scheme of the reference is unknown: %w", ErrScheme)}
	}
	if err := Validate(p); err != nil {
		return nil, err
	}
	return p, nil
}
