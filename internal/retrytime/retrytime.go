// Package retrytime reads how long a server wants its clients to wait.
package retrytime

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxLength is longer than any of the forms of RFC 9110, section 10.2.3.
const maxLength = 64

// Forever stands for a number of seconds that no Duration holds.
const Forever = time.Duration(math.MaxInt64)

// After returns the delay that the Retry-After fields of header ask for: seconds or one of the three HTTP dates. Of
// several fields the longest delay counts. It reports false where there is none that can be read; a delay that is
// negative, or too long to be a date or a number, cannot.
func After(header http.Header, now time.Time) (time.Duration, bool) {
	var longest time.Duration
	found := false
	for _, v := range header["Retry-After"] {
		if d, ok := parse(v, now); ok {
			longest, found = max(longest, d), true
		}
	}
	return longest, found
}

func parse(v string, now time.Time) (time.Duration, bool) {
	v = strings.TrimSpace(v)
	if v == "" || len(v) > maxLength {
		return 0, false
	}
	if strings.Trim(v, "0123456789") == "" {
		seconds, err := strconv.ParseInt(v, 10, 64)
		if err != nil || seconds > int64(Forever/time.Second) {
			return Forever, true
		}
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0, false
	}
	return max(0, at.Sub(now)), true
}
