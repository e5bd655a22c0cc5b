package connection

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/restconn/restconn/internal/redact"
)

// Runtime is a way out to the network: a zone, an agent, an egress gateway.
type Runtime struct {
	// Transport sends the requests, as [WithTransport] has it. The other fields are then for nothing, but for NoProxy.
	Transport http.RoundTripper
	// DialContext is that of [WithDialContext].
	DialContext DialFunc
	// Host and Port are those of [WithHostPort]: both or none.
	Host string
	Port int
	// Proxy is what [ProxyPlatform] means in this runtime. The zero Proxy is that of the environment.
	Proxy Proxy
	// NoProxy says that there are no proxies in this runtime: the environment is not asked, and a custom one is an error.
	NoProxy bool
}

// Runtimes are the runtimes that an application has, by name.
type Runtimes map[string]Runtime

// ErrUnknownRuntime means that there is no [Runtime] of that name.
var ErrUnknownRuntime = errors.New("there is no runtime of that name")

// WithRuntime sends the requests, and token calls, out through the runtime of that name. A name that is not among
// runtimes is [ErrUnknownRuntime].
func WithRuntime(name string, runtimes Runtimes) Option {
	return option{"WithRuntime", func(cfg *config) error {
		r, ok := runtimes[name]
		if !ok {
			return fmt.Errorf("%w: %q", ErrUnknownRuntime, redact.Line(name))
		}
		return r.apply(cfg, name)
	}}
}

func (r Runtime) apply(cfg *config, name string) error {
	c := &cfg.pool
	c.runtime, c.noProxy = name, r.NoProxy
	errs := []error{r.Proxy.validate()}
	if r.NoProxy && r.Proxy.Mode == ProxyCustom {
		errs = append(errs, errors.New("it has a Proxy and NoProxy"))
	}
	c.platform = r.Proxy
	if r.Host != "" || r.Port != 0 {
		addr, err := dialAddress(r.Host, r.Port)
		c.dialTo, errs = addr, append(errs, err)
	}
	if r.DialContext != nil {
		c.dial = r.DialContext
	}
	if r.Transport != nil {
		if c.dialTo != "" || c.dial != nil || r.Proxy.Mode == ProxyCustom {
			errs = append(errs, errors.New("beside a Transport, nothing else has an effect"))
		}
		cfg.transport, cfg.transportBy = r.Transport, "WithRuntime"
		return errors.Join(append(errs, cfg.fixed())...)
	}
	return errors.Join(append(errs, cfg.ofPool("WithRuntime"))...)
}
