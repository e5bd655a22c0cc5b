package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"html"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Scrubber masks secrets in texts of which the form is not known: the live credentials of one request, and the values
// of fields that sound like secrets.
type Scrubber struct{ live []string } //nolint:recvcheck // it grows in place, and is used as a value

var dataLine = regexp.MustCompile(`(?:\r\n|\n|\r)data: ?`)

// shortest is the length below which a live value is left alone: masking "1" would hide the whole text.
const shortest = 4

// NewScrubber collects what may be a secret in a request as it was sent: in header and query, and the secrets of its
// path. given is the query before authentication: what is not in it is a credential, whatever its name.
func NewScrubber(header http.Header, query, given string, secrets []string) Scrubber {
	var s Scrubber
	for _, v := range secrets {
		s.add(v)
	}
	for name, values := range header {
		if !Shown(name) {
			for _, v := range values {
				s.addHeader(name, v)
			}
		}
	}
	before, _ := url.ParseQuery(given)
	after, _ := url.ParseQuery(query)
	for name, values := range after {
		for _, v := range values {
			if sounding.MatchString(name) || !slices.Contains(before[name], v) {
				s.add(v)
			}
		}
	}
	// A longer one first: it may hold a shorter one.
	slices.SortFunc(s.live, func(a, b string) int { return len(b) - len(a) })
	return s
}

// addHeader notes a value, what follows its scheme, what a Basic credential says, and each cookie.
func (s *Scrubber) addHeader(name, v string) {
	s.add(v)
	if name == "Cookie" {
		for pair := range strings.SplitSeq(v, ";") {
			_, value, _ := strings.Cut(pair, "=")
			s.add(strings.Trim(value, ` "`))
		}
	}
	scheme, rest, ok := strings.Cut(v, " ")
	if !ok {
		return
	}
	s.add(rest)
	if plain, err := base64.StdEncoding.DecodeString(rest); err == nil && strings.EqualFold(scheme, "Basic") {
		user, password, _ := strings.Cut(string(plain), ":")
		s.add(user)
		s.add(password)
	}
}

// add notes a value in all the ways in which it may be written.
func (s *Scrubber) add(v string) {
	if len(v) < shortest {
		return
	}
	s.live = append(s.live, v, url.QueryEscape(v), url.PathEscape(v))
	for _, html := range []bool{true, false} {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(html)
		if e.Encode(v) == nil { //nolint:errchkjson // it is checked
			s.live = append(s.live, strings.Trim(b.String(), "\"\n"))
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

// Echo is Text for what a server wrote about a request, such as the description of an error: nothing is shown if a live
// credential stands in it in another form.
func (s Scrubber) Echo(text string) string {
	text = s.Text(text)
	if s.hidden(text) {
		return Mask
	}
	return text
}

// tail masks the beginning of a live credential at the end of a text that was cut off.
func (s Scrubber) tail(text string) string {
	for _, v := range s.live {
		for n := min(len(v)-1, len(text)); n >= shortest; n-- {
			if strings.HasSuffix(text, v[:n]) {
				return text[:len(text)-n] + Mask
			}
		}
	}
	return text
}

// escapes are the ways of JSON to write a character in another form, which some encoders use without need, and percents
// are those of URLs and forms.
var (
	escapes  = regexp.MustCompile(`\\u[0-9a-fA-F]{4}|\\/`)
	percents = regexp.MustCompile(`(?:%[0-9a-fA-F]{2})+`)
)

// maxEscapes is how often a text is unescaped that may be escaped several times.
const maxEscapes = 3

// hidden reports whether a live credential stands in the text in another form.
func (s Scrubber) hidden(text string) bool {
	for range maxEscapes {
		plain := html.UnescapeString(escapes.ReplaceAllStringFunc(text, unescapeJSON))
		spaced := percents.ReplaceAllStringFunc(strings.ReplaceAll(plain, "+", " "), unescapePercent)
		plain = percents.ReplaceAllStringFunc(plain, unescapePercent)
		if s.holds(plain) || s.holds(spaced) {
			return true
		}
		if plain == text {
			return false
		}
		text = plain
	}
	return false
}

// holds reports whether a live credential stands in the text as it is.
func (s Scrubber) holds(text string) bool {
	return slices.ContainsFunc(s.live, func(v string) bool { return strings.Contains(text, v) })
}

func unescapeJSON(escape string) string {
	var c string
	if json.Unmarshal([]byte(`"`+escape+`"`), &c) != nil {
		return escape
	}
	return c
}

func unescapePercent(escape string) string {
	c, err := url.PathUnescape(escape)
	if err != nil {
		return escape
	}
	return c
}

// Body returns what may be shown of a body, or of its beginning if it was cut off: nothing of a binary one.
func (s Scrubber) Body(contentType string, body []byte, cut bool) string {
	media, _, _ := mime.ParseMediaType(contentType)
	if cut {
		body = cutRune(body)
	}
	if !utf8.Valid(body) || strings.HasPrefix(media, "multipart/") {
		return Mask
	}
	if media == "text/event-stream" { // what is one value may lie in several lines
		body = dataLine.ReplaceAll(body, []byte("\n"))
	}
	text := s.Text(string(body))
	if s.hidden(text) {
		return Mask
	}
	if cut {
		text = s.tail(text)
	}
	if media == "application/x-www-form-urlencoded" {
		return Printable(maskForm(text))
	}
	return Printable(maskXML(maskJSON(text)))
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
