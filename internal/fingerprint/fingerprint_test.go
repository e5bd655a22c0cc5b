package fingerprint_test

import (
	"testing"

	"github.com/restconn/restconn/internal/fingerprint"
)

func TestOf(t *testing.T) {
	t.Parallel()
	seen := map[string][]string{}
	for _, texts := range [][]string{
		nil, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"ab"}, {"a", "b"}, {"b", "a"}, {"a\x00b"}, {"A"}, {"ab", ""},
		{"\x00\x00\x00\x00\x00\x00\x00\x01a"}, {"\xff"}, {"\ufffd"},
	} {
		name := fingerprint.Of(texts...)
		if other, ok := seen[name]; ok || len(name) != 64 {
			t.Errorf("%q and %q are both %s", texts, other, name)
		}
		seen[name] = texts
	}
}

// TestStays has what files and rows are found by: another name would hide the tokens that are there.
func TestStays(t *testing.T) {
	t.Parallel()
	const want = "8b4473e4e681cbc8a0918e0d4311d405670580d19b38263d0121cda5bf70b59d"
	if got := fingerprint.Of("connection", "config", "subject"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
