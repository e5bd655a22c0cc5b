package oauth2flow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Param is a parameter of a call.
type Param struct{ Name, Value string }

// String implements [fmt.Stringer]. It shows the name only.
func (p Param) String() string { return p.Name }

// Params are parameters in their order. A name may be there several times.
type Params []Param

// maxParams is the most that [ParseParams] reads, in bytes.
const maxParams = 64 << 10

// ParseParams reads parameters that are written in JSON:
//
//	[{"Name": "resource", "Value": "https://api.example.com"}, {"Name": "max_age", "Value": 60}]
//
// A value is a string, a boolean or a number, which keeps the digits it is written with. Order and repeats stay. Other
// names of members, in another case too, are an error, as are those that are missing or there twice, an empty name,
// and more than 64 KiB. The error shows no value.
func ParseParams(text []byte) (Params, error) {
	if len(text) > maxParams {
		return nil, errors.New("oauth2flow: parameters: there are more than 64 KiB")
	}
	var items []json.RawMessage
	if err := json.Unmarshal(text, &items); err != nil || items == nil {
		return nil, errors.New("oauth2flow: parameters: they are no JSON array")
	}
	params := make(Params, 0, len(items))
	for i, item := range items {
		p, err := parseParam(item)
		if err != nil {
			return nil, fmt.Errorf("oauth2flow: parameters: number %d: %w", i+1, err)
		}
		params = append(params, p)
	}
	return params, nil
}

func parseParam(item []byte) (Param, error) {
	o, err := parseObject(item)
	if err != nil {
		return Param{}, err
	}
	for _, name := range o.names {
		if name != "Name" && name != "Value" {
			return Param{}, errors.New("a member is neither Name nor Value, which are written with a capital")
		}
	}
	name, ok := o.text("Name")
	if !ok || name == "" {
		return Param{}, errors.New("Name is not a text, or empty")
	}
	value, err := paramValue(o.values["Value"])
	return Param{Name: name, Value: value}, err
}

func paramValue(raw json.RawMessage) (string, error) {
	switch {
	case len(raw) == 0:
		return "", errors.New("there is no Value")
	case raw[0] == '"':
		return unquote(raw)
	case strings.IndexByte("{[n", raw[0]) >= 0:
		return "", errors.New("Value is no text, number or boolean")
	default:
		return string(bytes.TrimSpace(raw)), nil
	}
}

// fields of the protocol (RFC 6749, appendix A, and the grants that extend it).
const (
	fieldGrantType       = "grant_type"
	fieldClientID        = "client_id"
	fieldClientSecret    = "client_secret"
	fieldClientAssertion = "client_assertion"
	fieldScope           = "scope"
	fieldRefreshToken    = "refresh_token"
	fieldAssertion       = "assertion"
	fieldUsername        = "username"
	fieldPassword        = "password"
	fieldResource        = "resource"
	fieldAudience        = "audience"
	fieldSubject         = "subject_token"
	fieldSubjectType     = "subject_token_type"
	fieldActor           = "actor_token"
	fieldActorType       = "actor_token_type"
	fieldToken           = "token"
	fieldTokenHint       = "token_type_hint"
	fieldRequested       = "requested_token_type"
)

// isProtocol reports whether a parameter belongs to the protocol, whatever the grant.
func isProtocol(name string) bool {
	switch name {
	case fieldGrantType, fieldClientID, fieldClientSecret, fieldScope, fieldRefreshToken, fieldAssertion,
		fieldUsername, fieldPassword, fieldSubject, fieldSubjectType, fieldActor, fieldActorType, fieldRequested,
		fieldClientAssertion, "client_assertion_type", "code", "code_verifier", "device_code", "redirect_uri":
		return true
	}
	return false
}

// isPlain reports whether the value of a parameter may be seen. All others are masked in what is shown.
func isPlain(name string) bool {
	switch name {
	case fieldGrantType, fieldScope, fieldResource, fieldAudience, fieldSubjectType, fieldActorType, fieldRequested,
		fieldTokenHint, "client_assertion_type":
		return true
	}
	return false
}

// isSecret reports whether a parameter of the protocol may not stand in a URL.
func isSecret(name string) bool {
	switch name {
	case fieldClientSecret, fieldRefreshToken, fieldAssertion, fieldPassword, fieldSubject, fieldActor,
		fieldClientAssertion, "code", "code_verifier", "device_code":
		return true
	}
	return false
}
