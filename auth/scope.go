package auth

import (
	"net/http"
	"strings"
)

// lacksScope reports whether the server says that another token would not do either, unless it is one for more (RFC
// 6750, section 3.1).
func lacksScope(header http.Header) bool {
	for _, line := range header.Values("WWW-Authenticate") {
		if strings.Contains(line, "insufficient_scope") {
			return true
		}
	}
	return false
}
