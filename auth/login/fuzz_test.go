package login_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
)

// canned is a transport that notes the request, and answers without a network.
type canned struct {
	got  *http.Request
	body []byte
}

func (c *canned) RoundTrip(req *http.Request) (*http.Response, error) {
	c.got = req
	if req.Body != nil && req.Body != http.NoBody {
		buf := make([]byte, req.ContentLength)
		n, _ := req.Body.Read(buf)
		c.body = buf[:n]
	}
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
		Body: http.NoBody, ContentLength: 0,
	}, nil
}

// FuzzTemplate puts a value into every place: it stays there, or nothing is sent.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"a/b c", `a"b`, "..", "\r\nX: 1", "{{n}}", "&a=b", "?x#y", `\`, "%2e", "\xff", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		transport := &canned{}
		cfg := simple(login.Step{
			Path: "/a/{{n}}/b", Query: login.Fields("q", "{{n}}", "r", "1"), Header: login.Fields("X-N", "{{n}}"),
			Raw: `{"a":"{{n}}","b":["x{{n}}y"]}`, ContentType: "application/json",
		})
		cfg.Params, cfg.Token = map[string]string{"n": value}, "'t1'"
		cfg.Endpoint.Client = &http.Client{Transport: transport}
		if _, err := login.New(cfg).Obtain(t.Context(), nil); err != nil {
			if transport.got != nil {
				t.Fatalf("it was sent: %v", err)
			}
			return
		}
		req := transport.got
		segments := strings.Split(req.URL.EscapedPath(), "/")
		if plain, err := url.PathUnescape(segments[2]); err != nil || len(segments) != 4 || plain != value {
			t.Errorf("path is %q", req.URL.EscapedPath())
		}
		if q, err := url.ParseQuery(req.URL.RawQuery); err != nil || len(q) != 2 || q.Get("q") != value || q.Get("r") != "1" {
			t.Errorf("query is %q", req.URL.RawQuery)
		}
		if req.Header.Get("X-N") != value || len(req.Header) != 2 || req.URL.Host != "api.example.test" {
			t.Errorf("header is %q", req.Header)
		}
		var body struct {
			A string
			B []string
		}
		if err := json.Unmarshal(transport.body, &body); err != nil || body.A != value || body.B[0] != "x"+value+"y" {
			t.Errorf("body is %q", transport.body)
		}
	})
}

// FuzzExpression compiles and runs: it never fails in another way than by an error, and does not take long.
func FuzzExpression(f *testing.F) {
	for _, seed := range []string{
		"body['a']", "body.a.b[0] ?? 'x'", "split(body.s, '')[3]", "trim(lower(body.s))", "body.s + body.s", "1..2",
		"map(body, #)", "`${a}`", "let a = 1; a", "body.n % 0", "int(body.s)", "-body.n", "body[1:2]", "'\\", "=== !==",
	} {
		f.Add(seed)
	}
	const answer = `{"a":{"b":["x"]},"s":"abc","n":7}`
	f.Fuzz(func(t *testing.T, source string) {
		cfg := simple(login.Step{})
		cfg.Token = source
		cfg.Endpoint.Client = &http.Client{Transport: answering(answer)}
		began := time.Now()
		g := login.New(cfg)
		if g.(auth.Validator).Validate() != nil {
			return
		}
		token, err := g.Obtain(t.Context(), nil)
		if err == nil && token.Value.Reveal() == "" {
			t.Error("there is an empty token")
		}
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("it took %v", d)
		}
	})
}
