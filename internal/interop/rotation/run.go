package rotation

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/interop"
)

// Plan says what [Run] does.
type Plan struct {
	Place     interop.Place
	Workers   int
	Rotations int
	// Kills is how often a worker is killed and started again, spread over the run: every other time the one that has
	// just used up a refresh token and has no answer yet.
	Kills int
	// Command makes the command of a worker, which calls [WorkFromInput]. If it is nil, the workers are goroutines of
	// this process, with a handle each, and cannot be killed.
	Command func(ctx context.Context) *exec.Cmd
}

// Result is what has come of a plan.
type Result struct {
	Counts

	// Done is how many workers saw all rotations.
	Done int
	// Killed is how many workers were killed.
	Killed int
	// Lost is how many refresh tokens were used up by a worker that died, as the store told with a typed error.
	Lost int
	// Unsaved is how often a store told that it could not save.
	Unsaved int
	// Torn is how many records could not be parsed, of Reads that were made all the time.
	Torn, Reads int
	// Faults are errors of any other kind.
	Faults []string
	// Usable says that the token in the store at the end is the one that the server accepts.
	Usable bool
	Took   time.Duration
}

// Verdict returns in what the result misses what was wanted of the plan. Without kills, nothing may be lost: each
// rotation was made once, and saved. With kills, each may cost one refresh token, and what it costs has to be told.
func (r Result) Verdict(p Plan) error {
	var faults []error
	miss := func(missed bool, format string, args ...any) {
		if missed {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	miss(r.Done != p.Workers, "%d of %d workers saw all rotations", r.Done, p.Workers)
	miss(r.Torn != 0, "%d records were torn", r.Torn)
	miss(!r.Usable, "the stored token is not the one that the server accepts")
	miss(len(r.Faults) != 0, "faults: %s", strings.Join(r.Faults, "; "))
	miss(r.Unsaved > 0 && p.Kills == 0, "%d tokens were not saved", r.Unsaved)
	miss(r.Rotations+r.Logins <= p.Rotations, "%d rotations and %d logins", r.Rotations, r.Logins)
	miss(p.Workers > 1 && r.Busy < 2 && p.Rotations >= 50, "only one worker renewed")
	if p.Kills == 0 {
		miss(r.Rotations != p.Rotations, "%d rotations instead of %d", r.Rotations, p.Rotations)
		miss(r.Logins != 1, "%d logins instead of one", r.Logins)
		miss(r.Replays != 0, "%d replays", r.Replays)
		return errors.Join(faults...)
	}
	miss(r.Killed != p.Kills, "%d of %d kills", r.Killed, p.Kills)
	miss(r.Logins-1 > r.Killed, "%d logins after %d kills", r.Logins-1, r.Killed)
	miss(r.Replays > r.Killed, "%d replays after %d kills", r.Replays, r.Killed)
	miss(p.Kills > 1 && r.Lost == 0, "no loss was told")
	return errors.Join(faults...)
}

// Run carries out a plan. Its error is about the run and not about the result.
func Run(ctx context.Context, p Plan) (Result, error) {
	if p.Kills > 0 && p.Command == nil {
		return Result{}, errors.New("goroutines cannot be killed")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	handle, err := interop.Open(ctx, p.Place)
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = handle.Close() }()
	r := &runner{Plan: p, children: make(map[int]*exec.Cmd), finished: make(map[int]bool)}
	if r.server, err = Serve(ctx, r.granted); err != nil {
		return Result{}, err
	}
	defer r.server.Close()
	began := time.Now()
	reading := r.watch(ctx, handle)
	var workers sync.WaitGroup
	for n := range p.Workers {
		workers.Go(func() { r.employ(ctx, n) })
	}
	workers.Wait()
	cancel()
	<-reading
	return r.finish(context.WithoutCancel(ctx), handle, began)
}

type runner struct {
	Plan

	server *Server

	mu       sync.Mutex
	result   Result
	children map[int]*exec.Cmd // those that run
	finished map[int]bool
	grants   int
}

// finish looks at what is left.
func (r *runner) finish(ctx context.Context, store auth.TokenStore, began time.Time) (Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Counts = r.server.Counts()
	r.result.Took = time.Since(began)
	r.result.Done = len(r.finished)
	rec, err := store.Load(ctx, key())
	if err != nil {
		return r.result, err
	}
	if t, err := decode(rec); err == nil && t != nil {
		r.result.Usable = r.server.Works(t.Refresh.Reveal())
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
			rec, err := store.Load(ctx, key())
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

// read counts one read.
func (r *runner) read(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Reads++
	switch {
	case errors.Is(err, errTorn):
		r.result.Torn++
	case err != nil:
		r.result.Faults = append(r.result.Faults, "reader: "+err.Error())
	}
}

// employ runs one worker, and another in its place as often as it is killed.
func (r *runner) employ(ctx context.Context, n int) {
	job := Job{Worker: n, Place: r.Place, URL: r.server.URL, Rotations: r.Rotations}
	for again := true; again && ctx.Err() == nil; {
		out, in := io.Pipe()
		listening := make(chan struct{})
		go func() {
			defer close(listening)
			r.listen(out)
		}()
		if r.Command == nil {
			_ = Work(ctx, job, in) // it reports its error
			again = false
		} else {
			again = r.spawn(ctx, job, in)
		}
		_ = in.Close()
		<-listening
	}
}

// listen counts what a worker reports. A last line that was cut short by a kill is no report.
func (r *runner) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var rep Report
		if json.Unmarshal(lines.Bytes(), &rep) != nil {
			continue
		}
		r.count(rep)
	}
	_, _ = io.Copy(io.Discard, out)
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
	count(&r.result.Torn, rep.Torn)
	count(&r.result.Lost, rep.Lost)
	count(&r.result.Unsaved, rep.Unsaved)
	if rep.Fault != "" {
		r.result.Faults = append(r.result.Faults, fmt.Sprintf("worker %d: %s", rep.Worker, rep.Fault))
	}
}

// spawn runs a worker in a process of its own. It reports whether the worker was killed.
func (r *runner) spawn(ctx context.Context, job Job, out io.Writer) (killed bool) {
	input, err := json.Marshal(job)
	if err != nil {
		r.count(Report{Worker: job.Worker, Fault: err.Error()})
		return false
	}
	cmd := r.Command(ctx)
	cmd.Stdout = out
	stdin, err := cmd.StdinPipe() // the worker ends when it closes, as it does if this process dies
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		r.count(Report{Worker: job.Worker, Fault: err.Error()})
		return false
	}
	r.mu.Lock()
	r.children[job.Worker] = cmd
	r.mu.Unlock()
	_, _ = stdin.Write(append(input, '\n'))
	err = cmd.Wait()
	r.mu.Lock()
	killed = r.children[job.Worker] != cmd
	delete(r.children, job.Worker)
	r.mu.Unlock()
	if err != nil && !killed && ctx.Err() == nil {
		r.count(Report{Worker: job.Worker, Fault: err.Error()})
	}
	return killed
}

// granted kills a worker if it is time to.
func (r *runner) granted(worker int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.grants++
	if r.result.Killed >= r.Kills || r.grants < (r.result.Killed+1)*r.Rotations/(r.Kills+1) {
		return
	}
	if r.result.Killed%2 == 1 {
		worker = mathrand.N(r.Workers)
	}
	child := r.children[worker]
	if child == nil {
		return // it has just ended; the next grant kills
	}
	if child.Process.Kill() == nil {
		delete(r.children, worker)
		r.result.Killed++
	}
}

// WorkFromInput does the job that is the first line of in, and writes its reports to out. It ends when in does.
func WorkFromInput(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := bufio.NewReader(in)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	var job Job
	if err := json.Unmarshal(line, &job); err != nil {
		return err
	}
	go func() { // it ends with the process
		_, _ = io.Copy(io.Discard, lines)
		cancel()
	}()
	return Work(ctx, job, out)
}
