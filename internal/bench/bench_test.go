package bench

import (
	"context"
	"testing"
)

func BenchmarkGetJSONFake(b *testing.B)  { benchmark(b, GetFake) }
func BenchmarkPostJSONFake(b *testing.B) { benchmark(b, PostFake) }
func BenchmarkRetry503Fake(b *testing.B) { benchmark(b, RetryFake) }

func benchmark(b *testing.B, name string) {
	b.Helper()
	for _, scenario := range InMemoryScenarios() {
		if scenario.Name != name {
			continue
		}
		for _, spec := range Specs() {
			if spec.Enters(name) {
				b.Run(spec.Name, func(b *testing.B) { benchmarkPeer(b, scenario, spec) })
			}
		}
	}
}

func benchmarkPeer(b *testing.B, scenario InMemory, spec Spec) {
	b.Helper()
	peer, err := spec.New(scenario.Config())
	if err != nil {
		b.Fatal(err)
	}
	defer peer.Close()
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := scenario.Operation(ctx, peer); err != nil {
			b.Fatal(err)
		}
	}
}
