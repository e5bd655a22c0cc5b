package proxyenv

import (
	"errors"
	"net"
	"net/netip"
	"strings"
)

// parseNoProxy returns the entries of NO_PROXY as httpproxy understands them. It drops those that it does not, which
// would be a host that is asked through the proxy although somebody wrote that it should not be.
func parseNoProxy(variable, list string) ([]string, error) {
	var entries []string
	var errs []error
	for i, s := range strings.Split(list, ",") {
		s = strings.TrimSpace(s)
		if s == "" {
			continue
		}
		entry, err := parseEntry(s)
		if err != nil {
			errs = append(errs, &Error{Variable: variable, Entry: i + 1, Reason: err.Error()})
			continue
		}
		entries = append(entries, entry)
	}
	return entries, errors.Join(errs...)
}

// parseEntry returns one entry in the form that httpproxy compares hosts with.
func parseEntry(s string) (string, error) {
	if s == "*" {
		return s, nil
	}
	if strings.ContainsFunc(s, blankOrControl) {
		return "", errors.New("it has blanks or control bytes: entries are separated by commas")
	}
	if strings.Contains(s, "/") {
		return parsePrefix(s)
	}
	if addr, err := netip.ParseAddr(s); err == nil {
		return entryAddr(addr)
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		return parseBracketed(inner)
	}
	name, port, hasPort := strings.Cut(s, ":")
	if hasPort {
		var err error
		if port, err = parsePort(port); err != nil {
			return "", err
		}
	}
	host, err := parsePattern(name)
	if err != nil || !hasPort {
		return host, err
	}
	return host + ":" + port, nil
}

// parsePrefix returns an address prefix (RFC 4632). A mapped one would be compared with IPv4 addresses or with none,
// depending on its length.
func parsePrefix(s string) (string, error) {
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return "", errors.New("it has a slash and is not an address prefix such as 192.0.2.0/24")
	}
	if prefix.Addr().Is4In6() {
		return "", errors.New("it is an IPv4-mapped prefix: write that of the IPv4 addresses")
	}
	return prefix.Masked().String(), nil
}

// entryAddr returns an address without a port.
func entryAddr(addr netip.Addr) (string, error) {
	if addr.Zone() != "" {
		return "", errors.New("it has a zone: addresses are compared without theirs")
	}
	return addr.Unmap().String(), nil
}

// parseBracketed reads what follows a bracket: an IPv6 address, the other bracket, and perhaps a port.
func parseBracketed(s string) (string, error) {
	inner, rest, closed := strings.Cut(s, "]")
	addr, err := netip.ParseAddr(inner)
	if !closed || err != nil || !addr.Is6() {
		return "", errors.New("it begins with a bracket and is not an IPv6 address in brackets")
	}
	host, err := entryAddr(addr)
	if err != nil || rest == "" {
		return host, err
	}
	port, ok := strings.CutPrefix(rest, ":")
	if !ok {
		return "", errors.New("what follows the bracket is not a port")
	}
	if port, err = parsePort(port); err != nil {
		return "", err
	}
	return net.JoinHostPort(host, port), nil
}

// parsePattern reads a host name, which may begin with a dot or with an asterisk and a dot, or an IPv4 address.
func parsePattern(s string) (string, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.String(), nil
	}
	below := ""
	if name, ok := strings.CutPrefix(s, "*."); ok {
		s, below = name, "."
	} else if name, ok := strings.CutPrefix(s, "."); ok {
		s, below = name, "."
	}
	if strings.Contains(s, "*") {
		return "", errors.New("an asterisk stands alone, or as *. before a name")
	}
	name, err := parseName(s)
	if err != nil {
		return "", err
	}
	return below + strings.TrimSuffix(name, "."), nil
}
