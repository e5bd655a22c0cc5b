// Package wait waits for no longer than a context lasts.
package wait

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// For waits for d. It returns why it has not: the end of ctx or, at once, that d would outlast its deadline.
func For(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return Ended(ctx)
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return fmt.Errorf("a wait of %v would outlast the deadline of the context: %w", d, context.DeadlineExceeded)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return Ended(ctx)
	}
}

// Ended returns why ctx has ended: an error that matches ctx.Err() and the cause.
func Ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, ctx.Err()) {
		return cause
	}
	return fmt.Errorf("%w: %w", ctx.Err(), cause)
}
