package bench

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestTokenPeers proves that all peers put the same token on a request, and get it once.
func TestTokenPeers(t *testing.T) {
	t.Parallel()
	for _, spec := range TokenSpecs() {
		t.Run(spec.Name, func(t *testing.T) {
			t.Parallel()
			var issuer Issuer
			peer := spec.New(issuer.Obtain)
			defer peer.Close()
			for range 2 {
				carrier, err := peer.Prepare(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					carrier.Header.Set("Authorization", "Bearer of the call before")
					if err := carrier.Reauthorize(); err != nil {
						t.Fatal(err)
					}
					if got := carrier.Header["Authorization"]; !slices.Equal(got, []string{"Bearer " + AccessToken}) {
						t.Errorf("Authorization is %q", got)
					}
				}
			}
			want := 1
			if spec.Name == "header-only" {
				want = 0
			}
			if requests, _ := issuer.counts(); requests != want {
				t.Errorf("%d exchanges, want %d", requests, want)
			}
		})
	}
}

// TestTokenPeersFail proves that no peer takes a failed exchange for a token.
func TestTokenPeersFail(t *testing.T) {
	t.Parallel()
	for _, spec := range TokenSpecs() {
		if !spec.Enters(StormFailing) {
			continue
		}
		t.Run(spec.Name, func(t *testing.T) {
			t.Parallel()
			var issuer Issuer
			issuer.reset(0, 0, 0, errDown)
			peer := spec.New(issuer.Obtain)
			defer peer.Close()
			if err := authorize(t.Context(), peer); err == nil {
				t.Error("there is no error")
			}
		})
	}
}

// TestStorms proves what the storms are, with a peer that does all of them well, and in the time of a bubble.
func TestStorms(t *testing.T) {
	t.Parallel()
	want := map[string]Outcome{
		StormValid:    {},
		StormExpired:  {Latencies: []time.Duration{50 * time.Millisecond}, Requests: 1},
		StormExpiring: {Requests: 1},
		StormFailing:  {Latencies: []time.Duration{50 * time.Millisecond}, Requests: 1, Failed: StormCallers},
		StormCancel:   {Latencies: []time.Duration{50 * time.Millisecond}, Requests: 1},
		StormWaiter:   {Latencies: []time.Duration{100 * time.Millisecond}, Requests: 1, Failed: StormCallers},
	}
	for _, storm := range Storms() {
		t.Run(storm.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				got, err := storm.Run(t.Context(), TokenSpec{Name: "restconn", New: newRestConnTokens})
				if err != nil {
					t.Fatal(err)
				}
				want := want[storm.Name]
				if want.Latencies == nil {
					want.Latencies = []time.Duration{0}
				}
				want.Latencies = slices.Repeat(want.Latencies, StormCallers)
				if !slices.Equal(got.Latencies, want.Latencies) {
					t.Errorf("latencies are from %v to %v, want %v", got.Latencies[0], slices.Max(got.Latencies), want.Latencies[0])
				}
				got.Latencies, want.Latencies = nil, nil
				if got.Failed != want.Failed || got.Requests != want.Requests || got.Wasted != 0 || got.LeaderBack != 0 {
					t.Errorf("outcome is %+v, want %+v", got, want)
				}
			})
		})
	}
}

// TestStormCounts proves that a storm sees what is wrong: with a peer of which everybody makes an exchange of his own,
// that ends when he is cancelled.
func TestStormCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		storm, _ := FindStorm(StormCancel)
		got, err := storm.Run(t.Context(), TokenSpec{New: func(o Obtain) TokenPeer { return selfish{o} }})
		if err != nil {
			t.Fatal(err)
		}
		if got.Requests != StormCallers+1 || got.Wasted != 1 {
			t.Errorf("%d exchanges, %d wasted", got.Requests, got.Wasted)
		}
	})
}

// selfish is a peer without memory.
type selfish struct{ obtain Obtain }

func (p selfish) Prepare(ctx context.Context) (Carrier, error) {
	tokens := newNetHTTPTokens(p.obtain)
	return tokens.Prepare(ctx)
}

func (selfish) Close() {}

func BenchmarkTokenHotPath(b *testing.B) {
	for _, spec := range TokenSpecs() {
		b.Run(spec.Name, func(b *testing.B) { benchmarkTokens(b, spec) })
	}
}

func benchmarkTokens(b *testing.B, spec TokenSpec) {
	b.Helper()
	peer := spec.New(new(Issuer).Obtain)
	defer peer.Close()
	carrier, err := peer.Prepare(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := carrier.Reauthorize(); err != nil {
			b.Fatal(err)
		}
	}
}
