package connection

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/field"
	"github.com/restconn/restconn/internal/redact"
)

// Field is one header of a [Call].
type Field struct{ Name, Value string }

// Call is one request as it goes into the pipeline, and what it changes in its connection's policy. It is for
// packages that build requests, as package request does: use keyed literals, since fields may be added. For an
// *http.Request there is [Connection.Do]. The zero value of every field but Method and URL changes nothing.
type Call struct { //nolint:recvcheck // it prints as a value, and is checked in place
	Method string
	// URL is absolute. Outside the connection's origins it is an [*OriginError], unless Auth is auth.None().
	URL url.URL
	// Header holds the headers of this request, in their order. Those of the connection are added where the URL lies
	// within the connection's origins and the request has none of that name.
	Header []Field
	// Accept is sent as the Accept header if neither the request nor the connection has one.
	Accept string
	// Body opens the request body, once per attempt. nil means that there is none.
	Body func() (io.ReadCloser, error)
	// BodyLen is the length of the body in bytes; -1 if it is not known.
	BodyLen int64
	// BodyOnce says that Body can be opened only once; it is closed even if the call is refused. Where the call may
	// have to send it again, that is [ErrNotReplayable], before a byte is sent.
	BodyOnce bool

	// Auth replaces the connection's authenticator.
	Auth auth.Authenticator
	// Retry replaces the connection's whole, and applies whatever the method.
	Retry *Retry
	// Timeouts shorten the connection's.
	Timeouts Timeouts
	// MaxRedirects replaces the connection's.
	MaxRedirects *int
	// InsecureSkipVerify is that of [WithInsecureSkipVerify], for this request.
	InsecureSkipVerify bool
	// Debug gets one record per attempt and redirect hop, with bounded and redacted bodies.
	Debug *slog.Logger
	// ShownPath is what errors and logs show in the place of the URL's path, where that holds a secret.
	ShownPath string
	// Secrets are what logs mask wherever it is repeated: the secrets in the path.
	Secrets []string
}

// String returns the method and what may be shown of the URL.
func (c Call) String() string {
	if c.ShownPath != "" {
		return c.Method + " " + c.URL.Scheme + "://" + c.URL.Host + c.ShownPath
	}
	return c.Method + " " + redact.URL(&c.URL)
}

// Format writes String for every verb, %#v among them.
func (c Call) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// validate checks what net/http would check too late, or not at all, and writes header names in their canonical form.
func (c *Call) validate() error {
	if !field.IsToken(c.Method) {
		return &OptionError{Option: "method", Err: errors.New("it is not a token (RFC 9110, section 9.1)")}
	}
	if upper := strings.ToUpper(c.Method); upper != c.Method && (idempotent(upper) || upper == http.MethodPost) {
		return &OptionError{Option: "method", Err: errors.New("methods are case-sensitive: it is written " + upper)}
	}
	if c.URL.Path != "" && c.URL.Path[0] != '/' { // as url.URL.JoinPath makes it of a URL without a path
		c.URL.Path = "/" + c.URL.Path
		if c.URL.RawPath != "" {
			c.URL.RawPath = "/" + c.URL.RawPath
		}
	}
	if err := validateURL(&c.URL); err != nil {
		return &OptionError{Option: optionURL, Err: err}
	}
	credentials, cloned := 0, false
	for i := range c.Header {
		f := &c.Header[i]
		if err := f.validate(); err != nil {
			return &OptionError{Option: "header", Err: err}
		}
		name := http.CanonicalHeaderKey(f.Name)
		if name != f.Name && !cloned { // the caller may use the list again
			c.Header, cloned = slices.Clone(c.Header), true
		}
		if name != f.Name {
			c.Header[i].Name = name
		}
		if name == "Authorization" {
			credentials++
		}
	}
	if credentials > 1 {
		return &OptionError{Option: "header", Err: errors.New("there are several values of Authorization")}
	}
	return nil
}

func (f *Field) validate() error {
	switch {
	case !field.IsToken(f.Name):
		return fmt.Errorf("the name %q is not a token (RFC 9110, section 5.1)", redact.Line(f.Name))
	case strings.EqualFold(f.Name, "Proxy-Authorization"):
		return errors.New("Proxy-Authorization is for proxies and not for services")
	case strings.EqualFold(f.Name, "Idempotency-Key") && strings.TrimSpace(f.Value) == "":
		return errors.New("the Idempotency-Key is empty")
	case !field.IsValue(f.Value):
		return errors.New("the value of " + http.CanonicalHeaderKey(f.Name) + " has control bytes")
	}
	return nil
}

// has reports whether the request has a header of that canonical name.
func (c *Call) has(name string) bool {
	for i := range c.Header {
		if c.Header[i].Name == name {
			return true
		}
	}
	return false
}
