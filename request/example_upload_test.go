package request_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

// openUploads opens a connection to a server that says what it was sent, and makes a file. The function that it returns
// cleans up.
func openUploads() (conn *connection.Connection, path string, stop func()) {
	conn, hangUp := serveExample(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		form, err := req.MultipartReader()
		if err != nil {
			data, _ := io.ReadAll(req.Body)
			_, _ = fmt.Fprintf(w, "%s: %s\n", req.Header.Get("Content-Type"), data)
			return
		}
		for part, err := form.NextPart(); err == nil; part, err = form.NextPart() {
			data, _ := io.ReadAll(part)
			_, _ = fmt.Fprintf(w, "%s %q: %s\n", part.FormName(), part.FileName(), data)
		}
	}))
	dir, err := os.MkdirTemp("", "restconn")
	if err != nil {
		panic(err)
	}
	path = filepath.Join(dir, "report.csv")
	if err := os.WriteFile(path, []byte("a;b"), 0o600); err != nil {
		panic(err)
	}
	return conn, path, func() {
		hangUp()
		_ = os.RemoveAll(dir)
	}
}

// A form with a file is streamed from disk, and can be sent again by a retry.
func ExampleMultipart() {
	conn, path, stop := openUploads()
	defer stop()
	form := request.Multipart().
		Field("note", "daily").
		Part("options", request.JSON(map[string]bool{"notify": true})).
		File("report", path)
	answer, err := request.Do[string](context.Background(), request.Post(conn, "/reports").Body(form))
	fmt.Print(answer)
	fmt.Println(err)
	// Output:
	// note "": daily
	// options "": {"notify":true}
	// report "report.csv": a;b
	// <nil>
}

// Files can come from anywhere, and be called anything.
func ExampleMultipartBody_FileName() {
	conn, path, stop := openUploads()
	defer stop()
	form := request.Multipart().
		File("doc", path).FileName("doc", "today.csv").
		FileFrom("doc", request.Text("hello")).FileName("doc", "hello.txt")
	answer, err := request.Do[string](context.Background(), request.Put(conn, "/docs").Body(form))
	fmt.Print(answer)
	fmt.Println(err)
	// Output:
	// doc "today.csv": a;b
	// doc "hello.txt": hello
	// <nil>
}

func ExampleFile() {
	conn, path, stop := openUploads()
	defer stop()
	put := request.Put(conn, "/reports/1").Body(request.File("text/csv", path))
	answer, err := request.Do[string](context.Background(), put)
	fmt.Print(answer)
	fmt.Println(err)
	// Output:
	// text/csv: a;b
	// <nil>
}

func ExampleBuilder_UploadProgress() {
	conn, path, stop := openUploads()
	defer stop()
	put := request.Put(conn, "/reports/1").Body(request.File("text/csv", path))
	err := put.UploadProgress(func(p request.Progress) {
		fmt.Printf("%d of %d bytes, attempt %d\n", p.Done, p.Total, p.Attempt)
	}).Exec(context.Background())
	fmt.Println(err)
	// Output:
	// 0 of 3 bytes, attempt 1
	// 3 of 3 bytes, attempt 1
	// <nil>
}
