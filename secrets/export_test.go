package secrets

import (
	"context"
	"io"
	"time"
)

// ReadOpened is what File does after its first look at the path.
func ReadOpened(ctx context.Context, path string) (string, error) {
	return file{path: path}.readOpened(ctx)
}

// Before is the clock rule of Cached.
func Before(now, t time.Time) bool { return before(now, t) }

// ReadCapped is how File reads what it has opened.
func ReadCapped(r io.Reader) (string, error) { return readCapped(r) }
