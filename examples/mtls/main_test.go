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
	//   the service sees crm in January
	// the certificate is renewed:
	//   the service sees crm in February
	// the file is broken:
	//   the service sees crm in February
	//   somebody can know: true
	// without a certificate:
	//   the service refuses the handshake
}
