package tokencall_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/internal/tokencall"
)

// recording returns a configuration that logs into the buffer, without the time.
func recording() (tokencall.Config, *bytes.Buffer) {
	out := new(bytes.Buffer)
	drop := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	l := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: drop}))
	return tokencall.Config{Logger: l, Connection: "orders"}, out
}

func TestG7Log(t *testing.T) {
	t.Parallel()
	const (
		begin = ` msg="token call" connection=orders method=POST url=https://auth.example.test`
		body  = "of-body"
	)
	for name, c := range map[string]struct {
		reply http.Handler
		ctx   func(ctx context.Context) context.Context
		want  string
	}{
		"G7 an answer": {
			connectiontest.Text(200, body).Delay(time.Second), nil, "INFO" + begin + "/token duration=1s status=200",
		},
		"G7 a refusal": {connectiontest.Text(401, body), nil, "WARN" + begin + "/token duration=0s status=401"},
		"G7 a refusal with a code": {
			connectiontest.Text(400, `{"error":"invalid_grant","error_description":"of-body"}`), nil,
			"WARN" + begin + "/token duration=0s status=400 code=invalid_grant",
		},
		"G7 a refusal with what may be a secret": {
			connectiontest.Text(400, `{"error":"of_body"}`), nil, "WARN" + begin + "/token duration=0s status=400",
		},
		"G7 an answer with a code": {
			connectiontest.Text(200, `{"error":"invalid_grant"}`), nil, "INFO" + begin + "/token duration=0s status=200",
		},
		"G7 a redirect": {
			connectiontest.Status(302).Header("Location", "https://h/?"+body), nil, "WARN" + begin +
				`/token duration=0s status=302 error="the server redirects, and token calls are not sent elsewhere"`,
		},
		"G7 no answer": {connectiontest.Cut(), nil, "WARN" + begin + "/token duration=0s error=EOF"},
		"G7 a path that is secret": {connectiontest.Status(200), func(ctx context.Context) context.Context {
			return redact.WithPath(ctx, redact.SecretPath{Shown: "/" + redact.Mask})
		}, "INFO" + begin + "/[REDACTED] duration=0s status=200"},
		"G7 a host that is secret": {connectiontest.Cut(), func(ctx context.Context) context.Context {
			return redact.WithPath(ctx, redact.SecretPath{Shown: "/x", Secrets: []string{"example"}})
		}, "WARN" + strings.Replace(begin, "example", redact.Mask, 1) + "/x duration=0s error=EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := connectiontest.NewNetwork(t)
				n.Serve(home, c.reply)
				config, out := recording()
				ctx := t.Context()
				if c.ctx != nil {
					ctx = c.ctx(ctx)
				}
				_, _ = call(ctx, t, config, over(n), home+"/token?key=of-query")
				if got := strings.TrimSpace(strings.TrimPrefix(out.String(), "level=")); got != c.want {
					t.Errorf("the log is\n%s, want\n%s", got, c.want)
				}
			})
		})
	}
	t.Run("G7 what is not sent is not logged", func(t *testing.T) {
		t.Parallel()
		config, out := recording()
		if _, err := call(t.Context(), t, config, nil, "http://auth.example.test/"); err == nil || out.Len() > 0 {
			t.Errorf("error is %v, and the log %s", err, out)
		}
	})
}
