// Command requests is a typed GET over carlmjohnson/requests. Only its size is of interest.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/carlmjohnson/requests"
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
	err = requests.URL(url).Bearer(token).ToJSON(&got).Fetch(ctx)
	return got, err
}
