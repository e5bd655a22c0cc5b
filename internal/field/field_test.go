package field_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/restconn/restconn/internal/field"
)

// TestEveryByte compares with RFC 9110, byte by byte, alone and between two letters.
func TestEveryByte(t *testing.T) {
	t.Parallel()
	const (
		token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		tab   = '\t'
	)
	for c := range 256 {
		control := c < 0x20 || c == 0x7f
		for _, s := range []string{string([]byte{byte(c)}), string([]byte{'a', byte(c), 'b'})} {
			if got, want := field.IsToken(s), strings.IndexByte(token, byte(c)) >= 0; got != want {
				t.Errorf("H7 IsToken(%q) is %t", s, got)
			}
			if got, want := field.IsValue(s), !control || c == tab; got != want {
				t.Errorf("H7 IsValue(%q) is %t", s, got)
			}
			if got := field.HasControl(s); got != control {
				t.Errorf("H7 HasControl(%q) is %t", s, got)
			}
		}
	}
}

func TestNothing(t *testing.T) {
	t.Parallel()
	if field.IsToken("") || !field.IsValue("") || field.HasControl("") {
		t.Error("H7 an empty text is a value without control bytes, and no token")
	}
}

func TestReserved(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"connection": true, "CONTENT-LENGTH": true, "Expect": true, "host": true, "keep-alive": true,
		"proxy-authorization": true, "Proxy-Connection": true, "te": true, "TRAILER": true, "transfer-encoding": true,
		"upgrade": true, "Content-Type": false, "Cookie": false, "Authorization": false, "X-Host": false,
	} {
		t.Run("H8 "+name, func(t *testing.T) {
			t.Parallel()
			if got := field.Reserved(http.CanonicalHeaderKey(name)); got != want {
				t.Errorf("Reserved is %t, want %t", got, want)
			}
		})
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	h := http.Header{"x-key": {"a", "b"}, "Empty": nil, "X-Other": {"c"}}
	for _, tt := range []struct {
		name, key string
		values    int
	}{
		{"X-Key", "x-key", 2}, {"X-Other", "X-Other", 1}, {"Empty", "Empty", 0}, {"X-None", "X-None", 0},
	} {
		if key, values := field.Values(h, tt.name); key != tt.key || len(values) != tt.values {
			t.Errorf("D-25 %s: got %d values under %q", tt.name, len(values), key)
		}
	}
	if key, values := field.Values(nil, "X-Key"); key != "X-Key" || values != nil {
		t.Errorf("no header: got %q under %q", values, key)
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": `""`, `a"b\c`: `"a\"b\\c"`, "ä\t": "\"ä\t\""} {
		if got := field.Quote(text); got != want {
			t.Errorf("H7 %q: got %s, want %s", text, got, want)
		}
	}
}
