package oauth2flow

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/restconn/restconn/internal/strictjson"
)

// Faults of an answer that is read.
var (
	// ErrNotJSON says that an answer is not one JSON object.
	ErrNotJSON = strictjson.ErrNotObject

	errTwice  = strictjson.ErrTwice
	errNoText = errors.New("it is not a text")
)

// object is a JSON object as it was written: exact names, in their order, none of them twice.
type object struct {
	names  []string
	values map[string]json.RawMessage
}

// parseObject reads one JSON object and nothing behind it.
func parseObject(text []byte) (*object, error) {
	names, values, err := strictjson.Object(text)
	if err != nil {
		return nil, err
	}
	return &object{names: names, values: values}, nil
}

// parseForm reads an object that is written as a form.
func parseForm(text []byte) (*object, error) {
	values, err := url.ParseQuery(string(bytes.TrimSpace(text)))
	if err != nil {
		return nil, errors.New("it is not a form")
	}
	o := &object{values: make(map[string]json.RawMessage, len(values))}
	for name, all := range values {
		if len(all) > 1 {
			return nil, errTwice
		}
		quoted, err := json.Marshal(all[0])
		if err != nil {
			return nil, err
		}
		o.values[name] = quoted
	}
	o.names = slices.Sorted(maps.Keys(o.values))
	return o, nil
}

// lift puts members that other servers have elsewhere under their standard names, and nowhere else. A path goes
// through objects. What says that the answer is an error may also be where it belongs.
func (o *object) lift(paths map[string]string) error {
	found := make(map[string]json.RawMessage, len(paths))
	for standard, path := range paths {
		raw, err := o.at(strings.Split(path, "."))
		if err != nil {
			return err
		}
		if isOfError(standard) && isNoError(raw) {
			raw = o.values[standard]
		}
		found[standard] = raw
	}
	if err := o.addBeside(found, paths); err != nil {
		return err
	}
	for standard, path := range paths {
		delete(o.values, standard)
		if !isStandard(path) {
			delete(o.values, path)
		}
	}
	for standard, raw := range found {
		if len(raw) > 0 {
			o.values[standard] = raw
		}
	}
	o.names = slices.Sorted(maps.Keys(o.values))
	return nil
}

// addBeside adds what stands beside the access token, in the object where that is, and is not looked for elsewhere.
func (o *object) addBeside(found map[string]json.RawMessage, paths map[string]string) error {
	path := strings.Split(paths[ExtraAccessToken], ".")
	if len(path) == 1 {
		return nil
	}
	raw, err := o.at(path[:len(path)-1])
	if err != nil || len(raw) == 0 || raw[0] != '{' {
		return err
	}
	inner, err := parseObject(raw)
	if err != nil {
		return err
	}
	for _, name := range []string{
		fieldRefreshToken, ExtraIDToken, "token_type", fieldScope, "expires_in", "expires_on", "expires_at",
	} {
		if _, named := paths[name]; !named && !inner.absent(name) {
			found[name] = inner.values[name]
		}
	}
	return nil
}

// isOfError reports whether a member tells of an error (RFC 6749, section 5.2).
func isOfError(name string) bool {
	return name == "error" || name == "error_description" || name == "error_uri"
}

// isNoError reports whether a member that tells of an error says that there is none.
func isNoError(raw json.RawMessage) bool {
	return slices.Contains([]string{"", "null", `""`, "false", "0", `"0"`}, string(raw))
}

// at returns the member at a path; nil if there is none.
func (o *object) at(path []string) (json.RawMessage, error) {
	raw := o.values[path[0]]
	if len(path) == 1 {
		return raw, nil
	}
	if len(raw) == 0 || raw[0] != '{' {
		return nil, nil
	}
	inner, err := parseObject(raw)
	if err != nil {
		return nil, err
	}
	return inner.at(path[1:])
}

// text returns a member that is a string.
func (o *object) text(name string) (string, bool) {
	s, err := unquote(o.values[name])
	return s, err == nil
}

// scalar returns a member that is a string, or a number as it is written.
func (o *object) scalar(name string) (string, bool) {
	raw := o.values[name]
	if len(raw) > 0 && (raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9') {
		return string(raw), true
	}
	return o.text(name)
}

// absent reports whether a member is missing, null or an empty text.
func (o *object) absent(name string) bool {
	raw := string(o.values[name])
	return raw == "" || raw == "null" || raw == `""`
}

func unquote(raw json.RawMessage) (string, error) {
	s, ok := strictjson.Text(raw)
	if !ok {
		return "", errNoText
	}
	return s, nil
}
