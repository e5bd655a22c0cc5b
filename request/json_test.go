package request_test

import (
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

func TestInvalidUTF8(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"in a value":              "{\"name\":\"caf\xe9\"}",
		"in a name":               "{\"caf\xe9\":1}",
		"in a member of no use":   "{\"id\":7,\"x\":\"\xff\"}",
		"that is a surrogate":     "{\"name\":\"\xed\xa0\x80\"}",
		"that is longer than due": "{\"name\":\"\xc0\xaf\"}",
	} {
		t.Run("I12 UTF-8 that is none "+name+" is an error", func(t *testing.T) {
			t.Parallel()
			b, _ := answered(t, http.StatusOK, jsonType, body)
			refused[account](t, b)
			refused[map[string]any](t, b)
			refused[any](t, b)
			refused[json.RawMessage](t, b)
			refused[account](t, b.Codec(request.StrictJSON()))
		})
	}
}

func TestDuplicateNames(t *testing.T) {
	t.Parallel()
	type record struct {
		ID    int
		Admin bool
		Inner *record
		More  []record
		Any   any
	}
	for name, c := range map[string]struct {
		body string
		want record
	}{
		"I12 two members of one name":      {`{"id":1,"id":2}`, record{ID: 2}},
		"I12 a name in another case":       {`{"admin":false,"Admin":true}`, record{Admin: true}},
		"I12 a name with an escape":        {`{"id":1,"\u0069d":2}`, record{ID: 2}},
		"I12 a name with a long s":         {`{"id":7,"x":{"s":1,"ſ":2}}`, record{ID: 7}},
		"I12 two names in an inner object": {`{"inner":{"id":1,"ID":2}}`, record{Inner: &record{ID: 2}}},
		"I12 two names in a list":          {`{"more":[{"id":1},{"id":2,"id":3}]}`, record{More: []record{{ID: 1}, {ID: 3}}}},
		"I12 two names after a list":       {`{"id":1,"more":[{},{}],"id":2}`, record{ID: 2, More: []record{{}, {}}}},
		"I12 two names that nobody wants":  {`{"x":1,"id":7,"x":2}`, record{ID: 7}},
		"I12 two names deep in an any":     {`{"any":[{"b":1,"b":true}]}`, record{Any: []any{map[string]any{"b": true}}}},
		"I12 two names among a hundred":    {manyNames(100) + `,"name50":1}`, record{}},
		"I12 the sign of kelvin":           {`{"any":1,"x":{"k":1,"` + "\u212a" + `":2}}`, record{Any: json.Number("1")}},
	} {
		t.Run(name+": the last one counts by default, and StrictJSON refuses them", func(t *testing.T) {
			t.Parallel()
			b, _ := answered(t, http.StatusOK, jsonType, c.body)
			v, err := request.Do[record](t.Context(), b)
			if diff := cmp.Diff(c.want, v); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			_, err = request.Do[record](t.Context(), b.Codec(request.StrictJSON()))
			wantStage[*request.DecodeError](t, err, request.StageDecode)
			if !strings.Contains(err.Error(), "two members of the same name") {
				t.Errorf("the error is %v", err)
			}
		})
	}
	for name, body := range map[string]string{
		"I12 a name in two objects":          `{"id":7,"inner":{"id":1,"inner":{"id":2}},"more":[{"id":1},{"id":1}]}`,
		"I12 a name that is a value too":     `{"id":7,"any":"id","x":["id","id"],"y":"any"}`,
		"I12 names that only begin alike":    `{"id":7,"i":1,"idd":2,"":3," ":4}`,
		"I12 names in quotes and brackets":   `{"id":7,"\"id\"":1,"{":2,"}":3,"[":4,",":5,"\\":6}`,
		"I12 a dotless and a dotted letter":  `{"id":7,"ıd":1,"İd":2}`,
		"I12 two objects of a hundred names": `{"id":7,"x":` + manyNames(100) + `},"y":` + manyNames(100) + `}}`,
	} {
		t.Run(name+" is no duplicate", func(t *testing.T) {
			t.Parallel()
			b, _ := answered(t, http.StatusOK, jsonType, body)
			v, err := request.Do[record](t.Context(), b.Codec(request.StrictJSON()))
			if err != nil || v.ID != 7 {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
	t.Run("I12 StrictJSON is as strict as the default besides", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{
			`{} {}`, `{"id":7}}`, `{"id":"x"}`, `null`, ``, `{"id":1,}`, `<html>`, `"`, `{`, `,`, `}`,
		} {
			b, _ := answered(t, http.StatusOK, jsonType, body)
			refused[account](t, b.Codec(request.StrictJSON()))
		}
		b, _ := answered(t, http.StatusOK, jsonType, "\ufeff\"\"", connection.WithCodec(request.StrictJSON()))
		decoded[any]("")(t, b)
	})
}

// manyNames is an object of so many members that has not ended.
func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"name` + big.NewInt(int64(i)).String() + `":0`)
	}
	return "{" + b.String()[1:]
}

func TestHugeJSON(t *testing.T) {
	t.Parallel()
	digits := strings.Repeat("9", 1_000_000)
	as := map[string]func(t *testing.T, b request.Builder) error{
		"an any": into[any], "a RawMessage": into[json.RawMessage], "a struct": into[account], "a number": into[float64],
		"an any, strictly": func(t *testing.T, b request.Builder) error {
			return into[any](t, b.Codec(request.StrictJSON()))
		},
	}
	for name, body := range map[string]string{
		"I13 a million lists in each other":   strings.Repeat("[", 1_000_000) + strings.Repeat("]", 1_000_000),
		"I13 a million objects in each other": strings.Repeat(`{"a":`, 1_000_000) + "1" + strings.Repeat("}", 1_000_000),
		"I13 a million lists that never end":  strings.Repeat("[", 1_000_000),
	} {
		t.Run(name+" are an error", func(t *testing.T) {
			t.Parallel()
			b, _ := answered(t, http.StatusOK, jsonType, body)
			for to, call := range as {
				if err := call(t, b); !errors.Is(err, request.StageDecode) || len(err.Error()) > 500 {
					t.Errorf("to %s: the error is %.500v", to, err)
				}
			}
		})
	}
	t.Run("I13 a number that is too large is an error, and an any keeps it", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{"1e999", "-1e999", digits} {
			b, _ := answered(t, http.StatusOK, jsonType, body)
			refused[float64](t, b)
			refused[int64](t, b)
			decoded[any](json.Number(body))(t, b)
			_, err := request.Do[int](t.Context(), b)
			if err == nil || len(err.Error()) > 500 || strings.Contains(err.Error(), "e999") {
				t.Errorf("the error is %.500v", err)
			}
		}
	})
	t.Run("I13 an object of many keys ends at the limit", func(t *testing.T) {
		t.Parallel()
		body := manyNames(200_000) + "}"
		b, _ := answered(t, http.StatusOK, jsonType, body, connection.WithMaxBody(1<<20))
		for to, call := range as {
			if err := call(t, b); !errors.Is(err, request.ErrTooLarge) {
				t.Errorf("to %s: the error is %v", to, err)
			}
		}
	})
}

// into does a request as T, and returns its error.
func into[T any](t *testing.T, b request.Builder) error {
	t.Helper()
	_, err := request.Do[T](t.Context(), b)
	return err
}

// What a decoder takes for a hostile body is in proportion to that body.
func TestHostileJSONMemory(t *testing.T) { //nolint:paralleltest // it counts what is allocated
	const size = 1 << 20
	for name, c := range map[string]struct { //nolint:paralleltest // the same
		body string
		most uint64 // times the size
	}{
		"I13 a million keys into a struct":       {manyNames(size/12) + "}", 3},
		"I13 a million keys, strictly":           {manyNames(size/12) + "}", 20},
		"I13 a million empty objects, strictly":  {"[" + manyNames(1000) + "}" + strings.Repeat(",{}", size/3) + "]", 4},
		"I13 a million lists that never end":     {strings.Repeat("[", size), 3},
		"I13 a million objects that never end":   {strings.Repeat(`{"":`, size/4), 3},
		"I13 a number of a million digits":       {strings.Repeat("9", size), 5},
		"I13 a text of a million escapes":        {`"` + strings.Repeat(`\u0000`, size/6) + `"`, 5},
		"I13 a text of a million broken escapes": {`"` + strings.Repeat(`\ud800`, size/6) + `"`, 5},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := answered(t, http.StatusOK, jsonType, c.body)
			if strings.Contains(name, "strictly") {
				b = b.Codec(request.StrictJSON())
			}
			n := allocated(func() { _, _ = request.Do[struct{ Value int }](t.Context(), b) })
			if got := n / size; got > c.most+2 {
				t.Errorf("it took %d times the size of the body, want %d at most", got, c.most)
			}
		})
	}
}
