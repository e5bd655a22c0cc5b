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
		count, err := l.calibrate(ctx, peer, o.benchtime)
		if err != nil {
			return Table{}, fmt.Errorf("%s: %w", specs[i].Name, err)
		}
		list = append(list, contestant{specs[i].Name, func(ctx context.Context) (sample, error) {
			return l.measure(ctx, peer, count)
		}})
	}
	rows, err := compareRounds(ctx, o.rounds, list)
	return Table{Scenario: name, Columns: []string{timeOp, cpuOp, bytesOp, allocsOp}, Rows: rows}, err
}

// calibrate warms the peer up and returns how many operations take about as long as wanted.
func (l loop) calibrate(ctx context.Context, peer bench.Peer, wanted time.Duration) (int, error) {
	const first = 10
	if _, err := l.run(ctx, peer, first*l.workers); err != nil {
		return 0, err
	}
	for count := first * l.workers; ; count *= 2 {
		elapsed, err := l.run(ctx, peer, count)
		if err != nil {
			return 0, err
		}
		if elapsed >= wanted/4 {
			return max(1, int(float64(count)*wanted.Seconds()/elapsed.Seconds())), nil
		}
	}
}

// measure runs count operations and returns what one of them costs.
func (l loop) measure(ctx context.Context, peer bench.Peer, count int) (sample, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := processCPU()
	elapsed, err := l.run(ctx, peer, count)
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
func (l loop) run(ctx context.Context, peer bench.Peer, count int) (time.Duration, error) {
	if l.workers == 1 {
		start := time.Now()
		err := l.repeat(ctx, peer, count)
		return time.Since(start), err
	}
	errs := make([]error, l.workers)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range l.workers {
		share := count / l.workers
		if i < count%l.workers {
			share++
		}
		wg.Go(func() { errs[i] = l.repeat(ctx, peer, share) })
	}
	wg.Wait()
	return time.Since(start), errors.Join(errs...)
}

func (l loop) repeat(ctx context.Context, peer bench.Peer, count int) error {
	for range count {
		if _, err := l.operation(ctx, peer); err != nil {
			return err
		}
	}
	return nil
}
