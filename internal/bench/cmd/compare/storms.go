package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/restconn/restconn/internal/bench"
)

// storm compares what becomes of many callers who want a token at once. Each measurement has a peer of its own.
func storm(s bench.Storm) func(context.Context, string, options) (Table, error) {
	return func(ctx context.Context, name string, o options) (Table, error) {
		var list []contestant
		for _, spec := range tokenEntrants(name, o) {
			list = append(list, contestant{spec.Name, func(ctx context.Context) (sample, error) {
				result, err := measureStorm(ctx, s, spec)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", spec.Name, err)
				}
				return result, nil
			}})
		}
		rows, err := compareRounds(ctx, o.rounds, list)
		columns := []string{tokenRequests, wasted, p50, p99, longest, failed}
		switch name {
		case bench.StormExpiring:
			columns = append(columns, p99Valid, p99Above)
		case bench.StormCancel:
			columns = append(columns, leaderBack)
		}
		note := fmt.Sprintf("%d callers; %s", bench.StormCallers, s.Note)
		return Table{Scenario: name, Columns: columns, Rows: rows, Notes: []string{note}}, err
	}
}

func measureStorm(ctx context.Context, s bench.Storm, spec bench.TokenSpec) (sample, error) {
	runtime.GC()
	out, err := s.Run(ctx, spec)
	if err != nil {
		return nil, err
	}
	result := sample{
		tokenRequests: float64(out.Requests),
		wasted:        float64(out.Wasted),
		p50:           latencyAt(out, 50),
		p99:           latencyAt(out, 99),
		longest:       latencyAt(out, 100),
		failed:        float64(out.Failed),
		leaderBack:    float64(out.LeaderBack),
	}
	if s.Name != bench.StormExpiring {
		return result, nil
	}
	valid, _ := bench.FindStorm(bench.StormValid)
	runtime.GC()
	out, err = valid.Run(ctx, spec)
	if err != nil {
		return nil, err
	}
	result[p99Valid] = latencyAt(out, 99)
	result[p99Above] = result[p99] - result[p99Valid]
	return result, nil
}

// latencyAt returns the latency that so many percent of the callers stay below.
func latencyAt(out bench.Outcome, percent int) float64 {
	last := len(out.Latencies) - 1
	return float64(out.Latencies[min(last, len(out.Latencies)*percent/100)])
}
