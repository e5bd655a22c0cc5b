// Upload sends a form with a file from disk, twice: the server is out of order at first, and the same bytes go out
// again. It shows the progress, and what the server has received. The server is go-httpbin, a real HTTP server that it
// starts in-process on a loopback address.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/mccutchen/go-httpbin/v2/httpbin"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// Received is what httpbin says of a form.
type Received struct {
	Form  map[string][]string `json:"form"`
	Files map[string][]string `json:"files"`
}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	server := httptest.NewServer(outOfOrder(httpbin.New().Handler()))
	defer server.Close()

	dir, err := os.MkdirTemp("", "upload")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	report := filepath.Join(dir, "report.csv")
	if err := os.WriteFile(report, []byte(strings.Repeat("2026-11-21,tea,2\n", 4000)), 0o600); err != nil {
		return err
	}

	conn, err := connection.New(server.URL,
		connection.WithAuth(auth.Bearer(auth.Static(secrets.Static("token-123")))))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()

	form := request.Multipart().
		Field("note", "daily").
		Part("meta", request.JSON(map[string]int{"rows": 4000})).
		File("report", report).
		FileFrom("logo", request.Bytes("image/png", []byte("\x89PNG"))).FileName("logo", "logo.png")

	var sent []request.Progress // the last report of each attempt
	full, err := request.Full[Received](ctx, request.Post(conn, "/post").
		Body(form).
		Retry(connection.Retry{Max: 2}). // on the request itself: the caller says that this POST may be sent again
		UploadProgress(func(p request.Progress) { sent = append(sent[:p.Attempt-1], p) }))
	if err != nil {
		return err
	}
	for _, p := range sent {
		fmt.Fprintf(out, "attempt %d: %d of %d bytes\n", p.Attempt, p.Done, p.Total)
	}
	got := full.Value
	fmt.Fprintf(out, "received after %d attempts: note=%v meta=%v\n", full.Attempts, got.Form["note"], got.Form["meta"])
	fmt.Fprintf(out, "received files: report of %d bytes, logo of %d bytes\n",
		len(got.Files["report"][0]), len(got.Files["logo"][0]))
	return nil
}

// outOfOrder reads the first request to its end and answers 503.
func outOfOrder(next http.Handler) http.Handler {
	var failed atomic.Bool
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !failed.Swap(true) {
			_, _ = io.Copy(io.Discard, req.Body)
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, req)
	})
}
