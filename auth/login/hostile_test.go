package login_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

// hooked is a login whose OnTokenResponse fails with err.
func hooked(err error) login.Config {
	cfg := simple(login.Step{Form: login.Fields("p", "{{password}}")})
	cfg.Token, cfg.NeverExpires, cfg.Secrets = "", false, static("password", "hunter22-shh")
	cfg.OnTokenResponse = func(context.Context, []login.Answer) (*auth.Token, error) { return nil, err }
	return cfg
}

func TestErrorsOfOwnFunction(t *testing.T) {
	t.Parallel()
	many := "[" + strings.Repeat(`"x",`, 1000) + `"token-shh"]`
	for name, tt := range map[string]struct {
		reply http.Handler
		text  string
		want  string
	}{
		"K-33 a secret":           {t1(), "no hunter22-shh", "no [REDACTED]"},
		"K-33 a secret in HTML":   {t1(), "no hunter22&#45;shh", "[REDACTED]"},
		"K-33 a secret in a URL":  {t1(), "no hunter22%2dshh", "[REDACTED]"},
		"S47 a token in JSON":     {reply(`{"a":[{"b":"token-shh"}]}`), `in {"b":"token-shh"}`, `in {"b":"[REDACTED]"}`},
		"S47 a token in XML":      {answer("text/xml", `<a b="token-shh"/>`), "in token-shh", "in [REDACTED]"},
		"S47 a token that is all": {answer("text/plain", "token-shh"), "in token-shh", "in [REDACTED]"},
		"S47 in what is no JSON":  {reply(`{"token-shh`), `in {"token-shh`, "in [REDACTED]"},
		"S47 a cookie": {
			connectiontest.Status(200).Header("Set-Cookie", "a=cookie-shh; Secure"), "in cookie-shh", "in [REDACTED]",
		},
		"S47 a header":             {connectiontest.Status(200).Header("X-T", "head-shh"), "in head-shh", "in [REDACTED]"},
		"a header that may be":     {reply(`{}`), "of application/json", "of application/json"},
		"S47 in too many texts":    {reply(many), "in token-shh", "OnTokenResponse: [REDACTED]"},
		"S47 in too long an error": {t1(), strings.Repeat("shh ", 5000), "OnTokenResponse: [REDACTED]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mine := errors.New(tt.text)
			_, err := failure(t, hooked(mine), tt.reply)
			wantText(t, err, tt.want)
			e, ok := errors.AsType[*login.Error](err)
			if !ok || e.Status != 200 || !errors.Is(err, mine) {
				t.Fatalf("error is %v", err)
			}
			wantText(t, e, tt.want)
		})
	}
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	const media = "application/x-www-form-urlencoded"
	for name, tt := range map[string]struct{ media, text, expression string }{
		"S24 a form":                         {media, "t=a&t=b", "body.t"},
		"S24 a form, escaped":                {media, "t=a&%74=b", "body.t"},
		"S24 attributes":                     {"text/xml", `<r t="a" t="b"/>`, "body.r['@t']"},
		"S24 attributes of two prefixes":     {"text/xml", `<r x:t="a" y:t="b"/>`, "body.r['@t']"},
		"S24 attributes of unmarked XML":     {"text/plain", `<r t="a" t="b"/>`, "body"},
		"S24 attributes of an inner element": {"text/xml", `<r><s t="a" t="b"/></r>`, "body.r.s['@t']"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := simple(login.Step{})
			cfg.Token = tt.expression
			_, err := failure(t, cfg, answer(tt.media, tt.text))
			if !errors.Is(err, login.ErrTokenNotFound) {
				t.Errorf("error is %v", err)
			}
		})
	}
	t.Run("name spaces may be declared twice", func(t *testing.T) {
		t.Parallel()
		cfg := simple(login.Step{})
		cfg.Token = "body.r['@t']"
		obtain(t, cfg, answer("text/xml", `<r xmlns="a" xmlns:b="c" xmlns:d="e" t="1"/>`))
	})
}

// What holds values shows none of them, whatever the verb, and in no log.
func TestNothingIsShown(t *testing.T) {
	t.Parallel()
	const hidden, inBase64, inNumbers = "SECRET", "U0VDUkVU", "83 69 67 82"
	fields := login.Fields("p", hidden)
	step := login.Step{
		Basic: &login.Basic{User: hidden, Password: hidden}, Form: fields, JSON: hidden, Raw: hidden,
		Multipart: []login.Part{{Name: "a", Value: hidden}},
	}
	for name, v := range map[string]any{
		"S47 Config":  login.Config{Params: map[string]string{"user": hidden}, Steps: []login.Step{step}},
		"S47 Step":    step,
		"S47 Basic":   login.Basic{User: hidden, Password: hidden},
		"S47 *Basic":  step.Basic,
		"S47 Field":   fields[0],
		"S47 Part":    step.Multipart[0],
		"S47 Answer":  login.Answer{Status: 200, Header: http.Header{"A": {hidden}}, Body: []byte(hidden)},
		"S47 *Answer": &login.Answer{Cookies: []*http.Cookie{{Name: "a", Value: hidden}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
			slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
			shown := out.String() + fmt.Sprintf("%v %+v %#v %s %q %x %v", v, v, v, v, v, v, []any{v})
			for _, text := range []string{hidden, fmt.Sprintf("%x", hidden), inBase64, inNumbers} {
				if strings.Contains(shown, text) {
					t.Errorf("%q is in %s", text, shown)
				}
			}
		})
	}
	if got := fmt.Sprint(fields, login.Answer{Status: 200}); got != "[p] Answer of status 200" {
		t.Errorf("they show %q", got)
	}
}

// A value is escaped for JSON wherever the server may take the body for JSON.
func TestRelativesOfJSON(t *testing.T) {
	t.Parallel()
	for media, want := range map[string]bool{
		"application/x-json": true, "text/x-json; charset=utf-8": true, "APPLICATION/VND.A+JSON": true, "text/json": true,
		"application/x-ndjson": false, "application/ndjson": false, "application/json-seq": false, "text/json5": false,
		"application/jsonlines": false, "Application/JSON-Patch": false,
	} {
		t.Run(media, func(t *testing.T) {
			t.Parallel()
			cfg := simple(login.Step{Raw: `{"p":"{{password}}"}`, ContentType: media})
			cfg.Secrets = static("password", `x","admin":"1`)
			if !want {
				if got := fields(login.New(cfg).(auth.Validator).Validate()); len(got) != 1 || got[0] != "Steps[0].Raw" {
					t.Errorf("faults of %q", got)
				}
				cfg.Steps[0].Raw, cfg.Secrets = "{}\n{}", nil // without a name there is nothing to escape
			}
			_, requests := obtain(t, cfg, t1())
			if want {
				wantBody(t, requests[0], `{"p":"x\",\"admin\":\"1"}`)
			}
		})
	}
}

func TestWhatTellsLoginsApart(t *testing.T) {
	t.Parallel()
	of := func(password secrets.Provider, user string) string {
		cfg := simple(login.Step{Form: login.Fields("u", "{{user}}", "p", "{{password}}")})
		cfg.Secrets = map[string]secrets.Provider{"password": password}
		cfg.Params = map[string]string{"user": user}
		return login.New(cfg).Traits().Config
	}
	base := of(secrets.Env("A"), "alice")
	for name, other := range map[string]string{
		"E17 another variable":  of(secrets.Env("B"), "alice"),
		"E17 a file":            of(secrets.File("/run/a"), "alice"),
		"E17 another parameter": of(secrets.Env("A"), "bob"),
	} {
		if other == base {
			t.Errorf("%s: the tokens would meet", name)
		}
	}
	if base != of(secrets.Env("A"), "alice") {
		t.Error("E17 the same login differs")
	}
	if of(secrets.Static("1234"), "alice") != of(secrets.Static("5678"), "alice") {
		t.Error("E17 a constant can be guessed from the hash")
	}
}

// A renewal that fails after the server has replaced the refresh token does not lose the new one.
func TestRefreshTokenIsLeft(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer string
		want   string // the refresh token beside the error; empty for no token
	}{
		"an expiry that cannot be read": {`{"t":"t2","r":"r2","e":"shh"}`, "r2"},
		"no token":                      {`{"r":"r2","e":60}`, "r2"},
		"nothing new":                   {`{"t":"t2","e":"shh"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := login.Config{
				BaseURL: home, Token: "body.t", Refresh: "body.r", Expiry: "body.e",
				Extra: map[string]string{"id": "body.id"},
				Steps: []login.Step{{Path: "/login"}},
				Renew: []login.Step{{Path: "/renew", Form: login.Fields("r", "{{refresh}}")}},
			}
			s := connectiontest.NewServer(t, reply(tt.answer))
			before := &auth.Token{
				Value: secrets.Static("t1"), Refresh: secrets.Static("r1"), Expiry: time.Now(),
				Extra: map[string]secrets.Value{"id": secrets.Static("7")},
			}
			got, err := bind(t, s.Network(), cfg).Obtain(t.Context(), before)
			wantText(t, err, "login: Renew[0]")
			if tt.want == "" {
				if got != nil {
					t.Error("there is a token")
				}
				return
			}
			if got == nil || got.Value.Reveal() != "" || got.Refresh.Reveal() != tt.want || got.Extra["id"].Reveal() != "7" {
				t.Fatalf("the token beside the error is %v", got)
			}
		})
	}
	t.Run("a login leaves nothing", func(t *testing.T) {
		t.Parallel()
		cfg := simple(login.Step{})
		cfg.Refresh, cfg.NeverExpires, cfg.Expiry = "body.r", false, "body.e"
		cfg.Renew = []login.Step{{Path: "/renew", Form: login.Fields("r", "{{refresh}}")}}
		_, _ = failure(t, cfg, reply(`{"access_token":"t1","r":"r1","e":"never"}`))
	})
}
