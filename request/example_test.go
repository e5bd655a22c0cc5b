package request_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

type User struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type Fault struct {
	Code string `json:"code"`
}

// openExample opens a connection to a server that knows one user. The function that it returns closes both.
func openExample() (*connection.Connection, func()) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if req.PathValue("id") != "ann" {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"code":"no_user"}`)
			return
		}
		_, _ = io.WriteString(w, `{"id":"ann","name":"Ann"}`)
	})
	mux.HandleFunc("POST /users", func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Location", "/users/bob")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.Copy(w, req.Body)
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"code":"down"}`)
	})
	mux.HandleFunc("GET /lines", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "one\ntwo\n")
	})
	return serveExample(mux)
}

// serveExample opens a connection to a server of its own. The function that it returns closes both.
func serveExample(h http.Handler) (*connection.Connection, func()) {
	server := httptest.NewServer(h)
	conn, err := connection.New(server.URL)
	if err != nil {
		panic(err)
	}
	return conn, func() {
		_ = conn.Close()
		server.Close()
	}
}

func ExampleDo() {
	conn, stop := openExample()
	defer stop()
	user, err := request.Do[User](context.Background(), request.Get(conn, "/users/{id}").Path("id", "ann"))
	fmt.Println(user.Name, err)
	// Output: Ann <nil>
}

func ExampleFull() {
	conn, stop := openExample()
	defer stop()
	res, err := request.Full[User](context.Background(), request.Post(conn, "/users").JSON(User{ID: "bob", Name: "Bob"}))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Status, res.Header.Get("Location"), res.Value.Name, res.Attempts)
	// Output: 201 /users/bob Bob 1
}

func ExampleErrorBody() {
	conn, stop := openExample()
	defer stop()
	_, err := request.Do[User](context.Background(), request.Get(conn, "/users/{id}").Path("id", "eve"))
	if fault, ok := request.ErrorBody[Fault](err); ok {
		fmt.Println(fault.Code)
	}
	fmt.Println(errors.Is(err, request.Status(http.StatusNotFound)), errors.Is(err, request.StageStatus))
	// Output:
	// no_user
	// true true
}

// A service that answers 200 with an error.
func ExampleBuilder_Check() {
	conn, stop := openExample()
	defer stop()
	down := errors.New("the service is down")
	err := request.Get(conn, "/status").Check(func(_ *http.Response, body []byte) error {
		if string(body) == `{"code":"down"}` {
			return down
		}
		return nil
	}).Exec(context.Background())
	fmt.Println(errors.Is(err, down))
	// Output: true
}

func ExampleBuilder_Stream() {
	conn, stop := openExample()
	defer stop()
	resp, err := request.Get(conn, "/lines").Stream(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		fmt.Println(lines.Text())
	}
	// Output:
	// one
	// two
}

// A Builder is a value: what is common to several requests is described once.
func ExampleBuilder() {
	conn, stop := openExample()
	defer stop()
	user := request.Get(conn, "/users/{id}").Header("Accept-Language", "da")
	for _, id := range []string{"ann", "../admin", ""} {
		_, err := request.Do[User](context.Background(), user.Path("id", id))
		fmt.Println(errors.Is(err, request.StageBuild), errors.Is(err, request.Status(http.StatusNotFound)), err == nil)
	}
	// Output:
	// false false true
	// false true false
	// true false false
}
