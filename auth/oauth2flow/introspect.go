package oauth2flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// mostSeconds is the last time that is understood, in the year 5138.
const mostSeconds = 1e11

// Introspection is what a server says about a token (RFC 7662, section 2.2). Of a token that is not active it says
// nothing else.
type Introspection struct {
	Active    bool
	Scope     string
	ClientID  string
	Username  string
	TokenType string
	// Expiry, IssuedAt and NotBefore are times of the server's clock; the zero time if it has not said.
	Expiry, IssuedAt, NotBefore time.Time
	Subject                     string
	Audience                    []string
	Issuer                      string
	JTI                         string
	// Extra holds all other members as they were written.
	Extra map[string]json.RawMessage
}

// Introspect asks the server about a token (RFC 7662). hint is "access_token", "refresh_token" or empty. An answer
// has at most 1 MiB. That a token is not active is no error.
func Introspect(ctx context.Context, c Client, token secrets.Value, hint string) (*Introspection, error) {
	own := c.clone()
	if err := own.validateFor("IntrospectionURL", own.IntrospectionURL); err != nil {
		return nil, err
	}
	if token.Reveal() == "" {
		return nil, fmt.Errorf("oauth2flow: %w: it is empty", auth.ErrNoToken)
	}
	req, err := own.tokenQuestion(ctx, own.IntrospectionURL, token, hint)
	if err != nil {
		return nil, err
	}
	a, o, err := own.send(ctx, nil, req, Form)
	if err != nil {
		return nil, err
	}
	in, err := introspection(o)
	if err != nil {
		return nil, unusable(a, req, err)
	}
	return in, nil
}

func introspection(o *object) (*Introspection, error) {
	active := string(o.values["active"])
	if active != "true" && active != "false" {
		return nil, errors.New("active is not true or false")
	}
	in := &Introspection{Active: active == "true"}
	texts := map[string]*string{
		fieldScope: &in.Scope, fieldClientID: &in.ClientID, fieldUsername: &in.Username, "token_type": &in.TokenType,
		"sub": &in.Subject, "iss": &in.Issuer, "jti": &in.JTI,
	}
	times := map[string]*time.Time{"exp": &in.Expiry, "iat": &in.IssuedAt, "nbf": &in.NotBefore}
	var faults []error
	for _, name := range o.names {
		var err error
		switch text, at := texts[name], times[name]; {
		case name == "active":
		case text != nil:
			err = readText(o, name, text)
		case at != nil:
			err = readTime(o, name, at)
		case name == "aud":
			err = readAudience(o, in)
		default:
			in.keep(name, o.values[name])
		}
		faults = append(faults, err)
	}
	return in, errors.Join(faults...)
}

func (in *Introspection) keep(name string, value json.RawMessage) {
	if in.Extra == nil {
		in.Extra = make(map[string]json.RawMessage)
	}
	in.Extra[name] = slices.Clone(value)
}

func readText(o *object, name string, to *string) error {
	text, ok := o.text(name)
	if !ok && !o.absent(name) {
		return fmt.Errorf("%s is not a text", name)
	}
	*to = text
	return nil
}

// readTime reads seconds since 1970, which some servers write as a text.
func readTime(o *object, name string, to *time.Time) error {
	if o.absent(name) {
		return nil
	}
	text, _ := o.scalar(name)
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(0 <= seconds && seconds <= mostSeconds) {
		return fmt.Errorf("%s is not a number of seconds since 1970", name)
	}
	*to = time.Unix(int64(seconds), 0)
	return nil
}

// readAudience reads one text, or an array of them.
func readAudience(o *object, in *Introspection) error {
	if o.absent("aud") {
		return nil
	}
	if one, ok := o.text("aud"); ok {
		in.Audience = []string{one}
		return nil
	}
	if json.Unmarshal(o.values["aud"], &in.Audience) != nil {
		return errors.New("aud is neither a text nor an array of texts")
	}
	return nil
}
