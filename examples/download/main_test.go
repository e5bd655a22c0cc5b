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
	// 260000 bytes in 2 requests, and the checksum is right
	// not found: true, no file: true
	// a file that wants to be ../../orders.json is orders.json in the directory
}
