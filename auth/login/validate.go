package login

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/tokencall"
	"github.com/restconn/restconn/secrets"
)

// plan is what is sent for one purpose, and the names that it needs.
type plan struct {
	renew bool
	steps []*step
	names []string // sorted, without those that its own steps save
}

// newPlan finds out which names have to be known before the first request.
func newPlan(renew bool, steps []*step) plan {
	p := plan{renew: renew, steps: steps}
	saved := map[string]bool{}
	for _, s := range steps {
		for _, name := range s.names() {
			if !saved[name] {
				p.names = append(p.names, name)
			}
		}
		for name := range s.save {
			saved[name] = true
		}
	}
	slices.Sort(p.names)
	p.names = slices.Compact(p.names)
	return p
}

// uses reports whether the plan needs the name.
func (p plan) uses(name string) bool { return slices.Contains(p.names, name) }

// compile takes the configuration apart, and returns all that is wrong with it.
func (g *grant) compile() error {
	var f faults
	cfg := &g.config
	f.add("Endpoint", callConfig(cfg).Validate())
	f.baseURL(cfg)
	g.login = newPlan(false, f.steps("Steps", cfg, cfg.Steps))
	g.renew = newPlan(true, f.steps("Renew", cfg, cfg.Renew))
	f.values(cfg)
	f.flow(cfg, g)
	f.outputs(cfg, g)
	if cfg.Compute == nil {
		f = append(f, g.unknown())
	}
	return errors.Join(f...)
}

// callConfig is how calls are sent.
func callConfig(cfg *Config) tokencall.Config {
	e := cfg.Endpoint
	return tokencall.Config{
		Client: e.Client, CA: e.TrustedCA, CAOnly: e.TrustedCAOnly, Proxy: e.Proxy, AllowHTTP: e.AllowHTTP,
		Follow: cfg.FollowRedirects,
	}
}

// values checks where values come from.
func (f *faults) values(cfg *Config) {
	for _, name := range slices.Sorted(maps.Keys(cfg.Params)) {
		f.name("Params", name)
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Secrets)) {
		f.name("Secrets", name)
		f.add(fmt.Sprintf("Secrets[%q]", name), secrets.Validate(cfg.Secrets[name]))
	}
	saved := func(where string, steps []Step) {
		for i, s := range steps {
			for name := range s.Save {
				_, isParam := cfg.Params[name]
				_, isSecret := cfg.Secrets[name]
				f.addIf(isParam || isSecret, fmt.Sprintf("%s[%d].Save", where, i), fmt.Errorf("%q is set already", name))
			}
		}
	}
	saved("Steps", cfg.Steps)
	saved("Renew", cfg.Renew)
}

// flow checks which requests are sent when.
func (f *faults) flow(cfg *Config, g *grant) {
	f.addIf(len(cfg.Steps) == 0 && len(cfg.Renew) == 0, "Steps", errMissing)
	f.addIf(len(cfg.RenewRefused) > 0 && len(cfg.Renew) == 0, "RenewRefused", errUnused)
	f.addIf(len(cfg.Renew) > 0 && !g.renew.uses(nameToken) && !g.renew.uses(nameRefresh), "Renew",
		errors.New("it uses neither {{token}} nor {{refresh}}; Steps are sent again without it"))
	f.addIf(cfg.MinAge < 0, "MinAge", errNegative)
	if cfg.Start == nil {
		return
	}
	f.addIf(len(cfg.Steps) == 0, "Start", errUnused)
	f.addIf(!g.login.uses(nameToken), "Start", errors.New("no step uses its {{token}}"))
	if v, ok := cfg.Start.(auth.Validator); ok {
		f.add("Start", v.Validate())
	}
}

// outputs checks what is made of the answers.
func (f *faults) outputs(cfg *Config, g *grant) {
	g.token, g.expiry = f.expression("Token", cfg.Token), f.expression("Expiry", cfg.Expiry)
	g.refresh, g.extra = f.expression("Refresh", cfg.Refresh), f.expressions("Extra", cfg.Extra)
	f.addIf(cfg.ExpiryForm > ExpiryEpochMilliseconds, "ExpiryForm", fmt.Errorf("%d is none", cfg.ExpiryForm))
	f.addIf(cfg.Lifetime < 0, "Lifetime", errNegative)
	cookies := len(cfg.Cookies) > 0 || cfg.AllCookies
	if cfg.OnTokenResponse != nil {
		others := cfg.Token != "" || cfg.Expiry != "" || cfg.Refresh != "" || len(cfg.Extra) > 0 || cookies ||
			cfg.Lifetime != 0 || cfg.NeverExpires || cfg.ExpiryForm != ExpiryAuto
		f.addIf(others, "OnTokenResponse", errors.New("it takes the place of the expressions: leave them out"))
		return
	}
	f.addIf(cfg.Token == "" && !cookies, "Token", errMissing)
	f.addIf(cfg.Token != "" && cookies, "Token", errors.New("cookies take its place"))
	f.addIf(len(cfg.Cookies) > 0 && cfg.AllCookies, "Cookies", errBoth)
	f.addIf(cfg.Expiry == "" && cfg.Lifetime == 0 && !cfg.NeverExpires, "Expiry",
		errors.New("it is required; Lifetime or NeverExpires stands for an answer without one"))
	f.addIf(cfg.NeverExpires && (cfg.Expiry != "" || cfg.Lifetime != time.Duration(0)), "NeverExpires", errBoth)
	f.addIf(cfg.ExpiryForm != ExpiryAuto && cfg.Expiry == "", "ExpiryForm", errUnused)
	f.addIf(cfg.Refresh != "" && !g.renew.uses(nameRefresh), "Refresh",
		errors.New("no step of Renew uses {{refresh}}, so that it has no effect"))
}

// unknown names what no value is configured for.
func (g *grant) unknown() error {
	known := values{nameToken: "", nameRefresh: ""}
	if g.config.Start == nil {
		delete(known, nameToken)
		delete(known, nameRefresh)
	}
	names := g.without(g.login, known)
	names = append(names, g.without(g.renew, values{nameToken: "", nameRefresh: ""})...)
	slices.Sort(names)
	return missing(slices.Compact(names))
}

// without returns the names of the plan that are neither known nor configured.
func (g *grant) without(p plan, known values) []string {
	var names []string
	for _, name := range p.names {
		_, isKnown := known[name]
		_, isParam := g.config.Params[name]
		_, isSecret := g.config.Secrets[name]
		if !isKnown && !isParam && !isSecret {
			names = append(names, name)
		}
	}
	return names
}

// missing makes an error of names, if there are any.
func missing(names []string) error {
	if len(names) == 0 {
		return nil
	}
	return &MissingError{Names: names}
}
