package expiry

import (
	"strconv"
	"strings"
	"time"
)

// duration reads 1h30m, 3600s and the weeks, days and times of ISO 8601, such as P1DT12H. Months and years have no
// length, and are not read.
func duration(text string) (time.Duration, bool) {
	if d, err := time.ParseDuration(text); err == nil {
		return d, d > 0
	}
	rest, ok := strings.CutPrefix(strings.ToUpper(text), "P")
	if !ok {
		return 0, false
	}
	days, clock, _ := strings.Cut(rest, "T")
	d, okDays := sum(days, map[byte]time.Duration{'W': 7 * 24 * time.Hour, 'D': 24 * time.Hour})
	c, okClock := sum(clock, map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second})
	return d + c, okDays && okClock && d+c > 0
}

// sum adds up numbers that have a unit behind them.
func sum(text string, units map[byte]time.Duration) (time.Duration, bool) {
	var total time.Duration
	for text != "" {
		i := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if i <= 0 {
			return 0, false
		}
		unit, known := units[text[i]]
		n, err := strconv.ParseFloat(text[:i], 64)
		if !known || err != nil {
			return 0, false
		}
		part := time.Duration(min(n*unit.Seconds(), MaxLifetime.Seconds()) * float64(time.Second))
		total = min(total+part, MaxLifetime)
		text = text[i+1:]
	}
	return total, true
}
