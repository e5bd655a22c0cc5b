package main

import (
	"io"
	"math"
	"slices"

	"github.com/restconn/restconn/internal/bench"
)

// goal is a bound on one figure of one peer.
type goal struct {
	scenario, peer, column string
	// bound is the limit of the value or, with ratio, of the ratio to the floor or, with above, of what it is above the
	// floor.
	bound float64
	ratio bool
	above bool
	// atLeast makes the bound a lower one.
	atLeast bool
}

const (
	restconn       = "restconn"
	restconnMax128 = "restconn-max128"
)

// The goals of restconn.
var goals = []goal{
	{scenario: bench.GetFake, peer: restconn, column: allocsOp, bound: 70},
	{scenario: bench.GetFake, peer: restconn, column: bytesOp, bound: 5000},
	{scenario: bench.GetFake, peer: restconn, column: timeOp, bound: 0.90, ratio: true},
	{scenario: bench.GetFakeJSONv2, peer: restconn, column: allocsOp, bound: 31},
	{scenario: bench.PostFake, peer: restconn, column: allocsOp, bound: 82},
	{scenario: bench.PostFake, peer: restconn, column: bytesOp, bound: 6000},
	{scenario: bench.PostFake, peer: restconn, column: timeOp, bound: 0.95, ratio: true},
	{scenario: bench.RetryFake, peer: restconn, column: timeOp, bound: 1.15, ratio: true},
	{scenario: bench.GetLoopback, peer: restconn, column: allocsOp, bound: 109},
	{scenario: bench.GetLoopback, peer: restconn, column: cpuOp, bound: 0.96, ratio: true},
	{scenario: bench.GetParallel, peer: restconn, column: cpuOp, bound: 0.92, ratio: true},
	{scenario: bench.Load, peer: restconn, column: requestsPerSecond, bound: 2, ratio: true, atLeast: true},
	{scenario: bench.Load, peer: restconn, column: connections, bound: 400},
	{scenario: bench.Load, peer: restconn, column: p99, bound: 36e6},
	{scenario: bench.Load, peer: restconn, column: goroutines, bound: 0},
	{scenario: bench.Load, peer: restconnMax128, column: p99, bound: 16e6},
	{scenario: bench.Weight, peer: restconn, column: added, bound: 1.2},
	{scenario: bench.GetLarge, peer: restconn, column: bytesOp, bound: 26 << 20},
	{scenario: bench.GetLarge, peer: restconn, column: bytesOp, bound: 0.70, ratio: true},
	{scenario: bench.GetLarge, peer: restconn, column: timeOp, bound: 1, ratio: true},
	{scenario: bench.Upload, peer: restconn, column: timeOp, bound: 1.05, ratio: true},
	{scenario: bench.Upload, peer: restconn, column: cpuOp, bound: 1.05, ratio: true},
	{scenario: bench.Upload, peer: restconn, column: heapGrowth, bound: 1 << 20, above: true},
	{scenario: bench.Upload, peer: restconn, column: contentLength, bound: uploadSize, atLeast: true},
	{scenario: bench.UploadRetry, peer: restconn, column: timeOp, bound: 1.05, ratio: true},
	{scenario: bench.UploadRetry, peer: restconn, column: cpuOp, bound: 1.05, ratio: true},
	{scenario: bench.UploadRetry, peer: restconn, column: heapGrowth, bound: 1 << 20, above: true},
	{scenario: bench.UploadRetry, peer: restconn, column: contentLength, bound: uploadSize, atLeast: true},
	{scenario: bench.Download, peer: restconn, column: timeOp, bound: 1.05, ratio: true},
	{scenario: bench.Download, peer: restconn, column: heapGrowth, bound: 1 << 20},
	{scenario: bench.GzipBomb, peer: restconn, column: refused, bound: 1, atLeast: true},
	{scenario: bench.GzipBomb, peer: restconn, column: rssPeak, bound: 96 << 20},
	{scenario: bench.TokenHot, peer: restconn, column: timeOp, bound: 60},
	{scenario: bench.TokenHot, peer: restconn, column: allocsOp, bound: 0},
	{scenario: bench.TokenHotParallel, peer: restconn, column: timeOp, bound: 35},
	{scenario: bench.TokenHotParallel, peer: restconn, column: allocsOp, bound: 0},
	{scenario: bench.StormExpired, peer: restconn, column: tokenRequests, bound: 1},
	{scenario: bench.StormExpired, peer: restconn, column: p99, bound: 66e6},
	{scenario: bench.StormExpired, peer: restconn, column: failed, bound: 0},
	{scenario: bench.StormExpiring, peer: restconn, column: tokenRequests, bound: 1},
	{scenario: bench.StormExpiring, peer: restconn, column: p99Above, bound: 17e6},
	{scenario: bench.StormExpiring, peer: restconn, column: longest, bound: 50e6},
	{scenario: bench.StormExpiring, peer: restconn, column: failed, bound: 0},
	{scenario: bench.StormFailing, peer: restconn, column: tokenRequests, bound: 1},
	{scenario: bench.StormFailing, peer: restconn, column: longest, bound: 150e6},
	{scenario: bench.StormCancel, peer: restconn, column: wasted, bound: 0},
	{scenario: bench.StormCancel, peer: restconn, column: failed, bound: 0},
	{scenario: bench.StormWaiter, peer: restconn, column: longest, bound: 120e6},
}

// verdict is a goal and what was measured.
type verdict struct {
	goal
	measured float64
}

// checkGoals returns the goals whose figures are in the tables.
func checkGoals(tables []Table) []verdict {
	var verdicts []verdict
	for _, g := range goals {
		if measured, ok := g.find(tables); ok {
			verdicts = append(verdicts, verdict{g, measured})
		}
	}
	return verdicts
}

func (g goal) find(tables []Table) (float64, bool) {
	t := slices.IndexFunc(tables, func(t Table) bool { return t.Scenario == g.scenario })
	if t < 0 {
		return 0, false
	}
	r := slices.IndexFunc(tables[t].Rows, func(r Row) bool { return r.Peer == g.peer })
	if r < 0 {
		return 0, false
	}
	if g.ratio {
		ratio, ok := tables[t].Rows[r].Ratios[g.column]
		return ratio, ok
	}
	value, ok := tables[t].Rows[r].Values[g.column]
	if g.above {
		value -= tables[t].Rows[0].Values[g.column] // the floor comes first
	}
	return value, ok
}

// met compares what is printed: allocations, for one, are whole.
func (v verdict) met() bool {
	measured := v.measured
	if v.column == allocsOp && !v.ratio {
		measured = math.Round(measured)
	}
	if v.atLeast {
		return measured >= v.bound
	}
	return measured <= v.bound
}

func (v verdict) format(value float64) string {
	if v.ratio {
		return hundredths(value) + " x"
	}
	if v.above {
		return columns[v.column].format(value) + " above " + bench.FloorOf(v.scenario)
	}
	return columns[v.column].format(value)
}

func printGoals(w io.Writer, verdicts []verdict, markdown bool) {
	if len(verdicts) == 0 {
		return
	}
	lines := [][]string{{"scenario", "peer", "figure", "goal", "measured", "met"}}
	for _, v := range verdicts {
		bound, met := "<= ", "no"
		if v.atLeast {
			bound = ">= "
		}
		if v.met() {
			met = "yes"
		}
		lines = append(lines, []string{v.scenario, v.peer, v.column, bound + v.format(v.bound), v.format(v.measured), met})
	}
	printLines(w, "goals", lines, markdown)
}
