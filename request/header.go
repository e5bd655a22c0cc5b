package request

import (
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/restconn/restconn/connection"
)

// Names of header fields, in their canonical form.
const (
	acceptEncoding = "Accept-Encoding"
	byteRange      = "Range"
	cacheControl   = "Cache-Control"
	contentType    = "Content-Type"
	idempotencyKey = "Idempotency-Key"
	ifRange        = "If-Range"
	lastEventID    = "Last-Event-Id"
)

// hasHeader reports whether the request has a header of that canonical name.
func (b *Builder) hasHeader(name string) bool {
	for i := range b.count {
		if p := b.param(i); p.kind == headerParam && http.CanonicalHeaderKey(p.name) == name {
			return true
		}
	}
	return false
}

func hasField(fields []connection.Field, name string) bool {
	return slices.ContainsFunc(fields, func(f connection.Field) bool { return f.Name == name })
}

// typeOf returns the Content-Type. Several that differ are the list that they stand for (RFC 9110, section 5.3), which
// is no media type.
func typeOf(header http.Header) string {
	values := header[contentType]
	if len(values) > 1 {
		return strings.Join(slices.Compact(slices.Clone(values)), ", ")
	}
	return header.Get(contentType)
}

// parseType returns the media type, in lower case, and the charset of a Content-Type. Other parameters may be
// malformed, as in "application/json; utf-8".
func parseType(contentType string) (media, charsetName string) {
	media, params, err := mime.ParseMediaType(contentType)
	hides := strings.Contains(contentType, ",") || strings.Contains(strings.ToLower(contentType), "charset")
	if err != nil && (hides || !errors.Is(err, mime.ErrInvalidMediaParameter)) {
		return "", ""
	}
	return media, params["charset"]
}

// refuseCoding refuses a body in a content coding.
func refuseCoding(header http.Header) error {
	if coding := contentCoding(header); coding != "" {
		return errors.New("the content coding " + brief(coding) + " was not undone: without an Accept-Encoding " +
			"header gzip is, and with one []byte gets the body as it is")
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
