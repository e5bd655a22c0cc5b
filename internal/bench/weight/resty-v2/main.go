// Command resty-v2 is a typed GET with retries over go-resty/resty/v2. Only its size is of interest.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/go-resty/resty/v2"
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
	client := resty.New().SetAuthToken(token).SetRetryCount(3)
	resp, err := client.R().SetContext(ctx).SetResult(&got).Get(url)
	if err == nil && resp.IsError() {
		err = fmt.Errorf("status %s", resp.Status())
	}
	return got, err
}
