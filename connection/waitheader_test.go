package connection_test

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// modern moves the clock of the bubble on to a time that is past 1e9 s since 1970, as all that servers tell of is.
func modern() { time.Sleep(3 * 365 * 24 * time.Hour) }

// epoch returns the Unix time in d.
func epoch(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }

// httpDate returns the date in d.
func httpDate(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }

const never = -1 // no second attempt

// waitsFor sends a GET that is answered with code and header, and then with 204, and checks how long the client waits
// in between.
func waitsFor(t *testing.T, policy connection.Retry, code int, header map[string]string, want time.Duration) {
	t.Helper()
	reply := status(code)
	for name, value := range header {
		reply = reply.Header(name, value)
	}
	srv := connectiontest.NewServer(t, connectiontest.Sequence(reply, status(204)))
	policy.Max, policy.On = 1, connection.OnStatus(429, 503)
	began := time.Now()
	resp, err := connectTo(t, srv, connection.WithRetry(policy)).Do(newRequest(t.Context(), t, "GET", nil))
	if want == never {
		answered(t, resp, err, code)
		passed(t, began, 0)
		sent(t, srv, 1)
		return
	}
	answered(t, resp, err, 204)
	passed(t, began, want)
}

type fields = map[string]string

func TestDefaultWaitHeaders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		code   int
		header func() fields
		want   time.Duration
	}{
		{"Retry-After", 503, func() fields { return fields{"Retry-After": "7"} }, 7 * time.Second},
		{"Retry-After with a fraction", 503, func() fields { return fields{"Retry-After": "1.5"} }, 1500 * time.Millisecond},
		{"Retry-After-Ms", 503, func() fields { return fields{"Retry-After-Ms": "1500"} }, 1500 * time.Millisecond},
		{"X-Ms-Retry-After-Ms", 503, func() fields { return fields{"x-ms-retry-after-ms": "250"} }, 250 * time.Millisecond},
		{"RateLimit-Reset", 429, func() fields {
			return fields{"RateLimit-Reset": "30", "RateLimit-Remaining": "0"}
		}, 30 * time.Second},
		{"RateLimit-Reset as a Unix time", 429, func() fields {
			return fields{"RateLimit-Reset": epoch(30 * time.Second), "RateLimit-Remaining": "0"}
		}, 30 * time.Second},
		{"RateLimit", 429, func() fields { return fields{"RateLimit": `"default";r=0;t=12`} }, 12 * time.Second},
		{"RateLimit of an early version", 429, func() fields {
			return fields{"RateLimit": "limit=100, remaining=0, reset=12"}
		}, 12 * time.Second},
		{"RateLimit with several quotas", 503, func() fields {
			return fields{"RateLimit": `"burst";r=0;t=3, "hour";r=0;t=12;pk=:cHs6:, "day";r=9;t=3600`}
		}, 12 * time.Second},
		{"X-RateLimit-Reset as a Unix time", 429, func() fields {
			return fields{"X-RateLimit-Reset": epoch(40 * time.Second), "X-RateLimit-Remaining": "0"}
		}, 40 * time.Second},
		{"X-RateLimit-Reset as a Unix time in milliseconds", 429, func() fields {
			return fields{"X-RateLimit-Reset": epoch(40*time.Second) + "000", "X-RateLimit-Remaining": "0"}
		}, 40 * time.Second},
		{"X-RateLimit-Reset in seconds", 429, func() fields { return fields{"X-RateLimit-Reset": "40"} }, 40 * time.Second},
		{"X-RateLimit-Reset as a date", 429, func() fields {
			return fields{"X-RateLimit-Reset": httpDate(40 * time.Second)}
		}, 40 * time.Second},
		{"X-Rate-Limit-Reset", 503, func() fields {
			return fields{"X-Rate-Limit-Reset": epoch(50 * time.Second), "X-Rate-Limit-Remaining": "0"}
		}, 50 * time.Second},
		{"X-RateLimit-Reset-After", 429, func() fields {
			return fields{"X-RateLimit-Reset-After": "0.25", "X-RateLimit-Remaining": "0"}
		}, 250 * time.Millisecond},
		{"X-RateLimit-Retry-After in seconds", 503, func() fields { return fields{"X-RateLimit-Retry-After": "9"} },
			9 * time.Second},
		{"X-RateLimit-Retry-After as a Unix time", 503, func() fields {
			return fields{"X-RateLimit-Retry-After": epoch(9 * time.Second)}
		}, 9 * time.Second},
		{"the longest of several", 429, func() fields {
			return fields{"Retry-After": "3", "RateLimit-Reset": "30", "X-RateLimit-Reset-After": "5"}
		}, 30 * time.Second},
		{"the longest of several, where the standard one is", 429, func() fields {
			return fields{"Retry-After": "31", "RateLimit-Reset": "30"}
		}, 31 * time.Second},
		{"over the cap", 429, func() fields { return fields{"X-RateLimit-Reset": epoch(time.Hour)} }, never},
		{"one of several over the cap", 429, func() fields {
			return fields{"Retry-After": "3", "RateLimit": `"day";r=0;t=3600`}
		}, never},
		{"a time that has passed", 429, func() fields { return fields{"X-RateLimit-Reset": epoch(-time.Hour)} }, 0},

		{"a window of 50 minutes in which 4,999 requests are left", 503, func() fields {
			return fields{"X-RateLimit-Reset": epoch(50 * time.Minute), "X-RateLimit-Remaining": "4999"}
		}, 0},
		{"a window in which one request is left, with 429", 429, func() fields {
			return fields{"X-RateLimit-Reset": "30", "X-RateLimit-Remaining": "1"}
		}, 0},
		{"a window of which is not known what is left, with 503", 503, func() fields {
			return fields{"X-RateLimit-Reset": "30", "RateLimit-Reset": "30", "RateLimit": `"a";t=30`}
		}, 0},
		{"a window of which garbage is left, with 503", 503, func() fields {
			return fields{"X-RateLimit-Reset": "30", "X-RateLimit-Remaining": "none"}
		}, 0},
		{"a window of which garbage is left, with 429", 429, func() fields {
			return fields{"X-RateLimit-Reset": "30", "X-RateLimit-Remaining": "none"}
		}, 30 * time.Second},
		{"quotas of which something is left", 429, func() fields {
			return fields{"RateLimit": `"a";r=1;t=30, "b";r=2;t=9`}
		}, 0},
		{"what remains of another window", 503, func() fields {
			return fields{"X-RateLimit-Reset": "30", "RateLimit-Remaining": "0"}
		}, 0},
	} {
		bubble(t, "D4 "+c.name, func(t *testing.T) {
			modern()
			waitsFor(t, connection.Retry{}, c.code, c.header(), c.want)
		})
	}
	for _, name := range []string{
		"Retry-After", "Retry-After-Ms", "X-Ms-Retry-After-Ms", "RateLimit-Reset", "RateLimit", "X-RateLimit-Reset",
		"X-Rate-Limit-Reset", "X-RateLimit-Reset-After", "X-RateLimit-Retry-After",
	} {
		for _, value := range []string{
			"soon", "-5", "+5", "1e9", "1e308", "NaN", "Inf", "0x10", "1_0", "5s", ".", "5.", ".5", "1,5", "1.5.5", "",
			strings.Repeat("9", 1<<20), strings.Repeat(`"a";r=0;t=1,`, 1<<16), `";r=0;t=5`, `"a";r=0;t=-5`, `"a";r=0;t=NaN`,
		} {
			bubble(t, "D4 "+name+": "+value[:min(8, len(value))]+" is harmless", func(t *testing.T) {
				waitsFor(t, connection.Retry{Wait: connection.Constant(time.Second)}, 429, fields{name: value}, time.Second)
			})
		}
	}
	bubble(t, "D4 IgnoreRetryAfter is for all of them", func(t *testing.T) {
		waitsFor(t, connection.Retry{IgnoreRetryAfter: true}, 429, fields{
			"Retry-After": "3600", "RateLimit-Reset": "3600", "RateLimit": `"a";r=0;t=3600`, "Retry-After-Ms": "3600000",
		}, 0)
	})
	bubble(t, "D4 the history says which header asks for too long a wait", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(429).Header("RateLimit", `"day";r=0;t=3600`))
		policy := connection.Retry{Max: 1, On: connection.OnStatus(429)}
		err := request.Get(connectTo(t, srv), "/").Retry(policy).Exec(t.Context())
		re, ok := errors.AsType[*request.ResponseError](err)
		if !ok || re.History[0].Stopped != "RateLimit asks for 1h0m0s, and MaxRetryAfter is 1m0s" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the list is the caller's", func(t *testing.T) {
		t.Parallel()
		connection.DefaultWaitHeaders()[0].Name = "X-Other"
		if got := connection.DefaultWaitHeaders()[0].Name; got != "Retry-After" {
			t.Errorf("the first header is %s", got)
		}
	})
}

// TestWaitClock is about servers whose clock is off.
func TestWaitClock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		header func() fields
		want   time.Duration
	}{
		{"an hour ahead, Retry-After", func() fields {
			return fields{"Date": httpDate(time.Hour), "Retry-After": httpDate(time.Hour + 30*time.Second)}
		}, 30 * time.Second},
		{"an hour behind, Retry-After", func() fields {
			return fields{"Date": httpDate(-time.Hour), "Retry-After": httpDate(-time.Hour + 30*time.Second)}
		}, 30 * time.Second},
		{"an hour ahead, a Unix time", func() fields {
			return fields{"Date": httpDate(time.Hour), "X-RateLimit-Reset": epoch(time.Hour + 30*time.Second)}
		}, 30 * time.Second},
		{"an hour ahead, a delay", func() fields { return fields{"Date": httpDate(time.Hour), "Retry-After": "30"} },
			30 * time.Second},
		{"two days ahead is no clock", func() fields {
			return fields{"Date": httpDate(48 * time.Hour), "Retry-After": httpDate(30 * time.Second)}
		}, 30 * time.Second},
		{"in 1970 is no clock", func() fields {
			return fields{"Date": "Thu, 01 Jan 1970 00:00:00 GMT", "Retry-After": httpDate(30 * time.Second)}
		}, 30 * time.Second},
		{"a Date that cannot be read", func() fields {
			return fields{"Date": "today", "Retry-After": httpDate(30 * time.Second)}
		}, 30 * time.Second},
		{"the Date of an answer out of a cache", func() fields {
			return fields{"Date": httpDate(-time.Hour), "Age": "3600", "Retry-After": httpDate(30 * time.Second)}
		}, 30 * time.Second},
	} {
		bubble(t, "D20 "+c.name, func(t *testing.T) {
			modern()
			waitsFor(t, connection.Retry{}, 429, c.header(), c.want)
		})
	}
}

func TestWaitHeaders(t *testing.T) {
	t.Parallel()
	one := func(form connection.WaitForm, remaining string) connection.Retry {
		return connection.Retry{WaitHeaders: []connection.WaitHeader{{Name: "x-wait", Form: form, Remaining: remaining}}}
	}
	for _, c := range []struct {
		name   string
		policy connection.Retry
		header func() fields
		want   time.Duration
	}{
		{"seconds", one(connection.WaitSeconds, ""), func() fields { return fields{"X-Wait": "2.5"} },
			2500 * time.Millisecond},
		{"seconds are no date", one(connection.WaitSeconds, ""), func() fields {
			return fields{"X-Wait": httpDate(5 * time.Second)}
		}, 0},
		{"milliseconds", one(connection.WaitMilliseconds, ""), func() fields { return fields{"X-Wait": "2500"} },
			2500 * time.Millisecond},
		{"a Unix time", one(connection.WaitEpoch, ""), func() fields { return fields{"X-Wait": epoch(5 * time.Second)} },
			5 * time.Second},
		{"a Unix time with a fraction", one(connection.WaitEpoch, ""), func() fields {
			return fields{"X-Wait": epoch(5*time.Second) + ".5"}
		}, 5500 * time.Millisecond},
		{"a Unix time of 1970", one(connection.WaitEpoch, ""), func() fields { return fields{"X-Wait": "30"} }, 0},
		{"a date", one(connection.WaitDate, ""), func() fields { return fields{"X-Wait": httpDate(5 * time.Second)} },
			5 * time.Second},
		{"a date is no number", one(connection.WaitDate, ""), func() fields { return fields{"X-Wait": "5"} }, 0},
		{"as Retry-After, a number", one(connection.WaitRetryAfter, ""), func() fields { return fields{"X-Wait": "5"} },
			5 * time.Second},
		{"as Retry-After, a large number is a delay", one(connection.WaitRetryAfter, ""), func() fields {
			return fields{"X-Wait": epoch(-time.Hour)}
		}, never},
		{"as RateLimit", one(connection.WaitRateLimit, ""), func() fields { return fields{"X-Wait": `"a";r=0;t=5`} },
			5 * time.Second},
		{"by default any form, a number", one("", ""), func() fields { return fields{"X-Wait": "5"} }, 5 * time.Second},
		{"by default any form, a Unix time", one("", ""), func() fields {
			return fields{"X-Wait": epoch(5 * time.Second)}
		}, 5 * time.Second},
		{"with what remains", one("", "x-left"), func() fields { return fields{"X-Wait": "5", "X-Left": "0.0"} },
			5 * time.Second},
		{"with what remains, something", one("", "x-left"), func() fields { return fields{"X-Wait": "5", "X-Left": "1"} }, 0},
		{"the others do not count", one("", ""), func() fields { return fields{"Retry-After": "5"} }, 0},
	} {
		bubble(t, "D4 "+c.name, func(t *testing.T) {
			modern()
			waitsFor(t, c.policy, 503, c.header(), c.want)
		})
	}
	bubble(t, "a list that is changed afterwards changes nothing", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(status(503).Header("X-Wait", "5"), status(204)))
		policy := one("", "")
		policy.Max = 1
		conn := connectTo(t, srv, connection.WithRetry(policy))
		policy.WaitHeaders[0].Name = "X-Other"
		began := time.Now()
		resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
		answered(t, resp, err, 204)
		passed(t, began, 5*time.Second)
	})
	for name, h := range map[string]connection.WaitHeader{
		"no name": {}, "a name that is none": {Name: "X Wait"}, "an unknown form": {Name: "X-Wait", Form: "hours"},
		"a Remaining that is none": {Name: "X-Wait", Remaining: "X\nLeft"},
		"a RateLimit with Remaining": {
			Name: "RateLimit", Form: connection.WaitRateLimit, Remaining: "RateLimit-Remaining",
		},
	} {
		t.Run(name+" is an OptionError", func(t *testing.T) {
			t.Parallel()
			policy := connection.Retry{WaitHeaders: append(connection.DefaultWaitHeaders(), h)}
			_, err := connection.New("https://api.example.test", connection.WithRetry(policy))
			if faults := optionFaults(err); !slices.Equal(faults, []string{"WithRetry"}) ||
				!strings.Contains(err.Error(), "header 10: ") {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("what is wrong with several is told at once", func(t *testing.T) {
		t.Parallel()
		policy := connection.Retry{WaitHeaders: []connection.WaitHeader{{}, {Name: "X-Wait", Form: "hours"}}}
		_, err := connection.New("https://api.example.test", connection.WithRetry(policy))
		if err == nil || !strings.Contains(err.Error(), "header 1: ") || !strings.Contains(err.Error(), "header 2: ") {
			t.Errorf("error %v", err)
		}
	})
}
