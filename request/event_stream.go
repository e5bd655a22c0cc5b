package request

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
)

// eventReader is what the parser reads in the place of the body: the fields of one complete event after the other. It
// keeps from the parser what that would get wrong or hold on to: comments and unknown fields, an event without its end,
// a byte order mark that is not at the beginning. It remembers what the parser does not tell.
type eventReader struct {
	lines lineReader
	limit int // of an event, in bytes
	begun bool

	block   []byte
	rest    []byte                    // of the block: the parser has not read it yet
	hasData bool                      // the block has a data field, if only an empty one
	onRetry func(asked time.Duration) // called for each retry field
}

// newEventReader reads events from a body. id is the last event ID that the stream begins with.
func newEventReader(body io.Reader, id string, limit int, onRetry func(time.Duration)) *eventReader {
	e := &eventReader{
		lines:   lineReader{body: body, ends: "\r\n", limit: limit},
		limit:   limit,
		onRetry: onRetry,
	}
	if id != "" {
		e.rest = []byte("id: " + id + "\n")
	}
	return e
}

// Read never returns bytes of two events at once: while the parser yields one, hasData is about that one.
func (e *eventReader) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		if err := e.next(); err != nil {
			e.hasData = false // the parser yields what it has at the end, which may be the id that the stream began with
			return 0, err
		}
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// next reads up to the empty line that ends an event.
func (e *eventReader) next() error {
	e.block, e.hasData = e.block[:0], false
	for {
		line, err := e.lines.next()
		if !e.begun {
			line, e.begun = trimBOM(line), true
		}
		switch {
		case errors.Is(err, errLongLine):
			return e.tooLarge()
		case err != nil: // an event that has no end is none
			return err
		case len(line) == 0 && len(e.block) > 0:
			e.block = append(e.block, '\n')
			e.rest = e.block
			return nil
		}
		if err := e.add(line); err != nil {
			return err
		}
	}
}

// add adds a line to the event.
func (e *eventReader) add(line []byte) error {
	name, value, _ := bytes.Cut(line, []byte(":"))
	switch string(name) {
	case "data":
		e.hasData = true
	case "event", "id":
	case "retry":
		if asked, ok := reconnectTime(string(bytes.TrimPrefix(value, []byte(" ")))); ok {
			e.onRetry(asked)
		}
		return nil
	default:
		return nil
	}
	if len(line) >= e.limit-len(e.block) {
		return e.tooLarge()
	}
	e.block = append(append(e.block, line...), '\n')
	return nil
}

func (e *eventReader) tooLarge() error { return fmt.Errorf("%w (%d bytes)", ErrEventTooLarge, e.limit) }

// reconnectTime reads the value of a retry field: milliseconds, in digits and nothing else.
func reconnectTime(value string) (time.Duration, bool) {
	for _, c := range []byte(value) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	if value == "" {
		return 0, false
	}
	const most = math.MaxInt64 / int64(time.Millisecond)
	asked, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		asked = most
	}
	return time.Duration(min(asked, most)) * time.Millisecond, true
}
