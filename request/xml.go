package request

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/charset"
)

// XMLCodec is XML by encoding/xml: one document and nothing after it, in UTF-8 or in the charset that its declaration
// names. A type without an XMLName field takes a document of any name. A document that brings its own definitions (a
// DTD with an internal subset) is refused, no tag is longer than 256 KiB, and no element lies more than 10,000 deep.
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
	text := bytes.TrimLeft(trimBOM(data), blanks) // some services write an empty line first
	if len(text) == 0 {
		return errEmpty
	}
	if err := checkXML(text); err != nil {
		return err
	}
	d := xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = once(decodeXML)
	if bytes.HasPrefix(data, []byte(byteOrderMark)) { // which says more than the declaration (RFC 7303, section 3.3)
		d.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	}
	switch err := d.Decode(v); {
	case errors.Is(err, io.EOF):
		return errElement
	case err != nil:
		return err
	}
	return endsXML(d)
}

// charsetReader turns what follows a declaration into UTF-8.
type charsetReader func(name string, input io.Reader) (io.Reader, error)

// once lets a document have one declaration with a charset.
func once(read charsetReader) charsetReader {
	called := false
	return func(name string, input io.Reader) (io.Reader, error) {
		if called {
			return nil, errSecond
		}
		called = true
		return read(name, input)
	}
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
	data, err := io.ReadAll(input) // which is in memory
	if err != nil {
		return nil, err
	}
	text, ok := charset.Text(from, data)
	if !ok {
		return nil, errBytes
	}
	return strings.NewReader(text), nil
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
	errBytes   = plainError("the text is not in its charset")
	errTag     = plainError("a tag is longer than 256 KiB")
	errDeep    = plainError("an element lies more than 10,000 deep")
	errDTD     = plainError("the document has definitions of its own, which are not read")
	errSecond  = plainError("there is an XML declaration in the middle of the document")
)

// checkXML refuses what would take a decoder much more memory than the document has, or what it would read in another
// way than this function does. It leaves everything else to it.
func checkXML(data []byte) error {
	deep := 0
	for rest := data; ; {
		begin := bytes.IndexByte(rest, '<')
		if begin < 0 {
			return nil
		}
		rest = rest[begin:]
		size, err := markup(rest, len(rest) == len(data))
		if err != nil {
			return err
		}
		if size == 0 {
			size = tagLen(rest)
			switch {
			case size > mostTag:
				return errTag
			case bytes.HasPrefix(rest, []byte("</")):
				deep--
			case !bytes.HasSuffix(rest[:size], []byte("/>")):
				deep++
			}
		}
		if deep > mostDeep {
			return errDeep
		}
		deep = max(deep, 0)
		rest = rest[size:]
	}
}

// markup returns the length of what data begins with if that begins with a < and is no tag, and 0 for a tag.
func markup(data []byte, first bool) (int, error) {
	switch {
	case bytes.HasPrefix(data, []byte("<!--")):
		return upTo(data, len("<!--"), "-->"), nil
	case bytes.HasPrefix(data, []byte("<![CDATA[")):
		return upTo(data, len("<![CDATA["), "]]>"), nil
	case bytes.HasPrefix(data, []byte("<!")):
		begin := min(len("<!D"), len(data)) // what comes first is taken as it is, even a quote
		size := begin + tagLen(data[begin:])
		if bytes.ContainsAny(data[1:size], "<[") {
			return 0, errDTD
		}
		return size, nil
	case bytes.HasPrefix(data, []byte("<?")):
		size := upTo(data, len("<?"), "?>")
		if name, _, _ := bytes.Cut(data[len("<?"):size], []byte("?")); !first && isDeclaration(name) {
			return 0, errSecond
		}
		return size, nil
	}
	return 0, nil
}

// isDeclaration reports whether a decoder takes a processing instruction for an XML declaration, which may name a
// charset: its target ends with the first byte that cannot be in a name.
func isDeclaration(text []byte) bool {
	rest, ok := bytes.CutPrefix(text, []byte("xml"))
	return ok && (len(rest) == 0 || rest[0] < utf8.RuneSelf && !unreserved[rest[0]] && rest[0] != ':')
}

// upTo returns how long data is up to and with end, which is looked for from begin on.
func upTo(data []byte, begin int, end string) int {
	i := bytes.Index(data[begin:], []byte(end))
	if i < 0 {
		return len(data)
	}
	return begin + i + len(end)
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
