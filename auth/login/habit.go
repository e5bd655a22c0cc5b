package login

import (
	"errors"
	"regexp"
	"strings"
)

// habit is what is written in JavaScript or JSONPath, and what to write instead.
type habit struct {
	pattern *regexp.Regexp
	hint    string // ${1} is the first group of the pattern
}

var habits = []habit{ //nolint:gochecknoglobals // never changed
	{regexp.MustCompile(`\$\.(\w+)`), "write body.${1} in place of $$.${1}"},
	{regexp.MustCompile(`\.length\b`), "there is no .length; a member of that name is body['length']"},
	{regexp.MustCompile(`\.toLowerCase\b`), "write lower(a) for a.toLowerCase()"},
	{regexp.MustCompile(`\.toUpperCase\b`), "write upper(a) for a.toUpperCase()"},
	{regexp.MustCompile(`\.[A-Za-z_]\w*\s*\(`), "values have no methods; write trim(a) for a.trim(), and so on"},
	{regexp.MustCompile(`=>|\bfunction\b`), "expressions have no functions of their own"},
	{regexp.MustCompile(`\b(Number|parseInt|parseFloat)\s*\(`), "write int(a) or float(a) for a number of a text"},
	{regexp.MustCompile(`\bString\s*\(`), "write string(a) for the text of a value"},
	{regexp.MustCompile(`\b(null|undefined)\b`), "write nil for null and undefined"},
}

var quoted = regexp.MustCompile("`[^`]*`" + `|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"`)

// translate writes === as == and !== as !=, outside quotes, and refuses other habits with a hint.
func translate(source string) (string, error) {
	var out, bare strings.Builder
	last := 0
	for _, at := range append(quoted.FindAllStringIndex(source, -1), []int{len(source), len(source)}) {
		plain, text := source[last:at[0]], source[at[0]:at[1]]
		if strings.HasPrefix(text, "`") && strings.Contains(text, "${") {
			return "", errors.New("write 'a' + b for a template literal")
		}
		plain = strings.ReplaceAll(strings.ReplaceAll(plain, "===", "=="), "!==", "!=")
		out.WriteString(plain + text)
		bare.WriteString(plain + "''")
		last = at[1]
	}
	for _, h := range habits {
		if at := h.pattern.FindStringSubmatchIndex(bare.String()); at != nil {
			return "", errors.New(string(h.pattern.ExpandString(nil, h.hint, bare.String(), at)))
		}
	}
	return out.String(), nil
}
