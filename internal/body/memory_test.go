package body

import (
	"io"
	"testing"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	m := NewMemory([]byte("data"))
	got, err := io.ReadAll(m)
	if string(got) != "data" || err != nil || m.Close() != nil {
		t.Errorf("%q, %v", got, err)
	}
}
