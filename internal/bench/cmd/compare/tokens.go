package main

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/restconn/restconn/internal/bench"
)

// tokenEntrants returns the peers that take part in a scenario with tokens, the floor first.
func tokenEntrants(name string, o options) []bench.TokenSpec {
	var specs []bench.TokenSpec
	for _, spec := range bench.TokenSpecs() {
		if spec.Enters(name) && (spec.Name == bench.Floor || o.peers.MatchString(spec.Name)) {
			specs = append(specs, spec)
		}
	}
	return specs
}

// hotPath compares what a token that is good costs a request. Each worker has a request of its own. One worker for
// each CPU is what testing.B.RunParallel has as well.
func hotPath(count func() int) func(context.Context, string, options) (Table, error) {
	return func(ctx context.Context, name string, o options) (Table, error) {
		specs := tokenEntrants(name, o)
		peers, closeAll := openTokens(specs)
		defer closeAll()
		var list []contestant
		for i, peer := range peers {
			group, err := tokenWorkers(ctx, peer, count())
			if err != nil {
				return Table{}, err
			}
			c, err := group.contestant(specs[i].Name, o.benchtime)
			if err != nil {
				return Table{}, err
			}
			list = append(list, c)
		}
		rows, err := compareRounds(ctx, o.rounds, list)
		return Table{Scenario: name, Columns: loopColumns, Rows: rows, Notes: []string{clocks()}}, err
	}
}

// openTokens makes the peers and returns them with a function that closes them.
func openTokens(specs []bench.TokenSpec) ([]bench.TokenPeer, func()) {
	var peers []bench.TokenPeer
	for _, spec := range specs {
		peers = append(peers, spec.New(new(bench.Issuer).Obtain))
	}
	return peers, func() {
		for _, p := range peers {
			p.Close()
		}
	}
}

// tokenWorkers returns so many workers that put a token on a request of their own.
func tokenWorkers(ctx context.Context, peer bench.TokenPeer, count int) (workers, error) {
	group := make(workers, count)
	for i := range group {
		carrier, err := peer.Prepare(ctx)
		if err != nil {
			return nil, err
		}
		group[i] = carrier.Reauthorize
	}
	return group, nil
}

func oneWorker() int { return 1 }

func workerPerCPU() int { return runtime.GOMAXPROCS(0) }

// clocks tells how long it takes to read the clock, which is most of what a good token costs. Of several measurements
// the shortest is the one that was disturbed least.
func clocks() string {
	now := shortest(func() { _ = time.Now() })
	start := time.Now()
	since := shortest(func() { _ = time.Since(start) })
	return fmt.Sprintf("on this machine, time.Now takes %s and time.Since %s", duration(now), duration(since))
}

func shortest(f func()) float64 {
	const (
		times = 20
		calls = 100_000
	)
	best := math.Inf(1)
	for range times {
		start := time.Now()
		for range calls {
			f()
		}
		best = min(best, float64(time.Since(start))/calls)
	}
	return best
}
