package main

import (
	"context"
	"slices"

	"github.com/restconn/restconn/internal/bench"
)

// sample is one measurement: a value for each column.
type sample map[string]float64

// contestant is a peer in a scenario.
type contestant struct {
	name    string
	measure func(ctx context.Context) (sample, error)
}

// compareRounds measures every contestant next to the floor, which comes first in the list, so that both meet the same
// noise. Who goes first alternates.
func compareRounds(ctx context.Context, rounds int, list []contestant) ([]Row, error) {
	floor, others := list[0], list[1:]
	values := map[string][]sample{}
	ratios := map[string][]sample{}
	for round := range rounds {
		if len(others) == 0 {
			alone, err := floor.measure(ctx)
			if err != nil {
				return nil, err
			}
			values[floor.name] = append(values[floor.name], alone)
		}
		for _, other := range others {
			mark, own, err := measurePair(ctx, floor, other, round%2 == 1)
			if err != nil {
				return nil, err
			}
			values[floor.name] = append(values[floor.name], mark)
			values[other.name] = append(values[other.name], own)
			ratios[other.name] = append(ratios[other.name], divide(own, mark))
		}
	}
	var rows []Row
	for _, c := range list {
		rows = append(rows, Row{
			Peer:   c.name,
			N:      len(values[c.name]),
			Values: medians(values[c.name]),
			Ratios: medians(ratios[c.name]),
		})
	}
	return rows, nil
}

func measurePair(ctx context.Context, floor, other contestant, otherFirst bool) (mark, own sample, err error) {
	if otherFirst {
		if own, err = other.measure(ctx); err != nil {
			return nil, nil, err
		}
		mark, err = floor.measure(ctx)
		return mark, own, err
	}
	if mark, err = floor.measure(ctx); err != nil {
		return nil, nil, err
	}
	own, err = other.measure(ctx)
	return mark, own, err
}

// divide returns the ratios of a to b, without the columns for which there is none.
func divide(a, b sample) sample {
	ratios := sample{}
	for column, value := range a {
		if columns[column].ratio && b[column] > 0 {
			ratios[column] = value / b[column]
		}
	}
	return ratios
}

// medians returns the median of each column.
func medians(samples []sample) sample {
	byColumn := map[string][]float64{}
	for _, s := range samples {
		for column, value := range s {
			byColumn[column] = append(byColumn[column], value)
		}
	}
	result := sample{}
	for column, values := range byColumn {
		result[column] = median(values)
	}
	return result
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// openAll makes the peers and returns them with a function that closes them.
func openAll(specs []bench.Spec, config func() bench.Config) ([]bench.Peer, func(), error) {
	var peers []bench.Peer
	closeAll := func() {
		for _, p := range peers {
			p.Close()
		}
	}
	for _, spec := range specs {
		peer, err := spec.New(config())
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		peers = append(peers, peer)
	}
	return peers, closeAll, nil
}
