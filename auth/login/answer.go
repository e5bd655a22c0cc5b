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

// environment is what expressions see: the last answer, and all of them.
type environment struct {
	Status     int               `expr:"status"`
	StatusCode int               `expr:"statusCode"`
	Body       any               `expr:"body"`
	Headers    map[string]string `expr:"headers"`
	Cookies    map[string]string `expr:"cookies"`
	Steps      []seen            `expr:"steps"`
}

// seen is what expressions see of one answer.
type seen struct {
	Status     int               `expr:"status"`
	StatusCode int               `expr:"statusCode"`
	Body       any               `expr:"body"`
	Headers    map[string]string `expr:"headers"`
	Cookies    map[string]string `expr:"cookies"`
}

// reply is an answer that was read.
type reply struct {
	*tokencall.Answer

	cookies []*http.Cookie
	seen    seen
	fault   error // why there is no body to see
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
	r.seen.Body, r.fault = decode(a.Header.Get(headerType), a.Body)
	return r
}

// view returns what an expression sees after these replies.
func view(replies []*reply) environment {
	var env environment
	for _, r := range replies {
		env.Steps = append(env.Steps, r.seen)
		env.Status, env.StatusCode, env.Body = r.seen.Status, r.seen.StatusCode, r.seen.Body
		env.Headers, env.Cookies = r.seen.Headers, r.seen.Cookies
	}
	return env
}

var (
	errNotUTF8 = errors.New("the answer is not UTF-8")
	errNotJSON = errors.New("the answer is not JSON")
	errNotXML  = errors.New("the answer is not XML")
	errNotForm = errors.New("the answer is not a form")
	errTwice   = errors.New("the answer has an object with two members of the same name")
	errTooDeep = errors.New("the answer is nested too deeply")
	errOwnDTD  = errors.New("the answer has definitions of its own (a DTD), which are not read")
)

const (
	byteOrderMark = "\ufeff"
	maxNesting    = 100
	jsonOpeners   = "{[\""
)

// decode reads a body: what its type says, and else what it looks like, and else text. An empty one is nil.
func decode(contentType string, data []byte) (any, error) {
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte(byteOrderMark)))
	if len(data) == 0 {
		return nil, nil //nolint:nilnil // no body, and no fault
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
	media, _, _ := mime.ParseMediaType(contentType)
	if strings.IndexByte(jsonOpeners, data[0]) >= 0 {
		if v, err := decodeJSON(data); err == nil || errors.Is(err, errTwice) {
			return v, err
		}
	}
	if data[0] == '<' && media != "text/html" {
		if v, err := decodeXML(data); err == nil {
			return v, nil
		}
	}
	if !utf8.Valid(data) {
		return nil, errNotUTF8
	}
	return string(data), nil
}

// decodeForm reads a form. Of several values of one name the first counts.
func decodeForm(text string) (any, error) {
	fields, err := url.ParseQuery(text)
	if err != nil {
		return nil, errNotForm
	}
	form := make(map[string]any, len(fields))
	for name, all := range fields {
		form[name] = all[0]
	}
	return form, nil
}
