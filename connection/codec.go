package connection

import (
	"errors"
	"mime"
	"strings"
)

// Codec is one format of bodies, such as JSON, and who reads and writes it. The zero Codec is JSON by encoding/json.
//
//	connection.WithCodec(connection.Codec{Marshal: sonic.Marshal, Unmarshal: sonic.Unmarshal})
//
// Its functions are called from many goroutines.
type Codec struct {
	// MediaType is what Marshal writes, and what a response has to be: "" is application/json. A response of type
	// text/json or application/problem+json is JSON too, and so with other formats (RFC 6839).
	MediaType string
	// Marshal and Unmarshal have the contracts of those in encoding/json: Unmarshal reads one value and refuses what
	// follows it. It may keep data, and does not change it. Of JSON it gets no byte order mark, and neither an empty body
	// nor a null. nil means encoding/json; a format other than JSON needs both.
	Marshal   func(v any) ([]byte, error)
	Unmarshal func(data []byte, v any) error
	// AnyContentType lets Unmarshal read responses of any Content-Type. Otherwise those of another format are an error,
	// since they are often a login page or the error of a proxy.
	AnyContentType bool
}

const mediaJSON = "application/json"

// IsJSON reports whether the format is JSON.
func (c Codec) IsJSON() bool { return c.MediaType == "" || strings.EqualFold(c.MediaType, mediaJSON) }

// String returns the media type, in lower case.
func (c Codec) String() string {
	if c.MediaType == "" {
		return mediaJSON
	}
	return strings.ToLower(c.MediaType)
}

// Validate finds what is missing.
func (c Codec) Validate() error {
	if c.IsJSON() {
		return nil
	}
	media, _, err := mime.ParseMediaType(c.MediaType)
	switch {
	case err != nil || media != c.String() || !strings.Contains(media, "/") || strings.Contains(media, "*"):
		return errors.New("MediaType is not a media type without parameters (RFC 9110, section 8.3.1)")
	case c.Marshal == nil || c.Unmarshal == nil:
		return errors.New("a format other than JSON needs both Marshal and Unmarshal")
	}
	return nil
}
