package request_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

const report = "id,name\n1,Ann\n2,Bob\n"

// openReports opens a connection to a server that has one file, the first transfer of which breaks off, and makes a
// directory. The function that it returns closes and removes them.
func openReports() (conn *connection.Connection, dir string, stop func()) {
	first := true
	conn, hangUp := serveExample(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Disposition", `attachment; filename="../reports/users.csv"`)
		w.Header().Set("ETag", `"1"`)
		if first {
			first = false
			w.Header().Set("Content-Length", "20")
			_, _ = w.Write([]byte(report[:8]))
			return
		}
		http.ServeContent(w, req, "", time.Time{}, strings.NewReader(report))
	}))
	dir, err := os.MkdirTemp("", "reports")
	if err != nil {
		panic(err)
	}
	return conn, dir, func() {
		hangUp()
		_ = os.RemoveAll(dir)
	}
}

func ExampleDownload() {
	conn, dir, stop := openReports()
	defer stop()
	path := filepath.Join(dir, "users.csv")
	n, err := request.Download(context.Background(), request.Get(conn, "/report"), path,
		request.Checksum(sha256.New, "265065e968dec3d991e9d94af8021ea828dc1f0c33db23e2cd2c81034ee47488"),
		request.DownloadProgress(func(p request.Progress) {
			fmt.Printf("request %d: %d of %d bytes\n", p.Attempt, p.Done, p.Total)
		}))
	fmt.Println(n, err)
	data, _ := os.ReadFile(path)
	fmt.Print(string(data))
	// Output:
	// request 1: 0 of 20 bytes
	// request 1: 8 of 20 bytes
	// request 2: 8 of 20 bytes
	// request 2: 20 of 20 bytes
	// 20 <nil>
	// id,name
	// 1,Ann
	// 2,Bob
}

func ExampleDownloadInto() {
	conn, dir, stop := openReports()
	defer stop()
	file, err := request.DownloadInto(context.Background(), request.Get(conn, "/report"), dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(file.Name, file.Size, file.Requests)
	_, err = request.DownloadInto(context.Background(), request.Get(conn, "/report"), dir)
	fmt.Println(errors.Is(err, fs.ErrExist))
	// Output:
	// users.csv 20 2
	// true
}
