// Package field tells which bytes may stand in an HTTP field (RFC 9110, section 5), and finds and quotes its values.
package field

import (
	"net/http"
	"strings"
)

// tchar holds the characters of a token besides letters and digits (RFC 9110, section 5.6.2).
const tchar = "!#$%&'*+-.^_`|~"

// IsToken reports whether s is a token: a field name, a method, an authentication scheme.
func IsToken(s string) bool {
	for i := range len(s) {
		if !isTchar(s[i]) {
			return false
		}
	}
	return s != ""
}

func isTchar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(tchar, c) >= 0
}

// IsValue reports whether s may be a field value: no control byte but the tab (RFC 9110, section 5.5).
func IsValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// HasControl reports whether s holds a control byte of ASCII: CR, LF, NUL, tab and their like.
func HasControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f {
			return true
		}
	}
	return false
}

// Reserved reports whether the header of that canonical name belongs to the connection between two machines, and is
// written by net/http or by a setting of its own, never by hand.
func Reserved(name string) bool {
	switch name {
	case "Connection", "Content-Length", "Expect", "Host", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// Values returns the values of a header, and the key they are kept under: callers may have written to the map with a
// name that is not canonical, and net/http sends it all the same. If there is none, the key is the canonical name.
func Values(h http.Header, canonical string) (key string, values []string) {
	if len(h) == 0 {
		return canonical, nil
	}
	if values = h[canonical]; len(values) > 0 {
		return canonical, values
	}
	for key, values = range h {
		if len(key) == len(canonical) && len(values) > 0 && strings.EqualFold(key, canonical) {
			return key, values
		}
	}
	return canonical, nil
}

// Quote returns a quoted string (RFC 9110, section 5.6.4), which is a string of structured fields too (RFC 9651,
// section 4.1.6). It escapes quotes and backslashes, and nothing else.
func Quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
