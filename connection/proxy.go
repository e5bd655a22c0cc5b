package connection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/restconn/restconn/internal/proxyenv"
	"github.com/restconn/restconn/secrets"
)

// ProxyMode says where the proxy of a connection is told.
type ProxyMode string

// The modes.
const (
	// ProxyPlatform, the default, takes what the environment says when the connection is opened: HTTP_PROXY, HTTPS_PROXY
	// and NO_PROXY, in capitals or not, or the [Runtime] in its place. A value that cannot be read is an error: never a
	// silent connection past the proxy. This machine's own loopback addresses are reached directly.
	ProxyPlatform ProxyMode = "platform"
	// ProxyNone sends requests directly, whatever the environment says.
	ProxyNone ProxyMode = "none"
	// ProxyCustom sends all requests through the proxy that the other fields of [Proxy] tell.
	ProxyCustom ProxyMode = "custom"
)

// Proxy says through what requests are sent. The zero Proxy is that of the platform.
//
// User and Password go to the proxy, and to it only, as Basic credentials (RFC 7617) or those of SOCKS5 (RFC 1929). The
// client certificate of [WithIdentity] and pinned keys are the service's business and not the proxy's.
type Proxy struct {
	// Mode is ProxyPlatform if it is empty. The other fields are for ProxyCustom only.
	Mode ProxyMode
	// Scheme is how to talk to the proxy: "http", the default, "https" or "socks5", which looks names up by itself.
	Scheme string
	// Host is a name or an IP address, without a port.
	Host string
	// Port is from 1 to 65535.
	Port int
	// User is empty where the proxy asks for none.
	User string
	// Password is asked for when the connection is opened, and then as [WithReload] says.
	Password secrets.Provider
}

// WithProxy sets the proxy of the requests. Token calls go through that of the platform, unless [WithTokenProxy] or
// their own auth.Endpoint says otherwise.
func WithProxy(p Proxy) Option {
	return option{"WithProxy", func(cfg *config) error {
		cfg.pool.proxy = p
		return errors.Join(p.validate(), cfg.ofPool("WithProxy"))
	}}
}

// WithTokenProxy sets the proxy of token calls. The default is the platform's, also beside [WithProxy].
func WithTokenProxy(p Proxy) Option {
	return option{"WithTokenProxy", func(cfg *config) error {
		cfg.pool.tokenProxy = p
		return errors.Join(p.validate(), cfg.ofPool("WithTokenProxy"))
	}}
}

// ProxyError means that a proxy could not be reached, or has refused. The service has seen nothing of the request.
type ProxyError struct {
	// Proxy is the host and port of the proxy.
	Proxy string
	// Status is what the proxy answered; 0 if it gave no answer in HTTP.
	Status int
	// Err says more, or is nil.
	Err error
}

func (e *ProxyError) Error() string {
	text := "proxy " + e.Proxy
	if e.Status != 0 {
		text += fmt.Sprintf(" answered %d", e.Status)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns what lies beneath.
func (e *ProxyError) Unwrap() error { return e.Err }

// String returns mode, scheme, host and port.
func (p Proxy) String() string {
	switch {
	case p.validate() != nil:
		return "proxy that is not valid" // somebody may have written user and password into the host
	case p.Mode == ProxyCustom:
		return p.scheme() + "://" + p.address()
	}
	return string(cmp.Or(p.Mode, ProxyPlatform))
}

// Format writes String for every verb: a Proxy has a password.
func (p Proxy) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(p.String())) }

// MarshalText returns String, also for JSON: there is a user in a Proxy.
func (p Proxy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

func (p Proxy) scheme() string {
	return cmp.Or(p.Scheme, "http")
}

func (p Proxy) address() string {
	return net.JoinHostPort(strings.Trim(p.Host, "[]"), strconv.Itoa(p.Port))
}

func (p Proxy) validate() error {
	switch p.Mode {
	case ProxyCustom:
		return p.validateCustom()
	case ProxyPlatform, ProxyNone, "":
		if p.Scheme != "" || p.Host != "" || p.Port != 0 || p.User != "" || p.Password != nil {
			return fmt.Errorf("host, port and the like are for Mode ProxyCustom, and this is %q",
				string(cmp.Or(p.Mode, ProxyPlatform)))
		}
		return nil
	}
	return errors.New("the Mode is none of ProxyPlatform, ProxyNone, ProxyCustom")
}

// longestSOCKS is the longest name and password that SOCKS5 can send (RFC 1928 and 1929).
const longestSOCKS = 255

func (p Proxy) validateCustom() error {
	var errs []error
	fault := func(wrong bool, text string) {
		if wrong {
			errs = append(errs, errors.New(text))
		}
	}
	fault(p.Host == "", "Host is empty")
	fault(p.Host != "" && !isHost(p.Host), "Host is neither a host name nor an IP address, or has a port in it")
	fault(p.Port < 1 || p.Port > 65535, "Port is not from 1 to 65535")
	fault(p.User == "" && p.Password != nil, "there is a Password and no User")
	switch p.scheme() {
	case "http", "https":
		fault(strings.Contains(p.User, ":"), "there is a colon in User, which Basic cannot send (RFC 7617)")
	case "socks5":
		fault(len(p.User) > longestSOCKS || len(p.Host) > longestSOCKS, "SOCKS5 sends no name of more than 255 bytes")
	default:
		fault(true, `Scheme is none of "http", "https", "socks5"`)
	}
	if p.Password != nil {
		errs = append(errs, secrets.Validate(p.Password))
	}
	return errors.Join(errs...)
}

// isHost reports whether s can stand where a host stands, without a port.
func isHost(s string) bool {
	inner, opened := strings.CutPrefix(s, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if addr, err := netip.ParseAddr(inner); err == nil {
		return opened == closed && (!opened || addr.Is6())
	}
	u, err := url.Parse("http://" + s + "/")
	return err == nil && u.Host == s && u.Port() == "" && !strings.ContainsAny(s, "[]:% \t") && u.Path == "/"
}

// route tells the proxy for a URL. It answers nil, and is nil, where there is none.
type route func(u *url.URL) (*url.URL, error)

// openProxy reads what a proxy needs. It returns the way of requests, and a text that changes with it.
func (p *pool) openProxy(ctx context.Context, option string, proxy Proxy, platform route) (route, string, error) {
	switch proxy.Mode {
	case ProxyNone:
		return nil, "", nil
	case ProxyPlatform, "":
		return platform, "", nil
	case ProxyCustom:
		u, err := proxy.open(ctx)
		if err != nil {
			return nil, "", &OptionError{Option: option, Err: err}
		}
		return func(*url.URL) (*url.URL, error) { return u, nil }, u.String(), nil
	}
	return nil, "", nil // New has refused it
}

// open returns the URL of a custom proxy, with the password.
func (p Proxy) open(ctx context.Context) (*url.URL, error) {
	u := &url.URL{Scheme: p.scheme(), Host: p.address()}
	if p.User != "" {
		u.User = url.User(p.User)
	}
	if p.Password == nil {
		return u, nil
	}
	password, err := p.Password.Secret(ctx)
	if err != nil {
		return nil, fmt.Errorf("the password: %w", err)
	}
	text := password.Reveal()
	if p.Scheme == "socks5" && len(text) > longestSOCKS {
		return nil, errors.New("the password: SOCKS5 sends none of more than 255 bytes")
	}
	u.User = url.UserPassword(p.User, text)
	return u, nil
}

// chosen returns the route of a proxy that a token flow has chosen itself, which may be any URL.
func chosen(proxy func(*http.Request) (*url.URL, error)) route {
	return func(u *url.URL) (*url.URL, error) {
		via, err := proxy(&http.Request{Method: http.MethodPost, URL: u, Host: u.Host, Header: make(http.Header)})
		if err != nil || via == nil {
			return nil, err
		}
		if via, err = proxyenv.Parse(via.String()); err != nil {
			return nil, &OptionError{Option: "Endpoint.Proxy", Err: err}
		}
		return via, nil
	}
}

// asksEnvironment reports whether the environment tells the proxy of anything.
func (c *poolConfig) asksEnvironment() bool {
	platform := func(p Proxy) bool { return p.Mode == ProxyPlatform || p.Mode == "" }
	return !c.noProxy && platform(c.platform) && (platform(c.proxy) || platform(c.tokenProxy))
}

// fromEnvironment returns the route that the environment tells.
func fromEnvironment() (route, error) {
	proxies, err := proxyenv.FromEnvironment()
	if err != nil || len(proxies.All()) == 0 {
		return nil, err
	}
	return func(u *url.URL) (*url.URL, error) { return proxies.For(u), nil }, nil
}
