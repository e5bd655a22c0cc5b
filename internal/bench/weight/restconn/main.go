// Command restconn is a typed GET with retries over restconn. Only its size is of interest.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

type answer struct {
	Name string `json:"name"`
}

func main() {
	got, err := get(context.Background(), os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(got.Name)
}

func get(ctx context.Context, url, token string) (got answer, err error) {
	conn, err := connection.New(url,
		connection.WithAuth(auth.Bearer(auth.Static(secrets.Static(token)))),
		connection.WithRetry(connection.Retry{Max: 3, Wait: connection.Exponential()}),
	)
	if err != nil {
		return got, err
	}
	defer func() { _ = conn.Close() }()
	return request.Do[answer](ctx, request.Get(conn, "/"))
}
