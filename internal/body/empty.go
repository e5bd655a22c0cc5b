package body

import "io"

// mostEmptyReads is how often in a row a reader may return neither bytes nor an error.
const mostEmptyReads = 100

// EmptyReads counts reads in a row that brought nothing.
type EmptyReads int

// Count returns err, or [io.ErrNoProgress] for a reader that has nothing and does not end.
func (e *EmptyReads) Count(n int, err error) error {
	if n > 0 || err != nil {
		*e = 0
		return err
	}
	*e++
	if *e < mostEmptyReads {
		return nil
	}
	return io.ErrNoProgress
}
