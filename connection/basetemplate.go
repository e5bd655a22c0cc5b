package connection

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

// baseTemplate is a base URL with placeholders. It does not change.
type baseTemplate struct {
	scheme   string
	labels   []basePart // of the host; all of it as one text, if it has no placeholder
	port     string     // "" if none is given
	segments []basePart // of the path
	query    string
}

// basePart is a label of the host or a segment of the path: a text as it is sent, or the name of a value.
type basePart struct{ text, name string }

// String returns the part as it is written in the base URL.
func (p basePart) String() string {
	if p.name != "" {
		return "{" + p.name + "}"
	}
	return p.text
}

const optionBase = "base URL"

var errPlaceholder = &OptionError{Option: optionBase, Err: errors.New("there is a { or a } that is no placeholder: " +
	"one is a whole label of the host or a whole segment of the path, such as {tenant}; a brace is written %7B or %7D")}

// parseTemplate parses the base URL of [New]. The template is nil if it has no placeholders.
func parseTemplate(s string) (*url.URL, *baseTemplate, error) {
	head, query, _ := strings.Cut(s, "?")
	scheme, rest, ok := strings.Cut(head, "://")
	if ok && hasPlaceholder(query) {
		return nil, nil, &OptionError{Option: optionBase, Err: errors.New(
			"there is a placeholder in the query: it is filled in the host and in the path only")}
	}
	if !ok || !strings.ContainsAny(head, "{}") {
		u, err := parseBase(s)
		return u, nil, err
	}
	t := &baseTemplate{scheme: strings.ToLower(scheme)}
	authority, path, _ := strings.Cut(rest, "/")
	err := t.parseHost(authority)
	if path = strings.TrimRight(path, "/"); err == nil && path != "" {
		t.segments, err = partsOf(path, "/")
	}
	if err != nil {
		return nil, nil, err
	}
	u, err := t.finish(s)
	return u, t, err
}

// parseHost takes the host apart, if there is a placeholder in it.
func (t *baseTemplate) parseHost(authority string) error {
	if !strings.ContainsAny(authority, "{}") {
		t.labels = []basePart{{text: authority}}
		return nil
	}
	host := authority
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, '}') {
		host, t.port = authority[:i], authority[i+1:]
		if !isPort(t.port) {
			return &OptionError{Option: optionBase, Err: errors.New("the port is not a number from 1 to 65535")}
		}
	}
	var err error
	t.labels, err = partsOf(host, ".")
	for i, label := range t.labels {
		t.labels[i].text = strings.ToLower(label.text)
		if err == nil && label.name == "" && !isLabel(label.text) {
			err = &OptionError{Option: optionBase, Err: errors.New("the host beside the placeholder is not a host name")}
		}
	}
	return err
}

// finish checks the rest as that of any base URL, and returns the URL with the placeholders in it.
func (t *baseTemplate) finish(s string) (*url.URL, error) {
	_, query, hasQuery := strings.Cut(s, "?")
	const standIn = "x"
	fill := func(basePart) string { return standIn }
	probe := t.scheme + "://" + t.authority(fill) + t.path(fill)
	if hasQuery {
		probe += "?" + query
	}
	u, err := parseBase(probe)
	if err != nil {
		return nil, err
	}
	escaped := strings.Split(strings.TrimPrefix(u.RawPath, "/"), "/")
	for i := range t.segments {
		if len(escaped) != len(t.segments) {
			return nil, &OptionError{Option: optionBase, Err: errors.New("it is not a URL")}
		}
		if t.segments[i].name == "" {
			t.segments[i].text = escaped[i]
		}
	}
	if !t.roams() {
		t.labels[0].text = u.Host
	}
	t.query = u.RawQuery
	u.Host = t.authority(basePart.String)
	u.Path = t.path(basePart.String)
	u.RawPath = u.Path
	return u, nil
}

// authority returns host and port, with what is to stand for the placeholders.
func (t *baseTemplate) authority(fill func(basePart) string) string {
	host := join(t.labels, ".", fill)
	if t.port != "" {
		host += ":" + t.port
	}
	return host
}

// path returns the path, with what is to stand for the placeholders.
func (t *baseTemplate) path(fill func(basePart) string) string {
	if len(t.segments) == 0 {
		return ""
	}
	return "/" + join(t.segments, "/", fill)
}

func join(parts []basePart, separator string, fill func(basePart) string) string {
	texts := make([]string, 0, len(parts))
	for _, p := range parts {
		if p.name != "" {
			p.text = fill(p)
		}
		texts = append(texts, p.text)
	}
	return strings.Join(texts, separator)
}

// shown returns the base URL with its placeholders, without its query.
func (t *baseTemplate) shown() string { return t.origin() + t.path(basePart.String) }

// origin returns the origin with its placeholders.
func (t *baseTemplate) origin() string { return t.scheme + "://" + t.authority(basePart.String) }

// roams reports whether the host is told per call.
func (t *baseTemplate) roams() bool {
	return slices.ContainsFunc(t.labels, func(p basePart) bool { return p.name != "" })
}

// isWhole reports whether one placeholder is the whole host.
func (t *baseTemplate) isWhole() bool { return len(t.labels) == 1 && t.roams() }

// isOpen reports whether the host could be anybody's.
func (t *baseTemplate) isOpen() bool {
	last := t.labels[max(0, len(t.labels)-keptLabels):]
	return t.roams() && (len(t.labels) <= keptLabels ||
		slices.ContainsFunc(last, func(p basePart) bool { return p.name != "" }))
}

// partsOf takes a text apart at the separators.
func partsOf(text, separator string) ([]basePart, error) {
	var parts []basePart
	for piece := range strings.SplitSeq(text, separator) {
		inner, opened := strings.CutPrefix(piece, "{")
		inner, closed := strings.CutSuffix(inner, "}")
		switch {
		case !strings.ContainsAny(piece, "{}"):
			parts = append(parts, basePart{text: piece})
		case opened && closed && isBaseName(inner):
			parts = append(parts, basePart{name: inner})
		default:
			return nil, errPlaceholder
		}
	}
	return parts, nil
}

// hasPlaceholder reports whether there is one anywhere in a text.
func hasPlaceholder(text string) bool {
	for {
		_, after, ok := strings.Cut(text, "{")
		if !ok {
			return false
		}
		if name, _, ok := strings.Cut(after, "}"); ok && isBaseName(name) {
			return true
		}
		text = after
	}
}

// isBaseName reports whether a text can be the name of a placeholder. It has no dot, which ends a label.
func isBaseName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r != '_' && !isHostRune(r) })
}
