package request

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/tmaxmax/go-sse"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/field"
	"github.com/restconn/restconn/internal/wait"
)

// mostEventID is how long the id of an event may be: it is sent back in a header.
const mostEventID = 8 << 10

const mediaEvents = "text/event-stream"

var (
	// errOver means that the sequence has come to its end.
	errOver = errors.New("the sequence is over")
	// errEnded means that a stream has come to its end.
	errEnded = errors.New("the event stream ended")
)

// eventSource is one sequence of events, with all the streams that they come from.
type eventSource struct {
	builder  Builder
	settings eventSettings

	id     string               // of the last event
	opened bool                 // there was a stream
	url    string               // that of the stream, as it may be shown
	base   time.Duration        // the wait that backoff begins with
	delays func() time.Duration // nil: they begin anew
	made   int                  // reconnects without an event
}

func newEventSource(b Builder, options []EventOption) (*eventSource, error) {
	settings := eventSettings{
		size: defaultEventSize, reconnects: defaultReconnects,
		shortest: defaultShortestWait, longest: defaultLongestWait,
	}
	if err := applyAll(&settings, options); err != nil {
		return nil, err
	}
	s := &eventSource{builder: b, settings: settings, id: settings.id, base: settings.shortest}
	if by := settings.reconnectsBy; by != "" && settings.reconnects > 0 && !s.repeatable() {
		return nil, errors.New(by + " has no effect: only a GET without a body is reconnected")
	}
	if b.hasHeader(lastEventID) {
		return nil, errors.New("header Last-Event-ID is set by the option LastEventID")
	}
	if !b.hasHeader(cacheControl) {
		s.builder = b.Header(cacheControl, "no-store")
	}
	return s, nil
}

// repeatable reports whether the request may be sent again.
func (s *eventSource) repeatable() bool {
	return s.builder.method == http.MethodGet && s.builder.body == nil
}

// run yields events until there are no more, or the consumer has left.
func (s *eventSource) run(ctx context.Context, yield func(Event, error) bool) error {
	for {
		err := s.listen(ctx, yield)
		if err = s.again(ctx, err); errors.Is(err, errOver) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// listen opens the stream and yields its events. It returns why there are no more, and never nil.
func (s *eventSource) listen(ctx context.Context, yield func(Event, error) bool) error {
	b := s.builder
	if strings.Trim(s.id, " \t") != "" && field.IsValue(s.id) {
		b = b.Header(lastEventID, s.id)
	}
	x, err := b.open(ctx, mediaEvents)
	if err != nil {
		return err
	}
	defer x.Close()
	r := b.reader(x.Exchange)
	if err := r.expectEvents(b.effective()); err != nil {
		return err
	}
	s.opened, s.url = true, x.URL()
	stream := newEventReader(x.Response.Body, s.id, s.settings.size, s.rebase)
	for e, err := range sse.Read(stream, &sse.ReadConfig{MaxEventSize: math.MaxInt}) { // the stream has the limit
		if errors.Is(err, ErrEventTooLarge) {
			return r.broken(err)
		}
		if err != nil {
			return r.broken(fmt.Errorf("the event stream broke off: %w", err))
		}
		if len(e.LastEventID) > mostEventID {
			return r.broken(fmt.Errorf("%w: its id has more than %d bytes", ErrEventTooLarge, mostEventID))
		}
		s.id = validUTF8(e.LastEventID)
		if !stream.hasData { // such an event has an id to be remembered, and is not yielded
			continue
		}
		s.made, s.delays = 0, nil
		if e.Type == "" {
			e.Type = "message"
		}
		if !yield(Event{ID: s.id, Type: validUTF8(e.Type), Data: validUTF8(e.Data)}, nil) {
			return errOver
		}
	}
	return r.broken(errEnded)
}

func validUTF8(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// expectEvents refuses an answer that is no stream of events. It does not read it.
func (r *reader) expectEvents(p *policy) error {
	resp := r.exchange.Response
	switch {
	case resp.StatusCode == http.StatusNoContent:
		return errOver
	case resp.StatusCode != http.StatusOK && !p.expectedSet && p.check == nil:
		return r.responseError(nil, nil)
	}
	if err := refuseCoding(resp.Header); err != nil {
		return r.decodeError(err)
	}
	if media, _ := parseType(typeOf(resp.Header)); media != mediaEvents { // UTF-8, whatever a parameter says
		return r.decodeError(errors.New("the content type is not " + mediaEvents))
	}
	return nil
}

// again waits until the stream may be opened again after err. It returns why it may not: err, errOver, or the end of
// the context.
func (s *eventSource) again(ctx context.Context, err error) error {
	resumes := s.repeatable() && s.settings.reconnects > 0
	switch {
	case errors.Is(err, errOver), !resumes && errors.Is(err, errEnded):
		return errOver
	case !resumes || !s.opened || !isPassing(err), ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return err
	case s.made >= s.settings.reconnects:
		return amended(err, withReconnects)
	}
	s.made++
	stopped := wait.For(ctx, s.delay(err))
	if stopped == nil {
		return nil
	}
	if _, ok := err.(*ResponseError); ok { //nolint:errorlint // as in passing
		return amended(err, func(was error) error { return errors.Join(was, stopped) })
	}
	return &Error{Stage: StageSend, Method: s.builder.method, URL: s.url, Err: stopped}
}

// isPassing reports whether a stream that ended with err may be there again later.
func isPassing(err error) bool {
	e, ok := err.(*Error) //nolint:errorlint // as in passing
	return ok && e.Stage == StageRead && !errors.Is(err, ErrEventTooLarge) || passing(err)
}

func withReconnects(err error) error {
	if err == nil {
		return ErrTooManyReconnects
	}
	return fmt.Errorf("%w: %w", ErrTooManyReconnects, err)
}

// rebase takes over what a retry field asks for.
func (s *eventSource) rebase(asked time.Duration) {
	if base := min(max(asked, s.settings.shortest), s.settings.longest); base != s.base {
		s.base, s.delays = base, nil
	}
}

// spread is what a delay has added to it at most.
const spread = 1.2

// delay returns how long to wait before the stream is opened again after err.
func (s *eventSource) delay(err error) time.Duration {
	if s.delays == nil {
		longest := max(s.base, time.Duration(float64(s.settings.longest)/spread)) // so that not all meet at the longest
		s.delays = connection.Delays(connection.ExponentialFrom(s.base, longest))
	}
	return min(max(s.delays(), retryAfter(err), s.settings.shortest), s.settings.longest)
}
