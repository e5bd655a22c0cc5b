package secrets_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/restconn/restconn/secrets"
)

// name is a variable that only these tests set, one after the other.
const name = "RESTCONN_SECRETS_TEST"

func TestEnv(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       answer
	}{
		{"plain", canary, answer{Text: canary}},
		{"G12 trailing newline", canary + "\n", answer{Text: canary}},
		{"G12 trailing CRLF", canary + "\r\n", answer{Text: canary}},
		{"G12 one newline only", canary + "\n\n", answer{Text: canary + "\n"}},
		{"other white space is kept", " \t" + canary + " \r", answer{Text: " \t" + canary + " \r"}},
		{"inner newlines are kept", "a\r\nb\nc", answer{Text: "a\r\nb\nc"}},
		{"G13 braces are kept", `{{secret "x"}}`, answer{Text: `{{secret "x"}}`}},
		{"G12 empty", "", answer{Is: secrets.ErrEmpty}},
		{"G12 newline", "\n", answer{Is: secrets.ErrEmpty}},
		{"G12 white space", " \t\r\n\u00a0 ", answer{Is: secrets.ErrEmpty}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(name, tt.text)
			got, err := ask(t.Context(), secrets.Env(name))
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			checkError(t, err, "env:"+name)
		})
	}
}

func TestEnvG12Missing(t *testing.T) {
	t.Setenv(name, "") // restores it at the end
	if err := os.Unsetenv(name); err != nil {
		t.Fatal(err)
	}
	got, err := ask(t.Context(), secrets.Env(name))
	if diff := cmp.Diff(answer{Is: secrets.ErrNotFound}, got, cmpopts.EquateErrors()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	checkError(t, err, "env:"+name)
}

func TestEnvIsReadAtEveryCall(t *testing.T) {
	p := secrets.Env(name)
	t.Setenv(name, "one")
	first, _ := ask(t.Context(), p)
	t.Setenv(name, "two")
	second, _ := ask(t.Context(), p)
	if diff := cmp.Diff([]string{"one", "two"}, []string{first.Text, second.Text}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEnvBadName(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "=", "A=" + canary, canary + "\x00", "A\n" + canary, canary + "\x1b[2J", "\xff" + canary,
	} {
		t.Run(bad, func(t *testing.T) {
			t.Parallel()
			got, err := ask(t.Context(), secrets.Env(bad))
			if diff := cmp.Diff(answer{Is: secrets.ErrInvalid}, got, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			checkError(t, err, "env")
		})
	}
}
