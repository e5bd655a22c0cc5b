package testidp

import (
	"net/http"
	"net/url"
)

// jar keeps cookies as browsers do, to which a loopback address is as safe as https.
type jar struct{ inner http.CookieJar }

// SetCookies implements [http.CookieJar].
func (j *jar) SetCookies(u *url.URL, cookies []*http.Cookie) { j.inner.SetCookies(safe(u), cookies) }

// Cookies implements [http.CookieJar].
func (j *jar) Cookies(u *url.URL) []*http.Cookie { return j.inner.Cookies(safe(u)) }

func safe(u *url.URL) *url.URL {
	own := *u
	if own.Scheme == "http" && isLoopback(own.Hostname()) {
		own.Scheme = "https"
	}
	return &own
}
