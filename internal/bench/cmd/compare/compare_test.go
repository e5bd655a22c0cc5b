package main

import (
	"bytes"
	"context"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restconn/restconn/internal/bench"
)

func TestCompareRounds(t *testing.T) {
	t.Parallel()
	fixed := func(values ...float64) func(context.Context) (sample, error) {
		calls := 0
		return func(context.Context) (sample, error) {
			calls++
			return sample{timeOp: values[(calls-1)%len(values)], failed: 1}, nil
		}
	}
	rows, err := compareRounds(t.Context(), 3, []contestant{
		{"floor", fixed(100, 200, 400)},
		{"peer", fixed(50, 400, 200)},
	})
	if err != nil {
		t.Fatal(err)
	}
	floor, peer := rows[0], rows[1]
	if floor.Values[timeOp] != 200 || floor.N != 3 || len(floor.Ratios) != 0 {
		t.Errorf("floor is %+v", floor)
	}
	if peer.Values[timeOp] != 200 || peer.Ratios[timeOp] != 0.5 {
		t.Errorf("peer is %+v, want the median of 0.5, 2 and 0.5 as its ratio", peer)
	}
	if _, ok := peer.Ratios[failed]; ok {
		t.Error("a count of failures has no ratio")
	}
}

func TestCompareRoundsFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	_, err := compareRounds(t.Context(), 1, []contestant{
		{"floor", func(context.Context) (sample, error) { return sample{}, nil }},
		{"peer", func(context.Context) (sample, error) { return nil, broken }},
	})
	if !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	if got := median([]float64{9, 1, 5}); got != 5 {
		t.Errorf("median of three is %v", got)
	}
	if got := median([]float64{4, 1, 2, 9}); got != 3 {
		t.Errorf("median of four is %v", got)
	}
}

func TestGoals(t *testing.T) {
	t.Parallel()
	for _, g := range goals {
		c, ok := columns[g.column]
		if !ok || (g.ratio && !c.ratio) {
			t.Errorf("no such figure: %+v", g)
		}
	}
	tables := []Table{
		{Scenario: bench.GetFake, Rows: []Row{{
			Peer: restconn, Values: sample{allocsOp: 70.3, bytesOp: 5001}, Ratios: sample{timeOp: 0.88},
		}}},
		{Scenario: bench.Load, Rows: []Row{{Peer: restconn, Ratios: sample{requestsPerSecond: 1.9}}}},
	}
	var out bytes.Buffer
	printGoals(&out, checkGoals(tables), false)
	got := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"get_json_fake restconn allocs/op <= 70 70 yes",
		"get_json_fake restconn B/op <= 5000 5001 no",
		"get_json_fake restconn time/op <= 0.90 x 0.88 x yes",
		"concurrency restconn req/s >= 2.00 x 1.90 x no",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(got, bench.PostFake) {
		t.Error("a goal of a scenario that was not measured is listed")
	}
}

func TestPrintTable(t *testing.T) {
	t.Parallel()
	table := Table{
		Scenario: "s",
		Columns:  []string{timeOp, failed},
		Rows: []Row{
			{Peer: bench.Floor, N: 4, Values: sample{timeOp: 1500}},
			{Peer: "other", N: 2, Values: sample{timeOp: 3e6, failed: 1}, Ratios: sample{timeOp: 2000}},
		},
	}
	var out bytes.Buffer
	printTable(&out, table, true)
	const want = `
## s

| peer | time/op | x | failed | n |
|---|---|---|---|---|
| nethttp | 1.50 µs |  | 0 | 4 |
| other | 3.00 ms | 2000.00 | 1 | 2 |
`
	if out.String() != want {
		t.Errorf("printed %s, want %s", out.String(), want)
	}
}

func TestGoalAbove(t *testing.T) {
	t.Parallel()
	table := Table{Scenario: bench.Upload, Rows: []Row{
		{Peer: bench.Floor, Values: sample{heapGrowth: 3 << 20}},
		{Peer: restconn, Values: sample{heapGrowth: 4<<20 + 1<<19}},
	}}
	verdicts := checkGoals([]Table{table})
	if len(verdicts) != 1 || verdicts[0].measured != 3<<19 || verdicts[0].met() {
		t.Errorf("verdicts are %+v, want one that is not met: 1.5 MiB above the floor", verdicts)
	}
}

func TestWatch(t *testing.T) { //nolint:paralleltest // it measures the process
	const size = 64 << 20
	var kept []byte
	result, err := watch(func() error {
		kept = bytes.Repeat([]byte("x"), size)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range []string{bytesOp, heapGrowth, heapPeak} {
		if result[column] < size {
			t.Errorf("%s is %v after %d bytes were allocated", column, result[column], len(kept))
		}
	}
	if runtime.GOOS == "linux" && result[rssPeak] < size {
		t.Errorf("%s is %v", rssPeak, result[rssPeak])
	}
}

func TestHandler(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(new(service).handler())
	defer server.Close()
	for _, spec := range bench.Specs() {
		peer, err := spec.New(bench.Config{BaseURL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		operations := []bench.Operation{bench.Get, bench.Post}
		if spec.Bodies {
			operations = append(operations, bench.List)
		}
		for _, operation := range operations {
			if _, err := operation(t.Context(), peer); err != nil {
				t.Errorf("%s: %v", spec.Name, err)
			}
		}
		peer.Close()
	}
}

// TestWorkers proves that each operation is made once, however it is shared.
func TestWorkers(t *testing.T) {
	t.Parallel()
	for _, count := range []int{1, 2, 3} {
		var calls atomic.Int64
		crew := make(workers, count)
		for i := range crew {
			crew[i] = func() error { calls.Add(1); return nil }
		}
		if _, err := crew.run(7); err != nil || calls.Load() != 7 {
			t.Errorf("%d workers made %d operations, error is %v", count, calls.Load(), err)
		}
	}
	broken := errors.New("broken")
	good := func() error { return nil }
	if _, err := (workers{good, func() error { return broken }}).run(7); !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
}

// TestTokenScenarios proves that each storm is measured, and that every peer can be prepared for the hot path.
func TestTokenScenarios(t *testing.T) {
	t.Parallel()
	var names []string
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	want := []string{bench.TokenHot, bench.TokenHotParallel}
	for _, s := range bench.Storms() {
		if s.Name != bench.StormValid {
			want = append(want, s.Name)
		}
	}
	if got := names[len(names)-len(want):]; !slices.Equal(got, want) {
		t.Errorf("scenarios with tokens are %q, want %q", got, want)
	}
	o := options{peers: regexp.MustCompile("^restconn$")}
	specs := tokenEntrants(bench.TokenHot, o)
	if len(specs) != 2 || specs[0].Name != bench.Floor || specs[1].Name != restconn {
		t.Fatalf("entrants are %+v", specs)
	}
	peers, closeAll := openTokens(specs)
	defer closeAll()
	for _, peer := range peers {
		crew, err := tokenWorkers(t.Context(), peer, 2)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := crew.run(4); err != nil {
			t.Error(err)
		}
	}
}

func TestLatencyAt(t *testing.T) {
	t.Parallel()
	var out bench.Outcome
	for i := range 1000 {
		out.Latencies = append(out.Latencies, time.Duration(i))
	}
	for percent, want := range map[int]float64{50: 500, 99: 990, 100: 999} {
		if got := latencyAt(out, percent); got != want {
			t.Errorf("at %d %% it is %v, want %v", percent, got, want)
		}
	}
}

// TestGzipBomb proves that the bomb is an item, and that restconn refuses it because of its size.
func TestGzipBomb(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(new(service).handler())
	defer server.Close()
	for name, test := range map[string]struct {
		mebibytes string
		want      bool
	}{
		bench.Floor: {"40", false},
		restconn:    {"40", true},
	} {
		spec, _ := bench.Find(name)
		peer, err := spec.New(bench.Config{BaseURL: server.URL + bomb + test.mebibytes})
		if err != nil {
			t.Fatal(err)
		}
		got, err := bench.Refuses(t.Context(), peer)
		if err != nil || got != test.want {
			t.Errorf("%s: refused is %v, error is %v", name, got, err)
		}
		peer.Close()
	}
}

// TestFlaky proves that each first upload is answered with 503, and that the length of the last one is known.
func TestFlaky(t *testing.T) {
	t.Parallel()
	var s service
	server := httptest.NewServer(s.handler())
	defer server.Close()
	spec, _ := bench.Find(bench.Floor)
	opened, err := spec.New(bench.Config{BaseURL: server.URL + flaky})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	peer, err := bench.BodyOf(opened)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "report.bin")
	if err := fill(file, 1<<21); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := peer.Upload(t.Context(), file); err == nil || !strings.Contains(err.Error(), "503") {
			t.Errorf("error of the first upload is %v", err)
		}
		if err := peer.Upload(t.Context(), file); err != nil {
			t.Error(err)
		}
	}
	if got := s.declared.Load(); got <= 1<<21 || got > 1<<21+1<<10 {
		t.Errorf("Content-Length is %d", got)
	}
}
