package connection_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// What was resolved for one is not for another: the token of the other would go to the host of the first.
func TestBaseOfAnother(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	a, b := n.Serve(hostA, connectiontest.Status(200)), n.Serve(hostB, connectiontest.Status(200))
	tokens := auth.Manage(&tenants{hosts: map[string]string{"ann": hostA, "bob": hostB}}, auth.PerSubject())
	conn := connect(t, "https://{instance_url}", n.Option(), connection.WithBaseParams(tokens.Extras),
		connection.WithBaseHosts("*.api.example.test"), connection.WithAuth(auth.Bearer(tokens)))
	anns, err := conn.Resolve(subject(t, "ann"))
	if err != nil {
		t.Fatal(err)
	}
	derived, err := anns.With(connection.WithUserAgent("derived"))
	if err != nil {
		t.Fatal(err)
	}
	defer derived.Close() //nolint:errcheck // it shares all that it has
	refused := func(err error) {
		t.Helper()
		if _, ok := errors.AsType[*connection.BaseError](err); !ok {
			t.Errorf("error is %v, want a BaseError", err)
		}
	}
	for _, c := range []*connection.Connection{anns, derived} {
		if err := fetch(subject(t, "ann"), c, "/x"); err != nil {
			t.Error(err)
		}
		refused(fetch(subject(t, "bob"), c, "/x"))
		_, err := bytesOf(subject(t, "bob"), request.Get(c, "/x"))
		refused(err)
		_, err = c.Resolve(subject(t, "bob"))
		refused(err)
		if err := fetch(t.Context(), c, "/x"); !errors.Is(err, auth.ErrNoSubject) {
			t.Errorf("error is %v, want ErrNoSubject", err)
		}
	}
	if len(a.Requests()) != 2 || b.Conns() != 0 {
		t.Errorf("there are %d requests for ann, and %d connections for bob", len(a.Requests()), b.Conns())
	}
}

// A function of WithBaseParams that asks the connection whose values it is to tell would go on for ever.
func TestBaseParamsAskThemselves(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	a := n.Serve(hostA, connectiontest.Status(200))
	var conn, other *connection.Connection
	params := func(ctx context.Context) (map[string]string, error) {
		return map[string]string{"host": "a"}, fetch(ctx, conn, "/whoami")
	}
	conn = connect(t, "https://{host}.api.example.test", n.Option(), connection.WithBaseParams(params))
	if err := fetch(t.Context(), conn, "/x"); err == nil || !strings.Contains(err.Error(), "WithBaseParams") {
		t.Errorf("error is %v, want one that says what to do", err)
	}
	if a.Conns() != 0 {
		t.Error("something was sent")
	}
	other = connect(t, "https://{host}.api.example.test", n.Option(), fixed("host", "a"))
	fine := connect(t, "https://{host}.api.example.test", n.Option(),
		connection.WithBaseParams(func(ctx context.Context) (map[string]string, error) {
			return map[string]string{"host": "a"}, fetch(ctx, other, "/whoami")
		}))
	if err := fetch(t.Context(), fine, "/x"); err != nil || len(a.Requests()) != 2 {
		t.Errorf("error is %v, and there are %d requests", err, len(a.Requests()))
	}
}

func TestBaseParamsPanic(t *testing.T) {
	t.Parallel()
	conn := connect(t, "https://{host}.api.example.test", connectiontest.NewNetwork(t).Option(),
		connection.WithBaseParams(func(context.Context) (map[string]string, error) { panic("of the caller") }))
	closed := atomic.Int32{}
	body := func() io.ReadCloser { return &countedBody{Reader: strings.NewReader("x"), closed: &closed} }
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "/x", body())
	_, err := conn.Do(req)
	if _, ok := errors.AsType[*connection.BaseError](err); !ok {
		t.Errorf("error is %v, want a BaseError", err)
	}
	err = request.Post(conn, "/x").Body(request.Once("text/plain", body())).Exec(t.Context())
	if _, ok := errors.AsType[*connection.BaseError](err); !ok || closed.Load() != 2 {
		t.Errorf("error is %v, and %d bodies were closed", err, closed.Load())
	}
}

// Folding case turns some letters outside ASCII into ones within, and a zone is not escaped in a Host.
func TestBaseHostAsWritten(t *testing.T) {
	t.Parallel()
	none := connection.WithProxy(connection.Proxy{Mode: connection.ProxyNone})
	for _, base := range []string{"https://\u212a.api.example.test/{host}", "https://{host}.\u212a.example.test"} {
		if conn, err := connection.New(base, none, fixed("host", "a")); err == nil {
			t.Errorf("%q was taken for %v", base, conn)
		}
	}
	if conn, err := connection.New("https://{host}", none, fixed("host", "a"),
		connection.WithBaseHosts("\u212a.api.example.test")); err == nil {
		t.Errorf("the pattern was taken for %v", conn.Describe().BaseHosts)
	}
	conn := connect(t, "https://{host}.api.example.test", none, fixed("host", "\u212a"))
	if resolved, err := conn.Resolve(t.Context()); err == nil {
		t.Errorf("the value was taken for %v", resolved)
	}
	conn = connect(t, "https://[FE80::1%25eth0]/{host}", none, fixed("host", "a"))
	resolved, err := conn.Resolve(t.Context())
	if err != nil || resolved.BaseURL().Host != "[fe80::1%eth0]" {
		t.Errorf("it is %v, and the error is %v", resolved, err)
	}
}
