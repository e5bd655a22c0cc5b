package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/restconn/restconn/internal/bench"
)

// loop is an operation that is repeated by one or more workers.
type loop struct {
	operation bench.Operation
	workers   int
}

// loopColumns are the figures of a loop.
var loopColumns = []string{timeOp, cpuOp, bytesOp, allocsOp}

// measureLoops compares the peers in a loop. It counts what this process does: the server is another one.
func measureLoops(
	ctx context.Context, name string, o options, l loop, config func() bench.Config,
) (Table, error) {
	specs := entrants(name, o)
	peers, closeAll, err := openAll(specs, config)
	if err != nil {
		return Table{}, err
	}
	defer closeAll()

	var list []contestant
	for i, peer := range peers {
		crew := make(workers, l.workers)
		for w := range crew {
			crew[w] = func() error {
				_, err := l.operation(ctx, peer)
				return err
			}
		}
		c, err := crew.contestant(specs[i].Name, o.benchtime)
		if err != nil {
			return Table{}, err
		}
		list = append(list, c)
	}
	rows, err := compareRounds(ctx, o.rounds, list)
	return Table{Scenario: name, Columns: loopColumns, Rows: rows}, err
}

// workers are operations that are repeated at the same time, each by a goroutine of its own.
type workers []func() error

// contestant returns them as one peer in a scenario.
func (w workers) contestant(name string, benchtime time.Duration) (contestant, error) {
	count, err := w.calibrate(benchtime)
	if err != nil {
		return contestant{}, fmt.Errorf("%s: %w", name, err)
	}
	return contestant{name, func(context.Context) (sample, error) { return w.measure(count) }}, nil
}

// calibrate warms up and returns how many operations take about as long as wanted.
func (w workers) calibrate(wanted time.Duration) (int, error) {
	const first = 10
	if _, err := w.run(first * len(w)); err != nil {
		return 0, err
	}
	for count := first * len(w); ; count *= 2 {
		elapsed, err := w.run(count)
		if err != nil {
			return 0, err
		}
		if elapsed >= wanted/4 {
			return max(1, int(float64(count)*wanted.Seconds()/elapsed.Seconds())), nil
		}
	}
}

// measure runs count operations and returns what one of them costs.
func (w workers) measure(count int) (sample, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := processCPU()
	elapsed, err := w.run(count)
	cpu = processCPU() - cpu
	runtime.ReadMemStats(&after)
	n := float64(count)
	return sample{
		timeOp:   float64(elapsed) / n,
		cpuOp:    float64(cpu) / n,
		bytesOp:  float64(after.TotalAlloc-before.TotalAlloc) / n,
		allocsOp: float64(after.Mallocs-before.Mallocs) / n,
	}, err
}

// run spreads count operations over the workers.
func (w workers) run(count int) (time.Duration, error) {
	if len(w) == 1 {
		start := time.Now()
		err := repeat(w[0], count)
		return time.Since(start), err
	}
	errs := make([]error, len(w))
	var wg sync.WaitGroup
	start := time.Now()
	for i := range w {
		share := count / len(w)
		if i < count%len(w) {
			share++
		}
		wg.Go(func() { errs[i] = repeat(w[i], share) })
	}
	wg.Wait()
	return time.Since(start), errors.Join(errs...)
}

func repeat(operation func() error, count int) error {
	for range count {
		if err := operation(); err != nil {
			return err
		}
	}
	return nil
}
