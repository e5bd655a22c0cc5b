package oidc

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
)

// Claims are what a provider says about a user (OpenID Connect Core 1.0, section 5.1). They are personal data, and
// never print. The zero Claims have none. They are immutable and safe for concurrent use.
type Claims struct {
	// read hides the text from dumpers.
	read func() (text []byte, values members)
}

var errNoClaims = errors.New("the claims are not a JSON object in UTF-8 whose names differ, in whatever case")

// parseClaims reads a JSON object. Two names that differ in case only would be one field for encoding/json.
func parseClaims(text []byte) (Claims, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // which encoding/json does not know
	values, err := parseMembers(text)
	if err != nil {
		return Claims{}, errNoClaims
	}
	seen := make(map[string]bool, len(values))
	for name := range values {
		folded := strings.Map(fold, name)
		if seen[folded] {
			return Claims{}, errNoClaims
		}
		seen[folded] = true
	}
	return Claims{read: func() ([]byte, members) { return text, values }}, nil
}

// fold returns the same character for all that encoding/json takes for one. Lower case is not enough: ſ is s, too.
func fold(r rune) rune {
	least := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		least = min(least, other)
	}
	return least
}

// Text returns a claim that is a text; empty if there is none.
func (c Claims) Text(name string) string {
	text, _ := c.values().text(name)
	return text
}

// Subject returns who the user is at the provider: the claim sub.
func (c Claims) Subject() string { return c.Text("sub") }

// Email returns the address of the user, and whether the provider says that it has checked it. That some providers
// write as a text. Without email_verified it is false.
func (c Claims) Email() (address string, verified bool) {
	said := string(c.values()["email_verified"])
	return c.Text("email"), said == "true" || said == `"true"`
}

// Decode decodes all claims into v, as [json.Unmarshal] does: into a struct with the fields that are wanted, or a
// *json.RawMessage for the text.
func (c Claims) Decode(v any) error {
	text := []byte("{}")
	if c.read != nil {
		text, _ = c.read()
	}
	if err := json.Unmarshal(text, v); err != nil {
		return errors.New("oidc: the claims do not fit the type that they are decoded into")
	}
	return nil
}

// String tells the names of the claims.
func (c Claims) String() string { return fmt.Sprintf("claims %q", c.names()) }

// Format writes String for every verb.
func (c Claims) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue implements [slog.LogValuer].
func (c Claims) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON writes String.
func (c Claims) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

func (c Claims) values() members {
	if c.read == nil {
		return nil
	}
	_, values := c.read()
	return values
}

// names returns the names in their order of the alphabet.
func (c Claims) names() []string { return slices.Sorted(maps.Keys(c.values())) }

// ErrUnverified says that a token names no user, as those of plain OAuth and of the device grant do, so that it has no
// claims, and userinfo nothing to be compared with.
var ErrUnverified = errors.New("this token came without a verified ID token: make the grant with oidc.New")

// IDClaims returns the claims of the ID token that came with a token of [New]. It was verified when it came, and may
// have expired since; nothing is verified here.
//
// After a renewal they are those of the ID token that it has brought, if it has brought one, and else those of the last
// one before: who the user is stays, and what is said of them may be as old as the login. With [AsToken], each renewal
// brings one.
//
// Without a verified ID token the error is [ErrUnverified], and without a token [auth.ErrNoToken].
func IDClaims(token *auth.Token) (Claims, error) {
	if token == nil {
		return Claims{}, fmt.Errorf("oidc: %w", auth.ErrNoToken)
	}
	issuer, subject := identityOf(token)
	text := token.Extra[oauth2flow.ExtraIDToken].Reveal()
	if issuer == "" || subject == "" || text == "" {
		return Claims{}, fmt.Errorf("oidc: %w", ErrUnverified)
	}
	c, err := parseIDToken(text)
	switch {
	case err != nil:
		return Claims{}, fmt.Errorf("oidc: the ID token: %w", err)
	case c.Subject() != subject:
		return Claims{}, fmt.Errorf("oidc: the ID token: %w", ErrSubject)
	case !isIssuer(c.Text("iss"), issuer):
		return Claims{}, fmt.Errorf("oidc: the ID token: %w", ErrIssuer)
	}
	return c, nil
}

// parseIDToken reads the claims of an ID token, and verifies nothing.
func parseIDToken(token string) (Claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 { // header, claims and signature
		return Claims{}, errors.New("it is not signed")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return Claims{}, errors.New("it is malformed")
	}
	return parseClaims(text)
}

// identityOf returns whose token it is, as the verified ID token has said; empty if there was none.
func identityOf(token *auth.Token) (issuer, subject string) {
	return token.Extra[oauth2flow.ExtraIssuer].Reveal(), token.Extra[oauth2flow.ExtraSubject].Reveal()
}
