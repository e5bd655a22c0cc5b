package tokencall

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/restconn/restconn/internal/redact"
)

// log writes the record of a call: what [connection.WithLogger] writes of a request, but for the headers.
func (c *Caller) log(req *http.Request, a *Answer, err error, took time.Duration) {
	if c.config.Logger == nil {
		return
	}
	path, scrub := redact.Path(req.Context()), scrubber(req)
	shown := redact.URL(req.URL)
	if path.Shown != "" {
		shown = req.URL.Scheme + "://" + req.URL.Host + path.Shown
	}
	attrs := []slog.Attr{
		slog.String("connection", c.config.Connection),
		slog.String("method", req.Method),
		slog.String("url", redact.Line(scrub.Text(shown))),
		slog.Duration("duration", took),
	}
	if a != nil {
		attrs = append(attrs, slog.Int("status", a.Status))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", redact.Line(scrub.Text(err.Error()))))
	}
	level := slog.LevelInfo
	if err != nil || a.Status >= http.StatusBadRequest {
		level = slog.LevelWarn
	}
	c.config.Logger.LogAttrs(context.WithoutCancel(req.Context()), level, "token call", attrs...)
}

// scrubber masks the secrets of a call.
func scrubber(req *http.Request) redact.Scrubber {
	return redact.NewScrubber(req.Header, req.URL.RawQuery, req.URL.RawQuery, redact.Path(req.Context()).Secrets)
}
