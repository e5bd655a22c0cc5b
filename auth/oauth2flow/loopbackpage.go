package oauth2flow

import (
	"crypto/subtle"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
)

// landing is where the browser comes back to in a login by [Loopback]. It takes the one answer that belongs to the
// login. To all others there is nothing here.
type landing struct {
	code     *AuthorizationCode
	login    *Login
	redirect url.URL
	page     string

	answers chan url.Values // has room for the one
	taken   atomic.Bool
	shown   chan struct{} // closed once the page is on its way
	show    sync.Once
}

func newLanding(c *AuthorizationCode, login *Login, redirect url.URL, page string) *landing {
	if page == "" {
		page = "That was all. You can close this window."
	}
	return &landing{
		code: c, login: login, redirect: redirect, page: page,
		answers: make(chan url.Values, 1), shown: make(chan struct{}),
	}
}

// ServeHTTP implements [http.Handler].
func (l *landing) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	hardenPage(w)
	if req.Host != l.redirect.Host || req.URL.Path != l.redirect.Path {
		http.NotFound(w, req)
		return
	}
	if req.Method == http.MethodGet && req.URL.RawQuery == "" && l.taken.Load() {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, l.page)
		l.show.Do(func() { close(l.shown) })
		return
	}
	answer, err := browserAnswer(w, req, l.login.Posted)
	if err != nil || !l.isOurs(answer) {
		http.NotFound(w, req)
		return
	}
	if !l.taken.Swap(true) {
		l.answers <- answer
	}
	seeOther(w, l.redirect.String()) // without the query
}

// isOurs reports whether an answer belongs to the login.
func (l *landing) isOurs(answer url.Values) bool {
	states := l.code.standard(answer)["state"]
	return len(states) == 1 &&
		subtle.ConstantTimeCompare([]byte(states[0]), []byte(l.login.state.Reveal())) == 1
}
