package main

import (
	"context"
	"fmt"
	"os"
)

func Example() {
	if err := run(context.Background(), os.Stdout, robots); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ann: GET /: 200 who are you?
	// ann: POST /session: 200 ann is not connected
	//   ann fills in the form: login
	//   ann fills in the form: consent
	// ann: GET /connect?return=/: 200 ann sees the notes of Ann Example: call Bob. water the plants.
	// bob: POST /session: 200 bob is not connected
	//   bob fills in the form: login
	//   bob fills in the form: consent
	// bob: GET /connect?return=/: 200 bob sees the notes of Bob Example: buy tea.
	// ann: POST /notes: 403 ann has to allow more: notes:write
	//   ann fills in the form: consent
	// ann: GET /connect?return=/: 200 ann sees the notes of Ann Example: call Bob. water the plants.
	// ann: POST /notes: 200 ann sees the notes of Ann Example: call Bob. water the plants. send a card.
	// ann: POST /disconnect: 200 ann is not connected
	// bob: GET /: 200 bob sees the notes of Bob Example: buy tea.
	// good tokens, that of bob and the one that ann had first: 2
}
