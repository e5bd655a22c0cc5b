package connection

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/restconn/restconn/internal/origin"
	"github.com/restconn/restconn/internal/proxyenv"
	"github.com/restconn/restconn/internal/tunnel"
	"github.com/restconn/restconn/secrets"
)

// ProxyMode says where the proxy of a connection is told.
type ProxyMode string

// The modes.
const (
	// ProxyPlatform, the default, takes what the environment says when the connection is opened: HTTP_PROXY,
	// HTTPS_PROXY and NO_PROXY, in capitals or not, or the [Runtime] in its place. A value that cannot be read is an
	// error: never a silent connection past the proxy. This machine's own loopback addresses are reached directly.
	ProxyPlatform ProxyMode = "platform"
	// ProxyNone sends requests directly, whatever the environment says.
	ProxyNone ProxyMode = "none"
	// ProxyCustom sends all requests through the proxy that the other fields of [Proxy] tell.
	ProxyCustom ProxyMode = "custom"
)

// Proxy says through what requests are sent. The zero Proxy is that of the platform.
//
// User and Password go to the proxy, and to it only, as Basic credentials (RFC 7617) or those of SOCKS5 (RFC 1929).
// The client certificate of [WithClientCertificate] and pinned keys are the service's business and not the proxy's.
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
	// Password is asked for when the connection is opened, and then as [WithReloadInterval] says.
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

// ErrProxyLogin means that a proxy wants a user and a password, or others than it was given: an HTTP proxy that
// answers 407, or a SOCKS5 proxy that does not let the user in. A [*ProxyError] matches it.
var ErrProxyLogin = errors.New("the proxy does not accept the user and the password, or wants some")

// Is makes errors.Is(err, ErrProxyLogin) true where that is the reason.
func (e *ProxyError) Is(target error) bool {
	return target == ErrProxyLogin && (e.Status == http.StatusProxyAuthRequired || errors.Is(e.Err, tunnel.ErrLogin))
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
	fault(!slices.Contains([]string{"http", "https", "socks5"}, p.scheme()), `Scheme is none of "http", "https", "socks5"`)
	if p.Password != nil {
		errs = append(errs, secrets.Validate(p.Password))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	_, err := proxyenv.Check(p.url())
	return err
}

// url returns the URL of a custom proxy, without the password.
func (p Proxy) url() *url.URL {
	u := &url.URL{Scheme: p.scheme(), Host: p.address()}
	if p.User != "" {
		u.User = url.User(p.User)
	}
	return u
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

// fingerprint tells one proxy from another, password included, without holding it.
type fingerprint [sha256.Size]byte

func fingerprintOf(proxy *url.URL) fingerprint {
	if proxy == nil {
		return fingerprint{}
	}
	return sha256.Sum256([]byte(proxy.String()))
}

// openProxy reads what a proxy needs. It returns the way of requests, and what changes with it.
func (p *pool) openProxy(ctx context.Context, option string, proxy Proxy, platform route) (route, fingerprint, error) {
	switch proxy.Mode {
	case ProxyNone:
		return nil, fingerprint{}, nil
	case ProxyPlatform, "":
		return platform, fingerprint{}, nil
	case ProxyCustom:
		if proxy.validate() != nil {
			return nil, fingerprint{}, nil //nolint:nilerr // the option has told it
		}
		u, err := proxy.open(ctx)
		if err != nil {
			return nil, fingerprint{}, &OptionError{Option: option, Err: err}
		}
		return only(u), fingerprintOf(u), nil
	}
	return nil, fingerprint{}, nil // New has refused it
}

// open returns the URL of a custom proxy, with the password.
func (p Proxy) open(ctx context.Context) (*url.URL, error) {
	u := p.url()
	if p.Password == nil {
		return proxyenv.Check(u)
	}
	password, err := p.Password.Secret(ctx)
	if err != nil {
		return nil, fmt.Errorf("the password: %w", err)
	}
	u.User = url.UserPassword(p.User, password.Reveal())
	return proxyenv.Check(u)
}

// only is the route through one proxy, or through none if that is nil.
func only(proxy *url.URL) route {
	if proxy == nil {
		return nil
	}
	return func(*url.URL) (*url.URL, error) { return proxy, nil }
}

// proxyFunc is the choice of a token flow, which may be any URL. It is asked once for each call.
type proxyFunc func(*http.Request) (*url.URL, error)

func (f proxyFunc) choose(req *http.Request) (*url.URL, error) {
	via, err := f(req)
	if err != nil || via == nil {
		return nil, err
	}
	if via, err = proxyenv.Check(via); err != nil {
		return nil, &OptionError{Option: "Endpoint.Proxy", Err: err}
	}
	return via, nil
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

// via returns the proxy for a URL, if there is one that can be told.
func (r route) via(u *url.URL) *url.URL {
	if r == nil {
		return nil
	}
	proxy, err := r(u)
	if err != nil {
		return nil
	}
	return proxy
}

// proxiesAll reports whether a proxy hands on bytes of any kind.
func proxiesAll(proxy *url.URL) bool { return strings.HasPrefix(proxy.Scheme, "socks") }

// staysHere reports whether what goes to an origin on this machine over plain http does not leave it.
func (p *pool) staysHere(o origin.Origin) bool {
	return p.custom != nil || p.leadsHere(o, p.current.Load().proxy)
}

// leadsHere is staysHere for a route of the caller's choice. What a DialFunc does is its own business.
func (p *pool) leadsHere(o origin.Origin, r route) bool {
	if home, err := origin.Of(p.base); err == nil && home == o && p.config.dialTo != "" && !loopback(p.config.dialTo) {
		return false
	}
	if r == nil {
		return true
	}
	u, err := url.Parse(o.String())
	if err != nil {
		return false
	}
	proxy, err := r(u)
	return err == nil && (proxy == nil || loopback(proxy.Host))
}

// loopback reports whether a host and port is on this machine.
func loopback(hostPort string) bool {
	o, err := origin.Of(&url.URL{Scheme: "http", Host: hostPort})
	return err == nil && o.Loopback()
}
