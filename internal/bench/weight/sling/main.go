// Command sling is a typed GET over dghubble/sling. Only its size is of interest.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/dghubble/sling"
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
	api := sling.New().Get(url).Set("Authorization", "Bearer "+token)
	req, err := api.Request()
	if err != nil {
		return got, err
	}
	resp, err := api.Do(req.WithContext(ctx), &got, nil) //nolint:bodyclose // Do closes it
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", resp.Status)
	}
	return got, err
}
