package rotation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"sync"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/internal/interop"
)

// DefaultLifetime is how long tokens live unless a plan says otherwise: they are renewed before they end, so this is
// the longest time that a rotation takes.
const DefaultLifetime = 100 * time.Millisecond

// Plan says what [Run] does.
type Plan struct {
	Place     interop.Place
	Workers   int
	Rotations int
	// Lifetime is that of a token, [DefaultLifetime] unless it is set.
	Lifetime time.Duration
	// Grace is that of the server for the last refresh token; a strict one has none.
	Grace time.Duration
	// Kills is how often a worker is killed and started again, spread over the run: in turn before the server answers
	// it, soon after, and any worker at any time.
	Kills int
	// Command makes the command of a worker, which calls [WorkFromInput]. If it is nil, the workers are goroutines of
	// this process, with a handle each, and cannot be killed.
	Command func(ctx context.Context) *exec.Cmd
	// Crashes is how often Crash is called, spread over the run. It kills the store and starts it again.
	Crashes int
	Crash   func(ctx context.Context) error
	// Window is the longest time that may pass between the answer of the server and the end of the saving, but for one
	// in a hundred; 0 for any.
	Window time.Duration
}

// Run carries out a plan. Its error is about the run and not about the result.
func Run(ctx context.Context, p Plan) (Result, error) {
	if p.Kills > 0 && p.Command == nil {
		return Result{}, errors.New("goroutines cannot be killed")
	}
	if p.Lifetime == 0 {
		p.Lifetime = DefaultLifetime
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	handle, err := interop.Open(ctx, p.Place)
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = handle.Close() }()
	r := newRunner(ctx, p)
	rules := ServerRules{Lifetime: p.Lifetime, Grace: p.Grace, Granted: r.granted, Refused: r.refused}
	if r.server, err = Serve(ctx, rules); err != nil {
		return Result{}, err
	}
	defer r.server.Close()
	if err := r.begin(ctx, handle); err != nil {
		return Result{}, err
	}
	began := time.Now()
	reading := r.watch(ctx, handle)
	var workers sync.WaitGroup
	for n := range p.Workers {
		workers.Go(func() { r.employ(ctx, n) })
	}
	workers.Wait()
	r.end()
	cancel()
	<-reading
	return r.finish(context.WithoutCancel(ctx), handle, began)
}

type runner struct {
	Plan

	ctx      context.Context //nolint:containedctx // it is the life of the run
	server   *Server
	key      auth.Key
	troubles sync.WaitGroup // kills and crashes that are under way

	mu       sync.Mutex
	result   Result
	children map[int]*exec.Cmd        // those that run
	finished map[int]bool             // those that saw all rotations
	open     map[int]map[int]struct{} // the tokens of a worker that it has not saved, as far as it said
	unheard  map[int]int              // how many refusals of a worker it has not told of
	aimed    int                      // kills, also those under way
	crashes  int                      // the same
	ended    bool                     // there is nothing left to trouble
}

func newRunner(ctx context.Context, p Plan) *runner {
	r := &runner{
		Plan: p, ctx: ctx, children: make(map[int]*exec.Cmd), finished: make(map[int]bool),
		open: make(map[int]map[int]struct{}), unheard: make(map[int]int),
	}
	r.result.Waits = make(map[string]int)
	return r
}

// begin puts the first token into the store.
func (r *runner) begin(ctx context.Context, store auth.TokenStore) error {
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	c := client(r.server.URL, -1, transport)
	r.key = key(oauth2flow.Refresh(c, nil))
	m := manage(c, store, r.Place, func(auth.Event) {})
	return errors.Join(signIn(ctx, c, m), m.Close())
}

// end waits for the last trouble.
func (r *runner) end() {
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	r.troubles.Wait()
}

// finish looks at what is left.
func (r *runner) finish(ctx context.Context, store auth.TokenStore, began time.Time) (Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := range r.Workers { // what was answered after the worker that asked had been killed
		r.mourn(n)
	}
	r.result.Counts = r.server.Counts()
	r.result.Took = time.Since(began)
	r.result.Done = len(r.finished)
	rec, err := store.Load(ctx, r.key)
	if err != nil {
		return r.result, err
	}
	if t, err := decode(rec); err == nil {
		r.result.Usable = r.server.Works(t.Refresh)
	}
	return r.result, nil
}

// watch reads the record all the time, until ctx ends.
func (r *runner) watch(ctx context.Context, store auth.TokenStore) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		pause := time.NewTicker(2 * time.Millisecond)
		defer pause.Stop()
		for {
			select {
			case <-pause.C:
			case <-ctx.Done():
				return
			}
			rec, err := store.Load(ctx, r.key)
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				_, err = decode(rec)
			}
			r.read(err)
		}
	}()
	return done
}

// read counts one read. While the store is down, it fails.
func (r *runner) read(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.result.Reads++
	case errors.Is(err, errTorn):
		r.result.Reads++
		r.result.Torn++
	case r.crashes == 0:
		r.result.Faults = append(r.result.Faults, "reader: "+err.Error())
	}
}

func (r *runner) count(rep Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	count := func(n *int, yes bool) {
		if yes {
			*n++
		}
	}
	if rep.Done {
		r.finished[rep.Worker] = true // one that is killed after its last report makes it again
	}
	if rep.Saved > 0 {
		// Signing in saves as well, but nobody waits for that.
		if _, ok := r.open[rep.Worker][rep.Saved]; ok {
			delete(r.open[rep.Worker], rep.Saved)
			r.result.Saved++
			r.result.Windows = append(r.result.Windows, rep.Window)
		}
	}
	if rep.Lost {
		r.unheard[rep.Worker]--
	}
	count(&r.result.Lost, rep.Lost)
	count(&r.result.Unsaved, rep.Unsaved)
	count(&r.result.StoreFailed, rep.StoreFailed)
	count(&r.result.TooSoon, rep.TooSoon)
	if rep.Wait != "" {
		r.result.Waits[rep.Wait]++
	}
	if rep.Fault != "" {
		r.result.Faults = append(r.result.Faults, fmt.Sprintf("worker %d: %s", rep.Worker, rep.Fault))
	}
}
