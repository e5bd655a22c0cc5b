package auth

import (
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restconn/restconn/secrets"
)

// wallSet returns h as it would be if the wall clock had been set by d, while the monotonic one went on as ever.
func wallSet(h *held, d time.Duration) *held {
	moved := *h
	for _, i := range []*instant{&moved.soft, &moved.hard} {
		i.wall -= int64(d)
	}
	moved.checkedUntil = new(atomic.Int64)
	return &moved
}

func TestInstant(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct {
		i    instant
		want bool
	}{
		"E19 both are ahead":                    {instant{now.Add(1), now.UnixNano() + 1}, false},
		"E19 both have passed":                  {instant{now, now.UnixNano()}, true},
		"E19 the machine was asleep":            {instant{now.Add(time.Hour), now.UnixNano() - 1}, true},
		"E19 the wall clock was set back":       {instant{now.Add(-1), now.UnixNano() + int64(time.Hour)}, true},
		"E9 never":                              {instant{now.Add(forever), math.MaxInt64}, false},
		"E9 the year 9999":                      {at(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), now), false},
		"E9 the year 1":                         {at(time.Time{}, now), true},
		"E9 a time without a monotonic reading": {at(now.Round(0).Add(time.Minute), now), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.i.passed(now); got != c.want {
				t.Errorf("passed: %t", got)
			}
		})
	}
}

func TestNewWindow(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const hour = 3_600_000
	for name, c := range map[string]struct{ lifetime, before, renewable, softMin, softMax, hard int }{ // milliseconds
		"E9 1 s":                  {1000, 0, 0, 650, 750, 900},
		"E9 10 s":                 {10_000, 0, 0, 6500, 7500, 9000},
		"E9 5 min":                {300_000, 0, 0, 195_000, 225_000, 270_000},
		"E9 1 h":                  {hour, 0, 0, 2_340_000, 2_700_000, 3_570_000},
		"E9 nothing":              {0, 0, 0, 0, 0, 0},
		"E9 less than nothing":    {-5, 0, 0, -5, -5, -5},
		"N before":                {hour, 600_000, 0, 3_000_000, 3_000_000, 3_570_000},
		"N before is all of it":   {hour, hour, 0, 2_340_000, 2_700_000, 3_570_000},
		"N before is 10 s":        {hour, 10_000, 0, 3_590_000, 3_590_000, 3_595_000},
		"N not renewable so soon": {hour, 0, 3_000_000, 3_000_000, 3_000_000, 3_570_000},
		"N renewable too late":    {hour, 0, hour, 3_570_000, 3_570_000, 3_570_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
			tok := &Token{Obtained: now, Expiry: now.Add(ms(c.lifetime))}
			if c.renewable > 0 {
				tok.RenewableFrom = now.Add(ms(c.renewable))
			}
			for range 100 {
				w := newWindow(tok, now, ms(c.before))
				soft, hard := w.soft.mono.Sub(now), w.hard.mono.Sub(now)
				if soft < ms(c.softMin) || soft > ms(c.softMax) || hard != ms(c.hard) {
					t.Fatalf("soft %v, hard %v", soft, hard)
				}
				if w.soft.wall-now.UnixNano() != int64(soft) || w.hard.wall-now.UnixNano() != int64(hard) {
					t.Fatalf("the wall clock says %v, %v", w.soft.wall-now.UnixNano(), w.hard.wall-now.UnixNano())
				}
			}
		})
	}
}

// A token ends when either clock says so. The fast path may take a second to see that the wall clock was set.
func TestWallClock(t *testing.T) {
	t.Parallel()
	k := Manage(GrantFunc(nil)).home
	tok := &Token{Value: secrets.Static("t"), Obtained: time.Now(), Expiry: time.Now().Add(time.Hour)}
	h := k.hold(tok, 0)
	if !h.looksFresh() || !h.serves(Want{}, time.Now()) {
		t.Fatal("it is not fresh")
	}
	asleep := wallSet(h, 2*time.Hour)
	if asleep.looksFresh() || asleep.serves(Want{}, time.Now()) {
		t.Error("E19 after two hours of sleep it is fresh")
	}
	asleep.checkedUntil = h.checkedUntil
	if !asleep.looksFresh() {
		t.Error("the wall clock is looked at again within a second")
	}
	if until := time.Duration(h.checkedUntil.Load()); until <= 0 || until > time.Since(h.since)+glance {
		t.Errorf("the wall clock is not looked at for %v", until)
	}
	back, now := wallSet(h, -24*time.Hour), time.Now()
	if !back.serves(Want{}, now) || back.serves(Want{}, now.Add(time.Hour)) {
		t.Error("E19 a wall clock that was set back lengthens a life")
	}
	short := k.hold(&Token{Value: secrets.Static("t"), Expiry: time.Now().Add(time.Second)}, 0)
	if !short.looksFresh() || time.Duration(short.checkedUntil.Load()) > 750*time.Millisecond {
		t.Errorf("a token of a second is not looked at for %v", time.Duration(short.checkedUntil.Load()))
	}
}
