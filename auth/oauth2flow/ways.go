package oauth2flow

import (
	"slices"
	"sync"
)

// ways are the connections that a login can make its calls through: those that its grant is bound to, and that are
// open.
type ways struct {
	mu    sync.Mutex
	bound []*grant
}

func (w *ways) add(g *grant) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bound = append(w.bound, g)
}

func (w *ways) remove(g *grant) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bound = slices.DeleteFunc(w.bound, func(other *grant) bool { return other.caller == g.caller })
}

// last returns the grant as it was bound last, and otherwise g.
func (w *ways) last(g *grant) *grant {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.bound); n > 0 {
		return w.bound[n-1]
	}
	return g
}
