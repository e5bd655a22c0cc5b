package retrytime_test

import (
	"math"
	"net/http"
	"strconv"
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
		{"a fraction", []string{"1.5"}, 1500 * time.Millisecond},
		{"a fraction of more digits than a Duration has", []string{"0.12345678987654321"}, 123456789},
		{"D4 a fraction that does not fit", []string{"9223372036.9"}, retrytime.Forever},
		{"D4 a fraction without digits", []string{"1."}, none},
		{"D4 a fraction without a number", []string{".5"}, none},
		{"D4 two fractions", []string{"1.5.5"}, none},
		{"D4 no number", []string{"NaN"}, none},
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

func TestLongest(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	for _, c := range []struct {
		name  string
		form  retrytime.Form
		value string
		want  time.Duration // never: it cannot be read
	}{
		{"auto: seconds", retrytime.Auto, "30", 30 * time.Second},
		{"auto: the most seconds", retrytime.Auto, "999999999", 999999999 * time.Second},
		{"auto: the first Unix time has passed", retrytime.Auto, "1000000000", 0},
		{"auto: a Unix time", retrytime.Auto, at(time.Minute), time.Minute},
		{"auto: a Unix time with a fraction", retrytime.Auto, at(time.Minute) + ".25", time.Minute + time.Second/4},
		{"auto: the last Unix time in seconds", retrytime.Auto, "999999999999", retrytime.Forever},
		{"auto: the first Unix time in milliseconds has passed", retrytime.Auto, "1000000000000", 0},
		{"auto: a Unix time in milliseconds", retrytime.Auto, at(time.Minute) + "250", time.Minute + time.Second/4},
		{"auto: more than that", retrytime.Auto, "99999999999999999999", retrytime.Forever},
		{"auto: a date", retrytime.Auto, "Sun, 01 Mar 2026 12:01:00 GMT", time.Minute},
		{"auto: garbage", retrytime.Auto, "soon", never},
		{"seconds", retrytime.Seconds, "1000000000", 1000000000 * time.Second},
		{"seconds: a date", retrytime.Seconds, "Sun, 01 Mar 2026 12:01:00 GMT", never},
		{"milliseconds", retrytime.Milliseconds, "1.5", 1500 * time.Microsecond},
		{"milliseconds: too many", retrytime.Milliseconds, "9999999999999999", retrytime.Forever},
		{"epoch", retrytime.Epoch, at(time.Minute), time.Minute},
		{"epoch: passed", retrytime.Epoch, "1", 0},
		{"epoch: too late", retrytime.Epoch, "9223372037", retrytime.Forever},
		{"date", retrytime.Date, "Sun, 01 Mar 2026 12:01:00 GMT", time.Minute},
		{"date: a number", retrytime.Date, "60", never},
		{"rate limit", retrytime.RateLimit, `"a";r=0;t=60`, time.Minute},
		{"rate limit: parameters in any order", retrytime.RateLimit, `"a" ; t=60 ; x ; r=0`, time.Minute},
		{"rate limit: a token as the name", retrytime.RateLimit, `a;r=0;t=60`, time.Minute},
		{"rate limit: some left", retrytime.RateLimit, `"a";r=1;t=60`, never},
		{"rate limit: separators in a string", retrytime.RateLimit, `"a,b;r=1;t=1\",";r=0;t=60`, time.Minute},
		{"rate limit: a string without an end", retrytime.RateLimit, `"a;r=0;t=60`, never},
		{"rate limit: the longest of several", retrytime.RateLimit, `a;r=0;t=60, b;r=0;t=5,c;r=1;t=90`, time.Minute},
		{"rate limit: nothing of when", retrytime.RateLimit, `"a";r=0`, never},
		{"rate limit: garbage", retrytime.RateLimit, `=;=,;=;r=;t=`, never},
		{"rate limit: too long", retrytime.RateLimit, `a;r=0;t=60` + strings.Repeat(" ", 4096), never},
		{"rate limit, early", retrytime.RateLimit, `limit=10, remaining=0, reset=60`, time.Minute},
		{"rate limit, early: with a policy", retrytime.RateLimit, `limit=10;w=1, remaining=0;x, reset=60`, time.Minute},
		{"rate limit, early: some left", retrytime.RateLimit, `limit=10, remaining=3, reset=60`, never},
		{"no form", "", "60", never},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fields := []retrytime.Field{{Name: "x-WAIT", Form: c.form}}
			got, name := retrytime.Longest(fields, 503, http.Header{"X-Wait": {c.value}}, now)
			if (name == "") != (c.want == never) || name != "" && (name != "x-WAIT" || got != c.want) {
				t.Errorf("delay %v of %q, want %v", got, name, c.want)
			}
			if c.form != "" && !c.form.Known() {
				t.Errorf("the form %q is not known", c.form)
			}
		})
	}
	t.Run("rate limit, early, on several lines", func(t *testing.T) {
		t.Parallel()
		fields := []retrytime.Field{{Name: "RateLimit", Form: retrytime.RateLimit}}
		header := http.Header{"Ratelimit": {"limit=10", "remaining=0", "reset=60"}}
		if got, _ := retrytime.Longest(fields, 503, header, now); got != time.Minute {
			t.Errorf("delay %v, want a minute", got)
		}
	})
	t.Run("without what remains, status 429 tells that nothing does", func(t *testing.T) {
		t.Parallel()
		for _, value := range []string{`a;t=60`, `limit=10, reset=60`} {
			for status, want := range map[int]time.Duration{429: time.Minute, 503: 0} {
				fields := []retrytime.Field{{Name: "RateLimit", Form: retrytime.RateLimit}}
				got, _ := retrytime.Longest(fields, status, http.Header{"Ratelimit": {value}}, now)
				if got != want {
					t.Errorf("%s with %d: delay %v, want %v", value, status, got, want)
				}
			}
		}
	})
}

// never stands for a value that cannot be read.
const never = -1

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

// FuzzLongest reads a field in every form, with what remains and a clock of the server's: no delay is negative, none
// comes of a quota that is left, and what is not a number or a date is no delay.
func FuzzLongest(f *testing.F) {
	for _, seed := range []string{
		"", "0", "120", "0.5", "-5", "1e9", "NaN", "1772366460", "1772366460.25", "1772366460000", "99999999999999999999",
		"Sun, 01 Mar 2026 12:01:00 GMT", `"a";r=0;t=60`, `"a,b;\"";r=0;t=60, c;r=1;t=9`, "limit=1, remaining=0, reset=60",
	} {
		f.Add(seed, "0", "Sun, 01 Mar 2026 13:00:00 GMT", 429)
		f.Add(seed, seed, seed, 503)
	}
	forms := []retrytime.Form{
		retrytime.Auto, retrytime.RetryAfter, retrytime.Seconds, retrytime.Milliseconds, retrytime.Epoch, retrytime.Date,
		retrytime.RateLimit,
	}
	f.Fuzz(func(t *testing.T, value, left, date string, status int) {
		header := http.Header{"X-Wait": {value}, "X-Left": {left}, "Date": {date}}
		for _, form := range forms {
			always, name := retrytime.Longest([]retrytime.Field{{Name: "X-Wait", Form: form}}, status, header, now)
			if always < 0 || name == "" && always != 0 {
				t.Errorf("%s: a delay of %v by %q", form, always, name)
			}
			if name != "" && !strings.ContainsAny(value, "0123456789") {
				t.Errorf("%s: a delay of %v without a digit", form, always)
			}
			limited := []retrytime.Field{{Name: "X-Wait", Form: form, Remaining: "X-Left"}}
			asked, by := retrytime.Longest(limited, status, header, now)
			if by != "" && (asked != always || status != 429 && strings.Trim(left, "0. \t\r\n\v\f\u0085\u00a0") != "") {
				t.Errorf("%s: a delay of %v, where %q is left", form, asked, left)
			}
		}
	})
}
