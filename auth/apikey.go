package auth

import (
	"net/http"
	"slices"

	"github.com/restconn/restconn/secrets"
)

// APIKey returns an Authenticator that sends a key as it is: nothing is encoded but what a query requires.
//
//	APIKey(key)                                         Authorization: Basic KEY
//	APIKey(key, Prefix("Bearer"))                       Authorization: Bearer KEY
//	APIKey(key, NoPrefix())                             Authorization: KEY
//	APIKey(key, InHeader("X-Api-Key"))                  X-Api-Key: KEY
//	APIKey(key, InHeader("X-Api-Key"), Prefix("Basic")) X-Api-Key: Basic KEY
//	APIKey(key, InQuery("api_key"))                     GET /x?q=1&api_key=KEY
//	APIKey(key, InCookie("session"))                    Cookie: session=KEY
//
// Without any option the prefix is Basic, and yet the key is not base64; that is what [Basic] does. With [InHeader],
// and no [Prefix] beside it, the key is bare. If the documentation of a service says neither, try Prefix("Bearer")
// first.
//
// An empty key is [ErrNoCredential]. One with control characters, with spaces around it in a header, with bytes that
// a cookie cannot have, or of more than 64 KiB is [ErrMalformed]. A header or cookie of the caller wins.
//
// It is safe for concurrent use. Errors are [*Error] with scheme "apikey".
func APIKey(key secrets.Provider, opts ...PlaceOption) Authenticator {
	a := &apiKey{key: key}
	a.place, a.faults = newPlace(place{in: inHeader, name: "Authorization", prefix: "Basic"}, false, opts)
	a.description = description("API key in " + a.place.String())
	return a
}

type apiKey struct {
	description
	slot
	key    secrets.Provider
	faults []error
}

// Authenticate implements [Authenticator].
func (a *apiKey) Authenticate(req *http.Request) error {
	if len(a.faults) > 0 {
		return failAll("apikey", a.faults...)
	}
	return fail("apikey", a.authenticate(req))
}

func (a *apiKey) authenticate(req *http.Request) error {
	if ok, err := a.free(req); !ok {
		return err
	}
	text, err := resolve(req.Context(), a.key)
	if err != nil {
		return err
	}
	if text == "" {
		return ErrNoCredential
	}
	r, err := a.render(text, a.check)
	if err != nil {
		return err
	}
	a.write(req, r)
	return nil
}

// Validate implements [Validator].
func (a *apiKey) Validate() error {
	return failAll("apikey", append(slices.Clip(a.faults), validateSource("key", a.key))...)
}
