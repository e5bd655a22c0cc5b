package body

import (
	"errors"
	"mime"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/restconn/restconn/internal/field"
)

// FormHeader returns the header lines of one part of a form (RFC 7578, section 4.2), each with its CRLF. A fileName of
// "" stands for a part without one, and a contentType of "" for a part without that line.
//
// The escapes are those of browsers (WHATWG HTML, "multipart/form-data encoding algorithm"): " is %22, CR %0D and LF
// %0A, and all else is UTF-8 as it is. A backslash is doubled, as RFC 2183 and most servers have it: one that stands
// alone before the closing quote would let them read on past it. Other control characters, and what is not UTF-8, are
// refused.
func FormHeader(name, fileName, contentType string) (string, error) {
	if name == "" {
		return "", errors.New("the name is empty")
	}
	if err := checkText(name); err != nil {
		return "", errors.New("the name " + err.Error())
	}
	line := `Content-Disposition: form-data; name="` + quoted.Replace(name) + `"`
	if fileName != "" {
		if err := checkText(fileName); err != nil {
			return "", errors.New("the file name " + err.Error())
		}
		line += `; filename="` + quoted.Replace(fileName) + `"`
	}
	line += "\r\n"
	if contentType == "" {
		return line, nil
	}
	if err := checkMediaType(contentType); err != nil {
		return "", err
	}
	return line + "Content-Type: " + contentType + "\r\n", nil
}

// quoted escapes a text that stands between quotes.
var quoted = strings.NewReplacer( //nolint:gochecknoglobals // never changed
	`"`, "%22", "\r", "%0D", "\n", "%0A", `\`, `\\`)

// checkText refuses what has no safe spelling between quotes.
func checkText(s string) error {
	refused := func(r rune) bool { return unicode.IsControl(r) && r != '\r' && r != '\n' }
	switch {
	case !utf8.ValidString(s):
		return errors.New("is not UTF-8")
	case strings.ContainsFunc(s, refused):
		return errors.New("has control characters")
	}
	return nil
}

// checkMediaType refuses what is no media type (RFC 9110, section 8.3.1).
func checkMediaType(s string) error {
	media, _, err := mime.ParseMediaType(s)
	if err != nil || field.HasControl(s) || !strings.Contains(media, "/") {
		return errors.New("the content type is not a media type")
	}
	return nil
}
