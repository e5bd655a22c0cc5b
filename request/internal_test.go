package request

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzDecodeJSON decodes: what is accepted is valid JSON in UTF-8, one value, and nothing is accepted by one kind of
// target and refused by another.
func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{
		`{"id":7}`, `[1,"é",null,true]`, `{} {}`, `{}}`, `{"a":`, "\"\xff\"", `1e999`, `"\ud800"`, " \n", "null", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := slices.Clone(data)
		var value any
		err := decodeJSON(data, &value)
		if !bytes.Equal(data, before) {
			t.Fatal("the body has changed")
		}
		if accepted, want := err == nil, json.Valid(data) && utf8.Valid(data); accepted != want {
			t.Errorf("an any: %v, want an error: %t", err, !want)
		}
		var raw json.RawMessage
		if rawErr := rawJSON(data, &raw); (err == nil) != (rawErr == nil) && !isAbsent(data) && !marked(data) {
			t.Errorf("an any: %v, a RawMessage: %v", err, rawErr)
		}
		if message := withoutData(err); message != nil && len(message.Error()) > 200 {
			t.Errorf("the text of the error has %d bytes", len(message.Error()))
		}
		var strict any
		if strictErr := StrictJSON().Unmarshal(data, &strict); strictErr == nil && err != nil {
			t.Errorf("StrictJSON accepts what the default does not: %v", err)
		}
	})
}

func isAbsent(data []byte) bool { return len(trimBlanks(trimBOM(data))) == 0 }

func marked(data []byte) bool { return len(trimBOM(data)) != len(data) }

// FuzzDuplicates looks for members of the same name, and compares with a search that is plain and slow.
func FuzzDuplicates(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"A":2}`, `{"a":{"a":1}}`, `[{"a":1},{"a":1}]`, `{"a":"a","b":["a","a"]}`, `{"k":1,"` + "\u212a" + `":1}`,
		`{"\u0061":1,"a":2}`, `{"":1,"":2}`, `{"\"":1,"\\":2,"{":3}`, `{"s":0,"ſ":0}`, `{"ı":0,"i":0,"İ":0}`,
		"{\"\xff\":0,\"\xfe\":0}", `{"\ud800":0,"\udc00":0}`, `{"a":[{"b":{},"c":{}}],"B":0,"b":0}`, `"a"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) {
			return
		}
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		if got, want := hasDuplicates(data), repeatsName(d); got != want {
			t.Errorf("%q has duplicates: %t, want %t", data, got, want)
		}
	})
}

// repeatsName reads one value from d, and reports whether an object in it has two members of the same name.
func repeatsName(d *json.Decoder) bool {
	token, _ := d.Token()
	found := false
	switch token {
	case json.Delim('['):
		for d.More() {
			found = repeatsName(d) || found
		}
		_, _ = d.Token()
	case json.Delim('{'):
		var names []string
		for d.More() {
			token, _ := d.Token()
			name, _ := token.(string)
			found = found || slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
			names = append(names, name)
			found = repeatsName(d) || found
		}
		_, _ = d.Token()
	}
	return found
}

// FuzzText turns bytes in any charset into text: it is UTF-8, or an error that repeats little.
func FuzzText(f *testing.F) {
	for _, name := range []string{"", "utf-8", "iso-8859-1", "utf-16", "utf-16le", "cp1252", "koi8-r", "ibm037", "x"} {
		f.Add("text/plain; charset="+name, []byte("caf\xe9\x00"))
	}
	f.Add("text/plain; charset=\"\xff\"; x", []byte("\xef\xbb\xbfé"))
	f.Fuzz(func(t *testing.T, contentType string, data []byte) {
		text, err := decodeText(contentType, data)
		if !utf8.ValidString(text) || err != nil && (text != "" || len(err.Error()) > 300) {
			t.Errorf("%q, %v", text, err)
		}
		const most = 3 // bytes of UTF-8 for a byte
		if len(text) > most*len(data) {
			t.Errorf("%d bytes became %d", len(data), len(text))
		}
	})
}

// FuzzXML decodes: what is accepted is one element, no deeper than that, with nothing after it.
func FuzzXML(f *testing.F) {
	for _, seed := range []string{
		`<a><b c="d>">e</b></a>`, `<!-- <a> --><a/>`, `<a><![CDATA[<b '>]]></a>`, `<a/><b/>`, `<?xml encoding="latin1"?><a/>`,
		`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, "", "<", "<a", "</a>", "\ufeff<a/>",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v struct {
			Text string `xml:",innerxml"`
		}
		err := unmarshalXML(data, &v)
		if message := withoutData(err); message != nil && len(message.Error()) > 200 {
			t.Errorf("the text of the error has %d bytes", len(message.Error()))
		}
		if err != nil {
			return
		}
		d := xml.NewDecoder(bytes.NewReader(data))
		d.CharsetReader = decodeXML
		roots, deep, deepest := 0, 0, 0
		for token, err := d.Token(); err == nil; token, err = d.Token() {
			switch token.(type) {
			case xml.StartElement:
				if deep == 0 {
					roots++
				}
				deep++
				deepest = max(deepest, deep)
			case xml.EndElement:
				deep--
			}
		}
		if roots != 1 || deep != 0 || deepest > mostDeep {
			t.Errorf("%q is accepted: %d roots, %d deep", data, roots, deepest)
		}
	})
}
