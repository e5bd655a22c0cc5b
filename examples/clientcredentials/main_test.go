package main

import (
	"context"
	"fmt"
	"os"
)

func Example() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// three requests, one token:
	//   > POST /token (Authorization: Basic [REDACTED]) grant_type=client_credentials&scope=orders:read
	//   < 200 {"access_token":"[REDACTED]","expires_in":3600,"token_type":"Bearer"}
	//   * the token was renewed
	//   > GET /orders/1 (Authorization: Bearer [REDACTED])
	//   < 200 {"id":"1"}
	//   order 1
	//   > GET /orders/2 (Authorization: Bearer [REDACTED])
	//   < 200 {"id":"2"}
	//   order 2
	//   > GET /orders/3 (Authorization: Bearer [REDACTED])
	//   < 200 {"id":"3"}
	//   order 3
	// the token is revoked, and nobody tells the client:
	//   > GET /orders/4 (Authorization: Bearer [REDACTED])
	//   < 401 {"error":"invalid_token"}
	//   > POST /token (Authorization: Basic [REDACTED]) grant_type=client_credentials&scope=orders:read
	//   < 200 {"access_token":"[REDACTED]","expires_in":3600,"token_type":"Bearer"}
	//   * the token was renewed
	//   > GET /orders/4 (Authorization: Bearer [REDACTED])
	//   < 200 {"id":"4"}
	//   order 4
	// token calls: 2
	// a client whose secret is wrong:
	//   > POST /token (Authorization: Basic [REDACTED]) grant_type=client_credentials&scope=orders:read
	//   < 401 {"error":"invalid_client","error_description":"no such client"}
	// status 401, code invalid_client: no such client
}
