// Package retrytime reads how long a server wants its clients to wait.
package retrytime

import (
	"cmp"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxLength is longer than any number or date.
	maxLength = 64
	// mostSkew is how far the clock of a server may be off and still be taken for a clock.
	mostSkew = 24 * time.Hour
)

// Forever stands for a time that no Duration holds.
const Forever = time.Duration(math.MaxInt64)

// Form says how the value of a field is read.
type Form string

// The forms. A number is made of digits, and may have a fraction: signs, exponents and units make a value unreadable.
const (
	Auto         Form = "auto"         // a date, or a number: a delay in seconds, or from 1e9 and 1e12 on a Unix time
	RetryAfter   Form = "retry-after"  // a date, or a delay in seconds
	Seconds      Form = "seconds"      // a delay in seconds
	Milliseconds Form = "milliseconds" // a delay in milliseconds
	Epoch        Form = "epoch"        // a Unix time in seconds
	Date         Form = "date"         // one of the three dates of HTTP
	RateLimit    Form = "rate-limit"   // the structured field RateLimit
)

// Known reports whether f is one of the forms.
func (f Form) Known() bool {
	switch f {
	case Auto, RetryAfter, Seconds, Milliseconds, Epoch, Date, RateLimit:
		return true
	}
	return false
}

// Field is one field of a response that says how long to wait. Its names may be written in any case.
type Field struct {
	Name string
	Form Form
	// Shown is the name as people write it; "" for Name.
	Shown string
	// Remaining names the field that holds how much of a quota is left. If it is set, the delay lasts until the quota is
	// there again, and counts only if nothing of it is left.
	Remaining string
}

// After returns the delay that the Retry-After fields of header ask for (RFC 9110, section 10.2.3). Of several the
// longest counts. It reports false where there is none that can be read; a delay that is negative, or too long to be a
// date or a number, cannot.
func After(header http.Header, now time.Time) (time.Duration, bool) {
	delay, name := Longest([]Field{{Name: "Retry-After", Form: RetryAfter}}, http.StatusOK, header, now)
	return delay, name != ""
}

// Longest returns the longest delay that the fields of a response ask for, and the name of the field; "" if there is
// none that can be read. Of a quota that is not known to be left, status 429 tells that it is used up.
func Longest(fields []Field, status int, header http.Header, now time.Time) (longest time.Duration, name string) {
	r := reader{limited: status == http.StatusTooManyRequests, now: now, there: serverTime(header, now)}
	for _, f := range fields {
		values := header.Values(f.Name)
		if len(values) == 0 || f.Remaining != "" && !r.usedUp(header.Values(f.Remaining)) {
			continue
		}
		if d, ok := r.read(f.Form, values); ok && (name == "" || d > longest) {
			longest, name = d, cmp.Or(f.Shown, f.Name)
		}
	}
	return longest, name
}

// serverTime returns what time it is for the server that has sent header, so that an absolute time is compared with
// the clock that it was taken from (RFC 9110, section 6.6.1). An answer out of a cache says when it was made.
func serverTime(header http.Header, now time.Time) time.Time {
	dates := header["Date"]
	if len(dates) != 1 || len(header["Age"]) > 0 {
		return now
	}
	there, ok := date(dates[0])
	if !ok || there.Sub(now).Abs() > mostSkew {
		return now
	}
	return there
}

// reader reads the fields of one response.
type reader struct {
	limited bool
	now     time.Time
	there   time.Time // now, by the clock of the server
}

// usedUp reports whether nothing is left of a quota.
func (r reader) usedUp(remaining []string) bool {
	known := false
	for _, v := range remaining {
		if n, ok := number(strings.TrimSpace(v), time.Second); ok {
			if n == 0 {
				return true
			}
			known = true
		}
	}
	return r.limited && !known
}

// read returns the longest delay of several values.
func (r reader) read(form Form, values []string) (longest time.Duration, found bool) {
	if form == RateLimit {
		return rateLimit(values, r.limited)
	}
	for _, v := range values {
		if d, ok := r.delay(form, v); ok {
			longest, found = max(longest, d), true
		}
	}
	return longest, found
}

const (
	// firstEpoch is the least number that is taken for a Unix time: 1e9 s are a date of 2001, or a delay of 31 years.
	firstEpoch = 1_000_000_000 * time.Second
	// firstMillis is the least number that is taken for a Unix time in milliseconds. A Duration does not hold 1e12 s.
	firstMillis = 1_000_000_000_000
)

// delay reads one value.
func (r reader) delay(form Form, v string) (time.Duration, bool) {
	v = strings.TrimSpace(v)
	switch form {
	case Seconds:
		return number(v, time.Second)
	case Milliseconds:
		return number(v, time.Millisecond)
	case Epoch:
		return r.epoch(v, time.Second)
	case Auto, RetryAfter:
		if d, ok := number(v, time.Second); ok {
			if form == Auto && d >= firstEpoch {
				return r.epoch(v, epochUnit(v))
			}
			return d, true
		}
	default: // a date and nothing else
	}
	at, ok := date(v)
	return max(0, at.Sub(r.there)), ok
}

// epochUnit returns the unit of a Unix time.
func epochUnit(v string) time.Duration {
	whole, _, _ := strings.Cut(v, ".")
	if n, err := strconv.ParseInt(whole, 10, 64); err != nil || n >= firstMillis {
		return time.Millisecond
	}
	return time.Second
}

// epoch reads a Unix time. One that a Duration does not hold lies centuries ahead.
func (r reader) epoch(v string, unit time.Duration) (time.Duration, bool) {
	since, ok := number(v, unit)
	if !ok || since == Forever {
		return since, ok
	}
	return max(0, time.Unix(0, int64(since)).Sub(r.there)), true
}

// number reads digits with or without a fraction as so many units.
func number(v string, unit time.Duration) (time.Duration, bool) {
	whole, fraction, pointed := strings.Cut(v, ".")
	if len(v) > maxLength || !digits(whole) || pointed && !digits(fraction) {
		return 0, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n > int64(Forever/unit) {
		return Forever, true
	}
	d := time.Duration(n) * unit
	for _, digit := range []byte(fraction) {
		unit /= 10
		d += time.Duration(digit-'0') * unit
	}
	if d < 0 { // the fraction is what did not fit
		return Forever, true
	}
	return d, true
}

func digits(v string) bool { return v != "" && strings.Trim(v, "0123456789") == "" }

// date reads one of the three forms of a date (RFC 9110, section 5.6.7).
func date(v string) (time.Time, bool) {
	if len(v) > maxLength {
		return time.Time{}, false
	}
	at, err := http.ParseTime(v)
	return at, err == nil
}
