package strictjson_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/internal/strictjson"
)

func TestObject(t *testing.T) {
	t.Parallel()
	names, values, err := strictjson.Object([]byte("\xef\xbb\xbf" + ` {"b":[1, 2],"a":{"a":1,"a":2},"A":null}` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"b", "a", "A"}, names); diff != "" {
		t.Errorf("the names (-want +got):\n%s", diff)
	}
	if len(values) != 3 || string(values["b"]) != "[1, 2]" || string(values["A"]) != "null" {
		t.Errorf("the values are %s", values)
	}
	deep := strings.Repeat(`{"a":`, 1e5) + "1" + strings.Repeat("}", 1e5)
	for name, tt := range map[string]struct {
		text string
		want error
	}{
		"S24 a name twice":            {`{"a":1,"a":1}`, strictjson.ErrTwice},
		"S24 a name twice, escaped":   {`{"a":1,"\u0061":1}`, strictjson.ErrTwice},
		"F2 nothing":                  {"", strictjson.ErrNotObject},
		"F2 null":                     {"null", strictjson.ErrNotObject},
		"F2 an array":                 {"[{}]", strictjson.ErrNotObject},
		"F2 it breaks off":            {`{"a":1`, strictjson.ErrNotObject},
		"F2 there is more behind it":  {`{"a":1}{}`, strictjson.ErrNotObject},
		"F2 it is nested without end": {deep, strictjson.ErrNotObject},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, values, err := strictjson.Object([]byte(tt.text)); !errors.Is(err, tt.want) || values != nil {
				t.Errorf("error is %v, want %v", err, tt.want)
			}
		})
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	if s, ok := strictjson.Text([]byte(`"a\u0062"`)); s != "ab" || !ok {
		t.Errorf("the text is %q, %t", s, ok)
	}
	for _, raw := range []string{"", "null", "1", "{}", `["a"]`} {
		if s, ok := strictjson.Text([]byte(raw)); s != "" || ok {
			t.Errorf("%s is the text %q", raw, s)
		}
	}
}
