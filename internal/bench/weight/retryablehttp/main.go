// Command retryablehttp is a typed GET with retries over hashicorp/go-retryablehttp. Only its size is of interest.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/hashicorp/go-retryablehttp"
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
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return got, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := retryablehttp.NewClient().Do(req)
	if err != nil {
		return got, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return got, fmt.Errorf("status %s", resp.Status)
	}
	err = json.NewDecoder(resp.Body).Decode(&got)
	return got, err
}
