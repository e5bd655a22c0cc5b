package request

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/charset"
)

// XMLCodec is XML by encoding/xml: one document and nothing after it, in UTF-8 or in the charset that its declaration
// names. A type without an XMLName field takes a document of any name. Entities that a document defines are not
// expanded, no tag is longer than 256 KiB, and no element lies more than 10,000 deep.
//
//	feed, err := request.Do[Feed](ctx, request.Get(conn, "/feed").Codec(request.XMLCodec()))
func XMLCodec() connection.Codec {
	return connection.Codec{MediaType: mediaXML, Marshal: marshalXML, Unmarshal: unmarshalXML}
}

const mediaXML = "application/xml"

// XML is v as encoding/xml writes it, with an XML declaration, when the request is sent.
func XML(v any) Body {
	return valueBody{v, func(connection.Codec) connection.Codec { return XMLCodec() }}
}

func marshalXML(v any) ([]byte, error) {
	data, err := xml.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), data...), nil
}

func unmarshalXML(data []byte, v any) error {
	if len(trimBlanks(trimBOM(data))) == 0 {
		return errEmpty
	}
	if err := checkXML(data); err != nil {
		return err
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = decodeXML
	switch err := d.Decode(v); {
	case errors.Is(err, io.EOF):
		return errElement
	case err != nil:
		return err
	}
	return endsXML(d)
}

// decodeXML turns a document into UTF-8. In a charset that has no ASCII in it, checkXML would have seen no tags.
func decodeXML(name string, input io.Reader) (io.Reader, error) {
	from := charset.Named(name)
	if from == nil {
		return nil, errCharset
	}
	if text, _ := charset.Text(from, []byte("</>")); text != "</>" {
		return nil, errCharset
	}
	return charset.Reader(from, input), nil
}

// endsXML refuses what is not allowed after the root element.
func endsXML(d *xml.Decoder) error {
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.Comment, xml.ProcInst:
		case xml.CharData:
			if len(trimBlanks(t)) > 0 {
				return errTrailing
			}
		default:
			return errTrailing
		}
	}
}

const (
	// mostTag is the length of the longest tag: a decoder keeps all attributes of one.
	mostTag = 256 << 10
	// mostDeep is how deep elements may lie: a decoder keeps all that are open.
	mostDeep = 10_000
)

var (
	errElement = plainError("there is no element")
	errCharset = plainError("the charset is not known")
	errTag     = plainError("a tag is longer than 256 KiB")
	errDeep    = plainError("an element lies more than 10,000 deep")
)

// checkXML refuses what would take a decoder much more memory than the document has. It leaves everything else to it.
func checkXML(data []byte) error {
	deep := 0
	for {
		begin := bytes.IndexByte(data, '<')
		if begin < 0 {
			return nil
		}
		data = data[begin:]
		size := skipXML(data)
		if size == 0 {
			size = tagLen(data)
			switch {
			case size > mostTag:
				return errTag
			case bytes.HasPrefix(data, []byte("</")):
				deep--
			case !bytes.HasSuffix(data[:size], []byte("/>")):
				deep++
			}
		}
		if deep > mostDeep {
			return errDeep
		}
		data = data[size:]
	}
}

// skipXML returns the length of what data begins with if that begins with a < and is no tag, and 0 for a tag.
func skipXML(data []byte) int {
	for _, kind := range [...]struct{ begin, end string }{
		{"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}, {"<!", ""},
	} {
		if !bytes.HasPrefix(data, []byte(kind.begin)) {
			continue
		}
		end := bytes.Index(data[len(kind.begin):], []byte(kind.end))
		if end < 0 {
			return len(data)
		}
		return len(kind.begin) + end + len(kind.end)
	}
	return 0
}

// tagLen returns the length of the tag that data begins with. A > between quotes does not end it.
func tagLen(data []byte) int {
	var quote byte
	for i, c := range data {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return len(data)
}
