package auth

import (
	"context"
	"sync"
)

// crew is who works for a manager: renewals, and savings that are tried again. It can be sent home.
type crew struct {
	mu     sync.Mutex
	closed bool
	now    *shift
}

// shift is what is under way between two ends of the day.
type shift struct {
	over   context.Context //nolint:containedctx // it is the life of the shift
	end    context.CancelFunc
	active int
	empty  chan struct{} // closed when the last one leaves an ended shift
}

func newShift() *shift {
	over, end := context.WithCancel(context.Background())
	return &shift{over: over, end: end, empty: make(chan struct{})}
}

// begin takes somebody on. over ends when the work should; done is called when it has.
func (c *crew) begin() (over context.Context, done func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, ErrClosed
	}
	if c.now == nil {
		c.now = newShift()
	}
	s := c.now
	s.active++
	return s.over, func() { c.leave(s) }, nil
}

func (c *crew) leave(s *shift) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.active--
	if s.active == 0 && s != c.now {
		close(s.empty)
	}
}

// end sends everybody home, and waits until they have left. If it is for good, nobody begins any more.
func (c *crew) end(forGood bool) {
	c.mu.Lock()
	s := c.now
	c.now = nil
	c.closed = c.closed || forGood
	idle := s == nil || s.active == 0
	c.mu.Unlock()
	if s == nil {
		return
	}
	s.end()
	if !idle {
		<-s.empty
	}
}
