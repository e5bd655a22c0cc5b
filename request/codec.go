package request

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"

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
// target can be absent.
func decodeValue(codec connection.Codec, data []byte, target any) error {
	data = trimBOM(data)
	t := reflect.TypeOf(target)
	if t.Kind() != reflect.Pointer || reflect.ValueOf(target).IsNil() {
		return errors.New("the target is not a pointer")
	}
	if trimmed := bytes.TrimSpace(data); len(trimmed) == 0 || codec.IsJSON() && string(trimmed) == "null" {
		switch {
		case canBeAbsent(t.Elem()):
			return nil
		case len(trimmed) == 0:
			return errEmpty
		}
		return errors.New("the body is null")
	}
	if codec.Unmarshal == nil {
		return withoutData(decodeJSON(data, target))
	}
	return withoutData(codec.Unmarshal(data, target))
}

var errEmpty = errors.New("the body is empty")

// trimBOM drops a byte order mark (RFC 8259, section 8.1 lets a parser ignore it).
func trimBOM(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) }

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
	return mediaType(codec) + ", */*;q=0.5"
}

const acceptJSON = "application/json, text/plain, */*"
