package request_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

// openShop opens a connection to a service that has bodies of several kinds. The function that it returns closes both.
func openShop() (*connection.Connection, func()) {
	answer := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /order.xml", answer(200, "text/xml", `<order id="7"><item>book</item></order>`))
	mux.HandleFunc("GET /order", answer(200, "text/html", `{"id":7,"item":"book"}`))
	mux.HandleFunc("GET /twice", answer(200, "application/json", `{"id":7,"ID":8}`))
	mux.HandleFunc("GET /logo", answer(200, "image/png", "\x89PNG"))
	mux.HandleFunc("GET /gone", answer(404, "application/json", `{"item":"none"}`))
	mux.HandleFunc("GET /broke", answer(403, "application/problem+json",
		`{"type":"https://example.com/probs/out-of-credit","title":"Not enough credit.","balance":30}`))
	return serveExample(mux)
}

type Order struct {
	ID   int    `json:"id"   xml:"id,attr"`
	Item string `json:"item" xml:"item"`
}

func ExampleXMLCodec() {
	conn, stop := openShop()
	defer stop()
	order, err := request.Do[Order](context.Background(), request.Get(conn, "/order.xml").Codec(request.XMLCodec()))
	fmt.Println(order, err)
	// Output: {7 book} <nil>
}

// A service that sends JSON and calls it a page.
func ExampleBuilder_Codec() {
	conn, stop := openShop()
	defer stop()
	b := request.Get(conn, "/order")
	_, err := request.Do[Order](context.Background(), b)
	fmt.Println(errors.Is(err, request.StageDecode))
	order, err := request.Do[Order](context.Background(), b.Codec(connection.Codec{AnyContentType: true}))
	fmt.Println(order, err)
	// Output:
	// true
	// {7 book} <nil>
}

func ExampleStrictJSON() {
	conn, stop := openShop()
	defer stop()
	b := request.Get(conn, "/twice")
	order, err := request.Do[Order](context.Background(), b)
	fmt.Println(order.ID, err)
	_, err = request.Do[Order](context.Background(), b.Codec(request.StrictJSON()))
	fmt.Println(errors.Is(err, request.StageDecode))
	// Output:
	// 8 <nil>
	// true
}

func ExampleBinary() {
	conn, stop := openShop()
	defer stop()
	logo, err := request.Do[request.Binary](context.Background(), request.Get(conn, "/logo"))
	fmt.Println(logo.ContentType, len(logo.Data), err)
	// Output: image/png 4 <nil>
}

// A 404 that is an answer like any other.
func ExampleBuilder_ExpectStatus() {
	conn, stop := openShop()
	defer stop()
	b := request.Get(conn, "/gone").ExpectStatus(http.StatusOK, http.StatusNotFound)
	full, err := request.Full[Order](context.Background(), b)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(full.Status, full.Value.Item)
	// Output: 404 none
}

func ExampleResponseError_Problem() {
	conn, stop := openShop()
	defer stop()
	err := request.Get(conn, "/broke").Exec(context.Background())
	if e, ok := errors.AsType[*request.ResponseError](err); ok && e.Problem() != nil {
		p := e.Problem()
		fmt.Println(p.Title, string(p.Extensions["balance"]))
	}
	// Output: Not enough credit. 30
}
