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
	// the program runs:
	// nobody is signed in
	//   the robot fills in the form: login
	//   the robot fills in the form: consent
	// Ann Example is signed in; notes: 2
	// the user has to allow more: [notes:write]
	//   the robot fills in the form: consent
	// notes: 3
	// the program runs:
	// Ann Example is signed in; notes: 3
	// signed out
	// good tokens that are left: 0
}
