package connection

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/restconn/restconn/internal/field"
)

// Limits of what is filled in, in bytes. Those of names are of RFC 1035, section 2.3.4.
const (
	mostValue = 1 << 10
	mostLabel = 63
	mostHost  = 253
)

// fill returns the base URL of a call.
func (t *baseTemplate) fill(values map[string]string, allowed []hostPattern) (*url.URL, error) {
	host, err := t.fillHost(values, allowed)
	if err != nil {
		return nil, err
	}
	u := &url.URL{Scheme: t.scheme, Host: host, RawQuery: t.query}
	u.RawPath = t.path(func(p basePart) string {
		value, fault := valueOf(values, p.name)
		if fault == nil {
			fault = checkSegment(p.name, value)
		}
		err = errors.Join(err, fault)
		return url.PathEscape(value)
	})
	if err != nil {
		return nil, err
	}
	if u.Path, err = url.PathUnescape(u.RawPath); err != nil {
		return nil, &BaseError{Err: errors.New("it is not a URL")}
	}
	return u, nil
}

// fillHost returns the host of a call, with its port where that is not the one of the scheme.
func (t *baseTemplate) fillHost(values map[string]string, allowed []hostPattern) (string, error) {
	if !t.roams() {
		return t.authority(basePart.String), nil
	}
	labels, port, name := make([]string, 0, len(t.labels)), t.port, ""
	for _, p := range t.labels {
		if p.name == "" {
			labels = append(labels, p.text)
			continue
		}
		name = p.name
		value, err := valueOf(values, name)
		if err != nil {
			return "", err
		}
		if t.isWhole() {
			if value, port, err = t.takeOrigin(name, value); err != nil {
				return "", err
			}
			labels = strings.Split(value, ".")
			break
		}
		labels = append(labels, value)
	}
	host := strings.ToLower(strings.Join(labels, "."))
	if len(host) > mostHost || slices.ContainsFunc(labels, func(l string) bool { return !isLabel(l) }) {
		return "", wrongValue(name, "it is not a host name of letters, digits and hyphens")
	}
	if port == t.defaultPort() {
		port = ""
	}
	full := host
	if port != "" {
		full += ":" + port
	}
	return full, t.mayGo(name, full, port, allowed)
}

// mayGo refuses a host that is not one of those that are allowed.
func (t *baseTemplate) mayGo(name, full, port string, allowed []hostPattern) error {
	host, _, _ := strings.Cut(full, ":")
	labels := strings.Split(host, ".")
	fits := func(p hostPattern) bool {
		if p.port == t.defaultPort() {
			p.port = ""
		}
		return p.matches(labels, port)
	}
	if !t.isOpen() && len(allowed) == 0 || slices.ContainsFunc(allowed, fits) {
		return nil
	}
	return &BaseError{Name: name, Err: &OriginError{Origin: t.scheme + "://" + full, Home: t.origin()}}
}

// takeOrigin takes a value apart that stands for the whole host.
func (t *baseTemplate) takeOrigin(name, value string) (host, port string, err error) {
	if scheme, rest, ok := strings.Cut(value, "://"); ok {
		if !strings.EqualFold(scheme, t.scheme) {
			return "", "", wrongValue(name, "its scheme is not that of the base URL, "+t.scheme)
		}
		value = strings.TrimSuffix(rest, "/")
	}
	host, port, hasPort := strings.Cut(value, ":")
	if hasPort && (t.port != "" || !isPort(port)) {
		return "", "", wrongValue(name, "the port is not a number from 1 to 65535, or there is one in the base URL already")
	}
	if !hasPort {
		port = t.port
	}
	return host, port, nil
}

func (t *baseTemplate) defaultPort() string {
	if t.scheme == "http" {
		return "80"
	}
	return "443"
}

// valueOf returns the value of a placeholder.
func valueOf(values map[string]string, name string) (string, error) {
	value := values[name]
	switch {
	case value == "":
		return "", wrongValue(name, "there is no value for it")
	case len(value) > mostValue:
		return "", wrongValue(name, "the value has more than 1024 bytes")
	case field.HasControl(value):
		return "", wrongValue(name, "the value has control bytes")
	}
	return value, nil
}

// checkSegment refuses a value that leads out of its segment where a server unescapes the path before
// it takes it apart.
func checkSegment(name, value string) error {
	isSlash := func(r rune) bool { return r == '/' || r == '\\' }
	for part := range strings.FieldsFuncSeq(value, isSlash) {
		if part == "." || part == ".." {
			return wrongValue(name, "the value has a dot segment")
		}
	}
	return nil
}

func wrongValue(name, text string) error { return &BaseError{Name: name, Err: errors.New(text)} }

// isLabel reports whether a text is a label of a host name (RFC 1123, section 2.1). It is asked before case is folded,
// which makes letters of others.
func isLabel(text string) bool {
	return text != "" && len(text) <= mostLabel && text[0] != '-' && text[len(text)-1] != '-' &&
		!strings.ContainsFunc(text, func(r rune) bool { return !isHostRune(r) })
}

// isHostRune reports whether a letter, a digit or a hyphen is given.
func isHostRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-'
}

// isPort reports whether a text is the number of a port, in the one form in which it is written.
func isPort(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= 1 && n <= 65535 && strconv.Itoa(n) == text
}
