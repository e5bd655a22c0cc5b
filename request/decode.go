package request

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/redact"
)

// Binary is a body of bytes with its type, for [Do].
type Binary struct {
	Data []byte
	// ContentType is the Content-Type of the response, as it was sent.
	ContentType string
}

// decode puts the body into target.
func (r *reader) decode(target any) error {
	if r.bodiless() {
		return nil
	}
	header := r.exchange.Response.Header
	var err error
	switch t := target.(type) {
	case *string:
		*t, err = decodeText(header.Get(contentType), r.data)
	case *[]byte:
		*t = slices.Clone(r.data)
	case *Binary:
		*t = Binary{Data: slices.Clone(r.data), ContentType: header.Get(contentType)}
	case *json.RawMessage:
		codec := connection.Codec{AnyContentType: r.codec.AnyContentType}
		if err = expect(codec, header.Get(contentType), r.data); err == nil {
			err = rawJSON(r.data, t)
		}
	default:
		if err = expect(r.codec, header.Get(contentType), r.data); err == nil {
			err = decodeValue(r.codec, r.data, target)
		}
	}
	if err != nil {
		return r.decodeError(err)
	}
	return nil
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
func (r *reader) coded() error {
	if coding := contentCoding(r.exchange.Response.Header); coding != "" {
		return r.decodeError(fmt.Errorf("the content coding %q was not undone: "+
			"without an Accept-Encoding header gzip is, and with one []byte gets the body as it is", redact.Line(coding)))
	}
	return nil
}

// contentCoding returns the first content coding that changes anything; "" if there is none.
func contentCoding(header http.Header) string {
	for _, v := range header["Content-Encoding"] {
		for coding := range strings.SplitSeq(v, ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
				return coding
			}
		}
	}
	return ""
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
	if contentType == "" || len(data) == 0 || codec.AnyContentType || contentType == mediaJSON && codec.IsJSON() {
		return nil
	}
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil || !isFormat(codec, media) {
		return fmt.Errorf("the content type is not %s: if that is right all the same, set AnyContentType of the Codec",
			formatName(codec))
	}
	charset := params["charset"]
	if codec.IsJSON() && charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return errors.New("the charset is not UTF-8 (RFC 8259, section 8.1)")
	}
	return nil
}

// isFormat reports whether a media type, in lower case, names the format of the codec: itself, as text, or as the
// suffix of another (RFC 6839).
func isFormat(codec connection.Codec, media string) bool {
	if media == mediaType(codec) {
		return true
	}
	_, format, _ := strings.Cut(mediaType(codec), "/")
	_, got, _ := strings.Cut(media, "/")
	return media == "text/"+format || strings.HasSuffix(got, "+"+format)
}

func mediaType(codec connection.Codec) string {
	if codec.MediaType == "" {
		return mediaJSON
	}
	return strings.ToLower(codec.MediaType)
}

func formatName(codec connection.Codec) string {
	if codec.IsJSON() {
		return "JSON"
	}
	return mediaType(codec)
}
