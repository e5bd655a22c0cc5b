package secrets_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"log/slog"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/secrets"
)

// holder holds a secret in every way a struct can.
type holder struct {
	Value    secrets.Value
	Pointer  *secrets.Value
	Map      map[string]secrets.Value
	Slice    []secrets.Value
	Any      any
	Provider secrets.Provider

	value    secrets.Value
	pointer  *secrets.Value
	mapped   map[string]*secrets.Value
	slice    []secrets.Value
	any      any
	provider secrets.Provider
}

func newHolder(v secrets.Value) holder {
	cached := secrets.Cached(v, time.Hour)
	return holder{
		Value: v, Pointer: &v, Map: map[string]secrets.Value{"k": v}, Slice: []secrets.Value{v}, Any: v, Provider: v,
		value: v, pointer: &v, mapped: map[string]*secrets.Value{"k": &v}, slice: []secrets.Value{v}, any: &v,
		provider: secrets.First(cached, v),
	}
}

// plain is a holder that encoders of fixed formats can take.
type plain struct {
	Value   secrets.Value
	Pointer *secrets.Value
	Slice   []secrets.Value
}

func subjects(v secrets.Value) map[string]any {
	h := newHolder(v)
	return map[string]any{
		"value": v, "pointer": &v, "slice": []secrets.Value{v}, "array": [1]*secrets.Value{&v},
		"map": map[string]secrets.Value{"k": v}, "struct": h, "pointer to struct": &h,
		"nested": struct{ h any }{map[string]any{"k": []any{&h}}}, "plain": plain{v, &v, []secrets.Value{v}},
	}
}

func TestValueG5Format(t *testing.T) {
	t.Parallel()
	v := secrets.Static(canary)
	for name, subject := range subjects(v) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, verb := range []string{
				"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%c", "%U",
				"%e", "%b", "%T", "%p", "%40s", "%!",
			} {
				text := fmt.Sprintf(verb, subject)
				checkHidden(t, verb, nil, text, decodeHex(text))
			}
			checkHidden(t, "print", subject, fmt.Sprint(subject), fmt.Errorf("x: %v", subject).Error())
		})
	}
}

// decodeHex shows what %x would have hidden.
func decodeHex(text string) string {
	var b []byte
	_, _ = fmt.Sscanf(strings.ReplaceAll(text, " ", ""), "%x", &b)
	return string(b)
}

func TestValueShowsRedacted(t *testing.T) {
	t.Parallel()
	v := secrets.Static(canary)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%9s"} {
		if diff := cmp.Diff(secrets.Redacted, fmt.Sprintf(verb, v)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", verb, diff)
		}
		if diff := cmp.Diff(secrets.Redacted, fmt.Sprintf(verb, &v)); diff != "" {
			t.Errorf("%s of a pointer (-want +got):\n%s", verb, diff)
		}
	}
	got := []string{v.String(), v.GoString(), v.LogValue().String()}
	if diff := cmp.Diff([]string{secrets.Redacted, secrets.Redacted, secrets.Redacted}, got); diff != "" {
		t.Errorf("methods (-want +got):\n%s", diff)
	}
}

func TestValueG5Encode(t *testing.T) {
	t.Parallel()
	encoders := map[string]func(w io.Writer, v any) error{
		"json": func(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) },
		"xml":  func(w io.Writer, v any) error { return xml.NewEncoder(w).Encode(v) },
		"gob":  func(w io.Writer, v any) error { return gob.NewEncoder(w).Encode(v) },
		"slog text": func(w io.Writer, v any) error {
			slog.New(slog.NewTextHandler(w, nil)).With("with", v).Info("m", "k", v, slog.Group("g", "k", v))
			return nil
		},
		"slog json": func(w io.Writer, v any) error {
			slog.New(slog.NewJSONHandler(w, nil)).With("with", v).Info("m", "k", v, slog.Group("g", "k", v))
			return nil
		},
		"text template": func(w io.Writer, v any) error {
			tmpl := template.Must(template.New("").Parse(`{{.}} {{printf "%s %x" . .}} {{html .}} {{js .}}`))
			return tmpl.Execute(w, v)
		},
		"html template": func(w io.Writer, v any) error {
			return htmltemplate.Must(htmltemplate.New("").Parse(`<p>{{.}}</p><script>x={{.}}</script>`)).Execute(w, v)
		},
	}
	v := secrets.Static(canary)
	for name, encode := range encoders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, subject := range subjects(v) {
				var b bytes.Buffer
				err := encode(&b, subject) // some formats have no maps or functions; their errors are read too
				checkHidden(t, kind, err, b.String(), fmt.Sprint(err))
			}
			var b bytes.Buffer
			if err := encode(&b, plain{v, &v, []secrets.Value{v}}); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(b.String(), "REDACTED") {
				t.Errorf("no trace of the redaction in %q", b.String())
			}
		})
	}
}

func TestValueG5Walk(t *testing.T) {
	t.Parallel()
	t.Run("finds a secret that is a string", func(t *testing.T) {
		t.Parallel()
		inner := struct{ hidden *string }{new(canary)}
		for name, leak := range map[string]any{
			"field": inner, "map key": map[any]int{canary: 1}, "bytes": []any{[]byte(canary)}, "runes": []rune(canary),
		} {
			if !strings.Contains(dump(leak), canary) {
				t.Errorf("%s: not found, so that the other tests prove nothing", name)
			}
		}
	})
	t.Run("finds no secret that is a Value", func(t *testing.T) {
		t.Parallel()
		h := newHolder(secrets.Static(canary))
		if _, err := h.provider.Secret(t.Context()); err != nil {
			t.Fatal(err) // the cache is full now
		}
		checkHidden(t, "holder", h, cmp.Diff(h.Value, secrets.Static("other")))
	})
}

func TestValueNilPointer(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	var v *secrets.Value
	slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
	if diff := cmp.Diff("<nil> <nil>", fmt.Sprintf("%v %+v", v, v)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestValueReveal(t *testing.T) {
	t.Parallel()
	var zero secrets.Value
	got := []string{secrets.Static(canary).Reveal(), secrets.Static("").Reveal(), zero.Reveal()}
	if diff := cmp.Diff([]string{canary, "", ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got2, err := ask(t.Context(), secrets.Static(canary))
	if diff := cmp.Diff(answer{Text: canary}, got2); diff != "" || err != nil {
		t.Errorf("Secret: error %v (-want +got):\n%s", err, diff)
	}
}

func TestValueEqual(t *testing.T) {
	t.Parallel()
	var zero secrets.Value
	for _, tt := range []struct {
		name string
		v, w secrets.Value
		want bool
	}{
		{"same text", secrets.Static(canary), secrets.Static(canary), true},
		{"another text", secrets.Static(canary), secrets.Static("canary-7f3a92"), false},
		{"a prefix", secrets.Static(canary), secrets.Static(canary[:5]), false},
		{"zero and empty", zero, secrets.Static(""), true},
		{"zero and text", zero, secrets.Static(canary), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.v.Equal(tt.w); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if got := cmp.Equal(tt.v, tt.w); got != tt.want {
				t.Errorf("cmp: got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestValueIsNotDecoded(t *testing.T) {
	t.Parallel()
	quoted := `"` + canary + `"`
	for _, tt := range []struct {
		name   string
		decode func(*plain) error
		want   error // nil: the decoder's own error
	}{
		{"json string", fromJSON(`{"Value":` + quoted + `}`), errors.ErrUnsupported},
		{"json pointer", fromJSON(`{"Pointer":` + quoted + `}`), errors.ErrUnsupported},
		{"json slice", fromJSON(`{"Slice":[` + quoted + `]}`), errors.ErrUnsupported},
		{"json empty string", fromJSON(`{"Value":""}`), errors.ErrUnsupported},
		{"json number", fromJSON(`{"Value":1}`), nil},
		{"json empty object", fromJSON(`{"Value":{}}`), nil},
		{"json object", fromJSON(`{"Value":{"reveal":` + quoted + `}}`), nil},
		{"json array", fromJSON(`{"Value":[` + quoted + `]}`), nil},
		{"xml", func(p *plain) error {
			return xml.Unmarshal([]byte("<plain><Value>"+canary+"</Value></plain>"), p)
		}, errors.ErrUnsupported},
		{"gob", func(p *plain) error {
			var b bytes.Buffer
			if err := gob.NewEncoder(&b).Encode(plain{Value: secrets.Static(canary)}); err != nil {
				return err
			}
			return gob.NewDecoder(&b).Decode(p)
		}, errors.ErrUnsupported},
		{"scan", func(p *plain) error {
			_, err := fmt.Sscan(canary, &p.Value)
			return err
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var p plain
			err := tt.decode(&p)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if got := p.Value.Reveal(); got != "" {
				t.Errorf("the value is %q, want none", got)
			}
			checkHidden(t, "error", err, fmt.Sprint(err))
		})
	}
}

func TestValueJSONNullIsAbsent(t *testing.T) {
	t.Parallel()
	p := plain{Value: secrets.Static(canary)}
	if err := json.Unmarshal([]byte(`{"Value":null,"Pointer":null}`), &p); err != nil {
		t.Fatal(err)
	}
	if got := p.Value.Reveal(); got != canary {
		t.Errorf("null changed the value to %q", got)
	}
}

func fromJSON(text string) func(*plain) error {
	return func(p *plain) error { return json.Unmarshal([]byte(text), p) }
}
