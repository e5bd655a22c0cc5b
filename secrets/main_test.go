package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/restconn/restconn/secrets"
)

// canary is the secret of all tests. Nothing but Reveal may show it.
const canary = "canary-7f3a91"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answer is what a provider returned, in a form that can be compared and shown.
type answer struct {
	Text string
	Is   error
}

func ask(ctx context.Context, p secrets.Provider, kinds ...error) (answer, error) {
	v, err := p.Secret(ctx)
	return answer{Text: v.Reveal(), Is: kind(err, kinds...)}, err
}

// kind returns the sentinel that err is, for a readable difference.
func kind(err error, more ...error) error {
	known := []error{
		secrets.ErrNotFound, secrets.ErrEmpty, secrets.ErrTooLarge, secrets.ErrNotRegular,
		secrets.ErrPermissions, secrets.ErrScheme, secrets.ErrInvalid,
	}
	for _, sentinel := range slices.Concat(more, known) {
		if errors.Is(err, sentinel) {
			return sentinel
		}
	}
	return err
}

// checkError fails unless err is an *Error with that reference and a discreet text of one line.
func checkError(t *testing.T, err error, ref string) {
	t.Helper()
	if err == nil {
		return
	}
	e, ok := errors.AsType[*secrets.Error](err)
	if !ok {
		t.Fatalf("error of type %T, want *secrets.Error: %v", err, err)
	}
	if e.Ref != ref {
		t.Errorf("Ref = %q, want %q", e.Ref, ref)
	}
	if text := err.Error(); strings.Contains(text, "\n") || !strings.HasPrefix(text, "secrets: ") {
		t.Errorf("text %q, want one line that begins with the package", text)
	}
	checkHidden(t, "error", err, fmt.Sprintf("%v %+v %#v", err, err, err))
}

// checkHidden fails if the canary is in one of the texts or can be reached in v by reflection.
func checkHidden(t *testing.T, name string, v any, texts ...string) {
	t.Helper()
	for _, text := range append(texts, dump(v)) {
		if strings.Contains(text, canary) {
			t.Errorf("%s shows the secret: %s", name, text)
		}
	}
}

// dump returns every string and every byte that can be reached from v by reflection, through unexported fields too.
func dump(v any) string {
	d := dumper{seen: make(map[uintptr]bool)}
	d.walk(reflect.ValueOf(v))
	return d.String()
}

type dumper struct {
	strings.Builder

	seen map[uintptr]bool
}

func (d *dumper) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		d.WriteString(v.String() + "\n")
	case reflect.Uint8:
		d.WriteByte(byte(v.Uint()))
	case reflect.Int32:
		d.WriteRune(rune(v.Int()))
	case reflect.Pointer:
		if !v.IsNil() && !d.seen[v.Pointer()] {
			d.seen[v.Pointer()] = true
			d.walk(v.Elem())
		}
	case reflect.Interface:
		d.walk(v.Elem())
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			d.walk(v.Index(i))
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			d.walk(it.Key())
			d.walk(it.Value())
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			d.walk(field)
		}
	default: // numbers, channels and functions hold no text
	}
}
