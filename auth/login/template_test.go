package login_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/secrets"
)

const form = "application/x-www-form-urlencoded"

func TestTemplateOnTheWire(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		step   login.Step
		params map[string]string
		line   string // of the head
		body   string
	}{
		{
			name: "K-22 a segment of the path", step: login.Step{Path: "/u/{{id}}"},
			params: map[string]string{"id": "a/b c"}, line: "POST /u/a%2Fb%20c HTTP/1.1",
		},
		{
			name: "K-22 a value of the query", step: login.Step{Path: "/u", Query: login.Fields("id", "{{id}}")},
			params: map[string]string{"id": "a/b c"}, line: "POST /u?id=a%2Fb+c HTTP/1.1",
		},
		{
			name: "K-22 a value of the query in the path", step: login.Step{Path: "/u?id={{id}}&b=2"},
			params: map[string]string{"id": "a/b c&x=1"}, line: "POST /u?id=a%2Fb+c%26x%3D1&b=2 HTTP/1.1",
		},
		{
			name: "K-22 a string of raw JSON", step: login.Step{Raw: `{"n":"{{n}}"}`, ContentType: "application/json"},
			params: map[string]string{"n": `a"b`}, line: typeJSON, body: `{"n":"a\"b"}`,
		},
		{
			name:   "K-22 a string of a JSON value",
			step:   login.Step{JSON: map[string]any{"n": "<{{n}}>", "l": []any{"{{n}}", 1}}},
			params: map[string]string{"n": "a\"b\\\n<"}, line: typeJSON, body: `{"l":["a\"b\\\n<",1],"n":"<a\"b\\\n<>"}`,
		},
		{
			name:   "K-22 a number of raw JSON",
			step:   login.Step{Raw: `{"n":{{n}},"o":{"p":{{ p }}}}`, ContentType: "application/vnd.api+json; charset=utf-8"},
			params: map[string]string{"n": "-1.5e3", "p": "null"}, body: `{"n":-1.5e3,"o":{"p":null}}`,
			line: "Content-Type: application/vnd.api+json; charset=utf-8",
		},
		{
			name: "K-22 a form", step: login.Step{Form: login.Fields("a b", "x {{n}}&", "a b", "{{n}}")},
			params: map[string]string{"n": "&c=d\n"}, line: typeForm, body: "a+b=x+%26c%3Dd%0A%26&a+b=%26c%3Dd%0A",
		},
		{
			name: "K-22 a raw form", step: login.Step{Raw: "a={{n}}&b=2", ContentType: form},
			params: map[string]string{"n": "&c=d"}, line: typeForm, body: "a=%26c%3Dd&b=2",
		},
		{
			name: "K-22 XML", step: login.Step{XML: `<a b="{{n}}">{{n}}</a>`},
			params: map[string]string{"n": `"><x a='1'/>&`}, line: "Content-Type: application/xml",
			body: `<a b="&#34;&gt;&lt;x a=&#39;1&#39;/&gt;&amp;">&#34;&gt;&lt;x a=&#39;1&#39;/&gt;&amp;</a>`,
		},
		{
			name: "K-22 text of another type", step: login.Step{Raw: "user {{n}}", ContentType: "text/plain"},
			params: map[string]string{"n": "a\r\nb"}, line: "Content-Type: text/plain", body: "user a\r\nb",
		},
		{
			name: "K-22 a header", step: login.Step{Header: login.Fields("X-A", "a {{n}}", "X-B", "{{n}}")},
			params: map[string]string{"n": "b;c"}, line: "X-A: a b;c",
		},
		{
			name: "K-22 Basic", step: login.Step{Basic: &login.Basic{User: "{{n}}", Password: "{{n}}:x"}},
			params: map[string]string{"n": "é"}, line: "Authorization: Basic w6k6w6k6eA==",
		},
		{
			name: "K-22 a host", step: login.Step{URL: "https://{{n}}.example.test/a"},
			params: map[string]string{"n": "api"}, line: "POST /a HTTP/1.1",
		},
		{
			name: "G13 a value is not searched for names", step: login.Step{JSON: "{{n}}"},
			params: map[string]string{"n": "{{m}}", "m": "secret"}, body: `"{{m}}"`, line: typeJSON,
		},
		{
			name: "braces that mean themselves", step: login.Step{JSON: "{{'{{'}}n}} } {{n}}"},
			params: map[string]string{"n": "1"}, body: `"{{n}} } 1"`, line: typeJSON,
		},
		{
			name: "H4 bytes of all kinds in one segment", step: login.Step{Path: "/u/{{id}}/x"},
			params: map[string]string{"id": "a?b#c%2f;+é"}, line: "POST /u/a%3Fb%23c%252f%3B%2B%C3%A9/x HTTP/1.1",
		},
		{
			name: "a URL that ends with a slash, and a path", step: login.Step{URL: "{{n}}/x"},
			params: map[string]string{"n": home + "/v1/"}, line: "POST /v1/x HTTP/1.1",
		},
		{
			name: "the path of the configuration is escaped where it has to be", step: login.Step{Path: "/ü x/%2F"},
			line: "POST /%C3%BC%20x/%2F HTTP/1.1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := simple(tt.step)
			cfg.Params = tt.params
			_, requests := obtain(t, cfg, t1())
			wantLine(t, requests[0], tt.line)
			wantBody(t, requests[0], tt.body)
		})
	}
}

// Whatever a value holds, it stays in its place, or nothing is sent.
func TestTemplateRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		step  login.Step
		value string
	}{
		{"H7 CR and LF in a header", login.Step{Header: login.Fields("X-A", "{{n}}")}, "shh-1\r\nX-Evil: 1"},
		{"H7 NUL in a header", login.Step{Header: login.Fields("X-A", "{{n}}")}, "shh-1\x00"},
		{"H7 LF in the user of Basic", login.Step{Basic: &login.Basic{User: "{{n}}"}}, "shh-1\n"},
		{"H7 LF in a query", login.Step{Query: login.Fields("a", "{{n}}")}, "shh-1\n"},
		{"H7 LF in a path", login.Step{Path: "/u/{{n}}"}, "shh-1\n"},
		{"H3 a dot segment", login.Step{Path: "/u/{{n}}/x"}, ".."},
		{"H3 half a dot segment", login.Step{Path: "/u/{{n}}./x"}, "."},
		{"H3 an empty segment", login.Step{Path: "/u/{{empty}}/x"}, ""},
		{"a colon in the user of Basic", login.Step{Basic: &login.Basic{User: "{{n}}"}}, "shh-1:x"},
		{"H1 a host that leads elsewhere", login.Step{URL: "https://{{n}}.example.test/"}, "shh-1.test/"},
		{"H6 a user name in the host", login.Step{URL: "https://{{n}}.example.test/"}, "shh-1@evil"},
		{"H1 a host and a port", login.Step{URL: "https://{{n}}.example.test/"}, "shh-1.test:443"},
		{"a URL of another scheme", login.Step{URL: "{{n}}/x"}, "ftp://shh-1.test"},
		{"a URL with a user name", login.Step{URL: "{{n}}/x"}, "https://u:shh-1@api.example.test"},
		{"a URL with a fragment", login.Step{URL: "{{n}}"}, "https://api.example.test/#shh-1"},
		{"a URL that is relative", login.Step{URL: "{{n}}"}, "/shh-1"},
		{"plain http to another machine", login.Step{URL: "{{n}}/x"}, "http://shh-1.example.test"},
		{"a path behind a query", login.Step{URL: "{{n}}/x"}, "https://api.example.test/?shh-1=1"},
		{"a string outside quotes of JSON", login.Step{Raw: `{"a":{{n}}}`, ContentType: "application/json"}, `"shh-1"`},
		{"an object outside quotes of JSON", login.Step{Raw: `{"a":{{n}}}`, ContentType: "application/json"}, `{"shh-1":1}`},
		{"members outside quotes of JSON", login.Step{Raw: `{"a":{{n}}}`, ContentType: "application/json"}, `1,"shh-1":1`},
		{"bytes that are not UTF-8 in JSON", login.Step{JSON: "{{n}}"}, "shh-1\xff"},
		{"bytes that are not UTF-8 in XML", login.Step{XML: "<a>{{n}}</a>"}, "shh-1\xff"},
		{"a control character in XML", login.Step{XML: "<a>{{n}}</a>"}, "shh-1\x00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := simple(tt.step)
			cfg.Params = map[string]string{"empty": ""}
			cfg.Secrets = static("n", tt.value)
			if tt.value == "" {
				cfg.Secrets = nil
			}
			requests, err := failure(t, cfg, t1())
			if len(requests) != 0 {
				t.Errorf("%d requests were sent", len(requests))
			}
			if strings.Contains(err.Error(), "shh") {
				t.Errorf("the value is in the error: %v", err)
			}
		})
	}
}

// What every value would break is told when the login is made.
func TestTemplateFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		step login.Step
		want string
	}{
		{"a name without an end", login.Step{Path: "/{{id"}, "Path: there is a {{ without }}"},
		{"no name", login.Step{Path: "/{{}}"}, "Path: between {{ and }} is no name"},
		{"a name with spaces", login.Step{XML: "<a>{{a b}}</a>"}, "XML: between {{ and }} is no name"},
		{"a name in single braces", login.Step{Path: "/{id}"}, "names are written {{name}}"},
		{"H2 a path that is a host", login.Step{Path: "//evil.test/x"}, "joined to BaseURL"},
		{"H1 a path that is a URL", login.Step{Path: "https://evil.test/x"}, "joined to BaseURL"},
		{"H3 a path with a dot segment", login.Step{Path: "/a/%2e%2E/x"}, "dot segment"},
		{"H2 a path with a backslash", login.Step{Path: `/\evil`}, `one of \ # { }`},
		{"a path with a broken escape", login.Step{Path: "/a%2"}, "% that begins no escape"},
		{"a name behind a backslash", login.Step{Raw: `{"a":"\{{n}}"}`, ContentType: "application/json"}, "backslash"},
		{"JSON that is none", login.Step{Raw: `{"a":"{{n}}",}`, ContentType: "application/json"}, "the body is not JSON"},
		{"H7 LF in a header", login.Step{Header: login.Fields("X-A", "a\nb")}, "control characters"},
		{"H8 a header of the connection", login.Step{Header: login.Fields("Host", "evil")}, "belongs to the connection"},
		{"a header that is no token", login.Step{Header: login.Fields("X A", "1")}, "not a token"},
		{"a name as a template", login.Step{Form: login.Fields("{{n}}", "1")}, "only values are templates"},
		{"a field without a name", login.Step{Query: login.Fields("a", "1", "b")}, "Query[1]: it has no name"},
		{"a host right behind a URL", login.Step{URL: "{{n}}.evil.test/x"}, "stands no /"},
		{"a URL of another scheme", login.Step{URL: "ftp://h/x"}, "begins neither with"},
		{"plain http to another machine", login.Step{URL: "http://h.test/x"}, "plain http"},
		{"a secret in JSON", login.Step{JSON: secrets.Static("shh")}, "name it in Secrets"},
		{"JSON that cannot be encoded", login.Step{JSON: func() {}}, "it cannot be encoded"},
		{"raw text without a type", login.Step{Raw: "x"}, "no media type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := simple(tt.step)
			cfg.Params = map[string]string{"n": "x", "id": "x"}
			g := login.New(cfg)
			err := g.(auth.Validator).Validate()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error is %v, want one with %q", err, tt.want)
			}
			if _, ok := errors.AsType[*login.ConfigError](err); !ok {
				t.Errorf("error is a %T, want a *ConfigError", err)
			}
			if _, err := g.Obtain(t.Context(), nil); err == nil {
				t.Error("Obtain works all the same")
			}
		})
	}
}

func TestMissingNames(t *testing.T) {
	t.Parallel()
	cfg := simple(login.Step{
		Path: "/{{region}}/{{id}}", Query: login.Fields("a", "{{id}}"), JSON: "{{known}}",
		Header: login.Fields("X-A", "{{hidden}}"),
	})
	cfg.Params, cfg.Secrets = map[string]string{"known": "1"}, static("hidden", "shh")
	check := func(name string, err error) {
		t.Run(name, func(t *testing.T) {
			missing, ok := errors.AsType[*login.MissingError](err)
			if !ok || strings.Join(missing.Names, " ") != "id region" {
				t.Errorf("error is %v, want a *MissingError of id and region", err)
			}
		})
	}
	g := login.New(cfg)
	check("K-23 Validate names all that are missing", g.(auth.Validator).Validate())
	_, err := g.Obtain(t.Context(), nil)
	check("K-23 so does Obtain", err)

	cfg.Compute = func(context.Context, map[string]string) (map[string]string, error) {
		return map[string]string{"other": "1"}, nil
	}
	cfg.Params = maps.Clone(cfg.Params)
	requests, err := failure(t, cfg, t1())
	check("K-23 so does Obtain where a function computes values, and nothing is sent", err)
	if len(requests) != 0 {
		t.Errorf("%d requests were sent", len(requests))
	}
}
