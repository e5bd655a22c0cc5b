package proxyenv

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// mostBytes is the longest host, user name and password: SOCKS5 has one byte for their lengths (RFC 1928, section 4;
// RFC 1929, section 2).
const mostBytes = 255

// defaultPorts are the ports of proxies by their scheme.
var defaultPorts = map[string]string{ //nolint:gochecknoglobals // never changed
	"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080",
}

// Parse reads the URL of one proxy: "host:port", which is one that speaks http, or a URL with the scheme http, https,
// socks5 or socks5h, an IPv6 address in brackets, and a user name and password where the proxy asks for them. Without
// a port it is 80, 443 or 1080. The result always has a port, and no path; its host is in lower case and, if it is a
// name, in ASCII.
//
// Anything else is an [*Error], which does not repeat the input: a blank value, another scheme, a bare host (whose
// port is 80 to some programs and 1080 to others), a path other than "/", a query, a fragment, blanks or control
// bytes, a password without a user name, a colon in a user name for http (RFC 7617, section 2), and for SOCKS5 a user
// name or password of more than 255 bytes.
func Parse(s string) (*url.URL, error) {
	u, err := parseProxy(s)
	if err != nil {
		return nil, &Error{Reason: err.Error()}
	}
	return u, nil
}

func parseProxy(s string) (*url.URL, error) {
	switch {
	case strings.TrimSpace(s) == "":
		return nil, errors.New("it is blank")
	case strings.ContainsFunc(s, blankOrControl):
		return nil, errors.New("it has blanks or control bytes: in a password they are written as %20 and the like")
	case strings.ContainsAny(s, `?#\`):
		return nil, errors.New("it has a query, a fragment or a backslash: in a password these characters are written " +
			"as %3F, %23 and %5C")
	}
	bare := !strings.Contains(s, "://")
	if bare {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil { // whose text repeats the value
		return nil, errors.New("it is not a URL: the port is a number; in a user name or password, characters such as " +
			"@ : / % are written as %40, %3A, %2F and %25; an IPv6 address stands in brackets")
	}
	noPath := u.Path == "" || u.Path == "/"
	if noPath && u.Port() == "" && (bare || strings.HasSuffix(u.Host, ":")) {
		return nil, errors.New("the port is missing: write host:port, or a URL that begins with http:// or another scheme")
	}
	return check(u)
}

// Check is [Parse] for a proxy that is a URL already, or whose parts are known.
func Check(u *url.URL) (*url.URL, error) {
	own, err := check(u)
	if err != nil {
		return nil, &Error{Reason: err.Error()}
	}
	return own, nil
}

func check(u *url.URL) (*url.URL, error) {
	port, known := defaultPorts[u.Scheme]
	switch {
	case !known:
		return nil, errors.New("the scheme is not http, https, socks5 or socks5h")
	case u.Path != "" && u.Path != "/":
		return nil, errors.New("it has a path, or :// is missing: a proxy is scheme://host:port")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("it has a query or a fragment: a proxy is scheme://host:port")
	case u.Port() != "":
		port = u.Port()
	}
	host, err := parseHost(u.Hostname(), strings.HasPrefix(u.Host, "["))
	if err != nil {
		return nil, err
	}
	if port, err = parsePort(port); err != nil {
		return nil, err
	}
	if err := checkUser(u); err != nil {
		return nil, err
	}
	return &url.URL{Scheme: u.Scheme, User: u.User, Host: net.JoinHostPort(host, port)}, nil
}

func blankOrControl(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// checkUser checks the user name and the password of a proxy.
func checkUser(u *url.URL) error {
	if u.User == nil {
		return nil
	}
	user := u.User.Username()
	password, _ := u.User.Password()
	socks := strings.HasPrefix(u.Scheme, "socks5")
	switch {
	case user == "":
		return errors.New("there is an @, and the user name before it is empty")
	case strings.ContainsFunc(user+password, unicode.IsControl):
		return errors.New("the user name or the password has control bytes")
	case !socks && strings.Contains(user, ":"):
		return errors.New("the user name has a colon, which Basic authentication cannot send")
	case socks && (len(user) > mostBytes || len(password) > mostBytes):
		return errors.New("the user name or the password is longer than the 255 bytes that SOCKS5 can send")
	}
	return nil
}

// parsePort returns a port in its usual form.
func parsePort(s string) (string, error) {
	if n, err := strconv.ParseUint(s, 10, 16); err == nil && n > 0 { // ParseUint takes no sign
		return strconv.FormatUint(n, 10), nil
	}
	return "", errors.New("the port is not a number from 1 to 65535")
}

// parseHost returns a host in the one form that hosts are compared in: an address, or a name in lower case and ASCII.
func parseHost(host string, bracketed bool) (string, error) {
	if bracketed || strings.Contains(host, ":") {
		addr, err := netip.ParseAddr(host)
		if err != nil || !addr.Is6() || strings.Trim(addr.Zone(), nameBytes) != "" {
			return "", errors.New("what stands in brackets, or has colons, is not an IPv6 address")
		}
		return addr.String(), nil
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.String(), nil
	}
	return parseName(host)
}

// nameBytes are what names are made of.
const nameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// parseName returns a host name in lower case and ASCII, with the dot at its end if it has one.
func parseName(name string) (string, error) {
	if strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII }) {
		ascii, err := idna.Lookup.ToASCII(name)
		if err != nil || !utf8.ValidString(name) { // an error whose text repeats the value
			return "", errors.New("the host is not a name that can be written in punycode")
		}
		name = ascii
	}
	name = strings.ToLower(name)
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	last := labels[len(labels)-1]
	switch {
	case slices.Contains(labels, ""):
		return "", errors.New("there is no host, or two dots in it stand side by side")
	case len(name) > mostBytes:
		return "", errors.New("the host is longer than 255 bytes")
	case strings.Trim(name, nameBytes) != "":
		return "", errors.New("the host has other characters than letters, digits, hyphens, underscores and dots")
	case strings.Trim(last, "0123456789") == "":
		return "", errors.New("the host ends in a number and is not an IP address")
	}
	return name, nil
}
