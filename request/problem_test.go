package request_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/request"
)

// The first three are the examples of RFC 9457, section 3.
func TestProblem(t *testing.T) {
	t.Parallel()
	const problemType = "Content-Type: application/problem+json"
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	blank := func(extensions map[string]json.RawMessage) *request.Problem {
		return &request.Problem{Type: "about:blank", Extensions: extensions}
	}
	for name, c := range map[string]struct {
		header, body string
		want         *request.Problem
	}{
		"I19 out of credit": {problemType, `{
			"type": "https://example.com/probs/out-of-credit", "title": "You do not have enough credit.",
			"detail": "Your current balance is 30, but that costs 50.",
			"instance": "/account/12345/msgs/abc",
			"balance": 30, "accounts": ["/account/12345","/account/67890"]}`,
			&request.Problem{
				Type: "https://example.com/probs/out-of-credit", Title: "You do not have enough credit.",
				Detail: "Your current balance is 30, but that costs 50.", Instance: "/account/12345/msgs/abc",
				Extensions: map[string]json.RawMessage{
					"balance": raw("30"), "accounts": raw(`["/account/12345","/account/67890"]`),
				},
			}},
		"I19 a validation error": {problemType + "; charset=utf-8", `{
			"type": "https://example.net/validation-error", "title": "Your request is not valid.",
			"errors": [{"detail":"must be a positive integer","pointer":"#/age"}]}`,
			&request.Problem{
				Type: "https://example.net/validation-error", Title: "Your request is not valid.",
				Extensions: map[string]json.RawMessage{
					"errors": raw(`[{"detail":"must be a positive integer","pointer":"#/age"}]`),
				},
			}},
		"I19 no type": {"Content-Type: Application/Problem+JSON", "\ufeff{\"title\":\"t\",\"status\":409}",
			&request.Problem{Type: "about:blank", Title: "t", Status: 409, Extensions: map[string]json.RawMessage{}}},
		"I19 members of the wrong type": {problemType,
			`{"type":7,"title":["t"],"status":"409","detail":{},"instance":null,"x":null}`,
			blank(map[string]json.RawMessage{"x": raw("null")})},
		"I19 a status that is no integer": {problemType, `{"status":1e999,"title":"t"}`,
			&request.Problem{Type: "about:blank", Title: "t", Extensions: map[string]json.RawMessage{}}},
		"I19 names in another case are extensions": {problemType, `{"Title":"t","TYPE":"u"}`,
			blank(map[string]json.RawMessage{"Title": raw(`"t"`), "TYPE": raw(`"u"`)})},
		"I19 an empty object":       {problemType, `{}`, blank(map[string]json.RawMessage{})},
		"I19 another type":          {jsonType, `{"title":"t"}`, nil},
		"I19 no content type":       {"", `{"title":"t"}`, nil},
		"I19 XML":                   {"Content-Type: application/problem+xml", `<problem/>`, nil},
		"I19 a list":                {problemType, `[]`, nil},
		"I19 null":                  {problemType, `null`, nil},
		"I19 an empty body":         {problemType, ``, nil},
		"I19 a body that breaks":    {problemType, `{"title":"t"`, nil},
		"I19 a body of two":         {problemType, `{"title":"t"}{}`, nil},
		"I19 what is not UTF-8":     {problemType, "{\"title\":\"\xe9\"}", nil},
		"I19 more than 64 KiB":      {problemType, `{"title":"` + strings.Repeat("t", 64<<10) + `"}`, nil},
		"I19 a million in a nest":   {problemType, strings.Repeat(`{"a":`, 10_000), nil},
		"I19 several content types": {"Content-Type: application/problem+json, text/html", `{"title":"t"}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := answered(t, http.StatusConflict, c.header, c.body)
			err := b.Exec(t.Context())
			e := wantStage[*request.ResponseError](t, err, request.StageStatus)
			if diff := cmp.Diff(c.want, e.Problem()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(err.Error(), "credit") {
				t.Errorf("the text has the problem: %v", err)
			}
		})
	}
	t.Run("I19 a Check that refuses a 200 has the problem, too", func(t *testing.T) {
		t.Parallel()
		b, _ := answered(t, http.StatusOK, problemType, `{"title":"t"}`)
		err := b.Check(func(*http.Response, []byte) error { return errors.New("no") }).Exec(t.Context())
		if e, ok := errors.AsType[*request.ResponseError](err); !ok || e.Problem() == nil || e.Problem().Title != "t" {
			t.Errorf("the error is %v", err)
		}
	})
}
