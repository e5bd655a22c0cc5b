package expiry

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// received is 2026-01-02T03:04:05Z, 1767323045 s after 1970.
var received = time.Unix(1767323045, 0)

func TestParse(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	tests := []struct {
		name, text string
		form       Form
		skew       time.Duration
		want       time.Duration // from received; 0 for the zero time
	}{
		{name: "E9 seconds", text: "3600", want: time.Hour},
		{name: "E9 a fraction", text: "3600.5", want: time.Hour + 500*time.Millisecond},
		{name: "E9 five seconds", text: "5", want: 5 * time.Second},
		{name: "E9 nothing", text: ""},
		{name: "E9 null", text: "null"},
		{name: "E9 0", text: "0"},
		{name: "E9 negative", text: "-1"},
		{name: "E9 without end, negative", text: "-1e999"},
		{name: "E9 1e12 is no time of 2001", text: "1e12", want: MaxLifetime},
		{name: "E9 1e9 is no time of 2001", text: "1e9", want: MaxLifetime},
		{name: "E9 huge", text: "1e30", want: MaxLifetime},
		{name: "E9 more than a number holds", text: "1e999", want: MaxLifetime},
		{name: "E9 the longest that is a lifetime", text: "999999999", want: MaxLifetime},
		{name: "seconds since 1970", text: "1767326645", want: time.Hour},
		{name: "seconds since 1970 that have passed", text: "1767319445", want: -time.Hour},
		{name: "milliseconds since 1970", text: "1767326645500", want: time.Hour + 500*time.Millisecond},
		{name: "spaces around it", text: " 60\n", want: time.Minute},
		{name: "a form of seconds", text: "1767326645", form: Seconds, want: MaxLifetime},
		{name: "a form of milliseconds", text: "1500", form: Milliseconds, want: 1500 * time.Millisecond},
		{name: "a form of minutes", text: "90", form: Minutes, want: 90 * time.Minute},
		{name: "a form of minutes, huge", text: "1e308", form: Minutes, want: MaxLifetime},
		{name: "a form of seconds since 1970", text: "1767326645", form: EpochSeconds, want: time.Hour},
		{name: "a form of seconds since 1970, small", text: "3600", form: EpochSeconds, want: -MaxLifetime},
		{name: "a form of seconds since 1970, huge", text: "1e300", form: EpochSeconds, want: MaxLifetime},
		{name: "a form of milliseconds since 1970", text: "1767326645000", form: EpochMilliseconds, want: time.Hour},
		{name: "a duration", text: "1h30m", want: 90 * time.Minute},
		{name: "a duration of ISO 8601", text: "P1DT12H", want: 36 * time.Hour},
		{name: "a duration in small letters", text: "pt0.5h", want: 30 * time.Minute},
		{name: "a duration of weeks", text: "P2W", want: 14 * day},
		{name: "a duration without end", text: strings.Repeat("P", 1) + strings.Repeat("9999999D", 40), want: MaxLifetime},
		{name: "a date", text: "2026-01-02T04:04:05Z", want: time.Hour},
		{name: "a date with a zone", text: "2026-01-02T05:04:05+01:00", want: time.Hour},
		{name: "a date with a zone without colon", text: "2026-01-02T05:04:05+0100", want: time.Hour},
		{name: "a date without a zone", text: "2026-01-02T04:04:05.5", want: time.Hour + 500*time.Millisecond},
		{name: "a date with a space", text: "2026-01-02 04:04:05", want: time.Hour},
		{name: "a date of HTTP", text: "Fri, 02 Jan 2026 04:04:05 GMT", want: time.Hour},
		{name: "a date far away", text: "9999-12-31T23:59:59Z", want: MaxLifetime},
		{name: "a date long ago", text: "0001-01-01T00:00:00Z", want: -MaxLifetime},
		{name: "E19 a clock that is ahead", text: "1767330245", skew: time.Hour, want: time.Hour},
		{name: "E19 a clock that is behind", text: "1767323105", skew: -time.Hour, want: time.Hour + time.Minute},
		{name: "E19 a lifetime has no clock", text: "60", skew: time.Hour, want: time.Minute},
		{name: "E19 a duration has no clock", text: "PT1M", skew: time.Hour, want: time.Minute},
		{name: "E19 a date long ago", text: "0001-01-01", skew: time.Hour, want: -MaxLifetime - time.Hour},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(test.text, test.form, received, test.skew)
			if err != nil {
				t.Fatal(err)
			}
			if test.want == 0 {
				if !got.IsZero() {
					t.Errorf("it is %v, want the zero time", got)
				}
				return
			}
			if d := got.Sub(received); d != test.want {
				t.Errorf("it is %v away, want %v", d, test.want)
			}
		})
	}
	for _, text := range []string{
		"soon", "nan", "1,5", "P", "PT", "P1Y", "P1M", "PT1.2.3S", "P1", "1h-2h", "-1h", "0s", "2026-13-01", "{}", "true",
		"1 h",
	} {
		t.Run("unreadable "+text, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(text, Auto, received, 0)
			if !errors.Is(err, ErrUnreadable) || !got.IsZero() {
				t.Errorf("it is %v, %v", got, err)
			}
		})
	}
}

func TestSkew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		date string
		want time.Duration
	}{
		"E19 an hour ahead":                {"Fri, 02 Jan 2026 04:04:05 GMT", time.Hour},
		"E19 an hour behind":               {"Fri, 02 Jan 2026 02:04:05 GMT", -time.Hour},
		"E19 what the answer took":         {"Fri, 02 Jan 2026 03:04:01 GMT", 0},
		"E19 more than is to be believed":  {"Sun, 04 Jan 2026 03:04:05 GMT", 0},
		"E19 no date":                      {"", 0},
		"E19 what is no date":              {"soon", 0},
		"E19 further than a duration goes": {"Mon, 01 Jan 0001 00:00:00 GMT", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Skew(http.Header{"Date": {c.date}}, received); got != c.want {
				t.Errorf("it is %v, want %v", got, c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"3600", "-1", "1e12", "1767326645000", "P1DT12H", "1h30m", "2026-01-02T04:04:05Z", "Fri, 02 Jan 2026 04:04:05 GMT",
		"0001-01-01", "inf", "0x1p4", "P99999999999D99999999999D",
	} {
		for form := Auto; form <= EpochMilliseconds; form++ {
			f.Add(text, uint8(form), int64(time.Hour))
		}
	}
	f.Fuzz(func(t *testing.T, text string, form uint8, skew int64) {
		by := max(-MaxSkew, min(time.Duration(skew), MaxSkew))
		got, err := Parse(text, Form(form%6), received, by)
		switch d := got.Sub(received); {
		case got.IsZero():
		case err != nil:
			t.Errorf("%q is %v, and an error: %v", text, got, err)
		case d > MaxLifetime+MaxSkew || d < -MaxLifetime-MaxSkew:
			t.Errorf("%q is %v away", text, d)
		}
		again, _ := Parse(text, Form(form%6), received, by)
		if !again.Equal(got) {
			t.Errorf("%q is %v, and then %v", text, got, again)
		}
	})
}
