// Package charset turns text in the charsets of HTTP and XML into UTF-8: UTF-16 and those with one byte per character.
// The tables of the others would make every program larger by nearly a megabyte.
package charset

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// Named returns the encoding of that name; nil if it is not known. Case, spaces, hyphens and underscores do not matter.
func Named(name string) encoding.Encoding {
	plain := plainName(name)
	switch plain {
	case "utf8", "usascii", "ascii":
		return unicode.UTF8BOM
	case "utf16", "utf16be": // RFC 2781, section 4.3
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	case "utf16le":
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	case "latin1":
		return charmap.ISO8859_1
	}
	for _, e := range charmap.All {
		if known, ok := e.(fmt.Stringer); ok && plainName(known.String()) == plain {
			return e
		}
	}
	return nil
}

// IsUTF8 reports whether text in the charset of that name is UTF-8: so is ASCII, and what has no name.
func IsUTF8(name string) bool {
	switch plainName(name) {
	case "utf8", "usascii", "ascii":
		return true
	}
	return name == ""
}

// Text decodes data. It reports false if data is not in that encoding.
func Text(from encoding.Encoding, data []byte) (string, bool) {
	text, err := from.NewDecoder().Bytes(data)
	if err != nil || bytes.ContainsRune(text, utf8.RuneError) {
		return "", false
	}
	return string(text), true
}

var spellings = strings.NewReplacer( //nolint:gochecknoglobals // never changed
	" ", "", "-", "", "_", "", "code page", "", "windows", "cp", "ibm", "cp")

// plainName returns a name of a charset without what its spellings differ in: "ISO 8859-1" is iso-8859-1, and "IBM Code
// Page 866" is ibm866 and cp866.
func plainName(name string) string { return spellings.Replace(strings.ToLower(name)) }
