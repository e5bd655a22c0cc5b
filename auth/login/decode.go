package login

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/restconn/restconn/internal/charset"
)

// decodeJSON reads JSON. Whole numbers are ints, or texts if they are too long for that.
func decodeJSON(data []byte) (any, error) {
	switch {
	case !utf8.Valid(data):
		return nil, errNotUTF8
	case !json.Valid(data):
		return nil, errNotJSON
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return readJSON(d, maxNesting)
}

// readJSON reads one value.
func readJSON(d *json.Decoder, depth int) (any, error) {
	if depth == 0 {
		return nil, errTooDeep
	}
	token, err := d.Token()
	if err != nil {
		return nil, errNotJSON
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return readObject(d, depth)
		}
		return readArray(d, depth)
	case json.Number:
		return number(t.String()), nil
	default:
		return t, nil
	}
}

func readObject(d *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errNotJSON
		}
		key, _ := name.(string) // what else could it be
		if _, ok := object[key]; ok {
			return nil, errTwice
		}
		if object[key], err = readJSON(d, depth-1); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return object, err
}

func readArray(d *json.Decoder, depth int) (any, error) {
	array := []any{}
	for d.More() {
		v, err := readJSON(d, depth-1)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
	}
	_, err := d.Token()
	return array, err
}

// number returns an int or a float, if they are what was written.
func number(text string) any {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	if !strings.ContainsAny(text, ".eE") {
		return text
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return f
	}
	return text
}

// decodeXML reads an XML document: a map with the root element by its name.
func decodeXML(data []byte) (any, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = decodeCharset
	var root map[string]any
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && root != nil {
			return root, nil
		}
		if err != nil {
			return nil, errNotXML
		}
		switch t := token.(type) {
		case xml.StartElement:
			if root != nil {
				return nil, errNotXML
			}
			v, err := readElement(d, t, maxNesting)
			if err != nil {
				return nil, err
			}
			root = map[string]any{t.Name.Local: v}
		case xml.Directive:
			return nil, errOwnDTD
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return nil, errNotXML
			}
		}
	}
}

// readElement reads an element up to its end: its text, or a map if there is more to it.
func readElement(d *xml.Decoder, start xml.StartElement, depth int) (any, error) {
	if depth == 0 {
		return nil, errTooDeep
	}
	members := map[string]any{}
	for _, a := range start.Attr {
		if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" {
			continue
		}
		if _, ok := members["@"+a.Name.Local]; ok {
			return nil, errTwice
		}
		members["@"+a.Name.Local] = a.Value
	}
	var text strings.Builder
	for {
		token, err := d.Token()
		if err != nil {
			return nil, errNotXML
		}
		switch t := token.(type) {
		case xml.StartElement:
			v, err := readElement(d, t, depth-1)
			if err != nil {
				return nil, err
			}
			addMember(members, t.Name.Local, v)
		case xml.EndElement:
			return element(members, strings.TrimSpace(text.String())), nil
		case xml.CharData:
			text.Write(t)
		case xml.Directive:
			return nil, errOwnDTD
		}
	}
}

// element returns what an element is to expressions.
func element(members map[string]any, text string) any {
	if len(members) == 0 {
		return text
	}
	if text != "" {
		members["#text"] = text
	}
	return members
}

// list holds elements of one name.
type list = []any

// addMember adds a child; the second of a name makes a list.
func addMember(members map[string]any, name string, v any) {
	before, ok := members[name]
	if !ok {
		members[name] = v
		return
	}
	if all, ok := before.(list); ok {
		members[name] = append(all, v)
		return
	}
	members[name] = list{before, v}
}

// decodeCharset turns a document into UTF-8.
func decodeCharset(name string, input io.Reader) (io.Reader, error) {
	from := charset.Named(name)
	if from == nil {
		return nil, errNotXML
	}
	data, err := io.ReadAll(input) // which is in memory
	if err != nil {
		return nil, err
	}
	text, ok := charset.Text(from, data)
	if !ok {
		return nil, errNotUTF8
	}
	return strings.NewReader(text), nil
}
