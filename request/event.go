package request

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/restconn/restconn/internal/field"
)

// Event is one event of a stream of server-sent events (HTML standard, section 9.2). What is not UTF-8 in it was
// replaced by U+FFFD, as the standard asks.
type Event struct {
	// ID is the last event ID at that point: that of this event or, if it has none, of one before.
	ID string
	// Type is "message" where the server says nothing.
	Type string
	// Data is without the line end that the standard takes off; several data lines are joined by LF.
	Data string
}

var (
	// ErrEventTooLarge means that an event of a stream, or a line of it, is longer than [MaxEventSize] allows.
	ErrEventTooLarge = errors.New("the event is longer than MaxEventSize allows")
	// ErrTooManyReconnects means that a stream was reconnected as often in a row as [Reconnects] allows, and no event
	// came. What the last one failed with stands beside it.
	ErrTooManyReconnects = errors.New("no event came after as many reconnects as Reconnects allows")
)

// Events sends the request when it is ranged over, and yields the events of the answer as they come (HTML standard,
// section 9.2). The answer is 200 with the Content-Type text/event-stream; 204 means that there is nothing, or nothing
// more, and ends the sequence. Accept is text/event-stream, and Cache-Control no-store, unless the request has its own.
//
//	for event, err := range request.Events(ctx, request.Get(conn, "/changes")) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// The first request is not repeated but by the retries of the connection: see [connection.WithRetry]. A GET without a
// body is resumed when its stream ends or breaks off: after a wait it is sent again, with the ID of the last event as
// Last-Event-ID, and with a credential that was asked for anew. If that fails with an error of the transport but for
// that of a certificate, a timeout, a 5xx or a 429, it is tried again. See [Reconnects] and [ReconnectWait], which are
// errors for other requests: those are sent once, as the POST to which a language model answers with a stream. There, a
// stream that ends is the end of the sequence, and one that breaks off an error; whether its last event was the one
// that the service ends with is for the caller to see.
//
// No limit on attempt or total cuts an open stream: the idle timeout rules, and heartbeats of any kind keep it alive. A
// service that is silent for longer wants a connection derived with [connection.WithTimeouts].
// There is no limit on the time that the consumer takes for an event.
//
// An error is yielded once, last, and with the zero Event. Leaving the loop closes the response at once. Each range
// sends a request of its own, and several goroutines may range at once. Errors are [*ResponseError], [*DecodeError]
// and, for all else, [*Error].
func Events(ctx context.Context, b Builder, options ...EventOption) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		s, err := newEventSource(b, options)
		if err != nil {
			yield(Event{}, b.wrong(err))
			return
		}
		if err := s.run(ctx, yield); err != nil {
			yield(Event{}, err)
		}
	}
}

// EventOption changes how [Events] reads a stream. Of two that set the same thing the last one counts.
type EventOption interface {
	// String names the option.
	String() string
	apply(s *eventSettings) error
}

// eventSettings is what the options have set.
type eventSettings struct {
	size              int
	id                string
	reconnects        int
	reconnectsBy      string // the option that is about reconnects, if there is one
	shortest, longest time.Duration
}

const (
	defaultEventSize    = 1 << 20
	defaultReconnects   = 10
	defaultShortestWait = 500 * time.Millisecond
	defaultLongestWait  = time.Minute
)

// MaxEventSize is how long an event may be, in bytes: its lines with the names of their fields, each with a line end of
// one byte. Comments do not count, and no line is longer than that either. The default is 1 MiB. What is longer, and an
// id of more than 8 KiB, is [ErrEventTooLarge].
func MaxEventSize(n int) EventOption {
	return option[eventSettings]{"MaxEventSize", func(s *eventSettings) error {
		if n < 1 {
			return errors.New("want at least 1 byte")
		}
		s.size = n
		return nil
	}}
}

// LastEventID resumes a stream of an earlier run: id is sent as Last-Event-ID with the first request. The default, "",
// begins a new one.
func LastEventID(id string) EventOption {
	return option[eventSettings]{"LastEventID", func(s *eventSettings) error {
		if !field.IsValue(id) {
			return errors.New("the id has control bytes")
		}
		s.id = id
		return nil
	}}
}

// Reconnects is how many times in a row a stream is reconnected without an event in between, and then
// [ErrTooManyReconnects]. The default is 10. With 0 a stream that ends is the end of the sequence, and one that breaks
// off an error.
func Reconnects(n int) EventOption {
	return option[eventSettings]{"Reconnects", func(s *eventSettings) error {
		if n < 0 {
			return errors.New("the number is negative: for none use 0")
		}
		s.reconnects, s.reconnectsBy = n, "Reconnects"
		return nil
	}}
}

// ReconnectWait bounds the waits before a stream is reconnected. The first is the shortest, or what a retry field has
// asked for; each one after it, without an event in between, is twice as long, and all have up to a fifth added at
// random. A Retry-After makes a wait longer. Whatever was asked for, a wait lies within the bounds. The defaults are
// 500 ms and 1 min.
func ReconnectWait(shortest, longest time.Duration) EventOption {
	return option[eventSettings]{"ReconnectWait", func(s *eventSettings) error {
		if shortest <= 0 || longest < shortest {
			return errors.New("want 0 < shortest <= longest")
		}
		s.shortest, s.longest, s.reconnectsBy = shortest, longest, "ReconnectWait"
		return nil
	}}
}
