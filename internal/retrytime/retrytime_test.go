package retrytime_test

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/internal/retrytime"
)

var now = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

func TestAfter(t *testing.T) {
	t.Parallel()
	const none = -1
	for _, c := range []struct {
		name   string
		values []string
		want   time.Duration
	}{
		{"no field", nil, none},
		{"no seconds", []string{"0"}, 0},
		{"seconds", []string{"120"}, 2 * time.Minute},
		{"seconds with zeros before them", []string{"0000000007"}, 7 * time.Second},
		{"seconds between spaces", []string{" 5\t"}, 5 * time.Second},
		{"the most seconds that fit", []string{"9223372036"}, 9223372036 * time.Second},
		{"D4 a second more than fits", []string{"9223372037"}, retrytime.Forever},
		{"D4 more than an int64", []string{"99999999999999999999"}, retrytime.Forever},
		{"D4 64 digits", []string{strings.Repeat("9", 64)}, retrytime.Forever},
		{"D4 1 MB of digits", []string{strings.Repeat("9", 1<<20)}, none},
		{"D4 1 MB of spaces around a number", []string{strings.Repeat(" ", 1<<20) + "7"}, 7 * time.Second},
		{"D4 negative", []string{"-5"}, none},
		{"D4 a plus sign", []string{"+5"}, none},
		{"D4 an exponent", []string{"1e9"}, none},
		{"D4 a fraction", []string{"1.5"}, none},
		{"D4 hexadecimal", []string{"0x10"}, none},
		{"D4 underscores", []string{"1_000"}, none},
		{"D4 digits of another script", []string{"١٢"}, none},
		{"D4 a unit", []string{"5s"}, none},
		{"D4 garbage", []string{"soon"}, none},
		{"D4 empty", []string{""}, none},
		{"D4 a list", []string{"1, 2"}, none},
		{"the date of RFC 9110", []string{"Sun, 01 Mar 2026 12:01:00 GMT"}, time.Minute},
		{"the date of RFC 850", []string{"Sunday, 01-Mar-26 12:01:00 GMT"}, time.Minute},
		{"the date of asctime", []string{"Sun Mar  1 12:01:00 2026"}, time.Minute},
		{"D20 a date that has passed", []string{"Sun, 01 Mar 2026 11:00:00 GMT"}, 0},
		{"D20 a date of long ago", []string{"Mon, 01 Jan 0001 00:00:00 GMT"}, 0},
		{"D4 a date in 2099", []string{"Thu, 01 Jan 2099 00:00:00 GMT"},
			time.Date(2099, time.January, 1, 0, 0, 0, 0, time.UTC).Sub(now)},
		{"D4 a date in 9999", []string{"Fri, 31 Dec 9999 23:59:59 GMT"}, math.MaxInt64},
		{"D4 a date of a zone of its own", []string{"Sun, 01 Mar 2026 12:01:00 CET"}, none},
		{"D4 a date that is none", []string{"Sun, 31 Feb 2026 12:01:00 GMT"}, none},
		{"D4 two values", []string{"1", "7"}, 7 * time.Second},
		{"D4 two values, the longest first", []string{"7", "1"}, 7 * time.Second},
		{"D4 a value and garbage", []string{"soon", "7", ""}, 7 * time.Second},
		{"D4 a number and a date", []string{"7", "Sun, 01 Mar 2026 12:01:00 GMT"}, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, ok := retrytime.After(http.Header{"Retry-After": c.values}, now)
			switch {
			case ok != (c.want != none):
				t.Errorf("found %t (%v)", ok, got)
			case ok && got != c.want:
				t.Errorf("delay %v, want %v", got, c.want)
			}
		})
	}
}

// FuzzRetryAfter reads fields, one and two at a time: no delay is negative, and the longest counts.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{
		"", "0", "120", "-5", "1e9", "99999999999999999999", "soon", "Sun, 01 Mar 2026 12:01:00 GMT",
		"Sunday, 01-Mar-26 12:01:00 GMT", "Sun Mar  1 12:01:00 2026", "Fri, 31 Dec 9999 23:59:59 GMT",
	} {
		f.Add(seed, "1")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		after := func(values ...string) (time.Duration, bool) {
			return retrytime.After(http.Header{"Retry-After": values}, now)
		}
		first, ok1 := after(a)
		second, ok2 := after(b)
		both, ok := after(a, b)
		if first < 0 || second < 0 || both < 0 {
			t.Errorf("negative delay: %v, %v, %v", first, second, both)
		}
		if !ok1 && first != 0 {
			t.Errorf("a delay of %v that is none", first)
		}
		if ok != (ok1 || ok2) || both != max(first, second) {
			t.Errorf("%v %t and %v %t make %v %t", first, ok1, second, ok2, both, ok)
		}
	})
}
