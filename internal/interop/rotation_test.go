package interop_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/restconn/restconn/internal/interop"
	"github.com/restconn/restconn/internal/interop/rotation"
	"github.com/restconn/restconn/internal/interop/servers"
)

// killLease is the lease where processes are killed whose leases do not end with them.
const killLease = 2 * time.Second

// TestRotations lets workers share a token of a server that revokes all tokens when one is used twice.
func TestRotations(t *testing.T) {
	each(t, kinds(), func(t *testing.T, place interop.Place) {
		tests := []struct {
			name  string
			plan  rotation.Plan
			lease time.Duration
			alone bool // in processes of their own
		}{
			{name: "S50 8 handles", plan: rotation.Plan{Workers: 8, Rotations: 50}},
			{name: "T10 S50 8 processes", plan: rotation.Plan{Workers: 8, Rotations: 80}, alone: true},
			{
				name: "M3 E15 T11 killed", plan: rotation.Plan{Workers: 8, Rotations: 50, Kills: 4},
				lease: killLease, alone: true,
			},
			{
				name: "T11 killed, and the server forgives", lease: killLease, alone: true,
				plan: rotation.Plan{Workers: 8, Rotations: 50, Kills: 4, Grace: time.Minute},
			},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				plan := tt.plan
				plan.Place = newPlace(t, place.Kind)
				if tt.lease != 0 && place.Kind != "file" {
					plan.Place.Lease = tt.lease
				}
				if tt.alone {
					plan.Command = self(t)
				}
				rotate(t, plan)
			})
		}
	})
}

// rotate carries out a plan.
func rotate(t *testing.T, plan rotation.Plan) {
	t.Helper()
	result, err := rotation.Run(within(t, 3*time.Minute), plan)
	if err != nil {
		t.Fatal(err)
	}
	result.Windows = slices.Clip(result.Windows[:min(5, len(result.Windows))]) // the text gets too long
	if err := result.Verdict(plan); err != nil {
		t.Errorf("%v\n%+v", err, result)
	}
}

// TestCrashes kills Redis while workers share a token, and starts it again with what it had written.
func TestCrashes(t *testing.T) {
	if os.Getenv(startEnv) == "" {
		t.Skip(interop.ErrNoServer)
	}
	for _, kind := range []string{"redis", "rediscluster"} {
		t.Run("M6 "+kind, func(t *testing.T) {
			server, err := servers.Start(t.Context(), kind, servers.Needs{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := server.Stop(); err != nil {
					t.Error(err)
				}
			})
			const down = 300 * time.Millisecond
			rotate(t, rotation.Plan{
				Place:   interop.Place{Kind: kind, Address: server.URL, Space: "crashes", Lease: 45 * time.Second},
				Workers: 8, Rotations: 100, Command: self(t), Crashes: 3,
				Crash: func(ctx context.Context) error { return server.Crash(ctx, down) },
			})
		})
	}
}

// TestKillsNeedProcesses is about a plan that cannot be carried out.
func TestKillsNeedProcesses(t *testing.T) {
	_, err := rotation.Run(t.Context(), rotation.Plan{Workers: 1, Rotations: 1, Kills: 1})
	if err == nil || errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
