package request

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/charset"
)

// XMLCodec is XML by encoding/xml: one document, in any charset that its declaration names, and nothing after it.
// Entities of a document's own are not expanded, and a tag is at most 256 KiB long.
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
	if longTag(data) {
		return errTag
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(name string, input io.Reader) (io.Reader, error) {
		from := charset.Named(name)
		if from == nil {
			return nil, errCharset
		}
		return from.NewDecoder().Reader(input), nil
	}
	if err := d.Decode(v); err != nil {
		return err
	}
	for {
		token, err := d.Token()
		switch t := token.(type) {
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return errTrailing
			}
		case xml.Comment, xml.ProcInst:
		default:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return errTrailing
		}
	}
}

// mostTag is the length of the longest tag: a decoder keeps all attributes of one.
const mostTag = 256 << 10

var (
	errTag     = plainError("a tag is longer than 256 KiB")
	errCharset = plainError("the charset is not known")
)

// longTag reports whether there are more bytes than mostTag between one < and the next.
func longTag(data []byte) bool {
	for {
		begin := bytes.IndexByte(data, '<')
		if begin < 0 {
			return false
		}
		data = data[begin+1:]
		end := bytes.IndexByte(data, '<')
		if end < 0 {
			end = len(data)
		}
		if end > mostTag && hasLongTag(data[:end]) {
			return true
		}
	}
}

// hasLongTag reports whether what stands after a < is a start tag that does not end within mostTag bytes.
func hasLongTag(s []byte) bool {
	if s[0] == '!' || s[0] == '?' { // a comment, CDATA: they have no attributes
		return false
	}
	var quote byte
	for _, c := range s[:mostTag] {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return false
		}
	}
	return true
}
