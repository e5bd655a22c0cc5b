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
	// attempt 1: 68513 of 68513 bytes
	// attempt 2: 68513 of 68513 bytes
	// received after 2 attempts: note=[daily] meta=[{"rows":4000}]
	// received files: report of 68000 bytes, logo of 6 bytes
}
