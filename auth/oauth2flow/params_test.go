package oauth2flow_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth/oauth2flow"
)

func TestNewParams(t *testing.T) {
	t.Parallel()
	equal(t, "no parameters", oauth2flow.NewParams(), oauth2flow.Params{})
	equal(t, "order and repeats", oauth2flow.NewParams("b", "1", "a", "2", "b", ""),
		oauth2flow.Params{{"b", "1"}, {"a", "2"}, {"b", ""}})
}

func TestParamsShowNoValue(t *testing.T) {
	t.Parallel()
	params := oauth2flow.NewParams("a", "SECRET", "b", "SECRET")
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "all", params, "one", params[0])
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "all", params, "one", params[0])
	shown := out.String() + fmt.Sprintf("%v %+v %#v %s %q %x", params, params, params, params, params, params)
	if strings.Contains(shown, "SECRET") || !strings.Contains(shown, `"all":"[a b]","one":"a"`) {
		t.Errorf("they show %s", shown)
	}
}

func TestParseParams(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want oauth2flow.Params
	}{
		"I-10 a text": {
			`[{"Name":"resource","Value":"https://s.test"}]`, oauth2flow.Params{{"resource", "https://s.test"}},
		},
		"I-10 a number as written": {
			`[{"Name":"a","Value":60},{"Name":"b","Value":1.50},{"Name":"c","Value":-1e2}]`,
			oauth2flow.Params{{"a", "60"}, {"b", "1.50"}, {"c", "-1e2"}},
		},
		"I-10 all digits of one": {
			`[{"Value": 12345678901234567890 ,"Name":"a"}]`, oauth2flow.Params{{"a", "12345678901234567890"}},
		},
		"I-10 a boolean": {
			`[{"Name":"a","Value":true},{"Name":"a","Value":false}]`, oauth2flow.Params{{"a", "true"}, {"a", "false"}},
		},
		"I-10 order and repeats": {
			`[{"Name":"b","Value":"1"},{"Name":"a","Value":"2"},{"Name":"b","Value":"0"}]`,
			oauth2flow.Params{{"b", "1"}, {"a", "2"}, {"b", "0"}},
		},
		"I-10 an empty value":  {`[{"Name":"b","Value":""}]`, oauth2flow.Params{{"b", ""}}},
		"I-10 none":            {` [] `, oauth2flow.Params{}},
		"I-10 what is escaped": {`[{"Name":"b","Value":"\u0061\n"}]`, oauth2flow.Params{{"b", "a\n"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := oauth2flow.ParseParams([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "parameters", got, c.want)
		})
	}
	for name, text := range map[string]string{
		"I-10 an object":               `{"Name":"x"}`,
		"I-10 nothing":                 ``,
		"I-10 null":                    `null`,
		"I-10 more behind it":          `[] []`,
		"I-10 an item of null":         `[null]`,
		"I-10 no value":                `[{"Name":"SECRET"}]`,
		"I-10 no name":                 `[{"Value":"SECRET"}]`,
		"I-10 an empty name":           `[{"Name":"","Value":"SECRET"}]`,
		"I-10 a number as name":        `[{"Name":1,"Value":"SECRET"}]`,
		"I-10 a name in another case":  `[{"name":"a","Value":"SECRET"}]`,
		"I-10 a value in another case": `[{"Name":"a","value":"SECRET"}]`,
		"I-10 an unknown member":       `[{"Name":"a","Value":"SECRET","Type":"x"}]`,
		"I-10 a name twice":            `[{"Name":"a","Name":"b","Value":"SECRET"}]`,
		"I-10 a value of null":         `[{"Name":"a","Value":null}]`,
		"I-10 a value that is a list":  `[{"Name":"a","Value":["SECRET"]}]`,
		"I-10 a value that is nested":  `[{"Name":"a","Value":{"SECRET":1}}]`,
		"I-10 too large":               `[{"Name":"a","Value":"` + strings.Repeat("x", 64<<10) + `"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := oauth2flow.ParseParams([]byte(text))
			if err == nil || got != nil {
				t.Fatalf("parameters are %v, error is %v", got, err)
			}
			hides(t, err, "SECRET")
		})
	}
}

func FuzzParseParams(f *testing.F) {
	f.Add(`[{"Name":"a","Value":60}]`)
	f.Add(`[{"Name":"a","Value":"\u0000"},{"Value":true,"Name":"b"}]`)
	f.Fuzz(func(t *testing.T, text string) {
		params, err := oauth2flow.ParseParams([]byte(text))
		if (params == nil) == (err == nil) {
			t.Fatalf("there are parameters %v and the error %v", params, err)
		}
		for _, p := range params {
			if p.Name == "" {
				t.Error("a name is empty")
			}
		}
	})
}
