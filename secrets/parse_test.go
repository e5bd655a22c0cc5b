package secrets_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/restconn/restconn/secrets"
)

func TestParse(t *testing.T) {
	t.Parallel()
	type result struct {
		Provider string
		Is       error
	}
	for _, tt := range []struct {
		name, text string
		want       result
		ref        string
	}{
		{"env", "env:API_PASS", result{Provider: "env:API_PASS"}, ""},
		{"file", "file:/run/secrets/api", result{Provider: "file:/run/secrets/api"}, ""},
		{"file as a URL", "file:///run/secrets/api", result{Provider: "file:///run/secrets/api"}, ""},
		{"relative file", "file:secrets/api", result{Provider: "file:secrets/api"}, ""},
		{"no decoding", "file:/a%20b", result{Provider: "file:/a%20b"}, ""},
		{"windows file", `file:C:\secrets\api`, result{Provider: `file:C:\secrets\api`}, ""},
		{"empty", "", result{Is: secrets.ErrScheme}, ""},
		{"no scheme", canary, result{Is: secrets.ErrScheme}, ""},
		{"unknown scheme", "vault:" + canary, result{Is: secrets.ErrScheme}, ""},
		{"a pasted user and password", canary + ":pass", result{Is: secrets.ErrScheme}, ""},
		{"upper case", "ENV:" + canary, result{Is: secrets.ErrScheme}, ""},
		{"white space", " env:" + canary, result{Is: secrets.ErrScheme}, ""},
		{"env without name", "env:", result{Is: secrets.ErrInvalid}, "env"},
		{"env with value", "env:A=" + canary, result{Is: secrets.ErrInvalid}, "env"},
		{"file without path", "file:", result{Is: secrets.ErrInvalid}, "file"},
		{"file with NUL", "file:/\x00" + canary, result{Is: secrets.ErrInvalid}, "file"},
		{"file on a host", "file://" + canary + "/x", result{Is: secrets.ErrInvalid}, "file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := secrets.Parse(tt.text)
			got := result{Is: kind(err)}
			if p != nil {
				got.Provider = fmt.Sprint(p)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			checkError(t, err, tt.ref)
			for _, known := range []string{"env:NAME", "file:/path"} {
				if errors.Is(err, secrets.ErrScheme) && !strings.Contains(err.Error(), known) {
					t.Errorf("no %s in %q", known, err)
				}
			}
		})
	}
}

func TestParseOptions(t *testing.T) {
	t.Parallel()
	path := write(t, canary, 0o644)
	p, err := secrets.Parse("file:"+path, secrets.Shared())
	if err != nil {
		t.Fatal(err)
	}
	got, err := ask(t.Context(), p)
	if diff := cmp.Diff(answer{Text: canary}, got, cmpopts.EquateErrors()); diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", ":", "env:", "env:A=", "ENV:", "file:", "file:/", "file://", "file:///", "file:\x00", "vault:",
		"env:\n", "a:b:",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, prefix string) {
		p, err := secrets.Parse(prefix + canary)
		if (p == nil) == (err == nil) {
			t.Fatalf("provider %v and error %v, want one of them", p, err)
		}
		if err != nil {
			checkHidden(t, "error", err, err.Error())
			return
		}
		if err := secrets.Validate(p); err != nil {
			t.Errorf("Parse returned a provider that is not valid: %v", err)
		}
		if scheme, _, _ := strings.Cut(prefix, ":"); scheme != "env" && scheme != "file" {
			t.Errorf("%q: scheme accepted", scheme)
		}
	})
}
