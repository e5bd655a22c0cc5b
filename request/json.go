package request

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

func rawJSON(data []byte, target *json.RawMessage) error {
	data = bytes.TrimSpace(trimBOM(data))
	if len(data) == 0 {
		return nil
	}
	if !json.Valid(data) {
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

// What is wrong with a body in one's own words, which repeat nothing of it.
var (
	errUTF8     = plainError("the body is not UTF-8")
	errTrailing = plainError("there is something after the value")
)

// plainError is an error whose text may be shown.
type plainError string

func (e plainError) Error() string { return string(e) }

// dataError is an error of encoding/json, or of a method that it has called, without what it may repeat of the body.
type dataError struct{ err error }

func withoutData(err error) error {
	if err == nil {
		return nil
	}
	return &dataError{err}
}

func (e *dataError) Error() string {
	if plain, ok := errors.AsType[plainError](e.err); ok {
		return plain.Error()
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](e.err); ok {
		kind, _, _ := strings.Cut(wrong.Value, " ") // "number 12" has the number in it
		where := ""
		if wrong.Field != "" {
			where = "field " + wrong.Field + " of "
		}
		return fmt.Sprintf("cannot unmarshal %s into %stype %v (byte %d)", kind, where, wrong.Type, wrong.Offset)
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](e.err); ok {
		return fmt.Sprintf("%v (byte %d)", syntax, syntax.Offset)
	}
	return fmt.Sprintf("a value does not fit its type (%T)", e.err)
}

func (e *dataError) Unwrap() error { return e.err }

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
