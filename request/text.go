package request

import (
	"errors"
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/restconn/restconn/internal/charset"
	"github.com/restconn/restconn/internal/redact"
)

// decodeText turns a body into a string of UTF-8.
func decodeText(contentType string, data []byte) (string, error) {
	_, params, _ := mime.ParseMediaType(contentType)
	name := params["charset"]
	switch strings.ToLower(name) {
	case "", "utf-8", "us-ascii":
		data = trimBOM(data)
		if !utf8.Valid(data) {
			return "", errors.New("the text is not UTF-8: use []byte")
		}
		return string(data), nil
	}
	from := charset.Named(name)
	if from == nil {
		return "", fmt.Errorf("the charset %q is not known: use []byte", redact.Line(name))
	}
	text, ok := charset.Text(from, data)
	if !ok {
		return "", fmt.Errorf("the text is not in its charset %q: use []byte", redact.Line(name))
	}
	return text, nil
}
