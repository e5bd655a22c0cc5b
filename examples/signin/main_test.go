package main

import (
	"context"
	"fmt"
	"os"
)

func Example() {
	if err := run(context.Background(), os.Stdout, robot(os.Stdout)); err != nil {
		fmt.Println(err)
	}
	// Output:
	// nobody is signed in
	//   the robot fills in the form: login
	//   the robot fills in the form: consent
	// Ann Example is signed in, and has 2 notes
	// the user has to allow more: [notes:write]
	//   the robot fills in the form: consent
	// Ann Example has 3 notes now
	// signed out: the server knows of 0 good tokens
}
