package login

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/restconn/restconn/internal/field"
	"github.com/restconn/restconn/internal/origin"
)

var (
	errMissing  = errors.New("it is required")
	errNegative = errors.New("it is negative")
	errBoth     = errors.New("there are two where only one can be")
	errOneBody  = errors.New("there is more than one body")
	errBodyless = errors.New("a GET and a HEAD have no body")
	errBoundary = errors.New("the type of a multipart has its boundary in it, and is not set by hand")
	errToken    = errors.New("the name is not a token (RFC 9110, section 5.6.2)")
	errUnused   = errors.New("it has no effect")
	errNoBefore = errors.New("there is no token before: neither Renew nor Start is there")
	errReserved = errors.New("token and refresh are names of their own")
	errName     = errors.New("a name is a letter or an underscore, and letters, digits, dots, hyphens and underscores")
)

// faults collects what is wrong with a configuration.
type faults []error

// add notes a fault of a field, if err is one.
func (f *faults) add(name string, err error) {
	if err != nil {
		*f = append(*f, &ConfigError{Field: name, Err: err})
	}
}

// addIf notes a fault if it is there.
func (f *faults) addIf(wrong bool, name string, err error) {
	if wrong {
		f.add(name, err)
	}
}

// template parses a template.
func (f *faults) template(name, text string) template {
	t, err := parseTemplate(text)
	f.add(name, err)
	return t
}

// expression compiles an expression.
func (f *faults) expression(name, text string) *expression {
	e, err := newExpression(text)
	f.add(name, err)
	return e
}

// expressions compiles a map of them.
func (f *faults) expressions(name string, texts map[string]string) map[string]*expression {
	all := make(map[string]*expression, len(texts))
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		where := fmt.Sprintf("%s[%q]", name, key)
		f.addIf(texts[key] == "", where, errMissing)
		all[key] = f.expression(where, texts[key])
	}
	return all
}

// steps takes steps apart.
func (f *faults) steps(name string, cfg *Config, all []Step) []*step {
	compiled := make([]*step, len(all))
	for i := range all {
		compiled[i] = f.step(fmt.Sprintf("%s[%d]", name, i), cfg, &all[i])
	}
	return compiled
}

// step takes a step apart.
func (f *faults) step(name string, cfg *Config, s *Step) *step {
	c := &step{where: name, method: s.Method, success: slices.Clone(s.Success)}
	if c.method == "" {
		c.method = http.MethodPost
	}
	f.addIf(!slices.Contains(methods, c.method), name+".Method", errors.New("it is none of "+strings.Join(methods, ", ")))
	f.target(name, cfg, s, c)
	c.query = f.fields(name, "Query", s.Query)
	f.header(name, s, c)
	f.body(name, s, c)
	for _, status := range s.Success {
		f.addIf(status < 200 || status > 599, name+".Success", fmt.Errorf("%d is no status of an answer", status))
	}
	c.ok = f.expression(name+".Ok", s.Ok)
	c.save = f.expressions(name+".Save", s.Save)
	for key := range s.Save {
		f.name(name+".Save", key)
	}
	return c
}

var methods = []string{ //nolint:gochecknoglobals // never changed
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodOptions,
}

// target takes the URL of a step apart.
func (f *faults) target(name string, cfg *Config, s *Step, c *step) {
	c.url, c.path = f.template(name+".URL", s.URL), f.template(name+".Path", s.Path)
	switch {
	case s.URL != "" && s.Path != "":
		f.add(name+".URL", errors.New("it takes the place of BaseURL and Path: leave Path out"))
	case s.URL == "" && s.Path == "":
		f.add(name+".Path", errMissing)
	case strings.HasPrefix(s.Path, "//"), strings.Contains(strings.SplitN(s.Path, "?", 2)[0], "://"):
		f.add(name+".Path", errors.New("it is joined to BaseURL; a URL of its own is written to URL"))
	case s.URL == "" && cfg.BaseURL == "":
		f.add("BaseURL", errors.New("it is required for a step without a URL"))
	case s.URL == "":
		c.base, _ = parseTemplate(cfg.BaseURL) // its fault is told once, elsewhere
		if len(c.base) > 0 {
			f.add(name+".Path", sample(cfg, &step{base: template{{text: "https://h"}}, path: c.path}))
		}
	default:
		f.add(name+".URL", sample(cfg, &step{url: c.url}))
	}
}

// sample tells what is wrong with a URL whatever the values.
func sample(cfg *Config, s *step) error {
	v := values{}
	for _, p := range s.places() {
		for _, name := range p.text.names() {
			v[name] = "0"
		}
	}
	if t := s.url; len(t) > 0 && t[0].name != "" {
		v[t[0].name] = "https://h"
	}
	u, _, err := s.target(v)
	if err != nil {
		return err
	}
	if s.url.constantHost() { // another is checked once it is known
		return callConfig(cfg).CheckURL(u)
	}
	return nil
}

// constantHost reports whether the host has no names in it.
func (t template) constantHost() bool {
	if len(t) == 0 || t[0].name != "" {
		return false
	}
	_, rest, _ := strings.Cut(t[0].text, "://")
	return len(t) == 1 || strings.ContainsAny(rest, "/?")
}

// header takes the header and Basic apart.
func (f *faults) header(name string, s *Step, c *step) {
	c.header = f.fields(name, "Header", s.Header)
	seen := map[string]bool{}
	for i := range c.header {
		h := &c.header[i]
		where := name + "." + h.where
		f.addIf(h.name != "" && !field.IsToken(h.name), where, errToken)
		h.name = http.CanonicalHeaderKey(h.name)
		f.addIf(field.Reserved(h.name), where, errors.New("this field belongs to the connection"))
		f.addIf(h.name == headerType && seen[headerType], where, errBoth)
		f.addIf(h.name == headerAuth && s.Basic != nil, where, errors.New("Basic writes this field"))
		f.addIf(h.name == headerType && len(s.Multipart) > 0, where, errBoundary)
		for _, p := range h.value {
			f.addIf(field.HasControl(p.text), where, errors.New("the value has control characters"))
		}
		seen[h.name] = true
	}
	if s.Basic != nil {
		for _, p := range []Field{{"Basic.User", s.Basic.User}, {"Basic.Password", s.Basic.Password}} {
			c.basic = append(c.basic, fieldTemplate{where: p.Name, value: f.template(name+"."+p.Name, p.Value)})
		}
		f.addIf(strings.Contains(s.Basic.User, ":"), name+".Basic.User", errColon)
	}
}

// body takes the body apart.
func (f *faults) body(name string, s *Step, c *step) {
	bodies := 0
	for _, there := range []bool{s.Form != nil, s.JSON != nil, s.XML != "", s.Raw != "", s.Multipart != nil} {
		if there {
			bodies++
		}
	}
	f.addIf(bodies > 1, name, errOneBody)
	f.addIf(bodies > 0 && (c.method == http.MethodGet || c.method == http.MethodHead), name, errBodyless)
	f.addIf(s.ContentType != "" && s.Raw == "", name+".ContentType", errors.New("it is that of Raw, and there is none"))
	f.addIf(s.Multipart != nil && len(s.Multipart) == 0, name+".Multipart", errors.New("it has no parts"))
	c.body = f.content(name, s)
}

// name checks a name of a value.
func (f *faults) name(where, name string) {
	f.addIf(!namePattern.MatchString(name), where, fmt.Errorf("%q: %w", name, errName))
	f.addIf(name == nameToken || name == nameRefresh, where, fmt.Errorf("%q: %w", name, errReserved))
}

// baseURL checks the base URL.
func (f *faults) baseURL(cfg *Config) {
	if cfg.BaseURL == "" {
		return
	}
	t := f.template("BaseURL", cfg.BaseURL)
	if len(t) == 0 {
		return
	}
	err := sample(cfg, &step{url: t})
	if err == nil && strings.Contains(cfg.BaseURL, "?") {
		err = errBaseQuery
	}
	if errors.Is(err, origin.ErrScheme) {
		err = errScheme
	}
	f.add("BaseURL", err)
}
