package request

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/body"
	"github.com/restconn/restconn/internal/redact"
)

// MultipartBody is a multipart/form-data body (RFC 7578). It is an immutable value: every method returns a new one, so
// that a MultipartBody can be shared, stored and forked. Parts are sent in the order of the calls, and a name may
// repeat.
//
// It goes with POST and PUT, and needs a part. It is streamed: a file is opened when its turn comes, and read piece by
// piece. The length is known if that of every part is; otherwise the body is sent in chunks. It can be sent again, byte
// for byte with the same boundary, unless a part is made by [Once]: then so is the whole. A part that is shorter or
// longer than it said, or that cannot be read, breaks off the request before the body is complete.
//
// Names and file names are escaped as browsers do it: " is %22, CR %0D, LF %0A, and all else is UTF-8 as it is. A
// backslash is doubled, as RFC 2183 asks for. Other control characters, and what is not UTF-8, are errors. Whatever is
// wrong with one part is a [*PartError].
type MultipartBody struct {
	parts []formPart
	names []givenName
}

type formPart struct {
	name string
	body Body
	file bool
}

// givenName is what FileName was called with.
type givenName struct{ part, name string }

// Multipart begins a multipart/form-data body.
//
//	form := request.Multipart().Field("note", "daily").File("report", "report.csv")
//	err := request.Post(conn, "/reports").Body(form).Exec(ctx)
func Multipart() MultipartBody { return MultipartBody{} }

// Field adds a field: value byte by byte, without a Content-Type.
func (m MultipartBody) Field(name, value string) MultipartBody {
	return m.add(formPart{name: name, body: payloadBody{inMemory("", []byte(value))}})
}

// Part adds a part without a file name, with the content type of its content, if that has one.
func (m MultipartBody) Part(name string, content Body) MultipartBody {
	return m.add(formPart{name: name, body: content})
}

// File is [MultipartBody.FileFrom] with [File]("", path). For another content type use that.
func (m MultipartBody) File(name, path string) MultipartBody { return m.FileFrom(name, File("", path)) }

// FileFrom adds a file. Its content type is that of its content, or application/octet-stream. Its file name is given by
// [MultipartBody.FileName]; without that, it is the last element of the path if the content is made by [File], and name
// otherwise.
func (m MultipartBody) FileFrom(name string, content Body) MultipartBody {
	return m.add(formPart{name: name, body: content, file: true})
}

// FileName gives a file its file name, as it is. The n-th call for a name means the n-th file of that name, whether it
// was added before or is added later. A call that finds no file, and an empty file name, are errors.
func (m MultipartBody) FileName(name, fileName string) MultipartBody {
	m.names = append(slices.Clip(m.names), givenName{part: name, name: fileName})
	return m
}

func (m MultipartBody) add(p formPart) MultipartBody {
	m.parts = append(slices.Clip(m.parts), p)
	return m
}

// String returns the media type and the number of parts.
func (m MultipartBody) String() string { return fmt.Sprintf("%s (%d parts)", mediaForm, len(m.parts)) }

// Format writes String for every verb: the parts may hold secrets.
func (m MultipartBody) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, m.String()) }

// PartError is a fault of one part of a [MultipartBody]: it cannot be built, opened or read.
type PartError struct {
	// Name is the name of the part, as it was given.
	Name string
	Err  error
}

func (e *PartError) Error() string { return "part \"" + redact.Line(e.Name) + "\": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *PartError) Unwrap() error { return e.Err }

const mediaForm = "multipart/form-data"

// Payload implements [Body].
func (m MultipartBody) Payload() (Payload, error) { return m.encode(connection.Codec{}) }

// asForm returns the multipart that a body is. A type of somebody else's that holds one has a Payload of its own.
func asForm(b Body) (MultipartBody, bool) {
	switch m := b.(type) {
	case MultipartBody:
		return m, true
	case *MultipartBody:
		if m == nil {
			return MultipartBody{}, true
		}
		return *m, true
	}
	return MultipartBody{}, false
}

// encode encodes the parts with the codec of the request. The boundary is one per call, and the same on every attempt.
func (m MultipartBody) encode(codec connection.Codec) (Payload, error) {
	if len(m.parts) == 0 {
		return Payload{}, errors.New("the multipart has no part")
	}
	names, err := m.fileNames()
	if err != nil {
		return Payload{}, err
	}
	form := &body.Multipart{Boundary: rand.Text(), Parts: make([]body.Part, len(m.parts))}
	for i, p := range m.parts {
		fail := func(err error) error { return &PartError{Name: p.name, Err: err} }
		if form.Parts[i], err = p.encode(codec, names[i]); err != nil {
			return Payload{}, fail(err)
		}
		form.Parts[i].Fail = fail
	}
	return Payload{
		Open:        form.Open,
		Len:         form.Size(),
		ContentType: mediaForm + "; boundary=" + form.Boundary,
		Once:        form.Once(),
	}, nil
}

// fileNames returns the file name of each part; "" for a part that is no file.
func (m MultipartBody) fileNames() ([]string, error) {
	given := make(map[string][]string)
	for _, n := range m.names {
		if n.name == "" {
			return nil, &PartError{Name: n.part, Err: errors.New("the file name is empty")}
		}
		given[n.part] = append(given[n.part], n.name)
	}
	names := make([]string, len(m.parts))
	for i, p := range m.parts {
		if !p.file {
			continue
		}
		names[i] = p.fileName()
		if own := given[p.name]; len(own) > 0 {
			names[i], given[p.name] = own[0], own[1:]
		}
	}
	for _, n := range m.names {
		if len(given[n.part]) > 0 {
			return nil, &PartError{Name: n.part, Err: errNoFile}
		}
	}
	return names, nil
}

var errNoFile = errors.New("there is no file for this FileName: File and FileFrom add one, and Part does not")

// fileName returns the file name of a file that was not given one.
func (p *formPart) fileName() string {
	if f, ok := p.body.(fileBody); ok && f.path != "" {
		return filepath.Base(f.path)
	}
	return p.name
}

func (p *formPart) encode(codec connection.Codec, fileName string) (body.Part, error) {
	if p.body == nil {
		return body.Part{}, errors.New("its body is nil")
	}
	payload, err := payloadOf(p.body, codec)
	if err != nil {
		return body.Part{}, err
	}
	if p.file && payload.ContentType == "" {
		payload.ContentType = octetStream
	}
	header, err := body.FormHeader(p.name, fileName, payload.ContentType)
	if err != nil {
		return body.Part{}, err
	}
	return body.Part{Header: header, Size: payload.Len, Open: payload.Open, Once: payload.Once}, nil
}

// namePart adds to an error which part of the body can be sent only once.
func namePart(b Body, err error) error {
	m, _ := asForm(b)
	for _, p := range m.parts {
		if _, ok := p.body.(*onceBody); ok {
			return &PartError{Name: p.name, Err: err}
		}
	}
	return err
}

// checkForm refuses what would make a form that no server can read.
func (b *Builder) checkForm(call *connection.Call) error {
	if _, ok := asForm(b.body); !ok {
		return nil
	}
	if b.method != http.MethodPost && b.method != http.MethodPut {
		return fmt.Errorf("a multipart goes with POST or PUT, and this is a %s", redact.Line(b.method))
	}
	if hasField(call.Header, contentType) {
		return errors.New("the Content-Type of a multipart has its boundary in it, and is not set by hand")
	}
	return nil
}
