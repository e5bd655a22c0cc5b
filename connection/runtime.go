package connection

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/restconn/restconn/internal/redact"
)

// Runtime is a way out to the network: a zone, an agent, an egress gateway.
type Runtime struct {
	// Transport sends the requests, as [WithTransport] has it. Beside it, the other fields are empty.
	Transport http.RoundTripper
	// DialContext is that of [WithDialContext].
	DialContext DialFunc
	// Host and Port are those of [WithConnectTo]: both or none.
	Host string
	Port int
	// Proxy is what [ProxyPlatform] means in this runtime. The zero Proxy is that of the environment.
	Proxy Proxy
	// NoProxy says that there are no proxies in this runtime: the environment is not asked, and a custom one is an
	// error.
	NoProxy bool
}

// Runtimes are the runtimes that an application has, by name.
type Runtimes map[string]Runtime

// ErrUnknownRuntime means that there is no [Runtime] of that name.
var ErrUnknownRuntime = errors.New("there is no runtime of that name")

// WithRuntime sends the requests, and token calls, out through the runtime of that name. A name that is not among
// runtimes is [ErrUnknownRuntime]. What the runtime sets is not to be set by an option as well.
func WithRuntime(name string, runtimes Runtimes) Option {
	return option{withRuntime, func(cfg *config) error {
		r, ok := runtimes[name]
		if !ok {
			return fmt.Errorf("%w: %q", ErrUnknownRuntime, redact.Line(name))
		}
		cfg.runtime, cfg.runtimeName = &r, name
		return errors.Join(r.validate(), cfg.fixed())
	}}
}

const withRuntime = "WithRuntime"

// dialsTo reports whether another host and port are dialed than those of the base URL.
func (r *Runtime) dialsTo() bool { return r.Host != "" || r.Port != 0 }

func (r *Runtime) validate() error {
	errs := []error{r.Proxy.validate()}
	if r.NoProxy && r.Proxy.Mode == ProxyCustom {
		errs = append(errs, errors.New("the runtime has a Proxy and NoProxy"))
	}
	if r.dialsTo() {
		_, err := dialAddress(r.Host, r.Port)
		errs = append(errs, err)
	}
	if r.Transport != nil && (r.DialContext != nil || r.dialsTo() || r.Proxy.Mode == ProxyCustom) {
		errs = append(errs, errors.New("beside a Transport, nothing else of a runtime has an effect"))
	}
	return errors.Join(errs...)
}

// enterRuntime sets what the runtime sets, unless an option has done so.
func (cfg *config) enterRuntime() error {
	r, c := cfg.runtime, &cfg.pool
	if r == nil {
		return nil
	}
	var errs []error
	twice := func(wrong bool, by string) {
		if wrong {
			why := errors.New("it sets how connections are made, and so does " + by)
			errs = append(errs, &OptionError{Option: withRuntime, Err: why})
		}
	}
	twice(r.DialContext != nil && c.dial != nil, "WithDialContext")
	twice(r.dialsTo() && c.dialTo != "", "WithConnectTo")
	twice(cfg.transport != nil, cfg.transportBy)
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if r.DialContext != nil {
		c.dial = r.DialContext
	}
	if r.dialsTo() {
		c.dialTo, _ = dialAddress(r.Host, r.Port)
	}
	if r.Transport != nil {
		cfg.transport, cfg.transportBy = r.Transport, withRuntime
	}
	c.noProxy, c.platform = r.NoProxy, r.Proxy
	return nil
}
