// Package disposition makes of a Content-Disposition header the name of a file that is safe to create in a directory,
// on any operating system.
package disposition

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Name returns the file name in the Content-Disposition fields of header (RFC 6266), as [Clean] leaves it: that of
// filename* before that of filename. It is "" if there is none, or if nothing of it is left. It reads what servers
// send, and not only what the grammar allows: without a disposition type, without quotes, in UTF-8 or ISO-8859-1, with
// faults in other parameters.
func Name(header http.Header) string {
	for _, v := range header["Content-Disposition"] {
		plain, extended := names(v)
		for _, name := range []string{extended, plain} {
			if name = Clean(name); name != "" {
				return name
			}
		}
	}
	return ""
}

// names returns the values of filename and filename*, the first of each that can be read; "" where there is none.
func names(v string) (plain, extended string) {
	for v != "" {
		var key, value string
		key, value, v = parameter(v)
		switch {
		case strings.EqualFold(key, "filename") && plain == "":
			plain = fromBytes(value)
		case strings.EqualFold(key, "filename*") && extended == "":
			extended = fromExtended(value)
		}
	}
	return plain, extended
}

// parameter splits off what comes before the next semicolon. The value is without its quotes; the key is "" where there
// is no equals sign.
func parameter(v string) (key, value, rest string) {
	end := strings.IndexAny(v, "=;")
	if end < 0 {
		return "", "", ""
	}
	if v[end] == ';' {
		return "", "", v[end+1:]
	}
	key, v = strings.TrimSpace(v[:end]), strings.TrimLeft(v[end+1:], " \t")
	if v != "" && v[0] == '"' {
		value, v = quoted(v[1:])
		_, rest, _ = strings.Cut(v, ";")
		return key, value, rest
	}
	value, rest, _ = strings.Cut(v, ";")
	return key, strings.TrimSpace(value), rest
}

// quoted reads up to the closing quote, or to the end if there is none. A backslash stands for itself unless it comes
// before a quote or another backslash: there are servers that send whole Windows paths.
func quoted(v string) (value, rest string) {
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		switch {
		case v[i] == '"':
			return b.String(), v[i+1:]
		case v[i] == '\\' && i+1 < len(v) && (v[i+1] == '"' || v[i+1] == '\\'):
			i++
		}
		b.WriteByte(v[i])
	}
	return b.String(), ""
}

// fromExtended decodes charset'language'percent-encoded (RFC 8187, section 3.2); "" if that fails.
func fromExtended(v string) string {
	charset, v, _ := strings.Cut(v, "'")
	_, v, ok := strings.Cut(v, "'")
	text, err := url.PathUnescape(v)
	switch {
	case !ok || err != nil:
		return ""
	case strings.EqualFold(charset, "utf-8") && utf8.ValidString(text):
		return text
	case strings.EqualFold(charset, "iso-8859-1"):
		return fromLatin1(text)
	}
	return ""
}

// fromBytes takes the bytes of a field for UTF-8 if they are, and for ISO-8859-1 if not.
func fromBytes(v string) string {
	if utf8.ValidString(v) {
		return v
	}
	return fromLatin1(v)
}

func fromLatin1(v string) string {
	runes := make([]rune, len(v))
	for i := range len(v) {
		runes[i] = rune(v[i])
	}
	return string(runes)
}
