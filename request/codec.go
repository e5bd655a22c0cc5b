package request

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/restconn/restconn/connection"
)

// codec returns the codec of the request: its own or the connection's.
func (b *Builder) codec() connection.Codec {
	if b.policy != nil && b.policy.codec != nil {
		return *b.policy.codec
	}
	return b.conn.Codec()
}

// marshal is the Marshal of a codec.
func marshal(codec connection.Codec, v any) ([]byte, error) {
	if codec.Marshal == nil {
		return json.Marshal(v)
	}
	return codec.Marshal(v)
}

// decodeValue decodes one value, after which nothing follows. A body that is empty or null is an error unless the
// target, which is a pointer, can be absent. In a format other than JSON an empty body may be a value.
func decodeValue(codec connection.Codec, data []byte, target any) error {
	if codec.IsJSON() {
		data = trimBOM(data)
	}
	if err := absence(codec, data); err != nil {
		if v := reflect.ValueOf(target).Elem(); canBeAbsent(v.Type()) {
			v.SetZero()
			return nil
		}
		if codec.IsJSON() {
			return err
		}
	}
	if codec.Unmarshal == nil {
		return withoutData(decodeJSON(data, target))
	}
	return withoutData(codec.Unmarshal(data, target))
}

// absence says why there is no value in a body; nil if there is one.
func absence(codec connection.Codec, data []byte) error {
	if codec.IsJSON() {
		data = trimBlanks(data)
	}
	switch {
	case len(data) == 0:
		return errEmpty
	case codec.IsJSON() && string(data) == "null":
		return errNull
	}
	return nil
}

// trimBOM drops a byte order mark (RFC 8259, section 8.1 lets a parser ignore it).
func trimBOM(data []byte) []byte { return bytes.TrimPrefix(data, []byte(byteOrderMark)) }

// trimBlanks drops what JSON and XML call white space.
func trimBlanks(data []byte) []byte { return bytes.Trim(data, blanks) }

const (
	byteOrderMark = "\xef\xbb\xbf"
	blanks        = " \t\r\n"
)

// canBeAbsent reports whether the zero value of t says that there is nothing.
func canBeAbsent(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return true
	case reflect.Struct:
		return t.NumField() == 0
	default:
		return false
	}
}

// accept is the value of the Accept header for a target of that type.
func accept(codec connection.Codec, target any) string {
	switch target.(type) {
	case *string:
		return "text/plain, */*"
	case *[]byte, *Binary:
		return "*/*"
	case *json.RawMessage:
		return acceptJSON
	}
	if codec.IsJSON() {
		return acceptJSON
	}
	return codec.String() + ", */*;q=0.5"
}

const acceptJSON = "application/json, text/plain, */*"

// What is wrong with a body in one's own words, which repeat nothing of it.
var (
	errEmpty    = plainError("the body is empty")
	errNull     = plainError("the body is null")
	errUTF8     = plainError("the body is not UTF-8")
	errTrailing = plainError("there is something after the value")
)

// plainError is an error whose text may be shown.
type plainError string

func (e plainError) Error() string { return string(e) }

// dataError is an error of a codec, or of a method that it has called, without what it may repeat of the body.
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
	if syntax, ok := errors.AsType[*xml.SyntaxError](e.err); ok { // its text has names of the document
		return fmt.Sprintf("the XML is malformed (line %d)", syntax.Line)
	}
	return fmt.Sprintf("the value cannot be decoded (%T)", e.err)
}

func (e *dataError) Unwrap() error { return e.err }
