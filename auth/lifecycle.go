package auth

import (
	"context"
	"slices"
	"sync"
)

// lifecycle counts the work that goes on for a manager: renewals, and savings that are tried again. It can end all of
// it.
type lifecycle struct {
	mu     sync.Mutex
	closed bool
	now    *phase
	ending []*phase // those that are over, and in which something still goes on
}

// phase is the time from the first work until the last connection is closed, or the manager is.
type phase struct {
	over   context.Context //nolint:containedctx // it is the life of the phase
	end    context.CancelFunc
	active int
	empty  chan struct{} // closed when the last work of a phase that is over has ended
}

func newPhase() *phase {
	over, end := context.WithCancel(context.Background())
	return &phase{over: over, end: end, empty: make(chan struct{})}
}

// begin counts a piece of work, until leave. The work should end when the phase is over.
func (l *lifecycle) begin() (*phase, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	if l.now == nil {
		l.now = newPhase()
	}
	l.now.active++
	return l.now, nil
}

// join counts another piece of work in the phase of the caller's own, unless it is over.
func (l *lifecycle) join(p *phase) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p != l.now {
		return false
	}
	p.active++
	return true
}

func (l *lifecycle) leave(p *phase) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.active--
	if i := slices.Index(l.ending, p); p.active == 0 && i >= 0 {
		l.ending = slices.Delete(l.ending, i, i+1)
		close(p.empty)
	}
}

// end ends all work, and waits for it, that of former phases as well. If it is for good, none begins any more.
func (l *lifecycle) end(forGood bool) {
	l.mu.Lock()
	if p := l.now; p != nil {
		l.now = nil
		p.end()
		if p.active > 0 {
			l.ending = append(l.ending, p)
		}
	}
	l.closed = l.closed || forGood
	ending := slices.Clone(l.ending)
	l.mu.Unlock()
	for _, p := range ending {
		<-p.empty
	}
}
