package main

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// TestMain lets the test binary be the workers, too.
func TestMain(m *testing.M) {
	if os.Getenv(envURL) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func Example() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	//   > POST /token (Authorization: Basic [REDACTED]) grant_type=refresh_token&refresh_token=[REDACTED]
	//   < 200 {"access_token":"[REDACTED]","expires_in":1,"refresh_token":"[REDACTED]","token_type":"Bearer"}
	//   > POST /token (Authorization: Basic [REDACTED]) grant_type=refresh_token&refresh_token=[REDACTED]
	//   < 200 {"access_token":"[REDACTED]","expires_in":1,"refresh_token":"[REDACTED]","token_type":"Bearer"}
	//   > POST /token (Authorization: Basic [REDACTED]) grant_type=refresh_token&refresh_token=[REDACTED]
	//   < 200 {"access_token":"[REDACTED]","expires_in":3600,"refresh_token":"[REDACTED]","token_type":"Bearer"}
	// workers 4, generations 3, grants 3, renewals that workers made 3, replays 0
}
