package request_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

// chunkedReader reads n bytes at a time.
type chunkedReader struct {
	body io.Reader
	n    int
}

func (c chunkedReader) Read(p []byte) (int, error) { return c.body.Read(p[:min(c.n, len(p))]) }

// standardEvents reads a stream by the letter of the HTML standard, section 9.2.6, up to where a line or an event is
// longer than limit; it reports whether there is such a one.
func standardEvents(stream, lastID string, limit int) (events []request.Event, large bool) {
	var eventType string
	var lines []string // data
	size := 0
	for first := true; ; first = false {
		end := strings.IndexAny(stream, "\r\n")
		if end < 0 {
			return events, len(stream) > limit
		}
		if end > limit {
			return events, true
		}
		line := stream[:end]
		if strings.HasPrefix(stream[end:], "\r\n") {
			end++
		}
		stream = stream[end+1:]
		if first {
			line = strings.TrimPrefix(line, "\xef\xbb\xbf")
		}
		if line == "" {
			if lines != nil {
				if eventType == "" {
					eventType = "message"
				}
				events = append(events, request.Event{ID: lastID, Type: eventType, Data: strings.Join(lines, "\n")})
			}
			eventType, lines, size = "", nil, 0
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.ToValidUTF8(strings.TrimPrefix(value, " "), "\uFFFD")
		switch name {
		case "event":
			eventType = value
		case "data":
			lines = append(lines, value)
		case "id":
			if !strings.Contains(value, "\x00") {
				lastID = value
			}
		default:
			continue
		}
		if size += len(line) + 1; size > limit {
			return events, true
		}
	}
}

// FuzzEvents reads streams as they come, in pieces of any size: the events are those of the standard, up to the limit.
func FuzzEvents(f *testing.F) {
	for _, seed := range []string{
		"data: a\n\n", "data:a\r\rdata: b\r\r\n\n",
		"\xef\xbb\xbfid: 1\r\nevent: x\r\ndata: a\r\ndata\r\n\r\n: c\r\n\r\ndata: b",
		"id: 1\x00\ndata\n\nid\ndata:  \n\n", "retry: 5\nid: 7\n\nevent: x\n\ndata: \xff\n\n", "\n\xef\xbb\xbfdata: a\n\n",
		"data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n\n", "data: a\ndata: b\ndata: c\ndata: d\ndata: e\n\n",
	} {
		f.Add(seed, uint16(1), uint16(30))
		f.Add(seed, uint16(1000), uint16(1000))
	}
	var body io.Reader
	conn, err := connection.New("https://api.example.test",
		connection.WithTransport(bodies{eventStream, func() io.Reader { return body }}))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = conn.Close() })
	f.Fuzz(func(t *testing.T, stream string, chunk, size uint16) {
		limit := max(1, int(size))
		body = chunkedReader{strings.NewReader(stream), max(1, int(chunk))}
		var got []request.Event
		var fault error
		for e, err := range request.Events(t.Context(), request.Post(conn, "/x"),
			request.MaxEventSize(limit), request.LastEventID("seed")) {
			if err != nil {
				fault = err
				continue
			}
			got = append(got, e)
			if len(e.Data) > limit*len("\uFFFD") {
				t.Errorf("%d bytes of data for a limit of %d", len(e.Data), limit)
			}
		}
		want, large := standardEvents(stream, "seed", limit)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if errors.Is(fault, request.ErrEventTooLarge) != large || !large && fault != nil {
			t.Errorf("error is %v; too large: %v", fault, large)
		}
	})
}

// FuzzJSONLines splits bodies as they come, in pieces of any size: the lines are those of a naive split, up to the
// limit.
func FuzzJSONLines(f *testing.F) {
	for _, seed := range []string{
		"{\"a\":1}\n{\"a\":2}\r\n\r\n \n3",
		"\xef\xbb\xbf1\n\xef\xbb\xbf2\n", "\n\n\n", "1\r2\n", "1\n123456789012345678901\n2\n", "",
	} {
		f.Add([]byte(seed), uint16(1), uint16(20))
		f.Add([]byte(seed), uint16(1000), uint16(1000))
	}
	var body io.Reader
	var got []string
	conn, err := connection.New("https://api.example.test",
		connection.WithTransport(bodies{lineType, func() io.Reader { return body }}),
		connection.WithCodec(connection.Codec{Unmarshal: func(data []byte, _ any) error {
			got = append(got, string(data))
			return nil
		}}))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = conn.Close() })
	f.Fuzz(func(t *testing.T, text []byte, chunk, size uint16) {
		limit := max(1, int(size))
		body, got = chunkedReader{bytes.NewReader(text), max(1, int(chunk))}, nil
		var fault error
		for _, err := range request.JSONLines[any](t.Context(), request.Get(conn, "/x"), request.MaxLineSize(limit)) {
			fault = err
		}
		var want []string
		large := false
		for i, line := range strings.Split(string(text), "\n") {
			if large = len(line) > limit; large {
				break
			}
			if i == 0 {
				line = strings.TrimPrefix(line, "\xef\xbb\xbf")
			}
			line = strings.TrimPrefix(line, "\xef\xbb\xbf") // one in any line is let through
			if trimmed := strings.Trim(line, " \t\r\n"); trimmed != "" && trimmed != "null" {
				want = append(want, line)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
		if errors.Is(fault, request.ErrLineTooLarge) != large || !large && fault != nil {
			t.Errorf("error is %v; too large: %v", fault, large)
		}
	})
}
