// Package weblink reads Link header fields (RFC 8288).
package weblink

import (
	"iter"
	"strings"
)

// Link is one link of a Link field.
type Link struct {
	// Target is what stands between < and >, as it was written. It is neither resolved nor checked: a link that was
	// dropped for its bad target would look to the caller like the end of what it links.
	Target string
	// Rel is the value of the first rel parameter: relation types, with spaces between them.
	Rel string
	// Anchored says that there is an anchor: the link leads from another resource than the one that was asked for.
	Anchored bool
}

// Is reports whether the link is of that relation type, in any case (RFC 8288, section 2.1.1).
func (l Link) Is(rel string) bool {
	for t := range strings.FieldsSeq(l.Rel) {
		if strings.EqualFold(t, rel) {
			return true
		}
	}
	return false
}

// Find returns the target of the first link of that relation type, from the resource that was asked for.
func Find(values []string, rel string) (target string, ok bool) {
	for l := range Parse(values) {
		if !l.Anchored && l.Is(rel) {
			return l.Target, true
		}
	}
	return "", false
}

// Parse reads the values of all Link fields of a message, in time linear to their length. What is no link is passed
// over up to the next comma, or to the end of its value where a < has no >.
func Parse(values []string) iter.Seq[Link] {
	return func(yield func(Link) bool) {
		for _, rest := range values {
			for rest != "" {
				var l Link
				var ok bool
				if l, rest, ok = read(rest); ok && !yield(l) {
					return
				}
			}
		}
	}
}

// read reads the first element of a list, and returns what follows its comma (RFC 8288, appendix B.2).
func read(s string) (l Link, rest string, ok bool) {
	s = trim(s)
	if !begins(s, '<') {
		return Link{}, skip(s), false
	}
	l.Target, s, ok = strings.Cut(s[1:], ">")
	if !ok {
		return Link{}, "", false
	}
	related := false
	for s = trim(s); begins(s, ';'); s = trim(s) {
		var name, value string
		name, value, s = param(s[1:])
		switch {
		case strings.EqualFold(name, "rel") && !related: // further ones do not count (section 3.3)
			l.Rel, related = value, true
		case strings.EqualFold(name, "anchor"):
			l.Anchored = true
		}
	}
	return l, skip(s), true
}

// param reads a parameter, without its semicolon (RFC 8288, appendix B.3).
func param(s string) (name, value, rest string) {
	name, s = until(trim(s), " \t=;,")
	s = trim(s)
	if !begins(s, '=') {
		return name, "", s
	}
	s = trim(s[1:])
	if begins(s, '"') {
		value, rest = quoted(s[1:])
		return name, value, rest
	}
	value, rest = until(s, ";,")
	return name, strings.TrimRight(value, " \t"), rest
}

// quoted reads a quoted string, without its first quote (RFC 8288, appendix B.4). One without an end ends with s.
func quoted(s string) (value, rest string) {
	var b strings.Builder
	for {
		run, rest := until(s, `\"`)
		b.WriteString(run)
		if len(rest) < len(`\"`) || rest[0] == '"' {
			return b.String(), rest[min(1, len(rest)):]
		}
		b.WriteByte(rest[1])
		s = rest[2:]
	}
}

// skip returns what follows the next comma outside of quoted strings.
func skip(s string) string {
	for {
		_, rest := until(s, `,"`)
		if !begins(rest, '"') {
			return rest[min(1, len(rest)):]
		}
		_, s = quoted(rest[1:])
	}
}

// until splits s before the first of those characters.
func until(s, chars string) (before, rest string) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

func trim(s string) string { return strings.TrimLeft(s, " \t") }

func begins(s string, c byte) bool { return s != "" && s[0] == c }
