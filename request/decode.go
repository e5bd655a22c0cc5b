package request

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/charset"
	"github.com/restconn/restconn/internal/redact"
)

// Binary is a body of bytes with its type, for [Do].
type Binary struct {
	Data []byte
	// ContentType is the Content-Type of the response, as it was sent; "" if there was none.
	ContentType string
}

// decode puts the body into target.
func (r *reader) decode(target any) error {
	if r.bodiless() {
		return nil
	}
	err := r.coded(target)
	if err == nil {
		err = r.decodeAs(target)
	}
	if err != nil {
		return r.decodeError(err)
	}
	return nil
}

// decodeAs decodes the body as the type of target asks for.
func (r *reader) decodeAs(target any) (err error) {
	header := r.exchange.Response.Header
	switch t := target.(type) {
	case *string:
		*t, err = decodeText(typeOf(header), r.data)
	case *[]byte:
		*t = slices.Clone(r.data)
	case *Binary:
		*t = Binary{Data: slices.Clone(r.data), ContentType: typeOf(header)}
	case *json.RawMessage:
		codec := connection.Codec{AnyContentType: r.codec.AnyContentType}
		if err = expect(codec, typeOf(header), r.data); err == nil {
			err = rawJSON(r.data, t)
		}
	default:
		if err = expect(r.codec, typeOf(header), r.data); err == nil {
			err = decodeValue(r.codec, r.forCodec(), target)
		}
	}
	return err
}

// forCodec returns the body for the codec. One that is not ours may keep it, and what is in the pool is not to be kept.
func (r *reader) forCodec() []byte {
	if r.codec.Unmarshal == nil || !r.buffer.Reused() {
		return r.data
	}
	return slices.Clone(r.data)
}

// isRaw reports whether target takes the bytes of the body, whatever they are.
func isRaw(target any) bool {
	switch target.(type) {
	case *[]byte, *Binary:
		return true
	}
	return false
}

// coded refuses a body with a content coding that the transport has not undone. It undoes gzip, unless the request has
// an Accept-Encoding of its own.
func (r *reader) coded(target any) error {
	if len(r.data) == 0 || r.codingWanted && isRaw(target) {
		return nil
	}
	return refuseCoding(r.exchange.Response.Header)
}

// brief is the beginning of a word that a server has written.
func brief(word string) string {
	const most = 40
	return `"` + redact.Line(word[:min(len(word), most)]) + `"`
}

// bodiless reports whether the response has no body by its nature (RFC 9110, section 6.4.1).
func (r *reader) bodiless() bool {
	switch r.exchange.Response.StatusCode {
	case http.StatusNoContent, http.StatusResetContent, http.StatusNotModified:
		return true
	}
	return r.method == http.MethodHead
}

// expect refuses a body that says it is of another format, such as a login page.
func expect(codec connection.Codec, contentType string, data []byte) error {
	if contentType == "" || len(data) == 0 || codec.AnyContentType || contentType == codec.String() {
		return nil
	}
	media, name := parseType(contentType)
	if !isFormat(codec, media) {
		if isFormat(connection.Codec{MediaType: mediaXML}, media) {
			return errors.New("the content type is XML: for that use Codec(request.XMLCodec())")
		}
		return fmt.Errorf("the content type is not %s: if that is right all the same, "+
			"use Codec(connection.Codec{AnyContentType: true})", formatName(codec))
	}
	if codec.IsJSON() && !charset.IsUTF8(name) {
		return errNotUTF8
	}
	return nil
}

var errNotUTF8 = errors.New("the charset is not UTF-8 (RFC 8259, section 8.1)")

// isFormat reports whether a media type, in lower case, names the format of the codec: itself, as text, or as the
// suffix of another (RFC 6839).
func isFormat(codec connection.Codec, media string) bool {
	own := codec.String()
	if media == own {
		return true
	}
	_, format, _ := strings.Cut(own, "/")
	_, got, _ := strings.Cut(media, "/")
	return media == "text/"+format || strings.HasSuffix(got, "+"+format)
}

func formatName(codec connection.Codec) string {
	if codec.IsJSON() {
		return "JSON"
	}
	return codec.String()
}
