package auth

import (
	"math"
	"math/rand/v2"
	"time"
)

const (
	// softFrom is the part of a lifetime after which a token is renewed in the background, and softJitter the part by
	// which that is earlier at random, so that a fleet does not renew in one second.
	softFrom   = 0.75
	softJitter = 0.1

	// hardMargin is how long before its end a token is given up, and hardPart the most of a lifetime that this takes:
	// a token of ten seconds has to work as well as one of a year.
	hardMargin = 30 * time.Second
	hardPart   = 10

	forever = 100 * 365 * 24 * time.Hour
)

// instant is a moment on both clocks: the monotonic one does not see that the machine was suspended, and the wall
// clock may be set.
type instant struct {
	mono time.Time
	wall int64 // nanoseconds since 1970
}

// at returns t as an instant. now is the present. What is too far away to be counted in nanoseconds comes nearer.
func at(t, now time.Time) instant {
	if d := t.Sub(now); d.Abs() > forever {
		t = now.Add(min(max(d, -forever), forever))
	}
	return instant{mono: now.Add(t.Sub(now)), wall: t.UnixNano()}
}

// passed reports whether either clock says so.
func (i instant) passed(now time.Time) bool { return !now.Before(i.mono) || now.UnixNano() >= i.wall }

// window is when a token is used, renewed and given up.
type window struct {
	soft, hard instant
	lifetime   time.Duration // up to hard; 0 if nobody knows
}

// newWindow returns the window of t, which is accepted now. before is how long before its expiry a token is to be
// renewed; 0 for the default.
func newWindow(t *Token, now time.Time, before time.Duration) window {
	if t.Expiry.IsZero() {
		end := instant{mono: now.Add(forever), wall: math.MaxInt64}
		return window{soft: end, hard: end}
	}
	lifetime := max(0, t.Expiry.Sub(t.Obtained))
	margin := min(hardMargin, lifetime/hardPart)
	part := softFrom - softJitter*rand.Float64() //nolint:gosec // it spreads load
	soft := t.Obtained.Add(time.Duration(part * float64(lifetime)))
	if before > 0 && before < lifetime {
		soft = t.Expiry.Add(-before)
		margin = min(margin, before/2) //nolint:mnd // the rest is for the renewal in the background
	}
	hard := t.Expiry.Add(-margin)
	if soft.Before(t.RenewableFrom) {
		soft = t.RenewableFrom
	}
	if hard.Before(soft) {
		soft = hard
	}
	return window{soft: at(soft, now), hard: at(hard, now), lifetime: max(0, hard.Sub(t.Obtained))}
}
