package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/restconn/restconn/internal/bench"
)

const (
	loadRequests = 10_000
	loadWorkers  = 256
)

// concurrency sends many requests at once through the peers' own default transports. Each measurement has a client and
// a server process of its own, so that no peer inherits connections or goroutines.
func concurrency(ctx context.Context, name string, o options) (Table, error) {
	specs := entrants(name, o)
	list := make([]contestant, 0, len(specs))
	for _, spec := range specs {
		list = append(list, contestant{spec.Name, func(ctx context.Context) (sample, error) {
			result, err := measureLoad(ctx, spec.Name)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", spec.Name, err)
			}
			return result, nil
		}})
	}
	rows, err := compareRounds(ctx, o.rounds, list)
	return Table{
		Scenario: name,
		Columns:  []string{requestsPerSecond, connections, p50, p99, failed, goroutines},
		Rows:     rows,
		Notes:    []string{fmt.Sprintf("%d requests from %d goroutines", loadRequests, loadWorkers)},
	}, err
}

func measureLoad(ctx context.Context, peer string) (sample, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	server, err := startServer(ctx)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	cmd := exec.CommandContext(ctx, self, "load", peer, server.url)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var result sample
	if err := json.Unmarshal(out, &result); err != nil {
		return nil, err
	}
	result[connections], err = server.figure(connections)
	return result, err
}

// loadClient is the client process: its arguments are a peer and a base URL, its output is a sample.
func loadClient(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: compare load peer url")
	}
	spec, ok := bench.Find(args[0])
	if !ok {
		return fmt.Errorf("no peer %q", args[0])
	}
	before := runtime.NumGoroutine()
	peer, err := spec.New(bench.Config{BaseURL: args[1]})
	if err != nil {
		return err
	}
	result := load(ctx, peer)
	peer.Close()
	result[goroutines] = float64(goroutinesAbove(before))
	return json.NewEncoder(out).Encode(result)
}

// load sends the requests and measures each of them.
func load(ctx context.Context, peer bench.Peer) sample {
	latencies := make([]time.Duration, loadRequests)
	var next, failures atomic.Int64
	worker := func() {
		for {
			i := next.Add(1) - 1
			if i >= loadRequests {
				return
			}
			start := time.Now()
			if _, err := peer.GetJSON(ctx); err != nil {
				failures.Add(1)
			}
			latencies[i] = time.Since(start)
		}
	}
	var wg sync.WaitGroup
	start := time.Now()
	for range loadWorkers {
		wg.Go(worker)
	}
	wg.Wait()
	elapsed := time.Since(start)

	slices.Sort(latencies)
	return sample{
		requestsPerSecond: loadRequests / elapsed.Seconds(),
		p50:               float64(latencies[loadRequests/2]),
		p99:               float64(latencies[loadRequests*99/100]),
		failed:            float64(failures.Load()),
	}
}

// goroutinesAbove returns how many goroutines are left beyond those that were there before. Closing a connection takes
// its goroutines a moment, so it waits up to a second for them.
func goroutinesAbove(before int) int {
	deadline := time.Now().Add(time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	return max(0, runtime.NumGoroutine()-before)
}
