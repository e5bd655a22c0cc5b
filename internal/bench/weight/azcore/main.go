// Command azcore is a typed GET with retries over azcore. Only its size is of interest.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
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
	auth := runtime.NewBearerTokenPolicy(credential(token), []string{"items"}, nil)
	options := runtime.PipelineOptions{PerRetry: []policy.Policy{auth}}
	pipeline := runtime.NewPipeline("weight", "v1.0.0", options, nil)
	req, err := runtime.NewRequest(ctx, http.MethodGet, url)
	if err != nil {
		return got, err
	}
	resp, err := pipeline.Do(req)
	if err != nil {
		return got, err
	}
	defer resp.Body.Close()
	if !runtime.HasStatusCode(resp, http.StatusOK) {
		return got, runtime.NewResponseError(resp)
	}
	err = runtime.UnmarshalAsJSON(resp, &got)
	return got, err
}

type credential string

func (c credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(c), ExpiresOn: time.Now().Add(time.Hour)}, nil
}
