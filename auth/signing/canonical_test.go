package signing_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth/signing"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                "",
		"AZaz09-._~":      "AZaz09-._~",
		"a b+c/d%":        "a%20b%2Bc%2Fd%25",
		"!*'()":           "%21%2A%27%28%29",
		"ä\x00\xff\u2603": "%C3%A4%00%FF%E2%98%83",
	} {
		if got := signing.Escape(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestSortQuery(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"":                  "",
		"&&":                "",
		"b=2&a=1&a=0&B=3":   "B=3&a=0&a=1&b=2",
		"a":                 "a=",
		"a=1=2;b=3":         "a=1%3D2%3Bb%3D3",
		"x=%7e+%2b&%78=%2F": "x=%2F&x=~%20%2B",
		// The example of RFC 5849, section 3.4.1.3.
		"b5=%3D%253D&a3=a&c%40=&a2=r%20b&c2&a3=2+q": "a2=r%20b&a3=2%20q&a3=a&b5=%3D%253D&c%40=&c2=",
		"a!=1&a-=2": "a%21=1&a-=2",
	} {
		if got, err := signing.SortQuery(query); got != want || err != nil {
			t.Errorf("H10 %q: %q, %v, want %q", query, got, err, want)
		}
	}
	for _, query := range []string{"%", "a=%zz", "%4=a"} {
		if got, err := signing.SortQuery(query); err == nil || strings.Contains(err.Error(), query) {
			t.Errorf("%q: %q, %v", query, got, err)
		}
	}
}

// FuzzSortQuery checks that the canonical form is that: it stays as it is, and it has the same pairs.
func FuzzSortQuery(f *testing.F) {
	for _, s := range []string{"", "b=2&a=1", "a", "=", "a=%20+&&b", "%", "a;b=c", "ä=\xff&%00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		got, err := signing.SortQuery(query)
		if err != nil {
			return
		}
		if again, err := signing.SortQuery(got); again != got || err != nil {
			t.Errorf("%q became %q, %v", got, again, err)
		}
		// net/url has no pairs with a semicolon, and drops what it cannot read.
		if strings.Contains(query, ";") {
			return
		}
		want, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		pairs, err := url.ParseQuery(got)
		if err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		for _, v := range []url.Values{want, pairs} {
			for _, values := range v {
				slices.Sort(values)
			}
		}
		if diff := cmp.Diff(want, pairs); diff != "" {
			t.Errorf("pairs (-want +got):\n%s", diff)
		}
	})
}
