// Command resty-v3 is a typed GET with retries over resty.dev/v3. Only its size is of interest.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"resty.dev/v3"
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
	defer func() { _ = client.Close() }()
	resp, err := client.R().SetContext(ctx).SetResult(&got).Get(url)
	if err == nil && resp.IsStatusFailure() {
		err = fmt.Errorf("status %s", resp.Status())
	}
	return got, err
}
