package testidp

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
)

// form is a form of a page.
type form struct {
	id, action string
	fields     url.Values
}

// readForm returns the first form of a page; nil if it has none. It reads pages like those of this package.
func readForm(body []byte) (*form, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var f *form
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			switch {
			case t.Name.Local == "form" && f == nil:
				f = &form{attr(t, "id"), attr(t, "action"), url.Values{}}
			case t.Name.Local == "input" && f != nil && attr(t, "name") != "":
				f.fields.Add(attr(t, "name"), attr(t, "value"))
			}
		case xml.EndElement:
			if t.Name.Local == "form" {
				return f, nil
			}
		}
	}
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
