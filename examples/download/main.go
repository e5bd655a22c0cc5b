// Download saves a file although the connection breaks in the middle: the rest is asked for, the whole is compared with
// its checksum, and only then the file is there. A 404 leaves no file. The server is go-httpbin, a real HTTP server
// that it starts in-process on a loopback address.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// size is that of the file.
const size = 260_000

func run(ctx context.Context, out io.Writer) error {
	server := httptest.NewServer(unsteady(httpbin.New().Handler()))
	defer server.Close()
	dir, err := os.MkdirTemp("", "download")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	conn, err := connection.New(server.URL,
		connection.WithAuth(auth.Basic("svc", secrets.Static("password"))))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()

	alphabet := strings.Repeat("abcdefghijklmnopqrstuvwxyz", size/26)
	sum := sha256.Sum256([]byte(alphabet))
	path := filepath.Join(dir, "export.txt")
	requests := 0
	n, err := request.Download(ctx, request.Get(conn, fmt.Sprintf("/range/%d", size)), path,
		request.Checksum(sha256.New, hex.EncodeToString(sum[:])),
		request.DownloadProgress(func(p request.Progress) { requests = p.Attempt }))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d bytes in %d requests, and the checksum is right\n", n, requests)

	missing := filepath.Join(dir, "missing.txt")
	_, err = request.Download(ctx, request.Get(conn, "/status/404"), missing)
	_, statErr := os.Stat(missing)
	fmt.Fprintf(out, "not found: %v, no file: %v\n",
		errors.Is(err, request.Status(http.StatusNotFound)), errors.Is(statErr, fs.ErrNotExist))

	named := request.Get(conn, "/response-headers").
		Query("Content-Disposition", `attachment; filename="../../orders.json"`)
	saved, err := request.DownloadInto(ctx, named, dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "a file that wants to be ../../orders.json is %s in the directory\n", saved.Name)
	return nil
}

// tag is the ETag of the file. HTTP asks for the quotes, which httpbin leaves out.
var tag = fmt.Sprintf(`"range%d"`, size)

// unsteady breaks the connection once, in the middle of the file, and mends the ETag.
func unsteady(next http.Handler) http.Handler {
	var broken atomic.Bool
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasPrefix(req.URL.Path, "/range/") {
			if req.Header.Get("If-Range") == tag {
				req.Header.Del("If-Range") // it is still the same file
			}
			w = &unsteadyWriter{ResponseWriter: w, breaks: !broken.Swap(true)}
		}
		next.ServeHTTP(w, req)
	})
}

type unsteadyWriter struct {
	http.ResponseWriter

	breaks bool
	sent   int
}

func (w *unsteadyWriter) WriteHeader(status int) {
	w.Header().Set("ETag", tag)
	w.ResponseWriter.WriteHeader(status)
}

func (w *unsteadyWriter) Write(p []byte) (int, error) {
	if w.sent += len(p); w.breaks && w.sent > size/2 {
		panic(http.ErrAbortHandler)
	}
	return w.ResponseWriter.Write(p)
}
