package connection

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/restconn/restconn/internal/redact"
)

// mostLogged is how much of a body is put into a record.
const mostLogged = 10 << 10

// logStage writes one record per request that goes out, after authentication, so that it shows what was sent. It shows
// what is known to be harmless, and nothing else.
type logStage struct{ next http.RoundTripper }

func (s logStage) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req)
	debug := x.conn.config.debug
	if x.call.Debug != nil {
		debug = x.call.Debug
	}
	if debug == nil && x.conn.config.logger == nil {
		return s.next.RoundTrip(req)
	}
	r := &record{exchange: x, req: req, began: time.Now(), attempt: x.Attempts()}
	if debug != nil {
		r.sent = captureBody(&req.Body)
	}
	resp, err := s.next.RoundTrip(req)
	r.took = time.Since(r.began)
	if l := x.conn.config.logger; l != nil {
		r.write(l, resp, err, false)
	}
	if debug == nil {
		return resp, err
	}
	if err == nil {
		r.received = captureBody(&resp.Body)
	}
	if r.received == nil { // there is no end of a body to wait for
		r.write(debug, resp, err, true)
		return resp, err
	}
	r.received.done = func() { r.write(debug, resp, nil, true) }
	return resp, nil
}

// record is one request as it is logged.
type record struct {
	exchange       *Exchange
	req            *http.Request
	attempt        int
	began          time.Time
	took           time.Duration
	sent, received *capture
}

func (r *record) write(l *slog.Logger, resp *http.Response, err error, bodies bool) {
	x := r.exchange
	scrub := x.scrubber(r.req)
	attrs := []slog.Attr{
		slog.String("connection", x.conn.config.name),
		slog.String("method", r.req.Method),
		slog.String("url", redact.Line(scrub.Text(x.shownURL(r.req.URL)))),
		slog.Int("attempt", r.attempt),
		slog.Duration("duration", r.took),
		shownHeaders("request_header", r.req.Header),
	}
	level := slog.LevelInfo
	if resp != nil {
		attrs = append(attrs, slog.Int("status", resp.StatusCode), shownHeaders("response_header", resp.Header))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", redact.Line(scrub.Text(x.explain(err).Error()))))
	}
	if err != nil || resp.StatusCode >= http.StatusBadRequest {
		level = slog.LevelWarn
	}
	if bodies {
		if r.sent != nil {
			attrs = append(attrs, r.sent.attr("request_body", r.req.Header, scrub))
		}
		if r.received != nil {
			attrs = append(attrs, r.received.attr("response_body", resp.Header, scrub))
		}
	}
	l.LogAttrs(context.WithoutCancel(x.ctx), level, "http request", attrs...)
}

// scrubber knows the secrets of a request as it was sent.
func (x *Exchange) scrubber(req *http.Request) redact.Scrubber {
	return redact.NewScrubber(req.Header, req.URL.RawQuery, x.call.URL.RawQuery, x.call.Secrets)
}

// shownHeaders returns all header names, and the values of those that are harmless.
func shownHeaders(group string, header http.Header) slog.Attr {
	attrs := make([]any, 0, len(header))
	for _, name := range slices.Sorted(maps.Keys(header)) {
		value := redact.Mask
		if redact.Shown(name) {
			value = redact.Line(strings.Join(header[name], ", "))
		}
		attrs = append(attrs, slog.String(redact.Line(name), value))
	}
	return slog.Group(group, attrs...)
}

// capture keeps the beginning of a body that somebody else reads.
type capture struct {
	io.ReadCloser
	once sync.Once
	done func()

	mu   sync.Mutex
	text []byte
	size int64
}

// captureBody puts a capture in the place of a body; nil where there is none.
func captureBody(body *io.ReadCloser) *capture { //nolint:gocritic // it is the field that is replaced
	if *body == nil || *body == http.NoBody {
		return nil
	}
	c := &capture{ReadCloser: *body}
	*body = c
	return c
}

func (c *capture) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size += int64(n)
	c.text = append(c.text, p[:min(n, mostLogged-len(c.text))]...)
	return n, err
}

func (c *capture) Close() error {
	err := c.ReadCloser.Close()
	if c.done != nil {
		c.once.Do(c.done)
	}
	return err
}

func (c *capture) attr(name string, header http.Header, scrub redact.Scrubber) slog.Attr {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slog.Group(name,
		slog.Int64("size", c.size),
		slog.String("text", scrub.Body(header.Get("Content-Type"), c.text, c.size > int64(len(c.text)))))
}
