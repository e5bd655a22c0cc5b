package main

import (
	"context"
	"fmt"
	"os"
)

func Example() {
	if err := run(context.Background(), os.Stdout, ""); err != nil {
		fmt.Println(err)
	}
	// Output:
	// typed GET:  GET expand=[team], API key received: true
	// JSON POST:  200 application/json; charset=utf-8, received 2 tea
	// a 503 first: 200 after 2 attempts
	// a 404:      not found: true
}
