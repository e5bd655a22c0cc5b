package contentrange_test

import (
	"net/http"
	"testing"

	"github.com/restconn/restconn/internal/contentrange"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]contentrange.Range{
		"bytes 0-0/1":                   {First: 0, Last: 0, Total: 1},
		"bytes 50-99/100":               {First: 50, Last: 99, Total: 100},
		" Bytes  50-98/100 ":            {First: 50, Last: 98, Total: 100},
		"bytes 50-99/*":                 {First: 50, Last: 99, Total: -1},
		"bytes 0-1/9223372036854775807": {First: 0, Last: 1, Total: 1<<63 - 1},
	} {
		t.Run("L11 "+field, func(t *testing.T) {
			t.Parallel()
			if got, ok := contentrange.Of(http.Header{"Content-Range": {field}}); !ok || got != want {
				t.Errorf("got %v, %v, want %v", got, ok, want)
			}
		})
	}
	for _, field := range []string{
		"", "bytes", "bytes */100", "bytes 50-99", "bytes 50-99/", "bytes 50/100", "bytes -99/100", "bytes 50-/100",
		"bytes 50-49/100", "bytes 50-100/100", "bytes +50-99/100", "bytes 0x1-2/3", "bytes 50 -99/100", "bytes=50-99/100",
		"items 50-99/100", "bytes 50-99/-1", "bytes 0-1/9223372036854775808", "bytes 50-99/100, bytes 0-1/100",
	} {
		t.Run("L11 "+field, func(t *testing.T) {
			t.Parallel()
			if got, ok := contentrange.Of(http.Header{"Content-Range": {field}}); ok {
				t.Errorf("got %v, want none", got)
			}
		})
	}
	for _, fields := range [][]string{nil, {"bytes 50-99/100", "bytes 50-99/100"}} {
		if got, ok := contentrange.Of(http.Header{"Content-Range": fields}); ok {
			t.Errorf("L11 %d fields: got %v, want none", len(fields), got)
		}
	}
}

func FuzzOf(f *testing.F) {
	f.Add("bytes 50-99/100")
	f.Add("bytes 0-0/*")
	f.Fuzz(func(t *testing.T, field string) {
		r, ok := contentrange.Of(http.Header{"Content-Range": {field}})
		if ok && (r.First < 0 || r.Last < r.First || r.Total != -1 && r.Total <= r.Last) {
			t.Errorf("%q is %v", field, r)
		}
	})
}
