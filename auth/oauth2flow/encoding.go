package oauth2flow

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/url"
	"strings"
)

// Encoding is how the parameters of a call are written.
type Encoding uint8

const (
	// Form is application/x-www-form-urlencoded, which the standard asks for (RFC 6749, appendix B).
	Form Encoding = iota
	// JSON is an object of texts. A name that repeats is an array.
	JSON
	// Query puts all parameters into the URL and sends no body. Servers and proxies log URLs, so that a call with a
	// secret among its parameters is refused: the client authenticates by [InHeader] or a certificate.
	Query
)

// String implements [fmt.Stringer].
func (e Encoding) String() string {
	switch e {
	case Form:
		return "Form"
	case JSON:
		return "JSON"
	case Query:
		return "Query"
	default:
		return "unknown encoding"
	}
}

// media returns the content type of a body.
func (e Encoding) media() string {
	switch e {
	case Form:
		return "application/x-www-form-urlencoded"
	case JSON:
		return "application/json"
	case Query:
	}
	return ""
}

// fits reports whether a content type is one of a body.
func (e Encoding) fits(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media != "" && media == e.media()
}

// body returns the parameters as a body, which is empty for Query.
func (e Encoding) body(params Params) (io.Reader, error) {
	switch e {
	case Form:
		return strings.NewReader(params.values().Encode()), nil
	case JSON:
		return jsonBody(params)
	case Query:
		return nil, nil //nolint:nilnil // nil is no body to net/http
	default:
		return nil, errors.New("the encoding is unknown")
	}
}

func (p Params) values() url.Values {
	v := make(url.Values, len(p))
	for _, param := range p {
		v.Add(param.Name, param.Value)
	}
	return v
}

func jsonBody(params Params) (io.Reader, error) {
	members := make(map[string]any, len(params))
	for name, values := range params.values() {
		members[name] = values
		if len(values) == 1 {
			members[name] = values[0]
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(members); err != nil {
		return nil, err
	}
	b.Truncate(b.Len() - 1) // the line end
	return &b, nil
}

// withQuery returns the query of a URL with parameters behind it.
func withQuery(query string, params Params) string {
	added := params.values().Encode()
	if query != "" && added != "" {
		query += "&"
	}
	return query + added
}
