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

	// BaseURL is without its query.
	BaseURL string
	// Auth says how requests are authenticated, without the credential.
	Auth string
	// Headers are the names of the headers that go with every request, sorted.
	Headers []string
	// TrustedOrigins are the origins that credentials may go to, the base URL's among them, sorted.
	TrustedOrigins []string
	InsecureHTTP   bool

	Retries      int
	RetryWait    string
	Timeouts     Timeouts
	MaxRedirects int
	MaxBody      int64
	// Codec is the media type that values are written in and read from.
	Codec string
	// Transport is "default", or the type of what the caller gave.
	Transport string
	// TestPath is without its query.
	TestPath string
}

// Describe returns the effective policy.
func (c *Connection) Describe() Description {
	cfg := &c.config
	d := Description{
		Name: cfg.name, Description: cfg.description, DocsURL: cfg.docsURL,
		TestPath:     beforeQuery(cfg.testPath),
		BaseURL:      redact.URL(c.base),
		Auth:         fmt.Sprintf("%T", cfg.auth),
		Headers:      slices.Sorted(maps.Keys(cfg.header)),
		InsecureHTTP: cfg.insecureHTTP,
		Retries:      cfg.retry.Max,
		RetryWait:    cfg.retry.Wait.String(),
		Timeouts:     cfg.timeouts,
		MaxRedirects: cfg.maxRedirects,
		MaxBody:      cfg.maxBody,
		Codec:        cfg.codec.String(),
		Transport:    "default",
	}
	if s, ok := cfg.auth.(fmt.Stringer); ok {
		d.Auth = s.String()
	}
	if !c.pool.own {
		d.Transport = fmt.Sprintf("%T", c.pool.transport)
	}
	for o := range c.trusted {
		d.TrustedOrigins = append(d.TrustedOrigins, o.String())
	}
	slices.Sort(d.TrustedOrigins)
	return d
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
	line("auth", d.Auth)
	line("headers", strings.Join(d.Headers, ", "))
	line("trusted origins", strings.Join(d.TrustedOrigins, ", "))
	line("insecure http", d.InsecureHTTP)
	line("retries", d.Retries)
	line("retry wait", d.RetryWait)
	line("attempt timeout", limitText(d.Timeouts.Attempt))
	line("total timeout", limitText(d.Timeouts.Total))
	line("idle timeout", limitText(d.Timeouts.Idle))
	line("max redirects", d.MaxRedirects)
	line("max body", d.MaxBody)
	line("codec", d.Codec)
	line("transport", d.Transport)
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
func (c *Connection) String() string { return "connection to " + redact.URL(c.base) }

// Format writes String for every verb, and not what the connection is made of.
func (c *Connection) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }
