package auth_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// counter is a grant that numbers its tokens.
type counter struct {
	lifetime time.Duration
	latency  time.Duration
	calls    atomic.Int64
}

func (c *counter) Obtain(ctx context.Context, _ *auth.Token) (*auth.Token, error) {
	n := c.calls.Add(1)
	select {
	case <-time.After(c.latency):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return &auth.Token{Value: secrets.Static(fmt.Sprintf("t%d", n)), Expiry: time.Now().Add(c.lifetime)}, nil
}

func (*counter) Traits() auth.Traits { return auth.Traits{Retryable: true} }

func TestManagerT1(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &counter{lifetime: time.Hour, latency: 100 * time.Millisecond}
		m := auth.Manage(g)
		defer func() { _ = m.Close() }()
		for range 3 {
			done := make(chan error, 1000)
			for range 1000 {
				go func() {
					_, err := m.Token(t.Context(), auth.Want{})
					done <- err
				}()
			}
			for range 1000 {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(2 * time.Hour)
		}
		if n := g.calls.Load(); n != 3 {
			t.Errorf("%d calls", n)
		}
	})
}

func BenchmarkManagedBearer(b *testing.B) {
	m := auth.Manage(&counter{lifetime: time.Hour})
	a := auth.Bearer(m)
	req, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, "https://api.test/v1/x", nil)
	_ = a.Authenticate(req)
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			clear(req.Header)
			_ = a.Authenticate(req)
		}
	})
	b.Run("token", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = m.Token(b.Context(), auth.Want{})
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			req := req.Clone(b.Context())
			for p.Next() {
				clear(req.Header)
				_ = a.Authenticate(req)
			}
		})
	})
}
