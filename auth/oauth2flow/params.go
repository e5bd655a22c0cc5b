package oauth2flow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// Param is a parameter of a call.
type Param struct{ Name, Value string }

// String implements [fmt.Stringer]. It shows the name only.
func (p Param) String() string { return p.Name }

// LogValue implements [slog.LogValuer]. It shows the name only.
func (p Param) LogValue() slog.Value { return slog.StringValue(p.String()) }

// Params are parameters in their order. A name may be there several times.
type Params []Param

// LogValue implements [slog.LogValuer]. It shows the names only.
func (p Params) LogValue() slog.Value { return slog.StringValue(fmt.Sprint([]Param(p))) }

// NewParams makes parameters of names and values in turn. A last name without a value is reported by Validate.
//
//	Params: oauth2flow.NewParams("audience", "https://api.example.com")
func NewParams(namesAndValues ...string) Params {
	params := make(Params, 0, len(namesAndValues)/2+1)
	for pair := range slices.Chunk(namesAndValues, 2) { //nolint:mnd // a name and a value
		if len(pair) == 1 {
			pair = []string{"", pair[0]}
		}
		params = append(params, Param{Name: pair[0], Value: pair[1]})
	}
	return params
}

// without returns those of p whose names none of the others has.
func (p Params) without(others Params) Params {
	return slices.DeleteFunc(slices.Clone(p), func(one Param) bool {
		return others.has(one.Name)
	})
}

// has reports whether there is a parameter of that name.
func (p Params) has(name string) bool {
	return slices.ContainsFunc(p, func(one Param) bool { return one.Name == name })
}

// maxParams is the most that [ParseParams] reads, in bytes.
const maxParams = 64 << 10

// ParseParams reads parameters that are written in JSON:
//
//	[{"Name": "resource", "Value": "https://api.example.com"}, {"Name": "max_age", "Value": 60}]
//
// A value is a string, a boolean or a number, which keeps the digits it is written with. Order and repeats stay.
// Other names of members, in another case too, are an error, as are those that are missing or there twice, an empty
// name, and more than 64 KiB. The error shows no value.
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
