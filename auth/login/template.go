package login

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// template is a text with names in it.
type template []part

// part is a text, or a name if there is one.
type part struct{ text, name string }

// literalBraces is what stands between braces for two braces that mean themselves.
const literalBraces = "'{{'"

var namePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// parseTemplate takes text apart.
func parseTemplate(text string) (template, error) {
	var t template
	for text != "" {
		before, rest, ok := strings.Cut(text, "{{")
		if before != "" {
			t = append(t, part{text: before})
		}
		if !ok {
			return t, nil
		}
		if after, ok := strings.CutPrefix(rest, literalBraces+"}}"); ok {
			t, text = append(t, part{text: "{{"}), after
			continue
		}
		name, after, ok := strings.Cut(rest, "}}")
		if !ok {
			return nil, errors.New("there is a {{ without }}; braces that mean themselves are written {{'{{'}}")
		}
		if name = strings.TrimSpace(name); !namePattern.MatchString(name) {
			return nil, errors.New("between {{ and }} is no name; braces that mean themselves are written {{'{{'}}")
		}
		t, text = append(t, part{name: name}), after
	}
	return t, nil
}

// names returns the names in the template.
func (t template) names() []string {
	var names []string
	for _, p := range t {
		if p.name != "" {
			names = append(names, p.name)
		}
	}
	return names
}

// hostNames returns the names in the scheme and the host of a URL.
func (t template) hostNames() []string {
	var names []string
	for i, p := range t {
		text := p.text
		if i == 0 {
			if p.name != "" { // the whole URL, behind which a path begins
				return []string{p.name}
			}
			_, text, _ = strings.Cut(text, "://")
		}
		if strings.ContainsAny(text, "/?") {
			break
		}
		if p.name != "" {
			names = append(names, p.name)
		}
	}
	return names
}

// values are what stands for the names.
type values map[string]string

// render puts the values into the template, each escaped.
func (t template) render(v values, escape func(value string) (string, error)) (string, error) {
	var out strings.Builder
	for _, p := range t {
		text := p.text
		if p.name != "" {
			var err error
			if text, err = escape(v[p.name]); err != nil {
				return "", inName(p.name, err)
			}
		}
		out.WriteString(text)
	}
	return out.String(), nil
}

// inName says of which name the value is wrong.
func inName(name string, err error) error { return fmt.Errorf("the value of {{%s}} %w", name, err) }
