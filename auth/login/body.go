package login

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"

	"github.com/restconn/restconn/internal/body"
	"github.com/restconn/restconn/secrets"
)

const (
	headerType = "Content-Type"
	headerAuth = "Authorization"

	mediaForm = "application/x-www-form-urlencoded"
	mediaJSON = "application/json"
	mediaXML  = "application/xml"
)

// content is the body of a step. At most one of text, form and parts is there.
type content struct {
	where string // such as "JSON"
	media string
	text  template
	form  []fieldTemplate
	parts []fieldTemplate // whose names are the headers of the parts
}

// kind says how values in a text of a media type are escaped.
type kind uint8

const (
	otherBody kind = iota
	jsonBody
	xmlBody
	formBody
)

// kindOf returns the kind of a content type.
func kindOf(contentType string) kind {
	media, _, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return otherBody
	case strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json") || strings.HasSuffix(media, "/x-json"):
		return jsonBody
	case strings.HasSuffix(media, "/xml") || strings.HasSuffix(media, "+xml"):
		return xmlBody
	case media == mediaForm:
		return formBody
	default:
		return otherBody
	}
}

// render returns the bytes and their type.
func (c *content) render(v values) (data []byte, contentType string, err error) {
	if len(c.parts) > 0 {
		return c.multipart(v)
	}
	var text string
	if len(c.form) > 0 {
		text, err = encode(c.form, v, asIs)
		return []byte(text), c.media, err
	}
	switch kindOf(c.media) {
	case jsonBody:
		text, err = c.text.renderJSON(v)
	case xmlBody:
		text, err = c.text.render(v, xmlValue)
	case formBody:
		text, err = c.text.render(v, formValue)
	case otherBody:
		text, err = c.text.render(v, asIs)
	}
	if err != nil {
		return nil, "", inField(c.where, err)
	}
	return []byte(text), c.media, nil
}

// multipart writes the parts, with a boundary that nobody can guess.
func (c *content) multipart(v values) (data []byte, contentType string, err error) {
	form := &body.Multipart{Boundary: rand.Text()}
	for _, p := range c.parts {
		text, err := p.render(v, asIs)
		if err != nil {
			return nil, "", err
		}
		form.Parts = append(form.Parts, body.Part{
			Header: p.name,
			Size:   int64(len(text)),
			Open:   func() (io.ReadCloser, error) { return body.NewMemory([]byte(text)), nil },
			Fail:   func(err error) error { return err },
		})
	}
	r, err := form.Open()
	if err != nil {
		return nil, "", err
	}
	defer r.Close()
	data, err = io.ReadAll(r) // it lies in memory
	return data, "multipart/form-data; boundary=" + form.Boundary, err
}

// content takes the body of a step apart; nil if there is none.
func (f *faults) content(name string, s *Step) *content {
	c := &content{}
	switch {
	case s.Form != nil:
		c.where, c.media, c.form = "Form", mediaForm, f.fields(name, "Form", s.Form)
	case s.JSON != nil:
		c.where, c.media = "JSON", mediaJSON
		text, err := textOfJSON(s.JSON)
		f.add(name+".JSON", err)
		c.text = f.template(name+".JSON", text)
	case s.XML != "":
		c.where, c.media, c.text = "XML", mediaXML, f.template(name+".XML", s.XML)
	case s.Raw != "":
		c.where, c.media, c.text = "Raw", rawType(s), f.template(name+".Raw", s.Raw)
		media, _, err := mime.ParseMediaType(c.media)
		f.addIf(err != nil, name+".Raw", errRawType)
		unknown := err == nil && kindOf(c.media) == otherBody && strings.Contains(media, "json")
		f.addIf(unknown && len(c.text.names()) > 0, name+".Raw", errLikeJSON)
	case s.Multipart != nil:
		c.where, c.parts = "Multipart", f.parts(name, s.Multipart)
	default:
		return nil
	}
	if kindOf(c.media) == jsonBody && c.text != nil {
		f.add(name+"."+c.where, c.text.checkJSON())
	}
	return c
}

var (
	errNameTemplate = errors.New("only values are templates")
	errRawType      = errors.New("its ContentType is no media type, and it says how values are escaped")
	errLikeJSON     = errors.New("values can be escaped for JSON, and not for its relatives: leave the names out")
	errSecretJSON   = errors.New("there is a secrets.Value in it, which is never encoded: name it in Secrets")
)

// textOfJSON encodes v, whose strings are templates.
func textOfJSON(v any) (string, error) {
	data, err := marshal(v)
	if err != nil {
		return "", fmt.Errorf("it cannot be encoded: %w", err)
	}
	if strings.Contains(string(data), secrets.Redacted) {
		return "", errSecretJSON
	}
	return string(data), nil
}

// rawType returns the type of a body that says how values are escaped.
func rawType(s *Step) string {
	for _, f := range s.Header {
		if s.ContentType == "" && strings.EqualFold(f.Name, headerType) {
			return f.Value
		}
	}
	return s.ContentType
}

// parts takes the parts of a multipart apart.
func (f *faults) parts(name string, parts []Part) []fieldTemplate {
	parsed := make([]fieldTemplate, len(parts))
	for i, p := range parts {
		where := fmt.Sprintf("Multipart[%d]", i)
		header, err := body.FormHeader(p.Name, p.FileName, p.ContentType)
		if err == nil && strings.Contains(p.Name+p.FileName+p.ContentType, "{{") {
			err = errNameTemplate
		}
		f.add(name+"."+where, err)
		parsed[i] = fieldTemplate{where: where, name: header, value: f.template(name+"."+where, p.Value)}
	}
	return parsed
}

// fields takes fields apart.
func (f *faults) fields(name, list string, fields []Field) []fieldTemplate {
	parsed := make([]fieldTemplate, len(fields))
	for i, p := range fields {
		where := fmt.Sprintf("%s[%d]", list, i)
		f.addIf(p.Name == "", name+"."+where, errors.New("it has no name"))
		f.addIf(strings.Contains(p.Name, "{{"), name+"."+where, errNameTemplate)
		parsed[i] = fieldTemplate{where: where, name: p.Name, value: f.template(name+"."+where, p.Value)}
	}
	return parsed
}
