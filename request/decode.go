package request

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/restconn/restconn/connection"
)

const (
	// mostErrorBody is how much of a body is kept in an error.
	mostErrorBody = 64 << 10
	// mostDrained is how much of an unwanted body is read so that its connection can be used again.
	mostDrained = 256 << 10
	// mostPooled is the size of the largest buffer that is kept for the next response.
	mostPooled = 1 << 20
	// mostTrusted is how much memory is set aside because a server says so.
	mostTrusted = 1 << 20
	// firstBuffer is the size of a buffer for a body of unknown length.
	firstBuffer = 4 << 10
)

// buffers hold what is decoded at once and not kept.
var buffers = sync.Pool{New: func() any { return new([]byte) }} //nolint:gochecknoglobals // a pool

// reader reads and decodes the body of one response.
type reader struct {
	exchange *connection.Exchange
	method   string
	limit    int64
	pooled   *[]byte
	data     []byte
}

// body returns what was read; the buffer goes back to the pool later.
func (r *reader) body() []byte { return r.data }

// release gives the buffer back.
func (r *reader) release() {
	if r.pooled != nil && cap(r.data) <= mostPooled {
		*r.pooled = r.data[:0]
		buffers.Put(r.pooled)
	}
	r.pooled, r.data = nil, nil
}

// read reads the body whole, up to the limit.
func (r *reader) read() error {
	size := r.exchange.Response.ContentLength
	if r.bodiless() { // a Content-Length there is that of another answer
		size = 0
	}
	if size > r.limit {
		return r.fail(StageRead, fmt.Errorf("%w (%d bytes)", ErrTooLarge, r.limit))
	}
	r.pooled, _ = buffers.Get().(*[]byte)
	r.data = *r.pooled
	if size < 0 {
		size = firstBuffer
	}
	// One byte more than the body: the read that finds the end needs room.
	r.data = slices.Grow(r.data[:0], int(min(size, mostTrusted))+1)
	for {
		n, err := r.exchange.Response.Body.Read(r.data[len(r.data):cap(r.data)])
		r.data = r.data[:len(r.data)+n]
		switch {
		case int64(len(r.data)) > r.limit:
			return r.fail(StageRead, fmt.Errorf("%w (%d bytes)", ErrTooLarge, r.limit))
		case isEnd(err):
			return nil
		case err != nil:
			return r.brokeOff(int64(len(r.data)), err)
		case len(r.data) == cap(r.data):
			r.grow(size)
		}
	}
}

// grow makes room for more of a body of which that size is declared. A server that lies about it gains little.
func (r *reader) grow(size int64) {
	const factor = 8
	have := int64(len(r.data))
	if size > have && size < factor*have {
		r.data = slices.Grow(r.data, int(size-have)+1)
		return
	}
	r.data = slices.Grow(r.data, len(r.data))
}

// drain reads an unwanted body, so far as that is worth a connection. A body that breaks off is an error all the same.
func (r *reader) drain() error {
	n, err := io.CopyN(io.Discard, r.exchange.Response.Body, mostDrained)
	if err == nil || isEnd(err) {
		return nil
	}
	return r.brokeOff(n, err)
}

// isEnd reports whether err is the end of a body that is whole.
func isEnd(err error) bool { return err == io.EOF } //nolint:errorlint // the end is bare: a cause may be an EOF too

func (r *reader) brokeOff(n int64, err error) error {
	return r.fail(StageRead, fmt.Errorf("the response body broke off after %d bytes: %w", n, err))
}

func (r *reader) fail(stage Stage, err error) error {
	return &Error{Stage: stage, Method: r.method, URL: r.exchange.URL(), Attempts: r.exchange.Attempts(), Err: err}
}

// responseError makes the error of a response that is not a success, with the beginning of its body.
func (r *reader) responseError(cause error) error {
	body := slices.Clone(r.data)
	if body == nil {
		body, _ = io.ReadAll(io.LimitReader(r.exchange.Response.Body, mostErrorBody))
		_ = r.drain()
	}
	return &ResponseError{
		Status:  r.exchange.Response.StatusCode,
		Header:  r.exchange.Response.Header,
		Body:    body[:min(len(body), mostErrorBody)],
		Method:  r.method,
		URL:     r.exchange.URL(),
		History: r.exchange.History(),
		Err:     cause,
	}
}

func (r *reader) decodeError(err error) error {
	return &DecodeError{
		Status:      r.exchange.Response.StatusCode,
		Header:      r.exchange.Response.Header,
		ContentType: r.exchange.Response.Header.Get("Content-Type"),
		Body:        slices.Clone(r.data[:min(len(r.data), mostErrorBody)]),
		Method:      r.method,
		URL:         r.exchange.URL(),
		Err:         err,
	}
}

// decode puts the body into target.
func (r *reader) decode(target any) error {
	if r.bodiless() {
		return nil
	}
	var err error
	switch t := target.(type) {
	case *string:
		*t, err = decodeText(r.exchange.Response.Header.Get("Content-Type"), r.data)
	case *[]byte:
		*t = slices.Clone(r.data)
	case *json.RawMessage:
		if err = r.jsonOnly(); err == nil {
			err = rawJSON(r.data, t)
		}
	default:
		if err = r.jsonOnly(); err == nil {
			err = decodeJSON(r.data, target)
		}
	}
	if err != nil {
		return r.decodeError(err)
	}
	return nil
}

// bodiless reports whether the response has no body by its nature (RFC 9110, section 6.4.1).
func (r *reader) bodiless() bool {
	switch r.exchange.Response.StatusCode {
	case http.StatusNoContent, http.StatusResetContent, http.StatusNotModified:
		return true
	}
	return r.method == http.MethodHead
}

// jsonOnly refuses a body that says it is something else, such as a login page.
func (r *reader) jsonOnly() error {
	contentType := r.exchange.Response.Header.Get("Content-Type")
	if contentType == "" || contentType == mediaJSON || len(r.data) == 0 {
		return nil
	}
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil || media != mediaJSON && media != "text/json" && !strings.HasSuffix(media, "+json") {
		return errors.New("the content type is not JSON")
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") &&
		!strings.EqualFold(charset, "us-ascii") {
		return errors.New("the charset is not UTF-8 (RFC 8259, section 8.1)")
	}
	return nil
}

var errEmpty = errors.New("the body is empty")

// trimBOM drops a byte order mark (RFC 8259, section 8.1 lets a parser ignore it).
func trimBOM(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) }

func rawJSON(data []byte, target *json.RawMessage) error {
	data = bytes.TrimSpace(trimBOM(data))
	if len(data) == 0 {
		return nil
	}
	if !json.Valid(data) {
		return withoutData(json.Unmarshal(data, new(any)))
	}
	*target = slices.Clone(data)
	return nil
}

// decodeJSON decodes one JSON value, after which nothing follows.
func decodeJSON(data []byte, target any) error {
	data = trimBOM(data)
	t := reflect.TypeOf(target)
	if t.Kind() != reflect.Pointer || reflect.ValueOf(target).IsNil() {
		return errors.New("the target is not a pointer")
	}
	if trimmed := bytes.TrimSpace(data); len(trimmed) == 0 || string(trimmed) == "null" {
		switch {
		case canBeAbsent(t.Elem()):
			return nil
		case len(trimmed) == 0:
			return errEmpty
		}
		return errors.New("the body is null")
	}
	if !keepsNumbers(t) {
		return withoutData(json.Unmarshal(data, target))
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(target); err != nil {
		return withoutData(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after the JSON value")
	}
	return nil
}

// dataError is an error of encoding/json, or of a method that it has called, without what it may repeat of the body.
type dataError struct{ err error }

func withoutData(err error) error {
	if err == nil {
		return nil
	}
	return &dataError{err}
}

func (e *dataError) Error() string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](e.err); ok {
		kind, _, _ := strings.Cut(wrong.Value, " ") // "number 12" has the number in it
		where := ""
		if wrong.Field != "" {
			where = "field " + wrong.Field + " of "
		}
		return fmt.Sprintf("cannot unmarshal %s into %stype %v (byte %d)", kind, where, wrong.Type, wrong.Offset)
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](e.err); ok {
		return fmt.Sprintf("%v (byte %d)", syntax, syntax.Offset)
	}
	return fmt.Sprintf("a value does not fit its type (%T)", e.err)
}

func (e *dataError) Unwrap() error { return e.err }

// canBeAbsent reports whether the zero value of t says that there is nothing.
func canBeAbsent(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return true
	case reflect.Struct:
		return t.NumField() == 0
	default:
		return false
	}
}

// numbers remembers for a type what keepsNumbers found.
var numbers sync.Map //nolint:gochecknoglobals // a cache

// keepsNumbers reports whether a value of type t can hold an interface, into which encoding/json would put a float64
// that has lost digits.
func keepsNumbers(t reflect.Type) bool {
	if known, ok := numbers.Load(t); ok {
		return known == true
	}
	found := holdsInterface(t, make(map[reflect.Type]bool))
	numbers.Store(t, found)
	return found
}

func holdsInterface(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return holdsInterface(t.Elem(), seen)
	case reflect.Struct:
		for f := range t.Fields() {
			if holdsInterface(f.Type, seen) {
				return true
			}
		}
		return false
	default:
		return false
	}
}

// decodeText turns a body into a string of UTF-8.
func decodeText(contentType string, data []byte) (string, error) {
	_, params, _ := mime.ParseMediaType(contentType)
	switch charset := strings.ToLower(params["charset"]); charset {
	case "", "utf-8", "us-ascii":
		data = trimBOM(data)
		if !utf8.Valid(data) {
			return "", errors.New("the text is not UTF-8: use []byte")
		}
		return string(data), nil
	case "iso-8859-1", "latin1":
		runes := make([]rune, len(data))
		for i, c := range data {
			runes[i] = rune(c)
		}
		return string(runes), nil
	default:
		return "", fmt.Errorf("the charset %q is not known: use []byte", charset)
	}
}
