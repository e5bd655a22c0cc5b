package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/restconn/restconn/secrets"
)

// BasicOption changes what [Basic] and [BasicFrom] accept.
type BasicOption interface {
	fmt.Stringer
	applyBasic(*basic)
}

// AllowEmptyUser accepts an empty user name, which is otherwise an error: a few services want a key as the password
// of nobody.
func AllowEmptyUser() BasicOption { return emptyUserOption{} }

// Basic returns an Authenticator that sends a user name and a password in the Authorization header (RFC 7617), as the
// UTF-8 bytes they are given as: no normalization is applied. An empty password is legal, and is spelled
// secrets.Static("").
//
// The user name may hold no colon and no control characters, and may be empty only with [AllowEmptyUser]. The
// password may hold no control characters. A fault of the user name is reported by [Validate]; the password is not
// known before Authenticate. An Authorization header of the caller wins.
//
// It is safe for concurrent use. Errors are [*Error] with scheme "basic".
func Basic(user string, password secrets.Provider, opts ...BasicOption) Authenticator {
	return BasicFrom(secrets.Static(user), password, opts...)
}

// BasicFrom is [Basic] for a user name that is itself a secret, such as an API key. A fault of the user name is
// reported by [Validate] if user is a [secrets.Value], and else by Authenticate.
func BasicFrom(user, password secrets.Provider, opts ...BasicOption) Authenticator {
	b := &basic{description: "Basic", user: user, password: password}
	b.place = place{in: inHeader, name: "Authorization"}
	for _, opt := range opts {
		if opt == nil {
			b.fault = errors.New("an option is nil")
			continue
		}
		opt.applyBasic(b)
	}
	return b
}

type basic struct {
	description
	slot
	user, password secrets.Provider
	emptyUser      bool
	fault          error
}

// Authenticate implements [Authenticator].
func (b *basic) Authenticate(req *http.Request) error {
	return fail("basic", b.authenticate(req))
}

func (b *basic) authenticate(req *http.Request) error {
	if b.fault != nil {
		return b.fault
	}
	if ok, err := b.free(req); !ok {
		return err
	}
	user, err := resolve(req.Context(), b.user)
	if err != nil {
		return err
	}
	password, err := resolve(req.Context(), b.password)
	if err != nil {
		return err
	}
	r := b.last.Load()
	if r == nil || r.user != user || r.text != password {
		if err := errors.Join(b.checkUser(user), checkPassword(password)); err != nil {
			return err
		}
		r = b.keep(user, password, "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	}
	b.write(req, r)
	return nil
}

// Validate implements [Validator].
func (b *basic) Validate() error {
	var userFault error
	if user, ok := b.user.(secrets.Value); ok {
		userFault = b.checkUser(user.Reveal())
	}
	return failAll("basic",
		b.fault,
		userFault,
		validateSource("user", b.user),
		validateSource("password", b.password),
	)
}

func (b *basic) checkUser(user string) error {
	switch {
	case user == "" && !b.emptyUser:
		return fmt.Errorf("%w: the user is empty; AllowEmptyUser() accepts it", ErrNoCredential)
	case len(user) > maxCredential:
		return fmt.Errorf("%w: the user is longer than %d bytes", ErrMalformed, maxCredential)
	case strings.Contains(user, ":"):
		return fmt.Errorf("%w: the user holds a colon (RFC 7617, section 2)", ErrMalformed)
	case strings.ContainsFunc(user, isControl):
		return fmt.Errorf("%w: the user holds a control character (RFC 7617, section 2)", ErrMalformed)
	default:
		return nil
	}
}

func checkPassword(password string) error {
	switch {
	case len(password) > maxCredential:
		return fmt.Errorf("%w: the password is longer than %d bytes", ErrMalformed, maxCredential)
	case strings.ContainsFunc(password, isControl):
		return fmt.Errorf("%w: the password holds a control character (RFC 7617, section 2)", ErrMalformed)
	default:
		return nil
	}
}

type emptyUserOption struct{}

func (emptyUserOption) String() string      { return "AllowEmptyUser()" }
func (emptyUserOption) applyBasic(b *basic) { b.emptyUser = true }
