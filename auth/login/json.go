package login

import (
	"encoding/json"
	"errors"
	"strings"
)

var (
	errJSON      = errors.New("the body is not JSON")
	errBackslash = errors.New("a name stands right behind a backslash, where its value cannot be escaped")
)

// jsonPlace follows a JSON text, and tells whether it is inside a string.
type jsonPlace struct{ quoted, escaped bool }

func (p *jsonPlace) follow(text string) {
	for i := range len(text) {
		switch c := text[i]; {
		case p.escaped:
			p.escaped = false
		case p.quoted && c == '\\':
			p.escaped = true
		case c == '"':
			p.quoted = !p.quoted
		}
	}
}

// renderJSON puts the values into a JSON text.
func (t template) renderJSON(v values) (string, error) {
	var out strings.Builder
	var at jsonPlace
	for _, p := range t {
		if p.name == "" {
			at.follow(p.text)
			out.WriteString(p.text)
			continue
		}
		if at.escaped {
			return "", errBackslash
		}
		escape := jsonScalar
		if at.quoted {
			escape = jsonText
		}
		text, err := escape(v[p.name])
		if err != nil {
			return "", inName(p.name, err)
		}
		out.WriteString(text)
	}
	if !json.Valid([]byte(out.String())) {
		return "", errJSON
	}
	return out.String(), nil
}

// checkJSON tells what is wrong with a template of a JSON text, whatever the values.
func (t template) checkJSON() error {
	samples := values{}
	for _, name := range t.names() {
		samples[name] = "0" // which can stand anywhere
	}
	_, err := t.renderJSON(samples)
	return err
}
