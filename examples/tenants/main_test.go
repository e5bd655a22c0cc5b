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
	// ann:
	//   > GET https://north.example.com/v1/companies/7001/invoices
	//   Northwind has 9 open invoices
	// bob:
	//   > GET https://south.example.com/v1/companies/7002/invoices
	//   Southridge has 10 open invoices
	// eve:
	//   no call to https://example.net
}
