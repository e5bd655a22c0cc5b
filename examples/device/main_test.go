package main

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
)

func Example() {
	var out bytes.Buffer
	if err := run(context.Background(), &out, robot(&out)); err != nil {
		fmt.Println(err)
	}
	// Port and code are others each time.
	text := regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(out.String(), "127.0.0.1:PORT")
	fmt.Print(regexp.MustCompile(`[A-Z]{4}-[A-Z]{4}`).ReplaceAllString(text, "CODE"))
	// Output:
	// on another device, open http://127.0.0.1:PORT/device
	// and enter CODE
	//   the robot fills in the form: device
	//   the robot fills in the form: login
	//   the robot fills in the form: consent
	// tonight, for Ann Example: The General
}
