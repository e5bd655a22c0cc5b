package auth

import (
	"net/http"

	"github.com/restconn/restconn/internal/challenge"
)

// lacksScope reports whether the server says that another token would not do either, unless it is one for more (RFC
// 6750, section 3.1).
func lacksScope(header http.Header) bool {
	return challenge.Error(header, "Bearer") == "insufficient_scope"
}
