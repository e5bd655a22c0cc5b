package interop_test

import (
	"testing"
	"time"

	"github.com/restconn/restconn/internal/interop"
	"github.com/restconn/restconn/internal/interop/rotation"
)

// TestRotations lets workers share a token of a server that revokes all tokens when one is used twice.
func TestRotations(t *testing.T) {
	each(t, kinds(), func(t *testing.T, place interop.Place) {
		tests := []struct {
			name  string
			plan  rotation.Plan
			lease time.Duration
			alone bool // in processes of their own
		}{
			{name: "S50 8 handles", plan: rotation.Plan{Workers: 8, Rotations: 100}},
			{name: "S50 8 processes", plan: rotation.Plan{Workers: 8, Rotations: 200}, alone: true},
			{name: "M3 killed", plan: rotation.Plan{Workers: 8, Rotations: 80, Kills: 4}, lease: 2 * time.Second, alone: true},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				plan := tt.plan
				plan.Place = newPlace(t, place.Kind)
				if tt.lease != 0 {
					plan.Place.Lease = tt.lease
				}
				if tt.alone {
					plan.Command = self(t)
				}
				result, err := rotation.Run(within(t, 2*time.Minute), plan)
				if err != nil {
					t.Fatal(err)
				}
				if err := result.Verdict(plan); err != nil {
					t.Errorf("%v\n%+v", err, result)
				}
			})
		}
	})
}
