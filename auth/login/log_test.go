package login_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/connection/connectiontest"
)

// TestG7Log looks at what is logged of the URL of a step, whose last answer is that of simple.
func TestG7Log(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		step login.Step
		base string
		want []string // of the URLs
	}{
		"G7 a path":                    {login.Step{Path: "/a/login?x=s3cret"}, home, []string{home + "/a/login"}},
		"G7 a parameter in the path":   {login.Step{Path: "/{{tenant}}/login"}, home, []string{home + "/acme/login"}},
		"G7 K-33 a secret in the path": {login.Step{Path: "/{{key}}/login"}, home, []string{home + "/[REDACTED]"}},
		"G7 K-33 a short one":          {login.Step{Path: "/{{pin}}/login"}, home, []string{home + "/[REDACTED]"}},
		"G7 K-33 one that is escaped":  {login.Step{Path: "/{{odd}}"}, home, []string{home + "/[REDACTED]"}},
		"G7 K-33 one in the base URL":  {login.Step{Path: "/login"}, home + "/{{key}}", []string{home + "/[REDACTED]"}},
		"G7 K-33 one in the host": {
			login.Step{URL: "https://{{host}}.example.test/x"}, home,
			[]string{"https://[REDACTED].example.test/[REDACTED]"},
		},
		"G7 K-33 one that is the URL": {login.Step{URL: "{{hook}}/x"}, home, []string{"https://[REDACTED]/[REDACTED]"}},
		"G7 K-33 one of an answer": {
			login.Step{Path: "/{{saved}}"}, home, []string{home + "/first", home + "/[REDACTED]"},
		},
		"G7 K-33 one that was computed": {login.Step{Path: "/{{made}}"}, home, []string{home + "/[REDACTED]"}},
		"G7 K-33 one in the query": {
			login.Step{Path: "/x", Query: login.Fields("a", "{{key}}")}, home, []string{home + "/x"},
		},
		"G7 K-33 one in a header and a body": {
			login.Step{Path: "/x", Header: login.Fields("X-K", "{{key}}"), Form: login.Fields("k", "{{key}}")}, home,
			[]string{home + "/x"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := simple(c.step)
			cfg.BaseURL = c.base
			cfg.Params = map[string]string{"tenant": "acme", "made": "m"}
			cfg.Secrets = static("key", "s3cret", "pin", "1", "odd", "s3cret/+ ?", "host", "s3cret",
				"hook", "HTTPS://s3cret.example.test/s3cret")
			cfg.Compute = func(context.Context, map[string]string) (map[string]string, error) {
				return map[string]string{"made": "s3cret"}, nil
			}
			if strings.Contains(c.step.Path, "saved") {
				first := login.Step{Path: "/first", Save: map[string]string{"saved": "body.saved"}}
				cfg.Steps = append([]login.Step{first}, cfg.Steps...)
			}
			n := connectiontest.NewNetwork(t)
			for _, origin := range []string{home, "https://s3cret.example.test"} {
				n.Serve(origin, connectiontest.JSON(200, map[string]string{"access_token": "t1", "saved": "s3cret"}))
			}
			var out bytes.Buffer
			g, err := login.New(cfg).(auth.GrantBinder).BindGrant(auth.Host{
				Client: &http.Client{Transport: n.Transport()}, Logger: slog.New(slog.NewTextHandler(&out, nil)),
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := g.Obtain(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			var urls []string
			for word := range strings.FieldsSeq(out.String()) {
				if text, ok := strings.CutPrefix(word, "url="); ok {
					urls = append(urls, text)
				}
			}
			if got, want := strings.Join(urls, " "), strings.Join(c.want, " "); got != want {
				t.Errorf("the log shows %s, want %s", got, want)
			}
			if strings.Contains(out.String(), "s3cret") || strings.Contains(out.String(), "t1") {
				t.Errorf("the log is %s", out.String())
			}
		})
	}
}
