package request_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// movable is a connection whose host is told per call.
func movable(t *testing.T, n *connectiontest.Network, host *atomic.Pointer[string]) *connection.Connection {
	t.Helper()
	conn, err := connection.New("https://{host}.api.example.test/v1", n.Option(),
		connection.WithAuth(auth.Bearer(auth.Static(secrets.Static("t0")))),
		connection.WithBaseParams(func(context.Context) (map[string]string, error) {
			return map[string]string{"host": *host.Load()}, nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// inOrder runs a part of a test that needs what was before it.
func inOrder(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, f)
}

func TestBaseOfPages(t *testing.T) {
	t.Parallel()
	a, b := "a", "b"
	var host atomic.Pointer[string]
	host.Store(&a)
	n := connectiontest.NewNetwork(t)
	srv := n.Serve("https://a.api.example.test", connectiontest.Sequence(
		linked(`<https://a.api.example.test/v1/p?2>; rel="next"`, "1"), linked(`</v1/p?3>; rel="next"`, "2"),
		linked(`<https://b.api.example.test/v1/p?4>; rel="next"`, "3")))
	other := n.Serve("https://b.api.example.test", connectiontest.JSON(200, []string{"4"}))
	conn := movable(t, n, &host)

	var items []string
	var failure error
	for page, err := range request.Pages(t.Context(), request.Get(conn, "/p"), request.LinkHeader[[]string]()) {
		if err != nil {
			failure = err
			break
		}
		items = append(items, page.Value...)
		host.Store(&b) // from here on others are elsewhere: the pages of one run are of one host
	}
	wantSame(t, "items", items, []string{"1", "2", "3"})
	foreign, ok := errors.AsType[*connection.OriginError](failure)
	if !ok || foreign.Home != "https://a.api.example.test" {
		t.Errorf("error is %v, want an OriginError", failure)
	}
	wantTargets(t, srv, "GET /v1/p", "GET /v1/p?2", "GET /v1/p?3")
	wantRequests(t, other, 0)

	inOrder(t, "a cursor of the host of another is foreign", func(t *testing.T) {
		pages := request.Pages(t.Context(), request.Get(conn, "/p"), request.LinkHeader[[]string](),
			request.FromCursor("https://a.api.example.test/v1/p?2"))
		for _, err := range pages {
			if _, ok := errors.AsType[*connection.OriginError](err); !ok {
				t.Errorf("error is %v, want an OriginError", err)
			}
		}
		wantRequests(t, srv, 3)
	})
}

func TestBaseOfEventsAndDownloads(t *testing.T) {
	t.Parallel()
	a := "a"
	var host atomic.Pointer[string]
	host.Store(&a)
	n := connectiontest.NewNetwork(t)
	srv := n.Serve("https://a.api.example.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/events") {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: 1\n\n")
			return
		}
		fmt.Fprint(w, "file")
	}))
	conn := movable(t, n, &host)
	for e, err := range request.Events(t.Context(), request.Get(conn, "/events")) {
		if err != nil || e.Data != "1" {
			t.Errorf("event is %v, and the error %v", e, err)
		}
		break
	}
	name := filepath.Join(t.TempDir(), "file")
	if _, err := request.Download(t.Context(), request.Get(conn, "/file"), name); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(name); err != nil || string(got) != "file" {
		t.Errorf("the file is %q, and the error %v", got, err)
	}
	wantTargets(t, srv, "GET /v1/events", "GET /v1/file")
	for _, req := range srv.Requests() {
		if req.Header.Get("Authorization") != "Bearer t0" {
			t.Errorf("%s has no credential", req.Target)
		}
	}
}

func TestBaseErrors(t *testing.T) {
	t.Parallel()
	failure := error(nil)
	conn, err := connection.New("https://{host}.api.example.test/{id}",
		connection.WithProxy(connection.Proxy{Mode: connection.ProxyNone}),
		connection.WithBaseParams(func(context.Context) (map[string]string, error) { return nil, failure }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // there is nothing in it
	for _, c := range []struct {
		name string
		err  error
		want request.Stage
	}{
		{"no value", nil, request.StageBuild},
		{"a failure", errors.New("no"), request.StageBuild},
		{"no credential", &auth.Error{Err: auth.ErrLoginRequired}, request.StageAuth},
		{"the end", context.Canceled, request.StageSend},
	} {
		inOrder(t, c.name, func(t *testing.T) {
			failure = c.err
			body := &closedBody{Reader: strings.NewReader("x")}
			err := request.Post(conn, "/x?token=secret").Body(request.Once("text/plain", body)).Exec(t.Context())
			wantStage[*request.Error](t, err, c.want)
			if _, ok := errors.AsType[*connection.BaseError](err); !ok {
				t.Errorf("error is %v, want a BaseError", err)
			}
			if !strings.HasPrefix(err.Error(), "POST https://{host}.api.example.test/{id}/x: base URL: ") {
				t.Errorf("error is %v", err)
			}
			if !body.closed {
				t.Error("the body is open")
			}
			if _, err := request.Get(conn, "/x").Request(t.Context()); !errors.Is(err, c.want) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// closedBody knows whether it was closed.
type closedBody struct {
	*strings.Reader

	closed bool
}

func (b *closedBody) Close() error {
	b.closed = true
	return nil
}
