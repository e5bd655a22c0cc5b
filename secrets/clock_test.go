package secrets_test

import (
	"testing"
	"time"
	"unsafe"

	"github.com/restconn/restconn/secrets"
)

func TestCachedExpiresByBothClocks(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, tt := range []struct {
		name       string
		now, until time.Time
		want       bool
	}{
		{"before", now, now.Add(time.Minute), true},
		{"at the end", now, now, false},
		{"after", now.Add(time.Minute), now, false},
		{"nothing cached yet", now, time.Time{}, false},
		{"the machine slept", shiftWall(t, now, time.Hour), now.Add(time.Minute), false},
		{"the wall clock was set back", shiftWall(t, now.Add(2*time.Minute), -time.Hour), now.Add(time.Minute), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := secrets.Before(tt.now, tt.until); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// shiftWall returns now with its wall clock moved by d and its monotonic clock left alone, for which package time has
// no function. The seconds begin at bit 30 of the first word of a Time.
func shiftWall(t *testing.T, now time.Time, d time.Duration) time.Time {
	t.Helper()
	shifted := now
	*(*uint64)(unsafe.Pointer(&shifted)) += uint64(d/time.Second) << 30
	if shifted.Sub(now) != 0 || shifted.Round(0).Sub(now.Round(0)) != d {
		t.Fatal("package time has another layout: this helper has to learn it")
	}
	return shifted
}
