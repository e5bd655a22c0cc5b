package oauth2flow

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/restconn/restconn/internal/origin"
)

// Faults of a URL that a browser is sent to, or comes back to.
var (
	errNoURL     = errors.New("it is not a URL")
	errZone      = errors.New("there is a zone in its address, which is not for URLs (RFC 9844)")
	errPlain     = errors.New("it is http to another machine, which AllowHTTP of Client.Endpoint permits")
	errIsIssuer  = errors.New("it must be an https URL, with neither query nor fragment")
	errLocalhost = errors.New("write 127.0.0.1 in place of localhost, which may be another machine " +
		"(RFC 8252, section 8.3)")
	errRedirectScheme = errors.New("it is none of https, http to a literal loopback address and a private-use scheme " +
		"(RFC 8252, section 7)")
)

// validateURLs looks at the URLs of the browser.
func (a *Authorization) validateURLs(allowHTTP bool) []error {
	var faults []error
	fault := func(name string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("Authorization.%s: %w", name, err))
		}
	}
	fault("URL", a.checkURL(allowHTTP))
	if a.RedirectURI != "" {
		fault("RedirectURI", checkRedirectURI(a.RedirectURI))
	}
	if a.Issuer != "" && !isIssuer(a.Issuer, allowHTTP) {
		fault("Issuer", errIsIssuer)
	}
	return faults
}

// checkURL looks at the authorization endpoint.
func (a *Authorization) checkURL(allowHTTP bool) error {
	u, err := url.Parse(a.URL)
	switch {
	case a.URL == "":
		return errors.New("it is empty")
	case err != nil:
		return errNoURL
	case a.hasOwnName(u):
		return errors.New("there is a parameter of the protocol in its query or fragment")
	}
	return checkBrowserURL(u, allowHTTP)
}

// checkBrowserURL tells why a browser may not be sent there.
func checkBrowserURL(u *url.URL, allowHTTP bool) error {
	o, err := origin.Of(u)
	switch {
	case err != nil:
		return err
	case u.User != nil:
		return origin.ErrUser
	case strings.Contains(u.Hostname(), "%"): // and a zone can have quotes in it
		return errZone
	case !o.Secure() && !o.Loopback() && !allowHTTP:
		return errPlain
	}
	return nil
}

// isIssuer reports whether a text can identify a server (RFC 8414, section 2).
func isIssuer(text string, allowHTTP bool) bool {
	u, err := url.Parse(text)
	return err == nil && checkBrowserURL(u, allowHTTP) == nil && !strings.ContainsAny(text, "?#")
}

// checkRedirectURI tells why a browser cannot come back there.
func checkRedirectURI(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errNoURL
	case u.User != nil:
		return origin.ErrUser
	case strings.Contains(text, "#"):
		return errors.New("there is a fragment")
	case hasProtocolName(u):
		return errors.New("there is a parameter of the protocol in its query")
	case u.Scheme == "http" || u.Scheme == "https":
		return checkWebRedirect(u)
	case u.Scheme == "" || slices.Contains(foreignSchemes, u.Scheme):
		return errRedirectScheme
	}
	return nil
}

// checkWebRedirect looks at one that a web server serves.
func checkWebRedirect(u *url.URL) error {
	err := checkBrowserURL(u, false)
	switch {
	case u.Scheme == "http" && strings.EqualFold(u.Hostname(), "localhost"):
		return errLocalhost
	case errors.Is(err, errPlain):
		return errRedirectScheme
	}
	return err
}

// foreignSchemes are those that browsers and systems have their own use for.
var foreignSchemes = []string{ //nolint:gochecknoglobals // never changed
	"about", "blob", "data", "file", "ftp", "javascript", "mailto", "sms", "tel", "vbscript", "view-source", "ws", "wss",
}
