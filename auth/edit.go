package auth

import (
	"context"
	"errors"

	"github.com/restconn/restconn/internal/wait"
)

// edit calls f, which sets or forgets the token: one at a time, so that the last one wins in memory as well as in the
// store. The caller leaves when his ctx ends. f should end then, too, but a store goes on with what it has begun, so
// that the rest belongs to the manager. The ctx of f also ends when the manager is closed.
func (k *keeper) edit(ctx context.Context, f func(context.Context) error) error {
	s, err := k.m.edits.begin()
	if err != nil {
		return fail("manager", err)
	}
	ctx, end := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.over, func() { end(ErrClosed) })
	done := make(chan struct{})
	failure := errors.New("it was not finished") // unless f returns
	go func() {
		defer k.m.edits.leave(s)
		defer end(nil)
		defer stop()
		defer close(done)
		failure = k.inTurn(ctx, f)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	select {
	case <-done:
		return failure
	default:
		return fail("manager", wait.Ended(ctx))
	}
}

// inTurn calls f when the one before it has finished.
func (k *keeper) inTurn(ctx context.Context, f func(context.Context) error) error {
	select {
	case k.editing <- struct{}{}:
	default: // even if ctx has ended, it was worth a try
		select {
		case k.editing <- struct{}{}:
		case <-ctx.Done():
			return fail("manager", wait.Ended(ctx))
		}
	}
	defer func() { <-k.editing }()
	return caught(func() error { return f(ctx) })
}
