// Quickstart opens a connection with an API key, sends a typed GET and a JSON POST, and survives a server that is out
// of order for a moment. Without -url it runs against go-httpbin, a real HTTP server that it starts in-process on a
// loopback address.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"time"

	"github.com/mccutchen/go-httpbin/v2/httpbin"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// Echo is what httpbin answers: what it has received.
type Echo struct {
	Method  string              `json:"method"`
	URL     string              `json:"url"`
	Args    map[string][]string `json:"args"`
	Headers map[string][]string `json:"headers"`
	JSON    *Order              `json:"json"`
}

// Order is what the example posts.
type Order struct {
	Item  string `json:"item"`
	Count int    `json:"count"`
}

func main() {
	base := flag.String("url", "", "base URL of an httpbin service; empty: an embedded one")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *base); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, base string) error {
	if base == "" {
		server := httptest.NewServer(outOfOrder(httpbin.New().Handler()))
		defer server.Close()
		base = server.URL
	}

	conn, err := connection.New(base,
		connection.WithAuth(auth.APIKey(secrets.Static("key-123"), auth.InHeader("X-Api-Key"))),
		connection.WithRetry(connection.Retry{Max: 3, Wait: connection.Constant(50 * time.Millisecond)}),
		connection.WithTimeouts(connection.Timeouts{Total: 30 * time.Second}),
	)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()

	echo, err := request.Do[Echo](ctx, request.Get(conn, "/anything/{id}").Path("id", "a/b").Query("expand", "team"))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "typed GET:  %s expand=%v, API key received: %v\n",
		echo.Method, echo.Args["expand"], len(echo.Headers["X-Api-Key"]) == 1)

	full, err := request.Full[Echo](ctx, request.Post(conn, "/anything").JSON(Order{Item: "tea", Count: 2}))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "JSON POST:  %d %s, received %d %s\n",
		full.Status, full.Header.Get("Content-Type"), full.Value.JSON.Count, full.Value.JSON.Item)

	again, err := request.Full[Echo](ctx, request.Get(conn, "/anything/unsteady"))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "a 503 first: %d after %d attempts\n", again.Status, again.Attempts)

	err = request.Get(conn, "/status/404").Exec(ctx)
	fmt.Fprintf(out, "a 404:      not found: %v\n", errors.Is(err, request.Status(http.StatusNotFound)))
	return nil
}

// outOfOrder answers the first request for /anything/unsteady with 503.
func outOfOrder(next http.Handler) http.Handler {
	var failed atomic.Bool
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/anything/unsteady" && !failed.Swap(true) {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, req)
	})
}
