// Package expiry reads when a token ends, in all the ways in which servers say so.
package expiry

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Form says how a number is to be read.
type Form uint8

const (
	// Auto reads a number below 1e9 as seconds from now, one from 1e11 as milliseconds since 1970, and those between
	// as seconds since 1970. A time since 1970 that is longer ago than MaxLifetime is none: the number is a lifetime.
	Auto Form = iota
	// Seconds from now.
	Seconds
	// Milliseconds from now.
	Milliseconds
	// Minutes from now.
	Minutes
	// EpochSeconds since 1970.
	EpochSeconds
	// EpochMilliseconds since 1970.
	EpochMilliseconds
)

const (
	// MaxLifetime is the longest lifetime that counts; a longer one is cut.
	MaxLifetime = 10 * 365 * 24 * time.Hour
	// MaxSkew is the largest difference of clocks that is believed.
	MaxSkew = 24 * time.Hour

	epochFrom      = 1e9
	epochMilliFrom = 1e11
)

// ErrUnreadable says that a text is no time and no number.
var ErrUnreadable = errors.New("it is neither a number, nor a date, nor a duration")

// layouts are the dates that are understood beside those of HTTP. A date without a zone is in UTC.
var layouts = []string{ //nolint:gochecknoglobals // never changed
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", time.DateOnly,
}

// Parse returns when a token ends that was received at that time. skew is how far the server's clock is ahead, see
// [Skew]; it matters to absolute times only. A number that is not positive, and an empty text, is the zero time: the
// server has not said.
func Parse(text string, form Form, received time.Time, skew time.Duration) (time.Time, error) {
	text = strings.TrimSpace(text)
	if text == "" || text == "null" {
		return time.Time{}, nil
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		if math.IsNaN(n) {
			return time.Time{}, ErrUnreadable
		}
		return number(n, form, received, skew), nil
	}
	if d, ok := duration(text); ok {
		return after(received, d.Seconds()), nil
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return absolute(t, received, skew), nil
		}
	}
	if t, err := http.ParseTime(text); err == nil {
		return absolute(t, received, skew), nil
	}
	return time.Time{}, ErrUnreadable
}

func number(n float64, form Form, received time.Time, skew time.Duration) time.Time {
	if n <= 0 {
		return time.Time{}
	}
	if form == Auto {
		form = guess(n, received)
	}
	switch form {
	case Milliseconds:
		return after(received, n/1e3)
	case Minutes:
		return after(received, n*60)
	case EpochSeconds:
		return absolute(epoch(n), received, skew)
	case EpochMilliseconds:
		return absolute(epoch(n/1e3), received, skew)
	case Auto, Seconds:
	}
	return after(received, n)
}

func guess(n float64, received time.Time) Form {
	form, at := EpochSeconds, epoch(n)
	if n >= epochMilliFrom {
		form, at = EpochMilliseconds, epoch(n/1e3)
	}
	if n < epochFrom || received.Sub(at) > MaxLifetime {
		return Seconds
	}
	return form
}

// epoch returns the time of n seconds since 1970, which is not far in the future.
func epoch(n float64) time.Time {
	whole, part := math.Modf(min(n, epochMilliFrom))
	return time.Unix(int64(whole), int64(part*1e9))
}

// after returns the end of a lifetime of that many seconds.
func after(received time.Time, seconds float64) time.Time {
	if seconds >= MaxLifetime.Seconds() {
		return received.Add(MaxLifetime)
	}
	return received.Add(time.Duration(seconds * float64(time.Second)))
}

// absolute returns t of the server's clock on this one. It goes through received, which has a monotonic reading.
func absolute(t, received time.Time, skew time.Duration) time.Time {
	return received.Add(max(-MaxLifetime, min(t.Sub(received), MaxLifetime)) - skew)
}

// Skew returns how far the clock of a server is ahead of this one, as the Date of its answer tells; 0 if that is not
// to be believed, or no more than the seconds that an answer may have been under way.
func Skew(header http.Header, received time.Time) time.Duration {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return 0
	}
	d := date.Sub(received)
	if d.Abs() > MaxSkew || d.Abs() < 5*time.Second {
		return 0
	}
	return d
}
