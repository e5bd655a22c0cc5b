package connection

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

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

const withRuntime = "WithRuntime"

// WithRuntime sends the requests, and token calls, out through the runtime of that name. A name that is not among
// runtimes is [ErrUnknownRuntime].
func WithRuntime(name string, runtimes Runtimes) Option {
	return option{withRuntime, func(cfg *config) error {
		r, ok := runtimes[name]
		if !ok {
			return fmt.Errorf("%w: %q", ErrUnknownRuntime, redact.Line(name))
		}
		return r.apply(cfg, name)
	}}
}

// poolDials is how connections are made without a runtime.
type poolDials struct {
	dial   DialFunc
	dialTo string
}

// leave takes back what another runtime has set: of two the last one counts, and nothing of the first.
func (cfg *config) leave() {
	c := &cfg.pool
	if c.outside != nil {
		c.dial, c.dialTo = c.outside.dial, c.outside.dialTo
	}
	c.outside = &poolDials{dial: c.dial, dialTo: c.dialTo}
	if cfg.transportBy == withRuntime {
		cfg.transport, cfg.transportBy = nil, ""
	}
	c.given = slices.DeleteFunc(c.given, func(name string) bool { return name == withRuntime })
}

func (r Runtime) apply(cfg *config, name string) error {
	if cfg.derived {
		return cfg.fixed()
	}
	cfg.leave()
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
		if r.DialContext != nil || r.Host != "" || r.Port != 0 || r.Proxy.Mode == ProxyCustom {
			errs = append(errs, errors.New("beside a Transport, nothing else has an effect"))
		}
		cfg.transport, cfg.transportBy = r.Transport, withRuntime
		return errors.Join(append(errs, cfg.fixed())...)
	}
	return errors.Join(append(errs, cfg.ofPool(withRuntime))...)
}
