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

// plan is what is sent for one purpose, and the names that have to be known before the first request.
type plan struct {
	renew bool
	steps []*step
	needs map[string][]string // where each name stands; without those that steps before it save
}

// newPlan finds out what is needed.
func newPlan(renew bool, steps []*step) plan {
	p := plan{renew: renew, steps: steps, needs: map[string][]string{}}
	saved := map[string]bool{}
	for _, s := range steps {
		for _, at := range s.places() {
			for _, name := range at.text.names() {
				if !saved[name] && !slices.Contains(p.needs[name], at.where) {
					p.needs[name] = append(p.needs[name], at.where)
				}
			}
		}
		for name := range s.save {
			saved[name] = true
		}
	}
	return p
}

// uses reports whether the plan needs the name.
func (p plan) uses(name string) bool { return len(p.needs[name]) > 0 }

// compile takes the configuration apart, and returns all that is wrong with it.
func (g *grant) compile() error {
	var f faults
	cfg := &g.config
	f.add("Endpoint", callConfig(cfg).Validate())
	f.baseURL(cfg)
	g.login = newPlan(false, f.steps("Steps", cfg, cfg.Steps))
	g.renew = newPlan(true, f.steps("Renew", cfg, cfg.Renew))
	f.values(cfg, g)
	f.flow(cfg, g)
	f.outputs(cfg, g)
	f = append(f, g.unknown())
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
func (f *faults) values(cfg *Config, g *grant) {
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
				f.addIf(g.configured(name), fmt.Sprintf("%s[%d].Save", where, i), fmt.Errorf("%q is set already", name))
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
	f.addIf(g.token.uses(nameToken) && cfg.Start == nil && len(cfg.Renew) == 0, "Token", errNoBefore)
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
	f.addIf(cfg.Refresh != "" && len(cfg.Steps) > 0 && !g.renew.uses(nameRefresh), "Refresh",
		errors.New("no step of Renew uses {{refresh}}, so that it has no effect"))
}

// unknown names what no value is configured for. What Compute returns is not known yet, and neither is the Extra of a
// token that comes from elsewhere: from Start, from OnTokenResponse, or from the manager if there are no Steps.
func (g *grant) unknown() error {
	cfg := &g.config
	var e MissingError
	if cfg.Compute == nil && cfg.Start == nil {
		g.addMissing(&e, g.login, nil)
	}
	if cfg.Compute == nil && cfg.OnTokenResponse == nil && len(cfg.Steps) > 0 {
		before := values{nameToken: "", nameRefresh: ""}
		maps.Copy(before, cfg.Extra)
		g.addMissing(&e, g.renew, before)
	}
	return e.orNil()
}

// configured reports whether a name is one of Params or Secrets.
func (g *grant) configured(name string) bool {
	_, isParam := g.config.Params[name]
	_, isSecret := g.config.Secrets[name]
	return isParam || isSecret
}

// addMissing notes what the plan needs, and what is neither configured nor among those.
func (g *grant) addMissing(e *MissingError, p plan, others values) {
	known := slices.Collect(maps.Keys(others))
	known = slices.AppendSeq(slices.AppendSeq(known, maps.Keys(g.config.Params)), maps.Keys(g.config.Secrets))
	slices.Sort(known)
	for name, places := range p.needs {
		if !slices.Contains(known, name) {
			e.add(name, places, nearest(name, known))
		}
	}
}
