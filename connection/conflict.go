package connection

import (
	"errors"
	"fmt"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/redact"
)

// conflicts finds options that contradict each other.
func (cfg *config) conflicts() error {
	var errs []error
	if cfg.transportBy != "" {
		for _, name := range cfg.pool.given {
			errs = append(errs, &OptionError{Option: name, Err: errors.New("it has no effect beside " + cfg.transportBy)})
		}
	}
	if cfg.transport != nil && cfg.insecureTLS {
		errs = append(errs, wrapOption("WithInsecureSkipVerify", errForeignTransport))
	}
	forbidden := func(option string, proxy Proxy) {
		if cfg.pool.noProxy && proxy.Mode == ProxyCustom {
			errs = append(errs, &OptionError{Option: option, Err: fmt.Errorf(
				"runtime %q has no proxies (NoProxy), and Mode ProxyCustom asks for one", redact.Line(cfg.runtimeName))})
		}
	}
	forbidden("WithProxy", cfg.pool.proxy)
	forbidden("WithTokenProxy", cfg.pool.tokenProxy)
	return errors.Join(append(errs, cfg.headerConflict())...)
}

var errForeignTransport = errors.New("the transport is the caller's, and so is what it verifies: set " +
	"InsecureSkipVerify in its TLSClientConfig")

// headerConflict finds a header that the authenticator sets as well.
func (cfg *config) headerConflict() error {
	if auth.IsNone(cfg.auth) {
		return nil
	}
	for _, name := range append(auth.Headers(cfg.auth), "Authorization") {
		if cfg.header[name] != nil {
			return &OptionError{Option: "WithHeader", Err: errors.New(name + " is for WithAuth to set: give one of them")}
		}
	}
	return nil
}

// conflicts finds options that cannot hold together, now that it is known which proxies there are.
func (p *pool) conflicts(m *material) error {
	var errs []error
	fault := func(wrong bool, option, text string) {
		if wrong {
			errs = append(errs, &OptionError{Option: option, Err: errors.New(text)})
		}
	}
	c := &p.config
	proxy := m.proxy.via(p.base)
	fault(c.publicOnly && (m.proxy != nil || m.tokenProxy != nil), "WithPublicAddressesOnly", errProxyResolves.Error())
	fault(c.dialTo != "" && proxy != nil, "WithConnectTo",
		"there is a proxy, which looks up names by itself: set Proxy{Mode: ProxyNone}")
	fault(len(c.pins) > 0 && p.base.Scheme == "http", "WithPinnedKeys", "the base URL is http, where nobody shows a key")
	fault(c.version == HTTP2Required && p.base.Scheme == "http", "WithHTTPVersion",
		"HTTP2Required wants https: on http there is HTTP2Unencrypted")
	fault(c.version == HTTP2Unencrypted && p.base.Scheme == "http" && proxy != nil && !proxiesAll(proxy),
		"WithHTTPVersion", errUnencryptedProxy.Error())
	return errors.Join(errs...)
}

var errProxyResolves = errors.New("a proxy looks up names by itself: set Proxy{Mode: ProxyNone}, also in " +
	"WithTokenProxy, and no Proxy in auth.Endpoint, or let the proxy refuse")
