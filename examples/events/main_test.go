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
	// ping 0
	// ping 1
	// ping 2
	// ping 0
	// ping 1
	// 5 events over 2 connections
	// line 0
	// line 1
	// line 2
}
