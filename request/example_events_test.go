package request_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

// openStreams opens a connection to a server that has two changes to tell, one per request, and a report in lines. The
// function that it returns closes both.
func openStreams() (*connection.Connection, func()) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /changes", func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		switch req.Header.Get("Last-Event-ID") {
		case "":
			_, _ = io.WriteString(w, "id: 1\nevent: added\ndata: ann\n\n")
		case "1":
			_, _ = io.WriteString(w, "id: 2\nevent: removed\ndata: bob\n\n")
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	mux.HandleFunc("POST /answers", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: It\n\ndata:  depends.\n\n")
	})
	mux.HandleFunc("GET /report", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		_, _ = io.WriteString(w, "{\"id\":\"ann\",\"name\":\"Ann\"}\n{\"id\":\"bob\",\"name\":\"Bob\"}\n{\"id\":")
	})
	return serveExample(mux)
}

// A stream that ends is resumed where it was, until the server says that there is nothing more.
func ExampleEvents() {
	conn, stop := openStreams()
	defer stop()
	changes := request.Events(context.Background(), request.Get(conn, "/changes"),
		request.ReconnectWait(time.Millisecond, time.Second))
	for e, err := range changes {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(e.ID, e.Type, e.Data)
	}
	// Output:
	// 1 added ann
	// 2 removed bob
}

// A POST is sent once: the end of its stream is the end of the answer.
func ExampleEvents_post() {
	conn, stop := openStreams()
	defer stop()
	question := map[string]any{"question": "tabs or spaces?", "stream": true}
	for e, err := range request.Events(context.Background(), request.Post(conn, "/answers").JSON(question)) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Print(e.Data)
	}
	// Output: It depends.
}

// Every line that is whole is yielded, and what is wrong with the next one is an error.
func ExampleJSONLines() {
	conn, stop := openStreams()
	defer stop()
	for user, err := range request.JSONLines[User](context.Background(), request.Get(conn, "/report")) {
		if err != nil {
			fmt.Println("incomplete:", errors.Is(err, request.StageDecode))
			return
		}
		fmt.Println(user.ID, user.Name)
	}
	// Output:
	// ann Ann
	// bob Bob
	// incomplete: true
}
