package login_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/connection/connectiontest"
)

// answer is an answer of that type, with a header and a cookie.
func answer(media, text string) http.Handler {
	return connectiontest.Text(200, text).Header("Content-Type", media).Header("X-Token", "HT").
		Header("Set-Cookie", "sid=C1; Path=/")
}

func TestTokenExpressions(t *testing.T) {
	t.Parallel()
	const data = `{"access_token":"AT1","data":{"tokens":[{"value":"V0"}]},"n":9007199254740993,"f":1e3,
		"huge":123456789012345678901234567890,"length":"L","empty":"","no":null,"flag":true,"pre":"Bearer t9","a-b":"AB"}`
	tests := []struct{ name, media, answer, expression, want string }{
		{"K-28 a member by its name", "application/json", data, "body['access_token']", "AT1"},
		{"K-28 a path", "application/json", data, "body.data.tokens[0].value", "V0"},
		{"K-28 an optional path", "application/json", data, "body.missing?.deep ?? body?.data?.tokens[0].value", "V0"},
		{"K-28 a header", "application/json", data, "headers['x-token']", "HT"},
		{"K-28 a cookie", "application/json", data, "cookies['sid']", "C1"},
		{"K-28 the status", "application/json", data, "statusCode == 200 && status === 200 ? 'yes' : 'no'", "yes"},
		{"K-28 a step", "application/json", data, "steps[0].body.access_token", "AT1"},
		{"a member named headers", "application/json", `{"headers":{"X-T":"a"}}`, "body.headers['X-T']", "a"},
		{"a name with a hyphen", "application/json", data, "body['a-b']", "AB"},
		{"a prefix", "application/json", data, "trimPrefix(body.pre, 'Bearer ')", "t9"},
		{"a part", "application/json", data, "split(body.pre, ' ')[1]", "t9"},
		{"a case", "application/json", data, "lower(body.access_token)", "at1"},
		{"two texts", "application/json", data, "body.access_token + ':' + 'x === y'", "AT1:x === y"},
		{"an integer beyond 2^53", "application/json", data, "body.n", "9007199254740993"},
		{"an integer beyond 2^63", "application/json", data, "body.huge", "123456789012345678901234567890"},
		{"a number with an exponent", "application/json", data, "body.f", "1000"},
		{"a member named length", "application/json", data, "body['length']", "L"},
		{"JavaScript's ===", "application/json", data, "body.flag === true ? 'a' : 'b'", "a"},
		{"JavaScript's !==", "application/json", data, "body.flag !== true ? 'a' : 'b'", "b"},
		{"JSON without its type", "text/plain", data, "body.access_token", "AT1"},
		{"a string alone", "application/json", `"t1"`, "body", "t1"},
		{"text alone", "text/plain", " t1\r\n", "body", "t1"},
		{"text that looks like JSON", "text/plain", "[t1", "body", "[t1"},
		{"a list", "application/json; charset=utf-8", `[{"t":"t1"}]`, "body[0].t", "t1"},
		{"a form", form, "access_token=a%20b&expires=1", "body.access_token", "a b"},
		{"XML", "application/xml", `<?xml version="1.0"?><r><s id="7">t</s></r>`, "body.r.s['#text']+body.r.s['@id']", "t7"},
		{"XML with prefixes", "application/soap+xml", `<s:E xmlns:s="u"><s:B><t>t1</t></s:B></s:E>`, "body.E.B.t", "t1"},
		{"XML with a list", "text/plain", `<r><t>a</t><t>b</t></r>`, "body.r.t[1]", "b"},
		{"XML in latin1", "text/xml", "<?xml version='1.0' encoding='iso-8859-1'?><t>\xe9</t>", "body.t", "é"},
		{"a byte order mark", "application/json", "\ufeff" + data, "body.access_token", "AT1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := simple(login.Step{})
			cfg.Token = tt.expression
			token, _ := obtain(t, cfg, answer(tt.media, tt.answer))
			if got := token.Value.Reveal(); got != tt.want {
				t.Errorf("token is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTokenNotFound(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, media, answer, expression, reason string }{
		{"K-28 nothing there", "application/json", `{}`, "body.token", ""},
		{"K-28 nothing on the way", "application/json", `{}`, "body.data[0].tok", ""},
		{"an empty text", "application/json", `{"t":""}`, "body.t", ""},
		{"null", "application/json", `{"t":null}`, "body.t", ""},
		{"true", "application/json", `{"t":true}`, "body.t", ""},
		{"an object", "application/json", `{"t":{"shh-value":1}}`, "body.t", ""},
		{"a text that is no number", "application/json", `{"t":"shh-value"}`, "int(body.t)", ""},
		{"a header that is not there", "application/json", `{}`, "headers['x-none']", ""},
		{"two members of one name", "application/json", `{"t":"shh-value","t":"b"}`, "body.t", "members of the same name"},
		{"two members of one name, without a type", "text/plain", `{"t":"shh-value","t":"b"}`, "body.t", "two members"},
		{"JSON that breaks off", "application/json", `{"t":"shh-value"`, "body.t", "not JSON"},
		{"JSON with something behind it", "application/json", `{"t":"shh-value"} {}`, "body.t", "not JSON"},
		{"JSON that is not UTF-8", "application/json", "{\"t\":\"shh-value\xff\"}", "body.t", "not UTF-8"},
		{"a page", "text/html", "<html><br><p>shh-value", "body.t", ""},
		{"XML that breaks off", "application/xml", "<t>shh-value", "body.t", "not XML"},
		{"XML with definitions", "application/xml", `<!DOCTYPE t [<!ENTITY x "shh-value">]><t>&x;</t>`, "body.t", "DTD"},
		{"deep JSON", "application/json", strings.Repeat("[", 200) + strings.Repeat("]", 200), "body", "too deeply"},
		{"deep XML", "application/xml", strings.Repeat("<a>", 200) + strings.Repeat("</a>", 200), "body.a", "too deeply"},
		{"an empty answer", "application/json", "", "body", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := simple(login.Step{})
			cfg.Token = tt.expression
			_, err := failure(t, cfg, answer(tt.media, tt.answer))
			if !errors.Is(err, login.ErrTokenNotFound) {
				t.Fatalf("error is %v, want ErrTokenNotFound", err)
			}
			if !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("error is %v, want one with %q", err, tt.reason)
			}
			if strings.Contains(err.Error(), "shh-value") {
				t.Errorf("the answer is in the error: %v", err)
			}
		})
	}
}

func TestExpressionsThatAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, expression, want string }{
		{"a name that is not there", "bdoy['x']", "unknown name bdoy"},
		{"a name near one that is there", "bdoy.x", "did you mean body?"},
		{"a name of the answer", "data.token", "cookies, status, statusCode, steps, token; body.data?"},
		{"JSONPath", "$.token", "write body.token in place of $.token"},
		{"JSONPath with quotes", "$['token']", "write body in place of $"},
		{"a header in upper case", "headers['X-Token']", "in lower case: x-token in place of X-Token"},
		{"a header in upper case, as a member", "headers.Location", "in lower case: location"},
		{"a header in upper case, of a step", "steps[0].headers['X-Token'] ?? 'a'", "in lower case: x-token"},
		{"what is not exported", "steps[0].fault", ""},
		{"a function that is not there", "length(body)", "the functions are int, "},
		{"the environment of the process", "env('HOME')", "the functions are int, "},
		{"the time", "string(now())", ""},
		{"all values", "$env.body", ""},
		{"a range", "1..1000000", "operator .. is not available"},
		{"a pattern", "body matches '(a+)+$' ? 'a' : 'b'", "operator matches is not available"},
		{"a loop", "count(body, # == 1)", ""},
		{"a map", "map(body, #)", ""},
		{"a repetition", "repeat('x', 2000000000)", ""},
		{"a variable", "let a = body; a + a", "not available"},
		{"a sequence", "body; body", "not available"},
		{"a list", "[body]", "not available"},
		{"too many copies", "body" + strings.Repeat(" + body", 20), "more than 16"},
		{"too many nodes", strings.Repeat("1 == 1 or ", 60) + "1 == 1 ? 'a' : 'b'", "node"},
		{"too long", "body." + strings.Repeat("a", 2000), "longer than 1024 bytes"},
		{"JavaScript's || for a default", "body.a || body.b", "write a ?? b"},
		{"JavaScript's && for a guard", "body && body.a", "write a ?? b"},
		{"JavaScript's template literal", "`x${body.a}`", "write 'a' + b"},
		{"JavaScript's length", "body.length", "body['length']"},
		{"JavaScript's toLowerCase", "body.a.toLowerCase()", "write lower(a)"},
		{"JavaScript's trim", "body.a.trim()", "write trim(a)"},
		{"JavaScript's map", "body.map(t => t.a)", "no methods"},
		{"JavaScript's Number", "Number(body.a)", "write int(a)"},
		{"JavaScript's null", "body.a ?? null", "write nil"},
		{"not an expression", "body[", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := simple(login.Step{})
			cfg.Token = tt.expression
			err := login.New(cfg).(auth.Validator).Validate()
			fault, ok := errors.AsType[*login.ConfigError](err)
			if !ok || fault.Field != "Token" {
				t.Fatalf("error is %v, want a *ConfigError of Token", err)
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error is %v, want one line with %q", err, tt.want)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		answer string
		form   login.ExpiryForm
		want   time.Duration
	}{
		{"K-29 a number of seconds", `{"e":3600}`, login.ExpiryAuto, time.Hour},
		{"K-29 a text of seconds", `{"e":"3600"}`, login.ExpiryAuto, time.Hour},
		{"K-29 seconds with a fraction", `{"e":3600.0}`, login.ExpirySeconds, time.Hour},
		{"K-29 milliseconds", `{"e":3600000}`, login.ExpiryMilliseconds, time.Hour},
		{"K-29 minutes", `{"e":60}`, login.ExpiryMinutes, time.Hour},
		{"K-29 seconds since 1970", `{"e":946688400}`, login.ExpiryEpochSeconds, time.Hour},
		{"K-29 milliseconds since 1970", `{"e":"946688400000"}`, login.ExpiryEpochMilliseconds, time.Hour},
		{"K-29 a date", `{"e":"2000-01-01T01:00:00Z"}`, login.ExpiryAuto, time.Hour},
		{"zero", `{"e":0}`, login.ExpiryAuto, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cfg := simple(login.Step{})
				cfg.Token, cfg.Expiry, cfg.ExpiryForm, cfg.NeverExpires = "'t1'", "body.e", tt.form, false
				token, _ := obtain(t, cfg, answer("application/json", tt.answer))
				if tt.want == 0 {
					if !token.Expiry.IsZero() {
						t.Errorf("expiry is %v, want none", token.Expiry)
					}
					return
				}
				if got := time.Until(token.Expiry); got != tt.want {
					t.Errorf("expiry is in %v, want %v", got, tt.want)
				}
			})
		})
	}
	for name, text := range map[string]string{
		"K-29 a text that is no time": `{"e":"soon-shh"}`, "K-29 nothing there": `{}`, "K-29 null": `{"e":null}`,
		"K-29 an object": `{"e":{}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := simple(login.Step{})
			cfg.Token, cfg.Expiry, cfg.NeverExpires = "'t1'", "body.e", false
			_, err := failure(t, cfg, answer("application/json", text))
			if !errors.Is(err, login.ErrBadExpiry) || strings.Contains(err.Error(), "shh") {
				t.Errorf("error is %v, want ErrBadExpiry and nothing of the answer", err)
			}
			cfg.Lifetime = time.Hour
			if strings.Contains(text, "soon") || strings.Contains(name, "object") {
				return
			}
			if token, _ := obtain(t, cfg, answer("application/json", text)); token.Expiry.IsZero() {
				t.Error("Lifetime has no effect")
			}
		})
	}
}
