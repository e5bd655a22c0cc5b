package testidp

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestTable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all table[int]
		for i := range mostRows + 5 {
			all.put(strconv.Itoa(i), i, time.Now().Add(time.Hour+time.Duration(i)*time.Second))
		}
		_, first := all.get("4")
		_, last := all.get(strconv.Itoa(mostRows + 4))
		if len(all.rows) != mostRows || first || !last {
			t.Errorf("%d rows, the first: %v, the last: %v", len(all.rows), first, last)
		}
		time.Sleep(2 * time.Hour)
		if _, ok := all.get("5"); ok {
			t.Error("a row that has expired is there")
		}
	})
}
