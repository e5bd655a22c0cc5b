// Package proxyenv reads the proxies of the platform from the environment, and finds a value that is wrong before it
// is used: golang.org/x/net/http/httpproxy, like net/http, takes a proxy that it cannot parse for none, and the request
// then goes out directly, past the proxy that was meant.
package proxyenv

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// Error says what is wrong with a proxy or with an entry of NO_PROXY. It does not repeat the value, which may hold a
// password.
type Error struct {
	// Variable is the environment variable, as it is written there; "" from [Parse].
	Variable string
	// Entry is the position in NO_PROXY, from 1 on; 0 where the value is a proxy.
	Entry int
	// Reason says what is wrong.
	Reason string
}

func (e *Error) Error() string {
	switch {
	case e.Variable == "":
		return "proxy: " + e.Reason
	case e.Entry == 0:
		return e.Variable + ": " + e.Reason
	}
	return fmt.Sprintf("%s: entry %d: %s", e.Variable, e.Entry, e.Reason)
}

// Proxies are the proxies of the platform as they were at one moment. They are immutable, and safe for concurrent use.
// The zero value, and nil, have none. They may hold a password, which they do not print.
type Proxies struct {
	// The proxies are behind functions so that what walks over a value by reflection does not find the passwords.
	forURL func(u *url.URL) *url.URL
	all    func() []*url.URL
	text   string
}

// FromEnvironment reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY, each first in lower case, at the moment of the call:
// net/http reads them once per process. A variable that is empty counts as not set, and ALL_PROXY is not read.
//
// Every value that is set is checked, also where NO_PROXY makes it unused. The error joins one [*Error] per fault. In a
// CGI program, where REQUEST_METHOD is set, a proxy for http is a fault: the client of the program can set HTTP_PROXY
// by a header (https://httpoxy.org), and net/http refuses to use it there too.
//
// # NO_PROXY
//
// NO_PROXY is a list of hosts that are asked directly, separated by commas. Blanks around an entry and empty entries do
// not count, and neither does the case. No name is looked up: names are compared with names, addresses with addresses.
//
//	example.com         that host and every host below it
//	.example.com        every host below it, and not the host itself
//	*.example.com       the same
//	192.0.2.1           that address; 2001:db8::1 and [2001:db8::1] as well
//	192.0.2.0/24        every address with that prefix; 2001:db8::/32 as well
//	example.com:8443    what stands before the colon, on that port only; [2001:db8::1]:8443 as well; not with a prefix
//	*                   every host
//
// Localhost, 127.0.0.0/8 and ::1 are always asked directly. The port of a URL that has none is 80 or 443. One dot at
// the end of a name does not count, in an entry or a URL. A name outside ASCII is the same as its punycode. An
// IPv4-mapped IPv6 address is the IPv4 address. The zone of an address in a URL does not count, and an entry has none.
//
// What could never match anything is a fault: a name with other characters than letters, digits, hyphens, underscores
// and dots, an asterisk anywhere else, a beginning of an address such as "10.", a URL, blanks between names.
func FromEnvironment() (*Proxies, error) { return read(os.Getenv) }

// read is FromEnvironment for any environment.
func read(getenv func(string) string) (*Proxies, error) {
	httpProxy, httpErr := readProxy(getenv, "http_proxy")
	httpsProxy, httpsErr := readProxy(getenv, "https_proxy")
	name, value := lookup(getenv, "no_proxy")
	direct, directErr := parseNoProxy(name, value)
	var cgiErr error
	if name, value := lookup(getenv, "http_proxy"); value != "" && getenv("REQUEST_METHOD") != "" {
		cgiErr = &Error{Variable: name, Reason: "it is not safe in a CGI program, whose client may have set it: unset it, " +
			"or unset REQUEST_METHOD if this is none"}
	}
	if err := errors.Join(httpErr, cgiErr, httpsErr, directErr); err != nil {
		return nil, err
	}
	return newProxies(httpProxy, httpsProxy, direct), nil
}

// lookup returns the variable that counts, and its value.
func lookup(getenv func(string) string, lower string) (name, value string) {
	if value = getenv(lower); value != "" {
		return lower, value
	}
	name = strings.ToUpper(lower)
	return name, getenv(name)
}

// readProxy returns the proxy of a variable; nil if there is none.
func readProxy(getenv func(string) string, lower string) (*url.URL, error) {
	name, value := lookup(getenv, lower)
	if value == "" {
		return nil, nil //nolint:nilnil // as documented
	}
	u, err := parseProxy(value)
	if err != nil {
		return nil, &Error{Variable: name, Reason: err.Error()}
	}
	return u, nil
}

// newProxies puts together what was read. The library is only asked whether NO_PROXY has an entry for a URL.
func newProxies(httpProxy, httpsProxy *url.URL, direct []string) *Proxies {
	const some = "http://proxy.invalid:80"
	cfg := httpproxy.Config{HTTPProxy: some, HTTPSProxy: some, NoProxy: strings.Join(direct, ",")}
	proxied := cfg.ProxyFunc()
	return &Proxies{
		forURL: func(u *url.URL) *url.URL {
			proxy, scheme := httpProxy, strings.ToLower(u.Scheme)
			if scheme == "https" {
				proxy = httpsProxy
			}
			if proxy == nil || scheme != "http" && scheme != "https" {
				return nil
			}
			if hit, err := proxied(target(scheme, u)); hit == nil && err == nil {
				return nil
			}
			return clone(proxy)
		},
		all: func() []*url.URL {
			var all []*url.URL
			if httpProxy != nil {
				all = append(all, clone(httpProxy))
			}
			if httpsProxy != nil && (httpProxy == nil || httpProxy.String() != httpsProxy.String()) {
				all = append(all, clone(httpsProxy))
			}
			return all
		},
		text: "proxies: http " + shown(httpProxy) + ", https " + shown(httpsProxy),
	}
}

// target returns scheme, host and port of u in the one form that entries are compared with.
func target(scheme string, u *url.URL) *url.URL {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	port := u.Port()
	if n, err := strconv.Atoi(port); err == nil {
		port = strconv.Itoa(n)
	} else {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port)}
}

// For returns the proxy for a request to u, which the caller may change; nil if it goes out directly. Schemes other
// than http and https have none.
func (p *Proxies) For(u *url.URL) *url.URL {
	if p == nil || p.forURL == nil || u == nil {
		return nil
	}
	return p.forURL(u)
}

// All returns the proxies that are set, each once, for those who must know their addresses.
func (p *Proxies) All() []*url.URL {
	if p == nil || p.all == nil {
		return nil
	}
	return p.all()
}

// String names the proxies, without user names and passwords.
func (p *Proxies) String() string {
	if p == nil || p.text == "" {
		return "proxies: none"
	}
	return p.text
}

// Format writes String for every verb.
func (p *Proxies) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }

// shown is what may be seen of a proxy.
func shown(u *url.URL) string {
	if u == nil {
		return "none"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

func clone(u *url.URL) *url.URL {
	c := *u
	return &c
}
