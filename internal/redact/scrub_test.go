package redact_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/restconn/restconn/internal/redact"
)

func TestBody(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, media, body, want string }{
		{"G8 a member", "application/json", `{"a":"x","password":"hidden"}`, `{"a":"x","password":"[REDACTED]"}`},
		{"G8 a number", "application/json", `{"pin": 1234, "a":1}`, `{"pin": "[REDACTED]", "a":1}`},
		{"G8 a list", "application/json", `{"tokens": ["hidden", "b]"], "a":1}`, `{"tokens": "[REDACTED]", "a":1}`},
		{"G8 an object", "application/json", `{"secret": {"v": {"w": "hidden"}}, "a":1}`, `{"secret": "[REDACTED]", "a":1}`},
		{"G8 quotes within", "", `{"token":"a\"hidden","a":"x"}`, `{"token":"[REDACTED]","a":"x"}`},
		{"G8 cut in a string", "application/json", `{"token":"hidd`, `{"token":"[REDACTED]"`},
		{"G8 cut in an object", "application/json", `{"keys": {"a": "hidd`, `{"keys": "[REDACTED]"`},
		{"G8 a value that sounds like a name", "", `["token", "x", {"a":"key"}]`, `["token", "x", {"a":"key"}]`},
		{"G8 several documents", "", `{"key":"hidden"}{"key":"hidden"}`, `{"key":"[REDACTED]"}{"key":"[REDACTED]"}`},
		{
			"G8 a form", "application/x-www-form-urlencoded",
			"a=1&Client_Secret=hidden&b=2", "a=1&Client_Secret=[REDACTED]&b=2",
		},
		{
			"G8 an element", "text/xml",
			`<a><Password>hidden</Password><b>x</b></a>`, `<a><Password>[REDACTED]</Password><b>x</b></a>`,
		},
		{"G8 elements within", "", `<key i="1"><b>hidden</b></key><c/>`, `<key i="1">[REDACTED]</key><c/>`},
		{"G8 CDATA", "", `<key><![CDATA[hidden]]></key>`, `<key>[REDACTED]</key>`},
		{"G8 an attribute", "", `<login user="x" password="hidden"/>`, `<login user="x" password="[REDACTED]"/>`},
		{"G8 an element without end", "", `<key>hidden`, `<key>[REDACTED]`},
		{"G8 an element without content", "", `<key/><a>x</a>`, `<key/><a>x</a>`},
		{"G8 multipart", "multipart/form-data; boundary=x", "--x", "[REDACTED]"},
		{"G8 binary", "text/plain", "a\xff", "[REDACTED]"},
		{"G10 lines", "text/plain", "a\r\n\x1b[31m\u2028", `a\r\n\x1b[31m\u2028`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var s redact.Scrubber
			if got := s.Body(tt.media, []byte(tt.body), strings.Contains(tt.name, "cut")); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestScrubber(t *testing.T) {
	t.Parallel()
	header := http.Header{
		"Authorization": {"Basic dXNlci1uYW1lOnBhc3N3b3Jk"}, // user-name:password
		"Cookie":        {`theme=dark-mode; sid="cookie-1"`},
		"X-Custom":      {`quo"te<`},
		"Accept":        {"text/plain"},
	}
	s := redact.NewScrubber(header, "page=next&k=query%2F1&token=given", "page=next&token=given",
		[]string{"path/1"})
	for _, secret := range []string{
		"dXNlci1uYW1lOnBhc3N3b3Jk", "user-name", "password", "cookie-1", `quo"te<`, `quo\"te<`, `quo\"te\u003c`,
		"quo%22te%3C", "query/1", "query%2F1", "given", "path/1", "path%2F1",
	} {
		if got := s.Text("<" + secret + ">"); got != "<[REDACTED]>" {
			t.Errorf("G9 %s is shown as %s", secret, got)
		}
	}
	for _, harmless := range []string{"text/plain", "next", "page", "/v1/bot", "Basic"} {
		if got := s.Text(harmless); got != harmless {
			t.Errorf("G9 %s is shown as %s", harmless, got)
		}
	}
	for _, escaped := range []string{
		"a quo&quot;te&lt;", "b quo%22te%3c", "c query%2f1", `d path\/1`, "e path%252F1", "100% path%2f1 %zz", "%71uery%2f1",
	} {
		if got := s.Echo(escaped); got != redact.Mask {
			t.Errorf("G9 %s is shown as %s", escaped, got)
		}
		if got := s.Body("text/plain", []byte(escaped), false); got != redact.Mask {
			t.Errorf("G9 %s is shown in a body as %s", escaped, got)
		}
	}
	if got := s.Echo("a%2fb &amp; + cookie-1"); got != "a%2fb &amp; + [REDACTED]" {
		t.Errorf("G9 what may be shown is shown as %s", got)
	}
	if got := s.Body("text/plain", []byte("you are user-na"), true); got != "you are [REDACTED]" {
		t.Errorf("G9 at the end of what was cut off: %s", got)
	}
}
