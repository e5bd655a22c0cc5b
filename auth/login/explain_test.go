package login_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/connection/connectiontest"
)

// wantText asserts that an error is one line, says all of that, and nothing of the answer.
func wantText(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("there is no error")
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error is %v\nwant one with %q", err, text)
		}
	}
	if strings.Contains(err.Error(), "shh") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error is %q", err.Error())
	}
}

// An error says which expression found nothing, and how far it got.
func TestWhereAnExpressionEnds(t *testing.T) {
	t.Parallel()
	const object = `{"data":{"id":"shh","no":null,"list":[{"a":1}],"flag":true,"empty":""}}`
	long := `{"a":"` + strings.Repeat("shh", 22<<10) + `"}`
	tests := []struct{ media, answer, expression, want string }{
		{"application/json", object, "body.data.tokens.access", "body.data has no tokens"},
		{"application/json", object, "body.result.session.token", "body has no result"},
		{"application/json", object, "body.data['a-b']", "body.data has no ['a-b']"},
		{"application/json", object, "body?.dat?.id", "body has no dat"},
		{"application/json", object, "body.data.no", "body.data.no is null"},
		{"application/json", object, "body.data.no.x", "body.data.no is null"},
		{"application/json", object, "body.data.list[1].a", "body.data.list has no [1]"},
		{"application/json", object, "body.data.list.a", "body.data.list is a list, and has no a"},
		{"application/json", object, "body.data.id.x", "body.data.id is a text, and has no x"},
		{"application/json", object, "body.data.id[0].x", "body.data.id is a text, and has no [0]"},
		{"application/json", object, "body.data", "it is an object"},
		{"application/json", object, "body.data.list", "it is a list"},
		{"application/json", object, "body.data.flag", "it is true or false"},
		{"application/json", object, "body.data.empty", "it is an empty text"},
		{"application/json", long, "body.a", "it is a text of more than 65536 bytes"},
		{"application/json", object, "body.a ?? body.b", "body has no a; body has no b"},
		{"application/json", object, "steps[0].body.x", "steps[0].body has no x"},
		{"application/json", object, "steps[1].body.x", "there is no steps[1]"},
		{"application/json", object, "headers['x-none']", "the answer has no header x-none"},
		{"application/json", object, "cookies.SID", "the answer sets no cookie SID"},
		{"application/json", object, "split(body.data.id, '-')[7]", "split(body.data.id, '-')[7]"},
		{"application/json", object, "body[0]", "body has no [0]"},
		{"application/json", object, "status == 200", ": status == 200"},
		{"application/json", "null", "body.x", "body is null"},
		{"application/json", "", "body.x", "the answer is empty"},
		{"application/json", "", "headers['x-none']", "the answer has no header x-none"},
		{"text/html", "<p>shh</p>", "body.x", "the answer is HTML: is this the URL?"},
		{"text/html", "<p>shh</p>", "body", "the answer is HTML: is this the URL?"},
		{"application/json", " <!DOCTYPE html><p>shh", "body.x", "the answer is HTML: is this the URL?"},
		{"text/plain", "<HTML><p>shh", "body", "the answer is HTML: is this the URL?"},
		{"text/html", "<p>shh</p>", "split(body, 'csrf=')[1]", "the answer is HTML: is this the URL?"},
		{"text/plain", "shh", "body.x", "body is a text, and has no x"},
	}
	for _, tt := range tests {
		t.Run(tt.expression+" of "+tt.media, func(t *testing.T) {
			t.Parallel()
			cfg := simple(login.Step{})
			cfg.Token = tt.expression
			_, err := failure(t, cfg, answer(tt.media, tt.answer))
			if !errors.Is(err, login.ErrTokenNotFound) {
				t.Errorf("error is %v", err)
			}
			wantText(t, err, "there is no token in the answer: Token: "+tt.expression, tt.want)

			cfg.Token, cfg.Expiry, cfg.NeverExpires = "'t1'", tt.expression, false
			if tt.expression != "body" { // a page is no time
				_, err = failure(t, cfg, answer(tt.media, tt.answer))
				wantText(t, err, "login: Steps[0]: ", "Expiry: "+tt.expression, tt.want)
			}
			cfg = simple(login.Step{Save: map[string]string{"x": tt.expression}})
			if tt.expression != "body" {
				_, err = failure(t, cfg, answer(tt.media, tt.answer))
				wantText(t, err, `there is no value to save in the answer: Save["x"]: `+tt.expression, tt.want)
			}
		})
	}
	t.Run("an answer of no content", func(t *testing.T) {
		t.Parallel()
		_, err := failure(t, simple(login.Step{}), connectiontest.Status(http.StatusNoContent))
		wantText(t, err, "Token: body.access_token: the answer is empty")
	})
	t.Run("Ok", func(t *testing.T) {
		t.Parallel()
		_, err := failure(t, simple(login.Step{Ok: "body.state == 'ok'"}), reply(`{"status":"shh"}`))
		wantText(t, err, "Ok: body.state == 'ok': body has no state")
	})
	t.Run("an expiry that is no time", func(t *testing.T) {
		t.Parallel()
		cfg := simple(login.Step{})
		cfg.Expiry, cfg.NeverExpires = "body.e", false
		_, err := failure(t, cfg, reply(`{"access_token":"t1","e":"shh"}`))
		wantText(t, err, "Expiry: body.e: it is neither a number")
	})
	t.Run("cookies", func(t *testing.T) {
		t.Parallel()
		cfg := login.Config{BaseURL: home, Steps: []login.Step{{Path: "/"}}, NeverExpires: true, Cookies: []string{"SID"}}
		_, err := failure(t, cfg, answer("text/plain", "x"))
		wantText(t, err, "Cookies: the answer sets no cookie SID")
		cfg.Cookies, cfg.AllCookies = nil, true
		_, err = failure(t, cfg, connectiontest.Status(200))
		wantText(t, err, "AllCookies: the answer sets no cookies")
	})
}

// A page is still a text, of which expressions can take a part.
func TestPage(t *testing.T) {
	t.Parallel()
	cfg := simple(login.Step{})
	cfg.Token = `split(split(body, 'name="csrf" value="')[1], '"')[0]`
	token, _ := obtain(t, cfg, answer("text/html", `<html><input name="csrf" value="c1"></html>`))
	if token.Value.Reveal() != "c1" {
		t.Errorf("token is %q", token.Value.Reveal())
	}
}

func TestNearestName(t *testing.T) {
	t.Parallel()
	cfg := simple(login.Step{
		Path: "/{{Tenant}}", Query: login.Fields("q", "{{zzz}}"),
		JSON: map[string]string{"u": "{{user}}", "p": "{{pasword}}"},
	})
	cfg.Params, cfg.Secrets = map[string]string{"username": "ann", "tenant": "acme"}, static("password", "shh")
	err := login.New(cfg).(auth.Validator).Validate()
	wantText(t, err,
		"Tenant (Steps[0].Path, did you mean tenant?)", "pasword (Steps[0].JSON, did you mean password?)",
		"user (Steps[0].JSON, did you mean username?)", "zzz (Steps[0].Query[0]): set it in Params or in Secrets")
	missing, ok := errors.AsType[*login.MissingError](err)
	if !ok || missing.Near["pasword"] != "password" || !slices.Equal(missing.Where["zzz"], []string{"Steps[0].Query[0]"}) {
		t.Errorf("error is %#v", err)
	}
}

// A value that cannot stand where its name does is told with the place.
func TestWhereAValueIsWrong(t *testing.T) {
	t.Parallel()
	for where, step := range map[string]login.Step{
		"Path":           {Path: "/a/{{n}}"},
		"URL":            {URL: "https://{{n}}.example.test"},
		"Query[1]":       {Query: login.Fields("a", "1", "b", "{{n}}")},
		"Header[0]":      {Header: login.Fields("X-A", "{{n}}")},
		"Basic.Password": {Basic: &login.Basic{User: "a", Password: "{{n}}"}},
		"Raw":            {Raw: `{"a":{{n}}}`, ContentType: "application/json"},
		"XML":            {XML: "<a>{{n}}</a>"},
	} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			cfg := simple(step)
			cfg.Secrets = static("n", "shh\x00")
			_, err := failure(t, cfg, t1())
			wantText(t, err, "login: Steps[0]: "+where+": the value of {{n}} ")
		})
	}
}
