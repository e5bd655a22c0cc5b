// Package strictjson reads JSON objects as they were written. encoding/json takes names in any case, and the last of
// several that are the same, so that two readers may see two objects.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
)

// Faults of a text.
var (
	ErrNotObject = errors.New("it is not a JSON object")
	ErrTwice     = errors.New("a name is there twice")
)

// Object returns the names of the members of a JSON object, in their order, and their values. No name is there twice;
// what is inside the values is not looked at. A byte order mark is passed over. json.Valid bounds how deep the text is
// nested.
func Object(text []byte) (names []string, values map[string]json.RawMessage, err error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if !json.Valid(text) {
		return nil, nil, ErrNotObject
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, ErrNotObject
	}
	values = make(map[string]json.RawMessage)
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		var value json.RawMessage
		if err != nil || !ok || d.Decode(&value) != nil {
			return nil, nil, ErrNotObject
		}
		if _, there := values[name]; there {
			return nil, nil, ErrTwice
		}
		names, values[name] = append(names, name), value
	}
	return names, values, nil
}

// Text returns a value that is a JSON string.
func Text(raw json.RawMessage) (string, bool) {
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}
