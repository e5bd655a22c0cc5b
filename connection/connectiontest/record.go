package connectiontest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Request is one request as a server read it from the wire.
type Request struct {
	// Raw is the request byte for byte, head and body, after TLS. An HTTP/2 request has no such text: for one, Raw
	// is the same request written in the form of HTTP/1.
	Raw string

	Method string
	Target string      // the request-target as it was sent: "/v1/users?page=2"; an absolute URL when sent to a proxy
	Proto  string      // "HTTP/1.1" or "HTTP/2.0"
	Host   string      // the Host field, or :authority
	Header http.Header // every other field as it was sent, under its canonical name

	// Body is the body without its transfer coding: what the server read of it. net/http reads up to 256 KiB of an
	// HTTP/1 body that the handler left; of an HTTP/2 body it holds what the handler read.
	Body []byte

	TLS  bool
	Conn int // the connection it came on; the server's first is 1
}

// journal holds the requests that one server has read, in the order of their arrival.
type journal struct {
	mu      sync.Mutex
	entries []*entry
}

type entry struct {
	Request // without Raw and Body
	raw     []byte
	body    []byte
}

func (j *journal) requests() []Request {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := make([]Request, len(j.entries))
	for i, e := range j.entries {
		r := e.Request
		r.Raw, r.Header, r.Body = string(e.raw), e.Header.Clone(), bytes.Clone(e.body)
		all[i] = r
	}
	return all
}

// http2 enters a request that came in frames, and returns its body, which records what is read of it.
func (j *journal) http2(r *http.Request, conn int, secure bool) io.ReadCloser {
	var raw bytes.Buffer
	fmt.Fprintf(&raw, "%s %s %s\r\nHost: %s\r\n", r.Method, r.RequestURI, r.Proto, r.Host)
	_ = r.Header.Write(&raw) // a Buffer takes everything
	raw.WriteString("\r\n")
	e := &entry{raw: raw.Bytes(), Request: Request{
		Method: r.Method, Target: r.RequestURI, Proto: r.Proto, Host: r.Host, Header: r.Header.Clone(),
		TLS: secure, Conn: conn,
	}}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, e)
	return &recordedBody{ReadCloser: r.Body, journal: j, entry: e}
}

type recordedBody struct {
	io.ReadCloser
	journal *journal
	entry   *entry
}

func (b *recordedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.journal.mu.Lock()
	defer b.journal.mu.Unlock()
	b.entry.raw = append(b.entry.raw, p[:n]...)
	b.entry.body = append(b.entry.body, p[:n]...)
	return n, err
}

// scanner cuts the bytes of one HTTP/1 connection into requests. It looks at what is read from the connection, so that
// a request is in the journal before a handler knows of it, and its body before the handler has read it.
type scanner struct {
	journal *journal
	conn    int
	tls     bool
	raw     bool // for a raw server: no handler takes the connection over after a CONNECT

	entry   *entry // the one being read; in the journal once its head is complete
	state   scanState
	line    []byte // the line being read, in all states but inData
	left    int64  // bytes of data to come, in inData
	chunked bool
}

type scanState int

const (
	inHead scanState = iota
	inData
	inChunkSize
	inChunkEnd
	inTrailer
	stopped // what follows is not HTTP/1
)

// stop ends the record of the connection: what follows is not HTTP/1.
func (s *scanner) stop() {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	s.state = stopped
}

func (s *scanner) feed(p []byte) {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	for len(p) > 0 && s.state != stopped {
		if s.entry == nil {
			s.entry = new(entry)
		}
		if s.state == inData {
			n := int(min(int64(len(p)), s.left))
			s.entry.raw = append(s.entry.raw, p[:n]...)
			s.entry.body = append(s.entry.body, p[:n]...)
			p = p[n:]
			if s.left -= int64(n); s.left == 0 {
				s.endData()
			}
			continue
		}
		n := bytes.IndexByte(p, '\n') + 1
		if n == 0 {
			n = len(p)
		}
		s.entry.raw = append(s.entry.raw, p[:n]...)
		s.line = append(s.line, p[:n]...)
		p = p[n:]
		if line, ok := bytes.CutSuffix(s.line, []byte("\n")); ok {
			s.endLine(string(bytes.TrimSuffix(line, []byte("\r"))))
			s.line = s.line[:0]
		}
	}
}

func (s *scanner) endLine(line string) {
	switch s.state {
	case inData, stopped: // have no lines
	case inHead:
		if line == "" {
			s.endHead()
		}
	case inChunkSize:
		size, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 64)
		switch {
		case err != nil || n < 0:
			s.state = stopped
		case n == 0:
			s.state = inTrailer
		default:
			s.state, s.left = inData, n
		}
	case inChunkEnd:
		s.state = inChunkSize
	case inTrailer:
		if line == "" {
			s.endRequest()
		}
	}
}

func (s *scanner) endHead() {
	e := s.entry
	e.Conn, e.TLS = s.conn, s.tls
	ok := e.parse()
	if e.Method == "PRI" { // the preface of HTTP/2
		s.state = stopped
		return
	}
	s.journal.entries = append(s.journal.entries, e)
	length, err := strconv.ParseInt(e.Header.Get("Content-Length"), 10, 64)
	s.chunked = slices.ContainsFunc(e.Header["Transfer-Encoding"], func(v string) bool {
		return strings.EqualFold(strings.TrimSpace(v), "chunked")
	})
	switch {
	case !ok, s.raw && e.Method == http.MethodConnect:
		s.state = stopped
	case s.chunked:
		s.state = inChunkSize
	case err == nil && length > 0:
		s.state, s.left = inData, length
	default:
		s.endRequest()
	}
}

func (s *scanner) endData() {
	if s.chunked {
		s.state = inChunkEnd
	} else {
		s.endRequest()
	}
}

func (s *scanner) endRequest() { s.state, s.entry = inHead, nil }

// parse fills the fields in from the head. It reports whether the head is well-formed.
func (e *entry) parse() bool {
	text := textproto.NewReader(bufio.NewReader(bytes.NewReader(e.raw)))
	line, err := text.ReadLine()
	if err != nil {
		return false
	}
	method, rest, ok := strings.Cut(line, " ")
	if !ok {
		return false
	}
	target, proto, ok := strings.Cut(rest, " ")
	if !ok {
		return false
	}
	e.Method, e.Target, e.Proto = method, target, proto
	header, err := text.ReadMIMEHeader()
	e.Header = http.Header(header)
	e.Host = e.Header.Get("Host")
	e.Header.Del("Host")
	return err == nil
}
