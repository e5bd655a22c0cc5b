// Package contentrange reads the Content-Range field (RFC 9110, section 14.4).
package contentrange

import (
	"net/http"
	"strconv"
	"strings"
)

// Range is the part of a representation that a 206 response carries. First and Last are the positions of its first and
// last byte; Total is the length of the whole, -1 if the server does not say.
type Range struct{ First, Last, Total int64 }

// Of returns the range in the one Content-Range field of header. It reports false where there is none, or several, or
// one that is malformed, contradicts itself or is not in bytes.
func Of(header http.Header) (Range, bool) {
	fields := header["Content-Range"]
	if len(fields) != 1 {
		return Range{}, false
	}
	unit, v, _ := strings.Cut(strings.TrimSpace(fields[0]), " ")
	span, total, _ := strings.Cut(strings.TrimSpace(v), "/")
	first, last, _ := strings.Cut(span, "-")
	if !strings.EqualFold(unit, "bytes") {
		return Range{}, false
	}
	r := Range{First: number(first), Last: number(last), Total: number(total)}
	switch {
	case r.First < 0, r.Last < r.First:
		return Range{}, false
	case total == "*":
		return r, true
	}
	return r, r.Total > r.Last
}

// number returns the value of a text of digits; -1 if it is something else, or too large.
func number(s string) int64 {
	n, err := strconv.ParseUint(s, 10, 63) // takes no sign
	if err != nil {
		return -1
	}
	return int64(n)
}
