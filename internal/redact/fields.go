package redact

import (
	"net/url"
	"regexp"
	"strings"
)

const soundsSecret = `token|secret|passw|pwd|key|auth|credential|assertion|code|cookie|session|sign|jwt|otp|pin`

var (
	sounding     = regexp.MustCompile(`(?i)` + soundsSecret)
	formField    = regexp.MustCompile(`(?i)((?:^|&)[^=&]*(?:` + soundsSecret + `)[^=&]*=)[^&]*`)
	xmlElement   = regexp.MustCompile(`(?i)<([^<>/\s]*(?:` + soundsSecret + `)[^<>/\s]*)(?:\s[^<>]*)?>`)
	xmlAttribute = regexp.MustCompile(`(?i)([\w:.-]*(?:` + soundsSecret + `)[\w:.-]*\s*=\s*)("[^"]*"?|'[^']*'?)`)
)

// maskForm masks the values of fields that sound like secrets.
func maskForm(text string) string {
	pairs := strings.Split(formField.ReplaceAllString(text, "${1}"+Mask), "&")
	for i, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(value)
		if err != nil {
			continue
		}
		if masked := maskJSON(plain); masked != plain { // some services want JSON within a form
			pairs[i] = name + "=" + url.QueryEscape(masked)
		}
	}
	return strings.Join(pairs, "&")
}

// maskJSON masks the values of members that sound like secrets, whole objects and arrays too. The text need not be
// JSON, and may break off.
func maskJSON(text string) string {
	const space = " \t\r\n"
	var out strings.Builder
	for {
		begin := strings.IndexByte(text, '"')
		if begin < 0 {
			break
		}
		end := begin + jsonString(text[begin:])
		name := text[begin:end]
		out.WriteString(text[:end])
		text = text[end:]
		value, ok := strings.CutPrefix(strings.TrimLeft(text, space), ":")
		if value = strings.TrimLeft(value, space); !ok || value == "" || !sounding.MatchString(name) {
			continue
		}
		out.WriteString(text[:len(text)-len(value)])
		out.WriteString(`"` + Mask + `"`)
		text = value[jsonValue(value):]
	}
	out.WriteString(text)
	return out.String()
}

// jsonString returns the length of the string that s begins with.
func jsonString(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

// jsonValue returns the length of the value that s begins with.
func jsonValue(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			i += jsonString(s[i:]) - 1
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(s)
}

// maskXML masks the elements and attributes that sound like secrets. The text need not be XML, and may break off.
func maskXML(text string) string {
	if !strings.Contains(text, "<") {
		return text
	}
	text = xmlAttribute.ReplaceAllString(text, `${1}"`+Mask+`"`)
	var out strings.Builder
	for {
		m := xmlElement.FindStringSubmatchIndex(text)
		if m == nil {
			break
		}
		name, tag := text[m[2]:m[3]], text[m[0]:m[1]]
		out.WriteString(text[:m[1]])
		text = text[m[1]:]
		if strings.HasSuffix(tag, "/>") {
			continue
		}
		out.WriteString(Mask)
		end := strings.Index(text, "</"+name)
		if end < 0 {
			end = len(text)
		}
		text = text[end:]
	}
	out.WriteString(text)
	return out.String()
}
