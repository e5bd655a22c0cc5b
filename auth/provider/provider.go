package provider

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/oauth2"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
)

// preset is what is known of a service. What is in it is never changed.
type preset struct {
	name string
	// at are the endpoints; {name} in them stands for a parameter, also in the URLs of client.
	at         oauth2.Endpoint
	parameters []parameter
	// client and authorization are what the service wants beside that.
	client        oauth2flow.Client
	authorization oauth2flow.Authorization
	// send is how its API takes tokens; nil for Authorization: Bearer.
	send []auth.BearerOption
}

// Provider is what is known of a service. It is a value, is not changed, and is safe for concurrent use. The zero
// Provider knows nothing: Validate says so, and it fills in nothing.
type Provider struct {
	preset preset
	values map[string]string
}

// Lookup returns the provider of that name, which is in lower case, as "google" is, and whether there is one.
func Lookup(name string) (Provider, bool) {
	for _, p := range presets {
		if p.name == name {
			return Provider{preset: p}, true
		}
	}
	return Provider{}, false
}

// Names returns the names of all providers, sorted.
func Names() []string {
	names := make([]string, 0, len(presets))
	for _, p := range presets {
		names = append(names, p.name)
	}
	slices.Sort(names)
	return names
}

// Name returns the name of the provider; "" for the zero Provider.
func (p Provider) Name() string { return p.preset.name }

// Parameters returns the names that With takes. Validate tells which of them still need a value.
func (p Provider) Parameters() []string {
	names := make([]string, 0, len(p.preset.parameters))
	for _, param := range p.preset.parameters {
		names = append(names, param.name)
	}
	return names
}

// With returns the provider with a value for a parameter of its URLs, such as the subdomain of a customer. It takes the
// place of one that was given before. A value is a host label or a few of them, so that the URLs stay at the service;
// one that is not, Validate tells.
func (p Provider) With(name, value string) Provider {
	p.values = maps.Clone(p.values)
	if p.values == nil {
		p.values = make(map[string]string)
	}
	p.values[name] = value
	return p
}

// Validate tells what is wrong with the parameters. Where something is, no URL is filled in, so that what is made of
// the provider is not valid either.
func (p Provider) Validate() error {
	if p.preset.name == "" {
		return errors.New("provider: it is not one that Lookup has found")
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		if !slices.Contains(p.Parameters(), name) {
			faults = append(faults, fmt.Errorf("provider: %s: there is no parameter %q", p.preset.name, name))
		}
	}
	for _, param := range p.preset.parameters {
		value, ok := p.values[param.name]
		switch {
		case !ok && param.fallback == "":
			faults = append(faults, fmt.Errorf("provider: %s: there is no %s: set it by With", p.preset.name, param.name))
		case ok && param.check(value) != nil:
			faults = append(faults, fmt.Errorf("provider: %s: %s: %w", p.preset.name, param.name, param.check(value)))
		}
	}
	return errors.Join(faults...)
}

// url returns a URL with the values of the parameters; "" if they are not valid.
func (p Provider) url(template string) string {
	if p.Validate() != nil {
		return ""
	}
	var pairs []string
	for _, param := range p.preset.parameters {
		pairs = append(pairs, "{"+param.name+"}", param.expand(p.values[param.name]))
	}
	return strings.NewReplacer(pairs...).Replace(template)
}

// String implements [fmt.Stringer].
func (p Provider) String() string { return "provider " + strconv.Quote(p.preset.name) }

// Format implements [fmt.Formatter], so that every verb shows the name.
func (p Provider) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }
