package connection_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

// optionFaults returns the options that the OptionErrors in err name.
func optionFaults(err error) []string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var names []string
		for _, e := range joined.Unwrap() {
			names = append(names, optionFaults(e)...)
		}
		return names
	}
	if e, ok := errors.AsType[*connection.OptionError](err); ok {
		return []string{e.Option}
	}
	return nil
}

func TestOptions(t *testing.T) {
	t.Parallel()
	const secret = "hunter2canary"
	transport := connection.WithTransport(http.NewFileTransport(http.Dir(".")))
	for name, c := range map[string]struct {
		base   string
		option connection.Option
		want   string
	}{
		"empty base URL":          {"", nil, "base URL"},
		"no scheme":               {"api.example.test", nil, "base URL"},
		"other scheme":            {"ftp://api.example.test", nil, "base URL"},
		"userinfo":                {"https://u:" + secret + "@api.example.test", nil, "base URL"},
		"fragment":                {"https://api.example.test/#x", nil, "base URL"},
		"dot segment in the base": {"https://api.example.test/a/../b", nil, "base URL"},
		"nil option":              {"https://a.test", connection.Options(nil), "option"},
		"nil authenticator":       {"https://a.test", connection.WithAuth(nil), "WithAuth"},
		"colon in the user": {
			"https://a.test", connection.WithAuth(auth.Basic("a:b", secrets.Static(secret))), "WithAuth",
		},
		"nil key": {"https://a.test", connection.WithAuth(auth.APIKey(nil)), "WithAuth"},
		"credential in clear": {
			"http://a.test", connection.WithAuth(auth.Basic("a", secrets.Static(secret))), "WithAuth",
		},
		"header name":            {"https://a.test", connection.WithHeader("X Y", "1"), "WithHeader"},
		"header without name":    {"https://a.test", connection.WithHeader("", "1"), "WithHeader"},
		"header value":           {"https://a.test", connection.WithHeader("X-Y", "1\r\nX-Z: "+secret), "WithHeader"},
		"user agent as a header": {"https://a.test", connection.WithHeader("user-agent", "mine"), "WithHeader"},
		"reserved header":        {"https://a.test", connection.WithHeader("Host", "b.test"), "WithHeader"},
		"empty user agent":       {"https://a.test", connection.WithUserAgent(""), "WithUserAgent"},
		"negative retries":       {"https://a.test", connection.WithRetry(connection.Retry{Max: -1}), "WithRetry"},
		"negative Retry-After": {
			"https://a.test", connection.WithRetry(connection.Retry{MaxRetryAfter: -1}), "WithRetry",
		},
		"negative wait": {
			"https://a.test", connection.WithRetry(connection.Retry{Wait: connection.Constant(-1)}), "WithRetry",
		},
		"exponential from zero": {
			"https://a.test", connection.WithRetry(connection.Retry{Wait: connection.ExponentialFrom(0, 1)}), "WithRetry",
		},
		"a status as a series": {
			"https://a.test", connection.WithRetry(connection.Retry{On: connection.OnSeries(503)}), "WithRetry",
		},
		"no status": {
			"https://a.test", connection.WithRetry(connection.Retry{On: connection.OnStatus()}), "WithRetry",
		},
		"range the wrong way": {
			"https://a.test", connection.WithRetry(connection.Retry{On: connection.OnStatusRange(599, 500)}), "WithRetry",
		},
		"bad member of OnAny": {
			"https://a.test", connection.WithRetry(connection.Retry{On: connection.OnAny(connection.OnFunc(nil))}), "WithRetry",
		},
		"negative timeout": {
			"https://a.test", connection.WithTimeouts(connection.Timeouts{Idle: -time.Second}), "WithTimeouts",
		},
		"negative redirects": {"https://a.test", connection.WithMaxRedirects(-1), "WithMaxRedirects"},
		"origin with a path": {
			"https://a.test", connection.WithTrustedOrigins("https://b.test/x"), "WithTrustedOrigins",
		},
		"nil logger":             {"https://a.test", connection.WithLogger(nil), "WithLogger"},
		"nil debug logger":       {"https://a.test", connection.WithDebug(nil), "WithDebug"},
		"nil middleware":         {"https://a.test", connection.WithMiddleware(nil), "WithMiddleware"},
		"nil attempt middleware": {"https://a.test", connection.WithAttemptMiddleware(nil), "WithAttemptMiddleware"},
		"no body limit":          {"https://a.test", connection.WithMaxBody(0), "WithMaxBody"},
		"no connections":         {"https://a.test", connection.WithMaxConnsPerHost(0), "WithMaxConnsPerHost"},
		"connections of a stranger": {
			"https://a.test", connection.Options(transport, connection.WithMaxConnsPerHost(1)), "WithMaxConnsPerHost",
		},
		"nil transport": {"https://a.test", connection.WithTransport(nil), "WithTransport"},
		"nil client":    {"https://a.test", connection.WithHTTPClient(nil), "WithHTTPClient"},
		"client that redirects": {"https://a.test", connection.WithHTTPClient(&http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return nil },
		}), "WithHTTPClient"},
		"empty name":         {"https://a.test", connection.WithName(" "), "WithName"},
		"docs in JavaScript": {"https://a.test", connection.WithDocsURL("javascript:alert(1)"), "WithDocsURL"},
		"empty test path":    {"https://a.test", connection.WithTestPath(""), "WithTestPath"},
		"URL as test path":   {"https://a.test", connection.WithTestPath("https://b.test/health"), "WithTestPath"},
		"dots in the test path": {
			"https://a.test", connection.WithTestPath("/../health"), "WithTestPath",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var options []connection.Option
			if c.option != nil {
				options = append(options, c.option)
			}
			conn, err := connection.New(c.base, options...)
			if got := optionFaults(err); conn != nil || len(got) != 1 || got[0] != c.want {
				t.Errorf("error %v names %v, want %s", err, got, c.want)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("error %v has the secret", err)
			}
		})
	}
}

func TestOptionsTogether(t *testing.T) {
	t.Parallel()
	_, err := connection.New("api.example.test", connection.WithAuth(nil), connection.WithMaxRedirects(-1),
		connection.WithRetry(connection.Retry{Max: -1, MaxRetryAfter: -1}), connection.WithTrustedOrigins("x", "y"))
	want := "base URL WithAuth WithMaxRedirects WithRetry WithTrustedOrigins"
	if got := strings.Join(optionFaults(err), " "); got != want {
		t.Errorf("the faults are of %s, want %s", got, want)
	}
	for _, text := range []string{"Max is negative", "MaxRetryAfter is negative", "origin 1", "origin 2"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %v does not say %q", err, text)
		}
	}
}

// Conflicts are found between a header of the connection and what its authenticator writes.
func TestOptionConflicts(t *testing.T) {
	t.Parallel()
	key := auth.APIKey(secrets.Static("k"), auth.InHeader("X-Key"))
	for _, a := range []auth.Authenticator{key, auth.All(auth.Basic("u", secrets.Static("p")), key)} {
		_, err := connection.New("https://a.test", connection.WithAuth(a), connection.WithHeader("x-key", "mine"))
		if got := optionFaults(err); len(got) != 1 || got[0] != "WithHeader" {
			t.Errorf("error %v, want one of WithHeader", err)
		}
	}
}

// What belongs to the pool is fixed when a connection is opened.
func TestWithKeepsThePool(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, connectiontest.Status(http.StatusOK))
	conn := connect(t, srv.URL)
	for _, o := range []connection.Option{
		connection.WithTransport(srv.Network().Transport()), connection.WithHTTPClient(new(http.Client)),
		connection.WithMaxConnsPerHost(1),
	} {
		if _, err := conn.With(o); len(optionFaults(err)) != 1 {
			t.Errorf("With(%v): error %v, want an *OptionError", o, err)
		}
	}
}
