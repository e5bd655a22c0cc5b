package tokencall

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/internal/strictjson"
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
		if code := a.code(); code != "" {
			attrs = append(attrs, slog.String("code", code))
		}
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

// codes are the errors of RFC 6749 (sections 4.1.2.1 and 5.2), RFC 8628 (section 3.5), RFC 7009, RFC 8693, RFC 9449 and
// OpenID Connect. Any other text may be what the call has sent.
var codes = []string{ //nolint:gochecknoglobals // never changed
	"access_denied", "authorization_pending", "consent_required", "expired_token", "interaction_required",
	"invalid_client", "invalid_dpop_proof", "invalid_grant", "invalid_request", "invalid_scope", "invalid_target",
	"invalid_token", "login_required", "server_error", "slow_down", "temporarily_unavailable", "unauthorized_client",
	"unsupported_grant_type", "unsupported_token_type", "use_dpop_nonce",
}

// code returns the error code of an answer that refuses; "" if it has none that is known.
func (a *Answer) code() string {
	if a.Status < http.StatusBadRequest {
		return ""
	}
	_, members, err := strictjson.Object(a.Body)
	if err != nil {
		return ""
	}
	if code, ok := strictjson.Text(members["error"]); ok && slices.Contains(codes, code) {
		return code
	}
	return ""
}

// scrubber masks the secrets of a call.
func scrubber(req *http.Request) redact.Scrubber {
	return redact.NewScrubber(req.Header, req.URL.RawQuery, req.URL.RawQuery, redact.Path(req.Context()).Secrets)
}
