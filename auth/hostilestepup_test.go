package auth_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth"
)

// TestStepUpIsBounded has a service whose answer would make a URL, or a line of a log, of many kilobytes.
func TestStepUpIsBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, scope string
		want        int
	}{
		{"S52 some scopes", "read write", 2},
		{"S52 a scope of 60 KiB", strings.Repeat("x", 60<<10), 0},
		{"S52 two hundred scopes", strings.Repeat("x ", 200), 0},
		{"S52 a scope with a quote", `a\"b`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lacks := `Bearer error="insufficient_scope", scope="` + c.scope + `"`
			e := auth.StepUp(http.StatusForbidden, http.Header{"Www-Authenticate": {lacks}})
			if e == nil || len(e.Scopes) != c.want || len(e.Error()) > 5<<10 {
				t.Errorf("got %.200v", e)
			}
		})
	}
}

// TestLoginRequiredErrorZero shows that an error that nobody has filled in can be written to a log.
func TestLoginRequiredErrorZero(t *testing.T) {
	t.Parallel()
	var err error = &auth.LoginRequiredError{}
	if got := err.Error(); got != auth.ErrLoginRequired.Error() || errors.Unwrap(err) != nil {
		t.Errorf("the error is %q", got)
	}
}
