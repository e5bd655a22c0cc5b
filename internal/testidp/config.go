package testidp

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// Config is what a [Server] is made of. What is in its slices is not to be changed while the server is used.
type Config struct {
	// Issuer is the issuer identifier. Its path, if it has one, is where the endpoints are.
	Issuer string
	// Clients and Users are all that the server knows: nobody registers.
	Clients []Client
	Users   []User
	// CodeLife is how long a code is good, a minute unless it is set.
	CodeLife time.Duration
	// TokenLife is how long access tokens and ID tokens are good, an hour unless it is set.
	TokenLife time.Duration
	// DeviceInterval is how often a device may ask, every 5 s unless it is set.
	DeviceInterval time.Duration
	// RevokeAll lets the revocation of a token end all tokens that the client has of its user, and the consent, as some
	// servers do. Unset, it ends the access token alone, or what came of the login of the refresh token.
	RevokeAll bool
}

// Client is a client that is registered.
type Client struct {
	ID string
	// Secret is how it authenticates; empty for a public client, of which PKCE is required.
	Secret string
	// RedirectURIs are compared exactly, but for the port of http URIs of a loopback address (RFC 8252, section 7.3).
	RedirectURIs []string
	// Scopes are those that it may ask for: openid, profile, email and offline_access unless they are set.
	Scopes []string
	// Trusted lets it have its scopes without the consent of the user.
	Trusted bool
	// Algorithm signs its ID tokens: RS256 unless it is ES256.
	Algorithm string
	// FullIDTokens puts the claims of profile and email into all its ID tokens, as many providers do. Unset, they are
	// in those that come without an access token (OpenID Connect Core 1.0, section 5.4).
	FullIDTokens bool
}

// User is somebody who can log in. The subject of a user is Name.
type User struct {
	Name, Password string
	// OTP is what the user enters beside the password for [ACRSecondFactor]; empty if the user has no second factor.
	OTP string
	// FullName and Email are claims of the scopes profile and email.
	FullName, Email string
	// TokenMembers are further members of the token answers for the user, such as the URL of an API, and CallbackParams
	// further parameters of what the browser brings the client, such as the id of a company. Those of the protocol win.
	TokenMembers, CallbackParams map[string]string
}

// Authentication context classes, as acr_values asks for them.
const (
	ACRPassword     = "pwd"
	ACRSecondFactor = "mfa"
)

const (
	scopeOpenID = "openid"
	algRS256    = "RS256"
	algES256    = "ES256"
)

// withDefaults returns a copy of c with what is not set.
func (c Config) withDefaults() Config {
	setDefault(&c.CodeLife, time.Minute)
	setDefault(&c.TokenLife, time.Hour)
	setDefault(&c.DeviceInterval, 5*time.Second)
	c.Users = slices.Clone(c.Users)
	c.Clients = slices.Clone(c.Clients)
	for i := range c.Clients {
		own := &c.Clients[i]
		if len(own.Scopes) == 0 {
			own.Scopes = []string{scopeOpenID, "profile", "email", "offline_access"}
		}
		if own.Algorithm == "" {
			own.Algorithm = algRS256
		}
	}
	return c
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// Validate tells what is wrong with c.
func (c Config) Validate() error {
	var faults []error
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		faults = append(faults, errors.New("testidp: Issuer: it is no URL without query and fragment"))
	}
	seen := make(map[string]bool)
	for i, client := range c.Clients {
		if client.ID == "" || seen["client "+client.ID] {
			faults = append(faults, fmt.Errorf("testidp: Clients: number %d has no ID, or that of another", i+1))
		}
		if client.Algorithm != "" && client.Algorithm != algRS256 && client.Algorithm != algES256 {
			faults = append(faults, fmt.Errorf("testidp: Clients: number %d has an unknown Algorithm", i+1))
		}
		seen["client "+client.ID] = true
	}
	for i, user := range c.Users {
		if user.Name == "" || user.Password == "" || seen["user "+user.Name] {
			faults = append(faults, fmt.Errorf("testidp: Users: number %d lacks Name or Password, or is there twice", i+1))
		}
		seen["user "+user.Name] = true
	}
	return errors.Join(faults...)
}

// client returns the client of that ID; nil if there is none.
func (c Config) client(id string) *Client {
	for i := range c.Clients {
		if c.Clients[i].ID == id {
			return &c.Clients[i]
		}
	}
	return nil
}

// user returns the user of that name; nil if there is none.
func (c Config) user(name string) *User {
	for i := range c.Users {
		if c.Users[i].Name == name {
			return &c.Users[i]
		}
	}
	return nil
}
