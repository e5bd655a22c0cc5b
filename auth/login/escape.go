package login

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/restconn/restconn/internal/field"
)

var (
	errControl = errors.New("has control characters")
	errEmpty   = errors.New("is empty, and a segment of the path cannot be")
	errDots    = errors.New("is a dot segment, which would lead out of the path")
	errHost    = errors.New("has characters that a host cannot have")
	errUTF8    = errors.New("is not UTF-8")
	errXMLChar = errors.New("has characters that XML cannot have")
	errScalar  = errors.New("is neither a number nor true, false or null: put quotes around its name")
)

// asIs is the escape of places that take any value.
func asIs(value string) (string, error) { return value, nil }

// segmentValue escapes a segment of a path: all but the unreserved characters (RFC 3986, section 2.3).
func segmentValue(value string) (string, error) {
	switch {
	case value == "":
		return "", errEmpty
	case value == "." || value == "..":
		return "", errDots
	case field.HasControl(value):
		return "", errControl
	}
	return strings.ReplaceAll(url.QueryEscape(value), "+", "%20"), nil
}

// queryValue escapes a value of a query.
func queryValue(value string) (string, error) {
	if field.HasControl(value) {
		return "", errControl
	}
	return url.QueryEscape(value), nil
}

// formValue escapes a value of a form, which may have any bytes.
func formValue(value string) (string, error) { return url.QueryEscape(value), nil }

// lineValue refuses what would end a line.
func lineValue(value string) (string, error) {
	if field.HasControl(value) {
		return "", errControl
	}
	return value, nil
}

// hostValue refuses what would end the host, or go before it.
func hostValue(value string) (string, error) {
	allowed := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(".-:", r))
	}
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return !allowed(r) }) {
		return "", errHost
	}
	return value, nil
}

// xmlValue escapes text and values of attributes.
func xmlValue(value string) (string, error) {
	if !utf8.ValidString(value) {
		return "", errUTF8
	}
	refused := func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
	}
	if strings.ContainsFunc(value, refused) {
		return "", errXMLChar
	}
	var out bytes.Buffer
	if err := xml.EscapeText(&out, []byte(value)); err != nil {
		return "", err
	}
	return out.String(), nil
}

// jsonText is the text of a string in JSON, without its quotes.
func jsonText(value string) (string, error) {
	if !utf8.ValidString(value) {
		return "", errUTF8
	}
	data, err := marshal(value)
	if err != nil {
		return "", err
	}
	return string(data[1 : len(data)-1]), nil
}

// jsonScalar lets through what can stand outside a string.
func jsonScalar(value string) (string, error) {
	if strings.ContainsAny(value, "{[\" \t\r\n") || !json.Valid([]byte(value)) {
		return "", errScalar
	}
	return value, nil
}

// marshal is json.Marshal without escapes for HTML.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
