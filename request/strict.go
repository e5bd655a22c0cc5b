package request

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/restconn/restconn/connection"
)

// StrictJSON is JSON by encoding/json that refuses an object with two members whose names differ in nothing but case:
// of those, encoding/json silently takes the last.
func StrictJSON() connection.Codec {
	return connection.Codec{Unmarshal: func(data []byte, v any) error {
		if !json.Valid(data) {
			return json.Unmarshal(data, v) // which says what is wrong, and where
		}
		if hasDuplicates(data) {
			return errDuplicate
		}
		return decodeJSON(data, v)
	}}
}

var errDuplicate = plainError("an object has two members of the same name")

// object is an object, or an array, that has begun and not ended.
type object struct {
	names  map[string]bool // nil: an array
	inside bool            // its name was read, and its value comes next
}

// hasDuplicates reports whether an object in valid JSON has two members of the same name, in any case.
func hasDuplicates(data []byte) bool {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	open := []object{{}}
	for {
		token, err := d.Token()
		if err != nil {
			return false
		}
		top := &open[len(open)-1]
		if name, ok := token.(string); ok && top.names != nil && !top.inside {
			name = strings.ToLower(strings.ToUpper(name)) // which folds what encoding/json folds
			if top.names[name] {
				return true
			}
			top.names[name], top.inside = true, true
			continue
		}
		top.inside = false
		switch token {
		case json.Delim('{'):
			open = append(open, object{names: make(map[string]bool)})
		case json.Delim('['):
			open = append(open, object{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
	}
}
