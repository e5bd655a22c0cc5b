package main

import (
	"context"
	"net/http"
	"runtime"
	"slices"

	"github.com/restconn/restconn/internal/bench"
)

// scenario is one table of the report.
type scenario struct {
	name    string
	measure func(ctx context.Context, name string, o options) (Table, error)
}

func scenarios() []scenario {
	var list []scenario
	for _, s := range bench.InMemoryScenarios() {
		list = append(list, scenario{s.Name, inMemory(s)})
	}
	list = append(list,
		scenario{bench.GetFakeJSONv2, withJSONv2},
		scenario{bench.GetLoopback, loopbackSerial(bench.Get)},
		scenario{bench.GetParallel, loopbackParallel},
		scenario{bench.Load, concurrency},
		scenario{bench.GetLarge, loopbackSerial(bench.List)},
		scenario{bench.Upload, uploads},
		scenario{bench.UploadRetry, uploads},
		scenario{bench.Download, downloads},
		scenario{bench.GzipBomb, gzipBombs},
		scenario{bench.Weight, binaryWeight},
		scenario{bench.TokenHot, hotPath(oneWorker)},
		scenario{bench.TokenHotParallel, hotPath(workerPerCPU)},
	)
	for _, s := range bench.Storms() {
		if s.Name != bench.StormValid { // it is a part of another
			list = append(list, scenario{s.Name, storm(s)})
		}
	}
	return list
}

// entrants returns the peers that take part in a scenario, the floor first.
func entrants(name string, o options) []bench.Spec {
	var specs []bench.Spec
	for _, spec := range bench.Specs() {
		switch {
		case !spec.Enters(name):
		case spec.Name == bench.FloorOf(name):
			specs = slices.Insert(specs, 0, spec)
		case spec.Name == bench.Floor || o.peers.MatchString(spec.Name):
			specs = append(specs, spec)
		}
	}
	return specs
}

func inMemory(s bench.InMemory) func(context.Context, string, options) (Table, error) {
	return func(ctx context.Context, name string, o options) (Table, error) {
		return measureLoops(ctx, name, o, loop{operation: s.Operation, workers: 1}, s.Config)
	}
}

// loopbackSerial leaves every peer its own default transport.
func loopbackSerial(operation bench.Operation) func(context.Context, string, options) (Table, error) {
	return func(ctx context.Context, name string, o options) (Table, error) {
		server, err := startServer(ctx)
		if err != nil {
			return Table{}, err
		}
		defer server.stop()
		config := func() bench.Config { return bench.Config{BaseURL: server.url} }
		return measureLoops(ctx, name, o, loop{operation: operation, workers: 1}, config)
	}
}

// loopbackParallel gives every peer the same pool, which is large enough: it compares the work per request. What the
// default pools are worth is the subject of the concurrency scenario.
func loopbackParallel(ctx context.Context, name string, o options) (Table, error) {
	server, err := startServer(ctx)
	if err != nil {
		return Table{}, err
	}
	defer server.stop()
	workers := 8 * runtime.GOMAXPROCS(0)
	config := func() bench.Config {
		pool := &http.Transport{MaxIdleConnsPerHost: workers}
		return bench.Config{BaseURL: server.url, Transport: pool}
	}
	return measureLoops(ctx, name, o, loop{operation: bench.Get, workers: workers}, config)
}
