package request

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/restconn/restconn/internal/charset"
)

// decodeText turns a body into a string of UTF-8.
func decodeText(contentType string, data []byte) (string, error) {
	media, name := parseType(contentType)
	if media == "" && strings.Contains(strings.ToLower(contentType), "charset") {
		return "", errors.New("the Content-Type is malformed, and so its charset is not known: use []byte")
	}
	if charset.IsUTF8(name) {
		data = trimBOM(data)
		if !utf8.Valid(data) {
			return "", errors.New("the text is not UTF-8: use []byte")
		}
		return string(data), nil
	}
	from := charset.Named(name)
	if from == nil {
		return "", errors.New("the charset " + brief(name) + " is not known: use []byte")
	}
	text, ok := charset.Text(from, data)
	if !ok {
		return "", errors.New("the text is not in its charset " + brief(name) + ": use []byte")
	}
	return text, nil
}
