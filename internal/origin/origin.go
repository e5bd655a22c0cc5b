// Package origin compares URLs by origin: scheme, host and port (RFC 6454). A credential belongs to an origin, and
// net/http compares host names only.
package origin

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Origin is a scheme, a lower-case host and an effective port. It is comparable: two URLs have one origin when their
// Origins are equal. Hosts are compared as they are written, so that a name with a trailing dot, or its Unicode form,
// is another host: the error is on the safe side.
type Origin struct {
	scheme, host, port string
}

// Faults of a URL that has no usable origin.
var (
	ErrScheme = errors.New("it does not begin with http:// or https://")
	ErrHost   = errors.New("there is no host")
	ErrASCII  = errors.New("the host has characters outside ASCII: write it in punycode, as xn--")
	ErrPort   = errors.New("the port is not a number from 1 to 65535")
	ErrUser   = errors.New("there is a user name or a password in the URL")
)

// Of returns the origin of u.
func Of(u *url.URL) (Origin, error) {
	o := Origin{scheme: strings.ToLower(u.Scheme), host: strings.ToLower(u.Hostname()), port: u.Port()}
	switch o.scheme {
	case "http", "https":
	default:
		return Origin{}, ErrScheme
	}
	if o.host == "" || u.Opaque != "" {
		return Origin{}, ErrHost
	}
	if strings.ContainsFunc(u.Host, func(r rune) bool { return r > '~' }) {
		return Origin{}, ErrASCII // folding case, as above, and looking up a name do not agree on it
	}
	if o.port == "" {
		o.port = map[string]string{"http": "80", "https": "443"}[o.scheme]
		return o, nil
	}
	if n, err := strconv.Atoi(o.port); err != nil || n < 1 || n > 65535 {
		return Origin{}, ErrPort
	}
	return o, nil
}

// Parse reads an origin such as "https://api.example.com:8443". A path other than "/", a query, a fragment and userinfo
// are faults. The error does not repeat the input, which may hold a password.
func Parse(s string) (Origin, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Origin{}, errors.New("it is not a URL")
	}
	if u.User != nil {
		return Origin{}, ErrUser
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return Origin{}, errors.New("an origin is scheme://host[:port], without path, query or fragment")
	}
	return Of(u)
}

// String returns scheme://host:port, without the port where it is the default one.
func (o Origin) String() string {
	host := o.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if (o.scheme == "http" && o.port == "80") || (o.scheme == "https" && o.port == "443") {
		return o.scheme + "://" + host
	}
	return o.scheme + "://" + host + ":" + o.port
}

// Secure reports whether the scheme is https.
func (o Origin) Secure() bool { return o.scheme == "https" }

// Loopback reports whether the host is this machine: localhost, 127.0.0.0/8 or ::1. No name is resolved, and
// an address with a zone, which may hold any text, is not taken for it.
func (o Origin) Loopback() bool {
	if o.host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(o.host)
	return err == nil && addr.Zone() == "" && addr.Unmap().IsLoopback()
}
