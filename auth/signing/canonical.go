package signing

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// Escape percent-encodes all but the unreserved characters, A to Z, a to z, 0 to 9 and "-._~", as OAuth 1.0 and AWS
// want it (RFC 3986, section 2.3; RFC 5849, section 3.6). A space is %20, and a slash is %2F.
func Escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// SortQuery returns a query, or a form, in the canonical form of most schemes: each name and value decoded and encoded
// again with [Escape], a "=" in every pair, sorted by name and then by value (RFC 5849, section 3.4.1.3.2). A plus sign
// stands for a space, and pairs are separated by "&" alone; empty ones are left out. An escape that is malformed is an
// error.
func SortQuery(query string) (string, error) {
	type pair struct{ name, value string }
	var pairs []pair
	for text := range strings.SplitSeq(query, "&") {
		if text == "" {
			continue
		}
		name, value, _ := strings.Cut(text, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return "", errEscape
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return "", errEscape
		}
		pairs = append(pairs, pair{Escape(name), Escape(value)})
	}
	slices.SortStableFunc(pairs, func(a, b pair) int {
		if n := strings.Compare(a.name, b.name); n != 0 {
			return n
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name + "=" + p.value)
	}
	return b.String(), nil
}

// errEscape does not quote what it is about: a query may hold a key.
var errEscape = errors.New("the query has a malformed percent-escape")
