// Events listens to a server's events, over a connection that ends again and again, and then reads a stream of JSON
// lines. The server is go-httpbin, a real HTTP server that it starts in-process on a loopback address.
package main

import (
	"context"
	"encoding/json"
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

// Ping is the data of httpbin's events, and one of its lines.
type Ping struct {
	ID int `json:"id"`
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	var streams atomic.Int64
	server := httptest.NewServer(counted(httpbin.New().Handler(), &streams))
	defer server.Close()
	conn, err := connection.New(server.URL,
		connection.WithAuth(auth.Bearer(auth.Static(secrets.Static("token-123")))))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()

	received := 0
	stream := request.Get(conn, "/sse").Query("count", "3").Query("duration", "100ms")
	for event, err := range request.Events(ctx, stream, request.ReconnectWait(10*time.Millisecond, time.Second)) {
		if err != nil {
			return err
		}
		var ping Ping
		if err := json.Unmarshal([]byte(event.Data), &ping); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s %d\n", event.Type, ping.ID)
		received++
		if received == 5 {
			break // which ends the connection, too
		}
	}
	fmt.Fprintf(out, "%d events over %d connections\n", received, streams.Load())

	lines := request.Get(conn, "/jsonl").Query("count", "3").Query("duration", "30ms")
	for line, err := range request.JSONLines[Ping](ctx, lines) {
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "line", line.ID)
	}
	return nil
}

// counted counts the streams of events.
func counted(next http.Handler, streams *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/sse" {
			streams.Add(1)
		}
		next.ServeHTTP(w, req)
	})
}
