package auth

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// TestManagerForgetsNobodies has a flood of subjects that never get a token, as those that anybody may make up.
func TestManagerForgetsNobodies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := Manage(GrantFunc(func(context.Context, *Token) (*Token, error) { return nil, errors.New("no") }), PerSubject())
		for i := range 5 * maxSubjects {
			_, _ = m.Token(WithSubject(t.Context(), strconv.Itoa(i)), Want{})
			time.Sleep(time.Second / 10)
		}
		if n := len(m.others); n > 2*maxSubjects {
			t.Errorf("%d subjects are kept", n)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
}
