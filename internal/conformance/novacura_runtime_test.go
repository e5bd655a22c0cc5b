package conformance_test

import (
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// noting notes what is dialed, and dials it in the network of s.
func noting(s *connectiontest.Server, addrs *[]string) connection.DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		*addrs = append(*addrs, addr)
		return s.Network().Dial(ctx, network, addr)
	}
}

func TestNovacuraAgentGroup(t *testing.T) {
	t.Parallel()
	ping := func(r *Row, s *connectiontest.Server, options ...connection.Option) {
		r.Helper()
		conn, err := connection.New(plainAPI+"/v1", options...)
		r.NoError(err)
		r.NoError(request.Get(conn, "/ping").Exec(r.ctx()))
		r.NoError(conn.Close())
		req := r.Sent(s, 1)[0]
		r.Equal("the request line and the Host", firstLines(req.Raw), "GET /v1/ping HTTP/1.1\nHost: api.example.test")
	}
	build := func(r *Row) *connectiontest.Server {
		r.Helper()
		return connectiontest.NewNetwork(r).Serve(plainAPI, connectiontest.Status(http.StatusOK))
	}
	row(t, "N-07 the runtime onprem dials its own way, and the request is the same", func(r *Row) {
		s := build(r)
		var addrs []string
		ping(r, s, connection.WithRuntime("onprem", connection.Runtimes{
			"onprem": {DialContext: noting(s, &addrs), NoProxy: true}, "cloud": {},
		}))
		r.Equal("dialed", addrs, []string{"api.example.test:80"})
	})
	row(t, "N-07 a runtime can be a transport", func(r *Row) {
		s := build(r)
		ping(r, s, connection.WithRuntime("onprem", connection.Runtimes{"onprem": {Transport: s.Network().Transport()}}))
	})
	row(t, "N-07 and so can the transport and the dialer of one connection", func(r *Row) {
		s := build(r)
		ping(r, s, connection.WithTransport(s.Network().Transport()))
		s = build(r)
		var addrs []string
		ping(r, s, s.Network().Option(), connection.WithDialContext(noting(s, &addrs)))
		r.Equal("dialed", addrs, []string{"api.example.test:80"})
	})
	row(t, "N-07 a group that is not known is an error", func(r *Row) {
		err := r.rejection("WithRuntime", home, connection.WithRuntime("group-b", connection.Runtimes{"group-a": {}}))
		r.Is(err, connection.ErrUnknownRuntime)
		r.Is(r.rejection("WithRuntime", home, connection.WithRuntime("group-a", nil)), connection.ErrUnknownRuntime)
	})
}
