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

// content is the body of a step. Exactly one of text, form and parts is there, unless the body is empty.
type content struct {
	media string
	text  template
	form  []fieldTemplate
	parts []partTemplate
}

// partTemplate is a [Part] that was taken apart.
type partTemplate struct {
	header string
	value  template
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
	case strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json"):
		return jsonBody
	case strings.HasSuffix(media, "/xml") || strings.HasSuffix(media, "+xml"):
		return xmlBody
	case media == mediaForm:
		return formBody
	default:
		return otherBody
	}
}

// names returns the names in the body.
func (c *content) names() []string {
	names := c.text.names()
	for _, f := range c.form {
		names = append(names, f.value.names()...)
	}
	for _, p := range c.parts {
		names = append(names, p.value.names()...)
	}
	return names
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
		return nil, "", fmt.Errorf("the body: %w", err)
	}
	return []byte(text), c.media, nil
}

// multipart writes the parts, with a boundary that nobody can guess.
func (c *content) multipart(v values) (data []byte, contentType string, err error) {
	form := &body.Multipart{Boundary: rand.Text()}
	for _, p := range c.parts {
		text, err := p.value.render(v, asIs)
		if err != nil {
			return nil, "", err
		}
		form.Parts = append(form.Parts, body.Part{
			Header: p.header,
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

// newContent takes the body of a step apart; nil if there is none.
func newContent(s *Step) (*content, error) {
	switch {
	case s.Form != nil:
		fields, err := newFields(s.Form)
		return &content{media: mediaForm, form: fields}, err
	case s.JSON != nil:
		return newJSON(s.JSON)
	case s.XML != "":
		t, err := parseTemplate(s.XML)
		return &content{media: mediaXML, text: t}, err
	case s.Raw != "":
		return newRaw(s)
	case s.Multipart != nil:
		return newMultipart(s.Multipart)
	}
	return nil, nil //nolint:nilnil // a step need not have a body
}

// newJSON encodes v, whose strings are templates.
func newJSON(v any) (*content, error) {
	data, err := marshal(v)
	if err != nil {
		return nil, fmt.Errorf("it cannot be encoded: %w", err)
	}
	if strings.Contains(string(data), secrets.Redacted) {
		return nil, errors.New("there is a secrets.Value in it, which is never encoded: name it in Secrets")
	}
	t, err := parseTemplate(string(data))
	if err != nil {
		return nil, err
	}
	return &content{media: mediaJSON, text: t}, t.checkJSON()
}

// newRaw takes a text whose type says how values are escaped.
func newRaw(s *Step) (*content, error) {
	c := &content{media: s.ContentType}
	for _, f := range s.Header {
		if c.media == "" && strings.EqualFold(f.Name, headerType) {
			c.media = f.Value
		}
	}
	if _, _, err := mime.ParseMediaType(c.media); err != nil {
		return nil, errors.New("its ContentType is no media type, and it says how values are escaped")
	}
	var err error
	if c.text, err = parseTemplate(s.Raw); err != nil {
		return nil, err
	}
	if kindOf(c.media) == jsonBody {
		return c, c.text.checkJSON()
	}
	return c, nil
}

// newMultipart takes parts apart.
func newMultipart(parts []Part) (*content, error) {
	c := &content{}
	var faults []error
	for i, p := range parts {
		header, err := body.FormHeader(p.Name, p.FileName, p.ContentType)
		if err == nil && strings.Contains(p.Name+p.FileName+p.ContentType, "{{") {
			err = errNameTemplate
		}
		value, fault := parseTemplate(p.Value)
		if err = errors.Join(err, fault); err != nil {
			faults = append(faults, fmt.Errorf("part %d: %w", i, err))
		}
		c.parts = append(c.parts, partTemplate{header: header, value: value})
	}
	return c, errors.Join(faults...)
}

var errNameTemplate = errors.New("only values are templates")

// newFields takes fields apart.
func newFields(fields []Field) ([]fieldTemplate, error) {
	parsed := make([]fieldTemplate, len(fields))
	var faults []error
	for i, f := range fields {
		value, err := parseTemplate(f.Value)
		switch {
		case f.Name == "":
			err = errors.Join(errors.New("it has no name"), err)
		case strings.Contains(f.Name, "{{"):
			err = errors.Join(errNameTemplate, err)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("field %d: %w", i, err))
		}
		parsed[i] = fieldTemplate{name: f.Name, value: value}
	}
	return parsed, errors.Join(faults...)
}
