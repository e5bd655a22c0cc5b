package redact

import (
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Scrubber masks secrets in texts of which the form is not known: the live credentials of one request, and the values of
// fields that sound like secrets.
type Scrubber struct{ live []string }

// shortest is the length below which a live value is left alone: masking "1" would hide the whole text.
const shortest = 4

// NewScrubber collects what may be a secret in the headers and the query of a request as it was sent.
func NewScrubber(header http.Header, query string) Scrubber {
	var s Scrubber
	for name, values := range header {
		if !Shown(name) {
			for _, v := range values {
				s.add(v)
			}
		}
	}
	values, _ := url.ParseQuery(query)
	for name, list := range values {
		if sounding.MatchString(name) {
			for _, v := range list {
				s.add(v)
			}
		}
	}
	// A longer one first: it may hold a shorter one.
	slices.SortFunc(s.live, func(a, b string) int { return len(b) - len(a) })
	return s
}

// add notes a value, what follows its scheme, and what a Basic credential says.
func (s *Scrubber) add(v string) {
	parts := []string{v}
	if scheme, rest, ok := strings.Cut(v, " "); ok {
		parts = append(parts, rest)
		if plain, err := base64.StdEncoding.DecodeString(rest); err == nil && strings.EqualFold(scheme, "Basic") {
			user, password, _ := strings.Cut(string(plain), ":")
			parts = append(parts, user, password)
		}
	}
	for _, p := range parts {
		if len(p) >= shortest {
			s.live = append(s.live, p, url.QueryEscape(p))
		}
	}
}

// Text returns text with the live credentials masked.
func (s Scrubber) Text(text string) string {
	for _, v := range s.live {
		text = strings.ReplaceAll(text, v, Mask)
	}
	return text
}

const soundsSecret = `token|secret|passw|pwd|key|auth|credential|assertion|code|cookie|session|sign|jwt|otp|pin`

var (
	sounding  = regexp.MustCompile(`(?i)` + soundsSecret)
	jsonField = regexp.MustCompile(`(?i)("[^"]*(?:` + soundsSecret + `)[^"]*"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^\s,}\]]+)`)
	formField = regexp.MustCompile(`(?i)((?:^|&)[^=&]*(?:` + soundsSecret + `)[^=&]*=)[^&]*`)
	xmlField  = regexp.MustCompile(`(?i)(<[^<>/]*(?:` + soundsSecret + `)[^<>]*>)[^<]*`)
)

// Body returns what may be shown of a body: nothing of a binary one.
func (s Scrubber) Body(contentType string, body []byte) string {
	media, _, _ := mime.ParseMediaType(contentType)
	body = cutRune(body)
	if !utf8.Valid(body) || strings.HasPrefix(media, "multipart/") {
		return Mask
	}
	text := s.Text(string(body))
	if media == "application/x-www-form-urlencoded" {
		return Printable(formField.ReplaceAllString(text, "${1}"+Mask))
	}
	text = jsonField.ReplaceAllString(text, `${1}"`+Mask+`"`)
	return Printable(xmlField.ReplaceAllString(text, "${1}"+Mask))
}

// cutRune drops an incomplete character from the end of a text that was cut off.
func cutRune(b []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}
