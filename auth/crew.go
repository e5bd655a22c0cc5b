package auth

import (
	"context"
	"slices"
	"sync"
)

// crew is who works for a manager: renewals, and savings that are tried again. It can be sent home.
type crew struct {
	mu      sync.Mutex
	closed  bool
	now     *shift
	leaving []*shift // those that are over, and in which somebody still works
}

// shift is what is under way between two ends of the day.
type shift struct {
	over   context.Context //nolint:containedctx // it is the life of the shift
	end    context.CancelFunc
	active int
	empty  chan struct{} // closed when the last one leaves a shift that is over
}

func newShift() *shift {
	over, end := context.WithCancel(context.Background())
	return &shift{over: over, end: end, empty: make(chan struct{})}
}

// begin takes somebody on, who leaves the shift when his work is done. The work should end when the shift is over.
func (c *crew) begin() (*shift, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	if c.now == nil {
		c.now = newShift()
	}
	c.now.active++
	return c.now, nil
}

// stay takes somebody on for a shift in which the caller is at work, unless it is over.
func (c *crew) stay(s *shift) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s != c.now {
		return false
	}
	s.active++
	return true
}

func (c *crew) leave(s *shift) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.active--
	if i := slices.Index(c.leaving, s); s.active == 0 && i >= 0 {
		c.leaving = slices.Delete(c.leaving, i, i+1)
		close(s.empty)
	}
}

// end sends everybody home, and waits until all have left, those of former shifts as well. If it is for good, nobody
// begins any more.
func (c *crew) end(forGood bool) {
	c.mu.Lock()
	if s := c.now; s != nil {
		c.now = nil
		s.end()
		if s.active > 0 {
			c.leaving = append(c.leaving, s)
		}
	}
	c.closed = c.closed || forGood
	leaving := slices.Clone(c.leaving)
	c.mu.Unlock()
	for _, s := range leaving {
		<-s.empty
	}
}
