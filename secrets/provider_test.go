package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/restconn/restconn/secrets"
)

// silent is a provider of a type of our user's, with a String method that says too much.
type silent struct{ err error }

func (s silent) Secret(context.Context) (secrets.Value, error) { return secrets.Value{}, s.err }
func (s silent) String() string                                { return canary }

// picky is a provider whose own check fails.
type picky struct{ silent }

var errPicky = errors.New("this will not work")

func (picky) Validate() error { return errPicky }

func TestFunc(t *testing.T) {
	t.Parallel()
	errVault := errors.New("the vault is sealed")
	typed := &secrets.Error{Ref: "vault:api", Err: secrets.ErrNotFound}
	for _, tt := range []struct {
		name string
		f    secrets.Func
		want answer
		ref  string
	}{
		{"answers", func(context.Context) (secrets.Value, error) { return secrets.Static(canary), nil },
			answer{Text: canary}, ""},
		{"fails", func(context.Context) (secrets.Value, error) { return secrets.Value{}, errVault },
			answer{Is: errVault}, "func"},
		{"fails and answers", func(context.Context) (secrets.Value, error) { return secrets.Static(canary), errVault },
			answer{Is: errVault}, "func"},
		{"keeps a reference", func(context.Context) (secrets.Value, error) { return secrets.Value{}, typed },
			answer{Is: secrets.ErrNotFound}, "vault:api"},
		{"gets the context", func(ctx context.Context) (secrets.Value, error) { return secrets.Value{}, ctx.Err() },
			answer{Is: context.Canceled}, "func"},
		{"nil", nil, answer{Is: secrets.ErrInvalid}, "func"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			got, err := ask(ctx, tt.f, errVault, context.Canceled)
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			checkError(t, err, tt.ref)
		})
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	fine := secrets.Static(canary)
	for _, tt := range []struct {
		name string
		p    secrets.Provider
		want error
		ref  string
	}{
		{"nil", nil, secrets.ErrInvalid, ""},
		{"static", fine, nil, ""},
		{"zero value", secrets.Value{}, nil, ""},
		{"func", secrets.Func(silent{}.Secret), nil, ""},
		{"nil func", secrets.Func(nil), secrets.ErrInvalid, "func"},
		{"a provider without Validate", silent{}, nil, ""},
		{"a provider with Validate", picky{}, errPicky, "secrets_test.picky"},
		{"env", secrets.Env("NAME"), nil, ""},
		{"env without name", secrets.Env(""), secrets.ErrInvalid, "env"},
		{"file", secrets.File("/no/such/file"), nil, ""},
		{"file without path", secrets.File(""), secrets.ErrInvalid, "file"},
		{"file with NUL", secrets.File("/x\x00" + canary), secrets.ErrInvalid, "file"},
		{"file with nil option", secrets.File("/x", nil), secrets.ErrInvalid, "file:/x"},
		{"first", secrets.First(fine, silent{}), nil, ""},
		{"first of none", secrets.First(), secrets.ErrInvalid, "first()"},
		{"first with nil", secrets.First(fine, nil), secrets.ErrInvalid, "first(static, nil)"},
		{"first with a bad one", secrets.First(secrets.Env(""), fine), secrets.ErrInvalid, "env"},
		{"cached", secrets.Cached(fine, time.Second), nil, ""},
		{"cached nil", secrets.Cached(nil, time.Second), secrets.ErrInvalid, "cached(nil)"},
		{"cached for no time", secrets.Cached(fine, 0), secrets.ErrInvalid, "cached(static)"},
		{"cached for less", secrets.Cached(fine, -1), secrets.ErrInvalid, "cached(static)"},
		{"cached bad one", secrets.Cached(secrets.Env(""), time.Second), secrets.ErrInvalid, "env"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := secrets.Validate(tt.p)
			if !errors.Is(err, tt.want) {
				t.Fatalf("Validate: error %v, want %v", err, tt.want)
			}
			checkError(t, err, tt.ref)
			if tt.p == nil || !errors.Is(tt.want, secrets.ErrInvalid) {
				return
			}
			_, err = tt.p.Secret(t.Context())
			if !errors.Is(err, secrets.ErrInvalid) {
				t.Fatalf("Secret: error %v, want %v", err, tt.want)
			}
			checkError(t, err, tt.ref)
		})
	}
}

func TestValidateJoinsAllFaults(t *testing.T) {
	t.Parallel()
	err := secrets.Validate(secrets.First(secrets.Env(""), picky{}, secrets.Static(canary)))
	if !errors.Is(err, secrets.ErrInvalid) || !errors.Is(err, errPicky) {
		t.Errorf("error %v, want both faults", err)
	}
}

func TestProvidersPrintTheirReference(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]secrets.Provider{
		"func":               secrets.Func(nil),
		"env:NAME":           secrets.Env("NAME"),
		"env":                secrets.Env("NAME=" + canary),
		"file:/run/s":        secrets.File("/run/s"),
		`file:"/run/\n\xff"`: secrets.File("/run/\n\xff"),
		"first(env:A, static, secrets_test.silent)": secrets.First(secrets.Env("A"), secrets.Static(canary), silent{}),
		"cached(first(file:b))":                     secrets.Cached(secrets.First(secrets.File("b")), time.Second),
	} {
		if diff := cmp.Diff(want, fmt.Sprint(p)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
