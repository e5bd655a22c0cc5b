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
	// item: tea
	// item: milk
	// item: bread
	// item: salt
	// item: rice
	// page 1: [tea milk]
	// later:
	// page 2: [bread]
	// page 3: [salt rice]
	// a next link to another origin is refused
}
