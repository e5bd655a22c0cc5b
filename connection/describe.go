package connection

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/restconn/restconn/internal/redact"
)

// Description is the effective policy of a connection, without secrets. It is for people and for tests.
type Description struct {
	Name, Description, DocsURL string

	// BaseURL is without its query, and with its placeholders.
	BaseURL string
	// BaseHosts are the patterns of [WithBaseHosts], in their order.
	BaseHosts []string
	// Auth says how requests are authenticated, without the credential.
	Auth string
	// Headers are the names of the headers that go with every request, sorted.
	Headers []string
	// TrustedOrigins are the origins that credentials may go to, the base URL's among them, sorted.
	TrustedOrigins []string
	InsecureHTTP   bool

	Retries     int
	RetryWait   string
	RetryBudget string
	// RateLimit is what [WithRateLimit] has set; "" without it.
	RateLimit    string
	Timeouts     Timeouts
	MaxRedirects int
	MaxBody      int64
	// Codec is the media type that values are written in and read from.
	Codec string
	// CookieJar tells whether there is one.
	CookieJar bool
	// Runtime is the name of the runtime; "" without one.
	Runtime string
	// Transport is "default", or the type of what the caller gave.
	Transport string
	// Pool is how connections are made; nil beside a transport of the caller's.
	Pool *PoolDescription

	// InsecureSkipVerify says that certificates are not checked.
	InsecureSkipVerify bool
	// TestPath is without its query.
	TestPath string
}

// PoolDescription is how the connections of a pool are made.
type PoolDescription struct {
	// ConnectTo is the host and port that are dialed in the place of those of the base URL; "" if they are not.
	ConnectTo string
	// Proxy and TokenProxy tell the proxies, without user and password.
	Proxy, TokenProxy string
	HTTPVersion       HTTPVersion
	// MaxConnsPerHost and MaxConnLifetime are 0 where there is no bound.
	MaxConnsPerHost int
	MaxConnLifetime time.Duration
	// Trust says whose certificates are trusted.
	Trust string
	// Certificate is that of the client: its subject and the end of its validity; "" without one.
	Certificate string
	PinnedKeys  []string
	// ReloadInterval is how often certificates and passwords are read again. ReloadError is what the last reading
	// failed for; "" if it did not.
	ReloadInterval      time.Duration
	ReloadError         string
	PublicAddressesOnly bool
}

// Describe returns the effective policy.
func (c *Connection) Describe() Description {
	cfg := &c.config
	d := Description{
		Name: cfg.name, Description: cfg.description, DocsURL: cfg.docsURL,
		TestPath:     beforeQuery(cfg.testPath),
		BaseURL:      c.shown(),
		Auth:         fmt.Sprintf("%T", cfg.auth),
		Headers:      slices.Sorted(maps.Keys(cfg.header)),
		InsecureHTTP: cfg.insecureHTTP,
		Retries:      cfg.retry.Max,
		RetryWait:    cfg.retry.Wait.String(),
		RetryBudget:  cfg.budget.String(),
		RateLimit:    cfg.hosts.String(),
		Timeouts:     cfg.timeouts,
		MaxRedirects: cfg.maxRedirects,
		MaxBody:      cfg.maxBody,
		Codec:        cfg.codec.String(),
		Transport:    "default",
	}
	if s, ok := cfg.auth.(fmt.Stringer); ok {
		d.Auth = s.String()
	}
	d.InsecureSkipVerify, d.Runtime, d.CookieJar = cfg.insecureTLS, cfg.runtimeName, cfg.jar != nil
	if c.pool.custom == nil {
		d.Pool = c.pool.describe()
	} else {
		d.Transport = fmt.Sprintf("%T", c.pool.custom)
		d.Timeouts.Dial, d.Timeouts.TLSHandshake, d.Timeouts.ResponseHeader = 0, 0, 0
	}
	for _, p := range cfg.baseHosts {
		d.BaseHosts = append(d.BaseHosts, p.String())
	}
	for o := range c.trusted {
		d.TrustedOrigins = append(d.TrustedOrigins, o.String())
	}
	slices.Sort(d.TrustedOrigins)
	return d
}

// lines tells each field that is set.
func (d *PoolDescription) lines(line func(key string, value any)) {
	line("connect to", d.ConnectTo)
	line("proxy", d.Proxy)
	line("token proxy", d.TokenProxy)
	line("HTTP version", string(d.HTTPVersion))
	if d.MaxConnsPerHost > 0 {
		line("max connections per host", d.MaxConnsPerHost)
	}
	if d.MaxConnLifetime > 0 {
		line("max connection lifetime", d.MaxConnLifetime)
	}
	line("trust", d.Trust)
	line("client certificate", d.Certificate)
	line("pinned keys", strings.Join(d.PinnedKeys, ", "))
	line("reload interval", limitText(d.ReloadInterval))
	line("reload failed", d.ReloadError)
	if d.PublicAddressesOnly {
		line("public addresses only", true)
	}
}

// describe tells how connections are made.
func (p *pool) describe() *PoolDescription {
	c, m := &p.config, &p.current.Load().material
	d := &PoolDescription{
		ConnectTo: c.dialTo, Proxy: p.proxyText(c.proxy, m.proxy), TokenProxy: p.proxyText(c.tokenProxy, m.tokenProxy),
		HTTPVersion: c.version, MaxConnsPerHost: c.maxConns, MaxConnLifetime: c.lifetime, Trust: c.trustText(),
		PinnedKeys: slices.Clone(c.pins), ReloadInterval: c.reload, PublicAddressesOnly: c.publicOnly,
	}
	if leaf, err := leafOf(m.identity); err == nil {
		d.Certificate = redact.Line(leaf.Subject.String()) + ", valid to " + leaf.NotAfter.UTC().Format(time.RFC3339)
	}
	if text := p.fault.Load(); text != nil {
		d.ReloadError = *text
	}
	return d
}

// proxyText tells a proxy, and of the platform's whether there is one for the base URL.
func (p *pool) proxyText(proxy Proxy, r route) string {
	if proxy.Mode == ProxyCustom || proxy.Mode == ProxyNone {
		return proxy.String()
	}
	u := r.via(p.base)
	if u == nil {
		return string(ProxyPlatform) + " (none)"
	}
	return fmt.Sprintf("%s (%s://%s)", ProxyPlatform, u.Scheme, u.Host)
}

func (c *poolConfig) trustText() string {
	given := fmt.Sprintf("%d given", len(c.authorities))
	text := "system"
	switch {
	case c.trust != nil:
		text = fmt.Sprintf("%T", c.trust)
		if s, ok := c.trust.(fmt.Stringer); ok {
			text = s.String()
		}
	case c.noSystem:
		return given
	}
	if len(c.authorities) == 0 {
		return text
	}
	return text + " and " + given
}

// String returns the description as one "key: value" line per field.
func (d Description) String() string {
	var b strings.Builder
	line := func(key string, value any) {
		if s := fmt.Sprint(value); s != "" && s != "[]" {
			fmt.Fprintf(&b, "%s: %s\n", key, s)
		}
	}
	line("name", d.Name)
	line("description", d.Description)
	line("docs", d.DocsURL)
	line("base URL", d.BaseURL)
	line("base hosts", strings.Join(d.BaseHosts, ", "))
	line("auth", d.Auth)
	line("headers", strings.Join(d.Headers, ", "))
	line("trusted origins", strings.Join(d.TrustedOrigins, ", "))
	line("insecure http", d.InsecureHTTP)
	line("retries", d.Retries)
	line("retry wait", d.RetryWait)
	line("retry budget", d.RetryBudget)
	line("rate limit", d.RateLimit)
	line("attempt timeout", limitText(d.Timeouts.Attempt))
	line("total timeout", limitText(d.Timeouts.Total))
	line("idle timeout", limitText(d.Timeouts.Idle))
	line("dial timeout", limitText(d.Timeouts.Dial))
	line("TLS handshake timeout", limitText(d.Timeouts.TLSHandshake))
	line("response header timeout", limitText(d.Timeouts.ResponseHeader))
	line("max redirects", d.MaxRedirects)
	line("max body", d.MaxBody)
	line("codec", d.Codec)
	line("transport", d.Transport)
	line("runtime", d.Runtime)
	if d.CookieJar {
		line("cookie jar", true)
	}
	if d.Pool != nil {
		d.Pool.lines(line)
	}
	if d.InsecureSkipVerify {
		line("INSECURE", "certificates are not checked")
	}
	line("test path", d.TestPath)
	return b.String()
}

func beforeQuery(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path
}

func limitText(d time.Duration) string {
	if d == NoTimeout {
		return "none"
	}
	return d.String()
}

// String returns a text for people: the base URL, without its query. For programs there is [Connection.BaseURL].
func (c *Connection) String() string { return "connection to " + c.shown() }

// Format writes String for every verb, and not what the connection is made of.
func (c *Connection) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }
