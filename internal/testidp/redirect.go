package testidp

import (
	"crypto/rand"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// isRedirect reports whether uri is the one that is registered (RFC 6749, section 3.1.2.3): exactly, but for the port
// of http URIs of a loopback address (RFC 8252, section 7.3).
func isRedirect(known, uri string) bool {
	if known == uri {
		return true
	}
	a, err := url.Parse(known)
	if err != nil || a.Scheme != "http" || !isLoopback(a.Hostname()) {
		return false
	}
	b, err := url.Parse(uri)
	if err != nil || b.Fragment != "" || strings.Contains(uri, "#") {
		return false
	}
	return b.Scheme == a.Scheme && b.Hostname() == a.Hostname() && b.User == nil &&
		b.EscapedPath() == a.EscapedPath() && b.RawQuery == a.RawQuery
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// refuse answers the client with an error (RFC 6749, section 4.1.2.1).
func (s *Server) refuse(d *demand, fault *protocolError) *reply {
	return s.respond(d, url.Values{"error": {fault.code}, "error_description": {fault.text}})
}

// respond sends the browser to the client, with the parameters of an answer.
func (s *Server) respond(d *demand, params url.Values) *reply {
	params.Set("iss", s.config.Issuer)
	if d.state != "" {
		params.Set("state", d.state)
	}
	if d.mode == modeFormPost {
		return posted(d.redirectURI, params)
	}
	separator := "?"
	switch {
	case d.mode == modeFragment:
		separator = "#"
	case strings.Contains(d.redirectURI, "?"):
		separator = "&"
	}
	return redirect(d.redirectURI + separator + params.Encode())
}

// posted is a page that posts itself (OAuth 2.0 Form Post Response Mode), or has a button where scripts do not run.
func posted(target string, params url.Values) *reply {
	nonce := rand.Text()
	r := page(http.StatusOK, postPage, object{"Action": target, "Params": params, "Nonce": nonce})
	r.header.Set("Content-Security-Policy",
		"default-src 'none'; frame-ancestors 'none'; script-src 'nonce-"+nonce+"'")
	return r
}
