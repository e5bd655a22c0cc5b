package login

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/restconn/restconn/internal/field"
	"github.com/restconn/restconn/internal/origin"
)

// maxURL is the length of the longest URL that is sent, in bytes.
const maxURL = 8 << 10

var (
	errScheme    = errors.New("it begins neither with https:// or http:// nor with a name")
	errBaseQuery = errors.New("the base URL has a query")
	errNoURL     = errors.New("it is not a URL")
	errUser      = errors.New("there is a user name or a password in it: use Basic")
	errAbsolute  = errors.New("is not an absolute URL of http or https without user name and fragment")
	errFoundHTTP = errors.New("is of an answer, and leads to plain http: Endpoint.AllowHTTP permits it on this machine")
	errSlash     = errors.New("behind the name that it begins with stands no /, or its value has a query")
	errDot       = errors.New("there is a dot segment in the path, which would lead out of it")
	errEscape    = errors.New("there is a % that begins no escape")
	errLong      = fmt.Errorf("it is longer than %d bytes", maxURL)
)

// urlPlace is a part of a URL.
type urlPlace uint8

const (
	atStart urlPlace = iota
	atHost
	atPath
	atQuery
)

// urlWriter writes a URL from left to right, and knows which part of it comes next.
type urlWriter struct {
	out  strings.Builder
	at   urlPlace
	open bool // a whole URL was just written: what follows has to begin a new part
}

// write appends a template.
func (w *urlWriter) write(t template, v values) error {
	for _, p := range t {
		if p.name == "" {
			if err := w.literal(p.text); err != nil {
				return err
			}
			continue
		}
		if w.open {
			return errSlash
		}
		if err := w.value(v[p.name]); err != nil {
			return inName(p.name, err)
		}
	}
	return nil
}

// literal appends text of the configuration.
func (w *urlWriter) literal(text string) error {
	if w.open {
		if w.at == atQuery || text[0] != '/' && text[0] != '?' {
			return errSlash
		}
		if strings.HasSuffix(w.out.String(), "/") {
			text = strings.TrimPrefix(text, "/")
		}
		w.open = false
	}
	if w.at == atStart {
		scheme, rest, ok := strings.Cut(text, "://")
		if scheme = strings.ToLower(scheme); !ok || scheme != "https" && scheme != "http" {
			return errScheme
		}
		w.out.WriteString(scheme + "://")
		w.at, text = atHost, rest
	}
	if w.at == atHost {
		host := text
		if i := strings.IndexAny(text, "/?"); i >= 0 {
			host, w.at = text[:i], atPath
		}
		if strings.ContainsAny(host, `@\#%`) || field.HasControl(host) {
			return errNoURL
		}
		w.out.WriteString(host)
		text = text[len(host):]
	}
	return w.rest(text)
}

// rest appends text to the path or the query.
func (w *urlWriter) rest(text string) error {
	path, query, ok := strings.Cut(text, "?")
	if w.at == atPath && ok {
		if err := w.clean(path); err != nil {
			return err
		}
		w.question()
		text = query
	}
	return w.clean(text)
}

// question begins the query.
func (w *urlWriter) question() {
	w.out.WriteByte('?')
	w.at = atQuery
}

// clean appends text in which nothing has to be escaped, or is escaped already.
func (w *urlWriter) clean(text string) error {
	const hex = "0123456789ABCDEFabcdef"
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ' || c == 0x7f || strings.IndexByte(`\#{}`, c) >= 0:
			return errors.New(`there is a control character or one of \ # { } in it; names are written {{name}}`)
		case c == '%' && (i+2 >= len(text) || !strings.Contains(hex, text[i+1:i+2]) || !strings.Contains(hex, text[i+2:i+3])):
			return errEscape
		case c == ' ' || c == '"' || c == '<' || c == '>' || c == '^' || c == '`' || c == '|' || c > '~':
			fmt.Fprintf(&w.out, "%%%02X", c)
		default:
			w.out.WriteByte(c)
		}
	}
	return nil
}

// value appends a value, escaped for the part that it stands in.
func (w *urlWriter) value(text string) error {
	if w.at == atStart {
		return w.whole(text)
	}
	escape := map[urlPlace]func(string) (string, error){atHost: hostValue, atPath: segmentValue, atQuery: queryValue}[w.at]
	escaped, err := escape(text)
	w.out.WriteString(escaped)
	return err
}

// whole appends a value that is an absolute URL.
func (w *urlWriter) whole(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Fragment != "" || strings.Contains(text, "#") {
		return errAbsolute
	}
	if _, err := origin.Of(u); err != nil {
		return errAbsolute
	}
	w.at, w.open = atPath, true
	if u.RawQuery != "" {
		w.at = atQuery
	}
	w.out.WriteString(text)
	return nil
}

// join appends a path to the base URL.
func (w *urlWriter) join(path template, v values) error {
	if w.at == atQuery {
		return errBaseQuery
	}
	base := strings.TrimSuffix(w.out.String(), "/")
	w.out.Reset()
	w.out.WriteString(base)
	w.at, w.open = atPath, false
	if len(path) == 0 || path[0].name != "" || path[0].text[0] != '/' {
		w.out.WriteByte('/')
	}
	return w.write(path, v)
}

// query appends parameters.
func (w *urlWriter) query(fields []fieldTemplate, v values) error {
	if len(fields) == 0 {
		return nil
	}
	text, err := encode(fields, v, lineValue)
	if err != nil {
		return err
	}
	before := w.out.String()
	if w.at != atQuery {
		w.question()
	} else if !strings.HasSuffix(before, "?") && !strings.HasSuffix(before, "&") {
		w.out.WriteByte('&')
	}
	w.out.WriteString(text)
	return nil
}

// url returns what was written.
func (w *urlWriter) url() (*url.URL, error) {
	text := w.out.String()
	if len(text) > maxURL {
		return nil, errLong
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errNoURL // the error of net/url repeats it
	}
	if u.User != nil {
		return nil, errUser
	}
	for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
		if plain, _ := url.PathUnescape(segment); plain == "." || plain == ".." {
			return nil, errDot
		}
	}
	if _, err := origin.Of(u); err != nil {
		return nil, err
	}
	return u, nil
}

// encode writes fields as pairs, in their order. Values are checked, and then escaped together with what is around
// them.
func encode(fields []fieldTemplate, v values, check func(string) (string, error)) (string, error) {
	var out strings.Builder
	for i, f := range fields {
		if i > 0 {
			out.WriteByte('&')
		}
		value, err := f.render(v, check)
		if err != nil {
			return "", err
		}
		out.WriteString(url.QueryEscape(f.name) + "=" + url.QueryEscape(value))
	}
	return out.String(), nil
}
