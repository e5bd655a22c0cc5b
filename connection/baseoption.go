package connection

import (
	"errors"
	"fmt"
	"strings"

	"github.com/restconn/restconn/internal/redact"
)

// WithBaseParams fills in the placeholders of the base URL per call, for services that tell with the token where their
// API is, or that have a host or a path for each tenant:
//
//	connection.New("https://{instance_url}/services/data/v60.0",
//		connection.WithBaseParams(tokens.Extras),
//		connection.WithBaseHosts("*.my.salesforce.com"),
//		connection.WithAuth(auth.Bearer(tokens)),
//	)
//
// A placeholder is a whole segment of the path, a whole label of the host, or the whole host. A value in the path is
// one segment, which is escaped; an empty one, and one that has a dot segment in it, is an error. A value for a label
// has letters, digits and hyphens. A value for the host is a host name, with a port if need be, or an https origin, as
// servers write it ("https://na1.example.com"; http where the base URL has it). Values stand in URLs, and so in logs
// and errors: they are not secret.
//
// f is asked once per call, with the context of the call, also where an absolute URL is asked; retries, redirects and
// the resend after a rejected token stay with what it has said. It is called by several goroutines at once, and its
// context ends after the limit of an attempt at the latest ([Timeouts]). The map that it returns is not to be changed
// afterwards. It can be (*auth.Manager).Extras. An error or a panic of it is a [*BaseError], and nothing is sent; so is
// a call of the connection that waits for it.
//
// The credentials, the headers and the cookies of a call go to the host that was filled in for that call, and to those
// of [WithTrustedOrigins]: that of one tenant is a foreign one to calls of another. Where the host is filled in, token
// servers are never taken for that of the service, as [WithPinnedKeys] and [WithHTTPVersion] have it, and
// [WithConnectTo] and [WithCookieJar] are errors.
func WithBaseParams(f BaseParamsFunc) Option {
	return option{"WithBaseParams", func(cfg *config) error {
		if f == nil {
			return errors.New("the function is nil")
		}
		cfg.baseParams = f
		return nil
	}}
}

// WithBaseHosts says which hosts [WithBaseParams] may fill in: any other is an [*OriginError] before a byte is sent. A
// pattern is a host name, in which * stands for one label: "*.my.example.com" is a.my.example.com, and neither
// my.example.com nor a.b.my.example.com. The last two labels of a pattern with a * have none. A port other than that of
// the scheme is written behind the name.
//
// It has to be there where a placeholder is the whole host, or one of its last two labels. Given again it adds to
// them.
func WithBaseHosts(patterns ...string) Option {
	return option{"WithBaseHosts", func(cfg *config) error {
		if len(patterns) == 0 {
			return errors.New("there are no patterns")
		}
		var errs []error
		for i, text := range patterns {
			p, err := parseHostPattern(text)
			if err != nil {
				errs = append(errs, fmt.Errorf("pattern %d: %w", i+1, err))
				continue
			}
			cfg.baseHosts = append(cfg.baseHosts, p)
		}
		return errors.Join(errs...)
	}}
}

// BaseError means that the base URL of a call could not be told. Nothing was sent.
type BaseError struct {
	// Name is the placeholder whose value is missing or wrong; "" if the function of [WithBaseParams] failed.
	Name string
	// Err says why. It does not repeat the value, but for an [*OriginError].
	Err error
}

func (e *BaseError) Error() string {
	if e.Name == "" {
		return "base URL: " + e.Err.Error()
	}
	text := "base URL: {" + redact.Line(e.Name) + "}: "
	if foreign, ok := errors.AsType[*OriginError](e.Err); ok { // what to do is not what its text says
		return text + redact.Printable(foreign.Origin) + " is not among the hosts of WithBaseHosts"
	}
	return text + e.Err.Error()
}

// Unwrap returns the cause.
func (e *BaseError) Unwrap() error { return e.Err }

// hostPattern is one of the hosts that may be filled in.
type hostPattern struct {
	labels []string // "*" for any
	port   string   // "" for that of the scheme
}

// keptLabels is how many labels at the end of a host no * may stand for: all below them are of one owner.
const keptLabels = 2

func parseHostPattern(text string) (hostPattern, error) {
	host, port, hasPort := strings.Cut(text, ":")
	p := hostPattern{labels: strings.Split(host, ".")}
	if hasPort && !isPort(port) {
		return p, errors.New("the port is not a number from 1 to 65535")
	}
	p.port = port
	for i, label := range p.labels {
		switch {
		case label == "*" && len(p.labels)-i <= keptLabels:
			return p, errors.New("a * in the last two labels would let in hosts of others")
		case label != "*" && !isLabel(label):
			return p, errors.New("it is not a host name, or has more in it: there is no scheme and no path")
		}
		p.labels[i] = strings.ToLower(label)
	}
	return p, nil
}

// String returns the pattern as it was given.
func (p hostPattern) String() string {
	if p.port == "" {
		return strings.Join(p.labels, ".")
	}
	return strings.Join(p.labels, ".") + ":" + p.port
}

// matches reports whether a host is one of those. Both ports are "" where they are that of the scheme.
func (p hostPattern) matches(labels []string, port string) bool {
	if port != p.port || len(labels) != len(p.labels) {
		return false
	}
	for i, label := range p.labels {
		if label != "*" && label != labels[i] {
			return false
		}
	}
	return true
}
