package preset

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

// service is what is known of a service. What is in it is never changed.
type service struct {
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

// Preset is what is known of a service. It is a value, is not changed, and is safe for concurrent use. The zero Preset
// is that of no service: Validate says so, and so do the grants that it makes.
type Preset struct {
	service service
	values  map[string]string
}

// Lookup returns the preset of that name, which is in lower case, as "google" is, and whether there is one.
func Lookup(name string) (Preset, bool) {
	for _, p := range services {
		if p.name == name {
			return Preset{service: p}, true
		}
	}
	return Preset{}, false
}

// Names returns the names of all presets, sorted.
func Names() []string {
	names := make([]string, 0, len(services))
	for _, p := range services {
		names = append(names, p.name)
	}
	slices.Sort(names)
	return names
}

// Name returns the name of the service; "" for the zero Preset.
func (p Preset) Name() string { return p.service.name }

// Parameters returns the names that With takes. Validate tells which of them still need a value.
func (p Preset) Parameters() []string {
	names := make([]string, 0, len(p.service.parameters))
	for _, param := range p.service.parameters {
		names = append(names, param.name)
	}
	return names
}

// With returns the preset with a value for a parameter of its URLs, such as the subdomain of a customer. It takes the
// place of one that was given before. A value is a host label or a few of them, so that the URLs stay at the service;
// one that is not, Validate tells.
func (p Preset) With(name, value string) Preset {
	p.values = maps.Clone(p.values)
	if p.values == nil {
		p.values = make(map[string]string)
	}
	p.values[name] = value
	return p
}

// Validate tells what is wrong with the parameters. Where something is, no URL is filled in, and a grant of what
// [Preset.Client] returns says the same.
func (p Preset) Validate() error {
	if p.service.name == "" {
		return errors.New("preset: there is no such preset: Lookup has not found it")
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		if !slices.Contains(p.Parameters(), name) {
			faults = append(faults, fmt.Errorf("preset: %s: there is no parameter %q", p.service.name, name))
		}
	}
	for _, param := range p.service.parameters {
		value, ok := p.values[param.name]
		switch {
		case !ok && param.fallback == "":
			faults = append(faults, fmt.Errorf("preset: %s: there is no %s: set it by With", p.service.name, param.name))
		case ok && param.check(value) != nil:
			faults = append(faults, fmt.Errorf("preset: %s: %s: %w", p.service.name, param.name, param.check(value)))
		}
	}
	return errors.Join(faults...)
}

// url returns a URL with the values of the parameters; "" if they are not valid.
func (p Preset) url(template string) string {
	if p.Validate() != nil {
		return ""
	}
	var pairs []string
	for _, param := range p.service.parameters {
		pairs = append(pairs, "{"+param.name+"}", param.expand(p.values[param.name]))
	}
	return strings.NewReplacer(pairs...).Replace(template)
}

// String implements [fmt.Stringer].
func (p Preset) String() string { return "preset " + strconv.Quote(p.service.name) }

// Format implements [fmt.Formatter], so that every verb shows the name.
func (p Preset) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }
