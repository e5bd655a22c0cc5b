package body

import "io"

// Part is one part of a [Multipart].
type Part struct {
	// Header holds the header lines, each with its CRLF. [FormHeader] writes them.
	Header string
	// Size is the length of the content in bytes; below 0 if it is not known.
	Size int64
	// Open opens the content from its beginning.
	Open func() (io.ReadCloser, error)
	// Once says that Open works only once. What it opens is closed with the body even where it was not reached.
	Once bool
	// Fail makes the error that the body returns of a fault of this part.
	Fail func(err error) error
}

// Multipart is a body of several parts (RFC 2046, section 5.1.1). It is not changed once it is in use, and then safe
// for concurrent use.
type Multipart struct {
	// Boundary has only characters that need no quotes in a Content-Type, and stands in none of the parts.
	Boundary string
	Parts    []Part
}

// Size returns the length of the body in bytes; -1 if that of a part is not known.
func (m *Multipart) Size() int64 {
	size := int64(len(m.tail()))
	for i := range m.Parts {
		if m.Parts[i].Size < 0 {
			return -1
		}
		size += int64(len(m.head(i))) + m.Parts[i].Size
	}
	return size
}

// Once reports whether the body can be opened only once, since a part can.
func (m *Multipart) Once() bool {
	for i := range m.Parts {
		if m.Parts[i].Once {
			return true
		}
	}
	return false
}

// Open returns a reader of the body from its beginning. It opens a part when its turn comes, closes it when it has been
// read, and keeps nothing of it. The reader may be closed while it is read. An error stays: a body of which a part
// failed is never ended.
func (m *Multipart) Open() (io.ReadCloser, error) { return &reader{form: m}, nil }

// head returns what stands before the content of a part.
func (m *Multipart) head(i int) string {
	begin := "\r\n--"
	if i == 0 {
		begin = "--"
	}
	return begin + m.Boundary + "\r\n" + m.Parts[i].Header + "\r\n"
}

// tail returns what stands after the last part.
func (m *Multipart) tail() string { return "\r\n--" + m.Boundary + "--\r\n" }
