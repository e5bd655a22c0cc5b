package login

import (
	"errors"
	"net/http"
	"strings"

	"github.com/restconn/restconn/auth"
)

var errNoPairs = errors.New("the token is no list of cookies, such as a=1; b=2")

// SendCookies returns an Authenticator that sends the cookies of a login: the tokens of src are those of a [Config]
// with Cookies or AllCookies. A cookie that the caller has set wins. A 401 says that the session is over, or what
// [auth.RejectedBy] names. It is safe for concurrent use if src is.
func SendCookies(src auth.TokenSource, opts ...auth.RejectionOption) auth.Authenticator {
	return auth.TokenFunc(src, func(req *http.Request, t *auth.Token) error {
		var pairs []string
		for pair := range strings.SplitSeq(t.Value.Reveal(), "; ") {
			name, value, ok := strings.Cut(pair, "=")
			if !ok || name == "" || strings.ContainsFunc(value, isNoCookieOctet) {
				return errNoPairs
			}
			if _, err := req.Cookie(name); err != nil {
				pairs = append(pairs, pair)
			}
		}
		addCookies(req.Header, pairs)
		return nil
	}, opts...)
}

// addCookies puts pairs behind the cookies that are there.
func addCookies(header http.Header, pairs []string) {
	lines := make([]string, 0, len(pairs)+1)
	for _, line := range header["Cookie"] {
		lines = append(lines, strings.TrimRight(line, "; "))
	}
	if lines = append(lines, pairs...); len(lines) > 0 {
		header.Set("Cookie", strings.Join(lines, "; "))
	}
}

// isNoCookieOctet reports whether r cannot be part of the value of a cookie. Spaces, commas and quotes can, against
// RFC 6265, section 4.1.1: what a service has set goes back to it as it was.
func isNoCookieOctet(r rune) bool { return r < ' ' || r >= 0x7f || r == ';' || r == '\\' }
