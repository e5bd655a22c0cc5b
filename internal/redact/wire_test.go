package redact

import (
	"errors"
	"testing"
)

func TestWire(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"unexpected EOF": "unexpected EOF",
		`missing colon: "Bearer TOKEN \"x\" /y?z"`: `missing colon: "[REDACTED]"`,
		`ErrCode=NO_ERROR, debug="SECRET", more`:   `ErrCode=NO_ERROR, debug="[REDACTED]", more`,
		`two "a" and "b"`:                          `two "[REDACTED]" and "[REDACTED]"`,
		`no end "a\`:                               `no end "[REDACTED]"`,
	} {
		cause := errors.New(text)
		err := Wire(cause)
		if err.Error() != want || !errors.Is(err, cause) {
			t.Errorf("%s becomes %v", text, err)
		}
	}
	if err := Wire(nil); err != nil {
		t.Error(err)
	}
}
