package request

import (
	"bytes"
	"errors"
	"io"
)

var errLongLine = errors.New("the line is too long")

// lineReader hands out the lines of a body, each as soon as it is complete.
type lineReader struct {
	body  io.Reader
	ends  string // the bytes that end a line; with "\r\n" each of them does, and both together do it once
	limit int    // of a line without its end, in bytes

	buffer  []byte
	begin   int  // of what was not handed out yet
	end     int  // of what was read
	seen    int  // up to there no line ends
	afterCR bool // an LF that comes next belongs to the line before
	err     error
}

// firstLine is the size of the first buffer.
const firstLine = 4 << 10

// next returns a line without its end; it is valid until the next call. Beside an error it returns what was read of a
// line that has no end. A line over the limit is errLongLine, and its rest is not read.
func (l *lineReader) next() ([]byte, error) {
	for {
		if l.afterCR && l.begin < l.end {
			l.afterCR = false
			if l.buffer[l.begin] == '\n' {
				l.begin++
				l.seen++
			}
		}
		found := bytes.IndexAny(l.buffer[l.seen:l.end], l.ends)
		if found < 0 {
			l.seen = l.end
		} else {
			l.seen += found
		}
		if l.seen-l.begin > l.limit {
			return nil, errLongLine
		}
		if found >= 0 {
			line := l.buffer[l.begin:l.seen]
			l.afterCR = l.buffer[l.seen] == '\r'
			l.seen++
			l.begin = l.seen
			return line, nil
		}
		if l.err != nil {
			rest := l.buffer[l.begin:l.end]
			l.begin = l.end
			return rest, l.err
		}
		l.err = l.fill()
	}
}

// fill reads more. There is room for it: a buffer that is full of one line is a line over the limit.
func (l *lineReader) fill() error {
	copy(l.buffer, l.buffer[l.begin:l.end])
	l.seen -= l.begin
	l.end -= l.begin
	l.begin = 0
	if l.end == len(l.buffer) {
		grown := make([]byte, min(max(2*l.end, firstLine), l.limit)+1)
		copy(grown, l.buffer)
		l.buffer = grown
	}
	n, err := l.body.Read(l.buffer[l.end:])
	l.end += n
	return err
}
