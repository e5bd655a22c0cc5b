package rotation

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	mathrand "math/rand/v2"
	"os/exec"
	"time"

	"github.com/restconn/restconn/internal/wait"
)

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
		if again {
			r.mu.Lock()
			r.mourn(n)
			r.mu.Unlock()
		}
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

// mourn counts what a worker that was killed had not told. The caller has the lock.
func (r *runner) mourn(worker int) {
	r.result.InWindow += len(r.open[worker])
	r.result.Unheard += r.unheard[worker]
	delete(r.open, worker)
	delete(r.unheard, worker)
}

// refused notes that a worker has something to tell.
func (r *runner) refused(worker int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unheard[worker]++
}

// granted notes a token that a worker has to save, and makes the trouble that is due.
func (r *runner) granted(worker, number int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[worker] == nil {
		r.open[worker] = make(map[int]struct{})
	}
	r.open[worker][number] = struct{}{}
	if r.ended {
		return // who asked was killed
	}
	if r.due(number, r.crashes, r.Crashes) {
		r.crashes++
		r.troubles.Go(r.crash)
	}
	if !r.due(number, r.aimed, r.Kills) {
		return
	}
	const soon = 10 * time.Millisecond
	delay := mathrand.N(soon)
	switch r.aimed % 3 {
	case 0:
		delay = 0
	case 2:
		worker = mathrand.N(r.Workers)
	}
	child := r.children[worker]
	switch {
	case child == nil: // it has just ended; the next grant kills
	case delay == 0:
		r.aimed++
		r.kill(worker, child)
	default:
		r.aimed++
		r.troubles.Go(func() {
			_ = wait.For(r.ctx, delay)
			r.mu.Lock()
			defer r.mu.Unlock()
			r.kill(worker, child)
		})
	}
}

// due reports whether the next of all troubles is. They are spread over the run, and leave some of its end for another
// try.
func (r *runner) due(number, made, all int) bool {
	return made < all && number >= (made+1)*r.Rotations/(all+2)
}

// kill kills a worker, unless it has ended. The caller has the lock.
func (r *runner) kill(worker int, child *exec.Cmd) {
	if r.children[worker] == child && child.Process.Kill() == nil {
		delete(r.children, worker)
		r.result.Killed++
		return
	}
	r.aimed-- // the next grant kills
}

// crash has the store killed.
func (r *runner) crash() {
	err := r.Crash(r.ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.result.Faults = append(r.result.Faults, "crash: "+err.Error())
		return
	}
	r.result.Crashed++
}
