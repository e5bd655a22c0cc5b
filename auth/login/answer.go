package login

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/restconn/restconn/internal/tokencall"
)

// environment is what expressions see: the last answer, all of them, and the token before.
type environment struct {
	seen

	Steps []seen `expr:"steps"`
	Token any    `expr:"token"` // nil if there is none
}

// seenNames are the names in an environment. status is statusCode, too.
var seenNames = []string{ //nolint:gochecknoglobals // never changed
	"body", "headers", "cookies", "status", "statusCode", "steps", nameToken,
}

// seen is what expressions see of one answer.
type seen struct {
	Status     int               `expr:"status"`
	StatusCode int               `expr:"statusCode"`
	Body       any               `expr:"body"`
	Headers    map[string]string `expr:"headers"`
	Cookies    map[string]string `expr:"cookies"`

	fault error // why there is no body to see, or none with members
}

// reply is an answer that was read.
type reply struct {
	*tokencall.Answer

	cookies []*http.Cookie
	seen    seen
}

// read makes a reply of an answer.
func read(a *tokencall.Answer) *reply {
	r := &reply{Answer: a, cookies: (&http.Response{Header: a.Header}).Cookies()}
	r.seen = seen{
		Status: a.Status, StatusCode: a.Status,
		Headers: make(map[string]string, len(a.Header)), Cookies: make(map[string]string, len(r.cookies)),
	}
	for name, fields := range a.Header {
		if len(fields) > 0 {
			r.seen.Headers[strings.ToLower(name)] = fields[0]
		}
	}
	for _, c := range r.cookies {
		r.seen.Cookies[c.Name] = c.Value
	}
	r.seen.Body, r.seen.fault = decode(a.Header.Get(headerType), a.Body)
	return r
}

var (
	errNotUTF8 = errors.New("the answer is not UTF-8")
	errNotJSON = errors.New("the answer is not JSON")
	errNotXML  = errors.New("the answer is not XML")
	errNotForm = errors.New("the answer is not a form")
	errTwice   = errors.New("the answer has two members of the same name")
	errTooDeep = errors.New("the answer is nested too deeply")
	errEmptied = errors.New("the answer is empty")
	errHTML    = errors.New("the answer is HTML: is this the URL?")
	errOwnDTD  = errors.New("the answer has definitions of its own (a DTD), which are not read")
)

const (
	byteOrderMark = "\ufeff"
	maxNesting    = 100
	jsonOpeners   = "{[\""
)

// decode reads a body: what its type says, and else what it looks like, and else text. A page is text, with a fault.
func decode(contentType string, data []byte) (any, error) {
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte(byteOrderMark)))
	if len(data) == 0 {
		return nil, errEmptied
	}
	media, _, _ := mime.ParseMediaType(contentType)
	if isPage(media, data) && utf8.Valid(data) {
		return string(data), errHTML
	}
	switch kindOf(contentType) {
	case jsonBody:
		return decodeJSON(data)
	case xmlBody:
		return decodeXML(data)
	case formBody:
		return decodeForm(string(data))
	case otherBody:
	}
	if strings.IndexByte(jsonOpeners, data[0]) >= 0 {
		if v, err := decodeJSON(data); err == nil || errors.Is(err, errTwice) {
			return v, err
		}
	}
	if data[0] == '<' {
		if v, err := decodeXML(data); err == nil || errors.Is(err, errTwice) {
			return v, err
		}
	}
	if !utf8.Valid(data) {
		return nil, errNotUTF8
	}
	return string(data), nil
}

// isPage reports whether data is HTML, whatever its type says.
func isPage(media string, data []byte) bool {
	begins := func(text string) bool {
		return len(data) >= len(text) && strings.EqualFold(string(data[:len(text)]), text)
	}
	return data[0] == '<' && media == "text/html" || begins("<!doctype html") || begins("<html")
}

// decodeForm reads a form.
func decodeForm(text string) (any, error) {
	fields, err := url.ParseQuery(text)
	if err != nil {
		return nil, errNotForm
	}
	form := make(map[string]any, len(fields))
	for name, all := range fields {
		if len(all) > 1 {
			return nil, errTwice
		}
		form[name] = all[0]
	}
	return form, nil
}
