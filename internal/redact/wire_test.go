package redact

import (
	"errors"
	"testing"
)

func TestWire(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"unexpected EOF": "unexpected EOF",
		`malformed MIME header: missing colon: "Bearer TOKEN \"x\" /y?z"`: `malformed MIME header: missing colon: "[REDACTED]"`,
		`GOAWAY; ErrCode=NO_ERROR, debug="SECRET", more`:                  `GOAWAY; ErrCode=NO_ERROR, debug="[REDACTED]", more`,
		`two "a" and "b"`: `two "[REDACTED]" and "[REDACTED]"`,
		`no end "a\`:      `no end "[REDACTED]"`,
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
