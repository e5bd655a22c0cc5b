package request

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"sync"
	"unicode/utf8"
)

// rawJSON takes one JSON value as it is. An empty body is nil.
func rawJSON(data []byte, target *json.RawMessage) error {
	data = trimBlanks(trimBOM(data))
	switch {
	case len(data) == 0:
		*target = nil
		return nil
	case !utf8.Valid(data):
		return errUTF8
	case !json.Valid(data):
		return withoutData(json.Unmarshal(data, new(any)))
	}
	*target = slices.Clone(data)
	return nil
}

// decodeJSON decodes one JSON value, after which nothing follows. Numbers in an any are json.Number.
func decodeJSON(data []byte, target any) error {
	if !utf8.Valid(data) {
		return errUTF8
	}
	if !keepsNumbers(reflect.TypeOf(target)) {
		return json.Unmarshal(data, target)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(target); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errTrailing
	}
	return nil
}

// numbers remembers for a type what keepsNumbers found.
var numbers sync.Map //nolint:gochecknoglobals // a cache

// keepsNumbers reports whether a value of type t can hold an interface, into which encoding/json would put a float64
// that has lost digits.
func keepsNumbers(t reflect.Type) bool {
	if known, ok := numbers.Load(t); ok {
		return known == true
	}
	found := holdsInterface(t, make(map[reflect.Type]bool))
	numbers.Store(t, found)
	return found
}

func holdsInterface(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return holdsInterface(t.Elem(), seen)
	case reflect.Struct:
		for f := range t.Fields() {
			if holdsInterface(f.Type, seen) {
				return true
			}
		}
		return false
	default:
		return false
	}
}
