package secrets_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/restconn/restconn/secrets"
)

func TestFirst(t *testing.T) {
	t.Parallel()
	errSealed := errors.New("the vault is sealed")
	has, other := secrets.Static(canary), secrets.Static("other")
	missing := secrets.File("/no/such/file")
	for _, tt := range []struct {
		name string
		p    secrets.Provider
		want answer
		ref  string
	}{
		{"the first has it", secrets.First(has, other), answer{Text: canary}, ""},
		{"the second has it", secrets.First(missing, has, other), answer{Text: canary}, ""},
		{"nested", secrets.First(secrets.First(missing, missing), has), answer{Text: canary}, ""},
		{"a bare ErrNotFound", secrets.First(silent{secrets.ErrNotFound}, has), answer{Text: canary}, ""},
		{"another error stops", secrets.First(silent{errSealed}, has), answer{Is: errSealed}, "secrets_test.silent"},
		{"an empty secret stops", secrets.First(silent{secrets.ErrEmpty}, has), answer{Is: secrets.ErrEmpty},
			"secrets_test.silent"},
		{"an error after a gap", secrets.First(missing, silent{errSealed}), answer{Is: errSealed},
			"secrets_test.silent"},
		{"none has it", secrets.First(missing, silent{secrets.ErrNotFound}), answer{Is: secrets.ErrNotFound},
			"first(file:/no/such/file, secrets_test.silent)"},
		{"a nil after one that has it", secrets.First(has, nil), answer{Is: secrets.ErrInvalid}, "first(static, nil)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ask(t.Context(), tt.p, errSealed)
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			checkError(t, err, tt.ref)
		})
	}
}

func TestFirstWrapsWhatEachSaid(t *testing.T) {
	t.Parallel()
	errMine := errors.Join(errors.New("no such entry"), secrets.ErrNotFound)
	_, err := secrets.First(silent{errMine}, secrets.File("/no/such/file")).Secret(t.Context())
	if !errors.Is(err, errMine) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want both causes in it", err)
	}
	if n := strings.Count(err.Error(), "file:/no/such/file"); n != 1 {
		t.Errorf("the reference is %d times in %q, want once", n, err)
	}
}

func TestFirstKeepsItsOwnList(t *testing.T) {
	t.Parallel()
	list := []secrets.Provider{secrets.Static(canary)}
	p := secrets.First(list...)
	list[0] = nil
	got, err := ask(t.Context(), p)
	if diff := cmp.Diff(answer{Text: canary}, got, cmpopts.EquateErrors()); diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}
