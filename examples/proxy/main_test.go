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
	// through the proxy:
	//   order 7
	// the proxy was asked: CONNECT OK
	// with another password:
	//   refused with status 407
	// with https_proxy=http//typo:3128 in the environment:
	//   connection: WithProxy: https_proxy: it has a path, or :// is missing: a proxy is scheme://host:port
}
